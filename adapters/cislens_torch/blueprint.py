"""Build a published architecture as a torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cislens.architecture.blueprint import SEQUENCE, THRESHOLD, Blueprint, BlueprintHead, Step


def build_module(blueprint: Blueprint) -> nn.Module:
    """Return the module of a blueprint, in evaluation mode; its children have the names of the steps.

    It takes (n, 4, length) and answers with a tensor for each head, in a dictionary.
    """
    return Assembled(blueprint).eval()


class Assembled(nn.Module):
    """Run the steps of a blueprint.

    Parameters
    ----------
    blueprint
        Its weights become the module's.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.inputs = {step.name: step.inputs for step in blueprint.steps}
        self.heads = blueprint.heads
        with torch.no_grad():
            for step in blueprint.steps:
                self.add_module(step.name, MODULES[step.kind](step))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the answers of all heads to sequences (n, 4, length)."""
        values = {SEQUENCE: x}
        for name, inputs in self.inputs.items():
            values[name] = self.get_submodule(name)(*(values[source] for source in inputs))
        return {head.name: _arranged(values[head.step], head) for head in self.heads}

    def extra_repr(self) -> str:
        """Return how the steps are connected, which the list of them does not show."""
        return "; ".join(f"{name}({', '.join(inputs)})" for name, inputs in self.inputs.items())


def _arranged(value: torch.Tensor, head: BlueprintHead) -> torch.Tensor:
    """Return a profile (n, channels, positions) with the axes that its head wants."""
    if head.axes == ("position",):
        return value.squeeze(1)
    return value.transpose(1, 2) if len(head.axes) == 2 and head.axes[0] == "position" else value


class Threshold(nn.Threshold):
    """Give 1e-6 in place of what is not above zero, as networks of torch7 do."""

    def __init__(self) -> None:
        super().__init__(0, THRESHOLD)


class Exponential(nn.Module):
    """Apply the exponential function."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return exp(x)."""
        return torch.exp(x)


class Add(nn.Module):
    """Add two values up."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        return first + second


class Crop(nn.Module):
    """Leave out positions at both ends."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the middle of x (n, channels, positions)."""
        return x[:, :, self.before : x.shape[2] - self.after]

    def extra_repr(self) -> str:
        """Return the numbers of positions."""
        return f"{self.before}, {self.after}"


class Pool(nn.Module):
    """Take the mean or the maximum over all positions."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels) of x (n, channels, positions)."""
        return x.mean(2) if self.function == "mean" else x.amax(2)

    def extra_repr(self) -> str:
        """Return the function."""
        return self.function


class FlattenPositions(nn.Module):
    """Flatten so that the channels of a position stay together, as Keras does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, positions times channels) of x (n, channels, positions)."""
        return x.transpose(1, 2).flatten(1)


class GroupedDense(nn.Conv1d):
    """Apply a dense layer of its own to each of several equal parts of the features."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return (n, groups times units) of an input (n, features)."""
        return super().forward(input.unsqueeze(-1)).squeeze(-1)


def _uninitialised(kind: type[nn.Module], *sizes: int, **settings: Any) -> nn.Module:
    """Return a module without drawing initial values, which the file's replace."""
    module: nn.Module = nn.utils.skip_init(kind, *sizes, **settings)  # type: ignore[no-untyped-call]
    return module


def _convolution(step: Step) -> nn.Module:
    units, width, channels = step.kernel_shape
    before, after = step.padding
    padding: str | int = before if before == after else "same"
    module = _uninitialised(nn.Conv1d, channels, units, width, padding=padding, dilation=step.dilation)
    return _with_kernel(module, step, torch.from_numpy(step.arrays["kernel"]).transpose(1, 2))


def _dense(step: Step) -> nn.Module:
    units, inputs = step.kernel_shape
    module = _uninitialised(nn.Linear, inputs, units)
    return _with_kernel(module, step, torch.from_numpy(step.arrays["kernel"]))


def _grouped_dense(step: Step) -> nn.Module:
    units, inputs = step.kernel_shape
    module = _uninitialised(GroupedDense, inputs * step.groups, units, 1, groups=step.groups)
    return _with_kernel(module, step, torch.from_numpy(step.arrays["kernel"]).unsqueeze(-1))


def _with_kernel(module: nn.Module, step: Step, kernel: torch.Tensor) -> nn.Module:
    assert isinstance(module, nn.Conv1d | nn.Linear)
    assert module.bias is not None
    module.weight.copy_(kernel)
    module.bias.copy_(torch.from_numpy(step.arrays["bias"]))
    return module


def _normalisation(step: Step) -> nn.Module:
    module = nn.BatchNorm1d(step.channels, step.epsilon)
    assert module.running_mean is not None
    assert module.running_var is not None
    tensors = (module.weight, module.bias, module.running_mean, module.running_var)
    for tensor, name in zip(tensors, ("scale", "offset", "mean", "variance"), strict=True):
        tensor.copy_(torch.from_numpy(step.arrays[name]))
    return module


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "threshold": Threshold,
    "exp": Exponential,
    "sigmoid": nn.Sigmoid,
}
MODULES: dict[str, Callable[[Step], nn.Module]] = {
    "convolution": _convolution,
    "dense": _dense,
    "grouped_dense": _grouped_dense,
    "normalisation": _normalisation,
    "activation": lambda step: ACTIVATIONS[step.function](),
    "pool": lambda step: nn.MaxPool1d(step.width),
    "global_pool": lambda step: Pool(step.function),
    "crop": lambda step: Crop(*step.padding),
    "add": lambda step: Add(),
    "flatten": lambda step: nn.Flatten() if step.order == "channels" else FlattenPositions(),
}
