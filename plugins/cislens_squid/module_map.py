"""A genotype-phenotype map that a user wrote: any torch module."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from cislens.errors import CislensError
from cislens.sequences.codes import onehot_of
from cislens_squid.library import Library

Array = npt.NDArray[Any]
AT_ONCE = 4096  # variants whose graph is held
STEPS = 100  # towards least squares


@dataclass(frozen=True, eq=False)
class ModuleMap:
    """Score variants by a torch module that takes one-hot elements (n, width, 4), float64, and gives (n,).

    Its parameters are fitted with those of the nonlinearity and the noise, from where the module has them, but for
    those that ask for no gradient.

    Parameters
    ----------
    module
        The map. What is fitted is a copy of it, in float64 and in evaluation mode; it is left as it was.
    """

    module: nn.Module

    def __post_init__(self) -> None:
        object.__setattr__(self, "module", deepcopy(self.module).double().eval())

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return sum(parameter.numel() for _, parameter in free(self.module))

    def design(self, library: Library) -> ModuleDesign:
        """Return what scores the variants of a library."""
        return ModuleDesign(self.module, library, np.arange(len(library)))

    def start(self, design: ModuleDesign, y: Array) -> Array:
        """Return parameters (size,) of nearly least squares, reached from those that the module has."""
        from scipy.optimize import minimize  # type: ignore[import-untyped]

        def squares(theta: Array) -> tuple[float, Array]:
            left = design.score(theta) - y
            return float(left @ left) / len(y), design.pull(theta, 2 * left / len(y))

        first = parameters_to_vector(parameter for _, parameter in free(self.module)).detach().numpy()
        return np.asarray(minimize(squares, first, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x)

    def prior(self, design: ModuleDesign) -> Array:
        """Return zeros (size,): what its parameters should cost is not known."""
        return np.zeros(self.size)

    def simpler(self) -> None:
        """Return nothing: no simpler map is known."""


@dataclass(frozen=True, eq=False)
class ModuleDesign:
    """Score some variants of a library by a module."""

    module: nn.Module
    library: Library
    rows: Array

    def score(self, theta: Array) -> Array:
        """Return the latent phenotypes (n,)."""
        with torch.no_grad():
            return torch.cat([self._answer(torch.from_numpy(theta), part) for part in self._parts()]).numpy()

    def pull(self, theta: Array, cotangent: Array) -> Array:
        """Return the cotangent of the parameters (size,)."""
        vector = torch.from_numpy(theta.copy()).requires_grad_()
        done = 0
        for part in self._parts():
            self._answer(vector, part).backward(torch.from_numpy(cotangent[done : done + len(part)].copy()))  # type: ignore[no-untyped-call]
            done += len(part)
        assert vector.grad is not None
        return vector.grad.numpy()

    def take(self, rows: Array) -> ModuleDesign:
        """Return what scores some of the variants."""
        return replace(self, rows=self.rows[rows])

    def narrowed(self, size: int) -> ModuleDesign:
        """Return itself: no map is simpler."""
        return self

    def _parts(self) -> list[Array]:
        return [self.rows[start : start + AT_ONCE] for start in range(0, len(self.rows), AT_ONCE)]

    def _answer(self, theta: Tensor, rows: Array) -> Tensor:
        x = torch.from_numpy(onehot_of(self.library.element(rows))).double()
        named, done = {}, 0
        for name, parameter in free(self.module):
            named[name] = theta[done : done + parameter.numel()].reshape(parameter.shape)
            done += parameter.numel()
        answer: Tensor = functional_call(self.module, named, (x,))
        if answer.shape != (len(x),):
            raise CislensError(
                f"a genotype-phenotype map must give one number a variant, ({len(x)},), got {tuple(answer.shape)}"
            )
        return answer


def module_map(text: str, width: int) -> ModuleMap:
    """Make the map that `FILE.py:FACTORY` names: the function is called with the width of the element, in bp.

    Raises
    ------
    CislensError
        If the file or the function is not there, fails, or returns no torch module.
    """
    path, _, name = text.rpartition(":")
    try:
        # Layers draw from torch's global generator: the same first weights for all, and the user's stream left alone.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = _factory(path, name)(width)
    except Exception as error:  # the user's own code, which may fail in any way
        raise CislensError(
            f"a genotype-phenotype map is additive, neighbour, pairwise or FILE.py:FACTORY, whose function takes a "
            f"width in bp and returns a torch module, but {text!r} failed with {type(error).__name__}: {error}"
        ) from error
    if not isinstance(module, nn.Module):
        raise CislensError(f"{text} must return a torch module, got {type(module).__name__}")
    return ModuleMap(module)


def _factory(path: str, name: str) -> Any:
    spec = spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise CislensError(f"{path!r} is no Python file")
    file = module_from_spec(spec)
    spec.loader.exec_module(file)
    return getattr(file, name)


def free(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters that are fitted, by name."""
    return [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
