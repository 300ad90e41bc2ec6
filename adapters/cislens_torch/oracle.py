"""A PyTorch model as an oracle."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from cislens.errors import CapabilityError, OracleError
from cislens.oracle.base import Array, Oracle, Outputs
from cislens.oracle.encoding import Encoding
from cislens.oracle.fingerprint import fingerprint_of_weights
from cislens.oracle.head import Head, Scale, open_shape
from cislens.oracle.layer import Layer
from cislens.oracle.options import OracleOptions
from cislens.oracle.placing import placed_heads
from cislens_torch.layers import INPUT_NAME, Graph, graph_of, to_numpy, weight_arrays, weight_tensors
from cislens_torch.placement import copied, placed
from cislens_torch.probing import Form, find_form
from cislens_torch.replay import Changes, Reached, Replay, Stop, as_units
from cislens_torch.scripted import program_text
from cislens_torch.sharing import Sharing
from cislens_torch.subnetwork import SubnetworkOracle
from cislens_torch.tensors import TensorOracle, encode, evaluating, input_axes, named_outputs
from cislens_torch.trace import Untraceable, trace
from cislens_torch.trial import BATCH, called

# What needs the executed operations.
OF_THE_GRAPH = ("layers", "activations", "weights", "subnetwork", "intervene", "randomised")
SIGMOIDS = frozenset({"sigmoid", "special_expit"})
PROBABLE = SIGMOIDS | {"softmax"}


class TorchOracle(TensorOracle):
    """Answer with an `nn.Module`.

    The module is evaluated where and as it is: in evaluation mode, without gradients of its parameters, on its own
    device and in its own number type where the options ask for no other; otherwise a copy is. It is left as it was
    found. Its layers are the operations that it really executes, found by watching one forward pass.

    Parameters
    ----------
    module
        The model.
    options
        How it wants its input, what its outputs are, and how to run it.
    name
        What reports call it; by default its class.
    fixed_batch
        Rows of every batch, of a model that takes no other number.

    Raises
    ------
    OracleError
        If no input fits, or it answers with something else than tensors.

    Examples
    --------
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1))
    >>> oracle = TorchOracle(model)
    >>> [layer.kind for layer in oracle.layers()]
    ['input', 'convolution', 'activation', 'global_pool', 'dense']
    """

    def __init__(
        self,
        module: nn.Module,
        options: OracleOptions | None = None,
        name: str | None = None,
        fixed_batch: int | None = None,
    ) -> None:
        options = options or OracleOptions()
        self.options = self._opened_with = options
        self._given = module
        module, placement = placed(module, options)
        self.module, self.placement = module, placement
        self.fixed_batch = fixed_batch
        form = find_form(self._watched, placement, options, fixed_batch)
        self.encoding = Encoding(form.layout, options.base_order, options.n_value)
        self._changes = Changes()
        self._sharing: Sharing | None = None
        found, scales = self._look(form)
        heads = options.declare(found, scales)
        self._names = dict(zip(found, (head.name for head in heads), strict=True))
        super().__init__(module, placement, name or type(module).__name__, heads, form.length, fixed_batch)
        if self.graph is not None:
            layers = {call: layer for layer, call in self.graph.calls.items()}
            ends = {self._names[key]: layers[source] for key, source in self.graph.trace.sources.items()}
            self.heads = placed_heads(heads, self.graph.layers, ends)

    def _look(self, form: Form) -> tuple[dict[str, tuple[int | None, ...]], dict[str, Scale]]:
        """Trace the model, and return the shapes of its outputs and what their last operation tells of their scale."""
        self._probe = self._poly_a(form.tried)
        self.graph: Graph | None = None
        self._untraceable = ""
        outputs = self._plain(self._probe)
        try:
            self.graph, outputs = self._traced()
        except Exception as error:  # whatever watching the model raises is the reason why it shows no layers
            told = isinstance(error, Untraceable)
            self._untraceable = str(error) if told else f"its forward pass cannot be watched ({error!r})"
        if isinstance(self.module, torch.jit.ScriptModule):
            self.graph, self._untraceable = None, "a TorchScript file shows no layers"
        self._differentiable = any(output.requires_grad for output in outputs.values())
        found: dict[str, tuple[int | None, ...]] = {key: tuple(out.shape[1:]) for key, out in outputs.items()}
        if form.length is None:
            longer = self._plain(self._poly_a(2 * form.tried))
            found = {
                key: open_shape(tuple(out.shape[1:]), tuple(longer[key].shape[1:])) for key, out in outputs.items()
            }
        scales: dict[str, Scale] = {}
        if self.graph is not None:
            operations = self.graph.trace.operations
            for key, source in self.graph.trace.sources.items():
                if source in operations and operations[source].function in PROBABLE:
                    scales[key] = "probability"
        return found, scales

    def _poly_a(self, length: int) -> torch.Tensor:
        x = torch.zeros((self.fixed_batch or BATCH, length, 4), dtype=torch.float32, device=self.placement.device)
        x[..., 0] = 1
        return x

    def _plain(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.enable_grad(), evaluating(self.module, frozen=True):
            return self._run(self.module, encode(x.clone().requires_grad_(), self.encoding, self.placement.dtype))

    def _traced(self) -> tuple[Graph, dict[str, torch.Tensor]]:
        watched = self._watched
        with torch.enable_grad(), evaluating(watched, frozen=True):
            encoded = encode(self._probe.clone().requires_grad_(), self.encoding, self.placement.dtype)
            found, outputs = trace(watched, encoded, input_axes(self.encoding), lambda x: self._run(watched, x))
        return graph_of(found), outputs

    def run(self, encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        """Call the model that shows its operations, and name its outputs as it does."""
        return self._run(self._watched, encoded)

    def _run(self, module: nn.Module, encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        return named_outputs(called(module, encoded, self._opened_with))

    # ---- answers -----------------------------------------------------------------------------------------

    def _answer(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        encoded = encode(x, self.encoding, self.placement.dtype)
        if self._changes:
            replay = self._replay()
            with replay:
                outputs = self.run(replay.start(encoded))
        else:
            outputs = self._run(self.module, encoded)
        return {self._names[key]: output for key, output in outputs.items()}

    def _substitutions(self, x: Array, sites: Array) -> Outputs | None:
        if self._changes or self.graph is None or self.fixed_batch is not None:
            return None
        if self._sharing is None:
            self._sharing = Sharing(
                self.encoding,
                self.placement,
                lambda encoded: self._run(self._watched, encoded),
                self._is_out_of_memory,
            )
        with torch.no_grad(), evaluating(self.module):
            shared = self._sharing.answer(self._tensor(x), sites)
        return None if shared is None else {self._names[key]: to_numpy(part) for key, part in shared.items()}

    @property
    def _watched(self) -> nn.Module:
        # A compiled module runs as one piece; the module that it was compiled from shows its operations.
        watched: nn.Module = getattr(self.module, "_orig_mod", self.module)
        return watched

    def _replay(self, stop: Stop | None = None) -> Replay:
        assert self.graph is not None
        return Replay(self.graph.trace, self._changes, stop)

    # ---- the inside --------------------------------------------------------------------------------------

    def _layers(self) -> tuple[Layer, ...]:
        return self._graph.layers

    @property
    def _graph(self) -> Graph:
        assert self.graph is not None
        return self.graph

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        if layer.name == INPUT_NAME:
            return x
        before = pre and layer.kind == "activation"
        name = layer.name if pre else self._graph.activated(layer)
        operation = self._graph.operation(name)
        replay = self._replay(Stop(operation.call, before))
        with torch.no_grad(), evaluating(self.module):
            encoded = encode(self._tensor(x), self.encoding, self.placement.dtype)
            try:
                with replay:
                    self.run(replay.start(encoded))
            except Reached as reached:
                return to_numpy(as_units(reached.value, operation))
        raise OracleError(f"layer {name!r} must be reached by every forward pass, but this one took another way")

    def _weights(self, layer: Layer) -> dict[str, Array]:
        return weight_arrays(self._graph, layer, self._watched, self.encoding)

    def _subnetwork(self, layer: Layer) -> Oracle:
        return SubnetworkOracle(self, self._graph, layer, self._changes)

    def _intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        merged = {call: dict(units) for call, units in self._changes.held.items()}
        for name, units in edits.items():
            if name == INPUT_NAME:
                raise CapabilityError("units of the input are bases: edit the sequences instead")
            held = self._graph.operation(self._graph.activated(self.layer(name)))
            merged.setdefault(held.call, {}).update(units)
        names = (*self._changes.names, *(f"{name}: {dict(units)}" for name, units in edits.items()))
        new = self._remade(self.module, self.heads)
        new._changes = replace(self._changes, held=merged, names=names)
        return new

    def _logits(self, heads: Sequence[str]) -> Oracle:
        sources = {self._names[key]: source for key, source in self._graph.trace.sources.items()}
        opened = tuple(replace(h, scale="logit") if h.name in heads else h for h in self.heads)
        new = self._remade(self.module, opened)
        left_out = self._changes.left_out | {sources[name] for name in heads}
        new._changes = replace(self._changes, left_out=left_out, names=(*self._changes.names, f"logits of {heads}"))
        return new

    def _why_no_logits(self) -> str | None:
        squashed = [head.name for head in self.heads if head.scale == "probability"]
        if self.graph is None or not squashed:
            return self._untraceable or "none of its heads is a probability"
        read = {name for layer in self.graph.layers for name in layer.inputs}
        ends = {call: name for name, call in self.graph.calls.items()}
        sources = {self._names[key]: source for key, source in self.graph.trace.sources.items()}
        for name in squashed:
            last = self.graph.trace.operations.get(sources[name])
            alone = list(sources.values()).count(sources[name]) == 1
            if last is None or last.function not in SIGMOIDS or ends[last.call] in read or not alone:
                return f"its head {name!r} does not end in a sigmoid of its own"
        return None

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        if not weight_tensors(self._graph, layer, self._watched):
            owners = [other.name for other in self.layers() if weight_tensors(self._graph, other, self._watched)]
            raise OracleError(f"layer {layer.name!r} has no weights to shuffle: choose one of {', '.join(owners)}")
        new = self._remade(copied(self.module), self.heads)
        new.graph, _ = new._traced()
        tensors = weight_tensors(new.graph, layer, new._watched)
        own = {tensor.data_ptr() for tensor in (*new.module.parameters(), *new.module.buffers())}
        if not all(tensor.data_ptr() in own for tensor in tensors.values()):
            # Weights that are computed from others, as by weight normalisation: those others are shuffled.
            path = new.graph.trace.invocations[new.graph.operation(layer.name).invocation].path
            tensors = dict(new._watched.get_submodule(path).named_parameters())
        with torch.no_grad():
            for tensor in tensors.values():
                order = torch.from_numpy(rng.permutation(tensor.numel())).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].reshape(tensor.shape))
        new.graph, _ = new._traced()
        return new

    def _remade(self, module: nn.Module, heads: tuple[Head, ...]) -> TorchOracle:
        """Return an oracle like this one on a module of the same form, with counts of its own."""
        new = copy.copy(self)
        new._given = module
        new._sharing = None
        TensorOracle.__init__(new, module, self.placement, self.name, heads, self.length, self.fixed_batch)
        return new

    # ---- what it is --------------------------------------------------------------------------------------

    def _declined(self) -> dict[str, str]:
        declined: dict[str, str] = {}
        if self.graph is None:
            declined |= {name: self._untraceable for name in OF_THE_GRAPH}
        if reason := self._why_no_logits():
            declined["logits"] = reason
        if not self._differentiable:
            declined["linearize"] = "no gradient flows from its answers back to the sequence"
        return declined

    def _fingerprint(self) -> str:
        arrays = [to_numpy(part) for part in self.module.state_dict().values() if isinstance(part, torch.Tensor)]
        layers = [(layer.name, layer.kind, layer.activation) for layer in self.graph.layers] if self.graph else []
        shown = re.sub(r" at 0x[0-9a-f]+", "", repr(self.module))
        if isinstance(self.module, torch.jit.ScriptModule):
            shown += program_text(self.module)
        identity = self._opened_with.identity() | {"class": type(self.module).__qualname__, "shown": shown}
        return fingerprint_of_weights(arrays, identity | {"layers": layers, "changes": self._changes.names})

    @property
    def native(self) -> Any:
        """The user's module."""
        return self._given
