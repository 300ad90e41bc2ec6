"""A Keras model as an oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from cislens.errors import OracleError
from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.fingerprint import fingerprint_of_weights
from cislens.oracle.head import Head, open_shape
from cislens.oracle.layer import Layer
from cislens.oracle.options import OracleOptions
from cislens.oracle.placing import placed_heads
from cislens_keras.canonical import canonical_weights
from cislens_keras.compiled import Compiled, traced
from cislens_keras.graph import Graph, Step, Value, flatten, is_graph, run
from cislens_keras.inputs import Inputs, find_inputs
from cislens_keras.layers import Description, describe, fused_activation, held, to_units
from cislens_keras.outside import OutsideModel
from cislens_keras.placement import find_device, in_precision
from cislens_keras.rebuild import Changes, Window, copied, rebuilt, shuffled
from cislens_keras.runtime import tf
from cislens_keras.scales import final_sigmoid, found_scales

INSIDE = ("layers", "activations", "weights", "subnetwork", "intervene", "randomised", "logits")
# Lengths in bp of published models, shortest first, for a model that takes any.
PROBE_LENGTHS = (200, 500, 1000, 2114, 16_384, 131_072)


class KerasOracle(Oracle):
    """Ask a Keras model on the TensorFlow backend.

    Parameters
    ----------
    model
        A functional or sequential model shows everything; a subclassed one answers and is differentiated, no more. It
        is never compiled, changed or added to.
    options
        How it wants its input and what its outputs are.
    name
        What reports call it.

    Raises
    ------
    OracleError
        If no input takes DNA, the options do not fit, or the model does not answer.
    """

    def __init__(self, model: Any, options: OracleOptions | None = None, name: str | None = None) -> None:
        options = options or OracleOptions()
        self._native = model
        self.options = options
        self.dtype = np.float64 if options.precision == "float64" else np.float32
        device, self._place = find_device(options.device)
        with tf.device(self._place):
            self.model = in_precision(model, options)
        self.inputs: Inputs = find_inputs(self.model, options)
        self.encoding = self.inputs.encoding
        self.compiled = Compiled(self.model, self.inputs, self.dtype, self._place, device != "cpu")
        self._functions: dict[tuple[str, bool], Any] = {}
        self._graph = flatten(self.model) if is_graph(self.model) else None
        found = self._probe()
        heads = options.declare(found, {}) if self._graph is None else self._described_heads(self._graph, found)
        named = name or str(getattr(model, "name", "keras model"))
        fixed, size = self.inputs.fixed_batch, options.batch_size
        super().__init__(named, heads, self.inputs.length, batch_size=size, device=device, fixed_batch=fixed)

    # ---- answers -----------------------------------------------------------------------------------------

    def _probe(self) -> dict[str, tuple[int | None, ...]]:
        """Return the shape of each output by its name, from the answer to sequences of zeros."""
        errors = []
        for length in (self.inputs.length,) if self.inputs.length else PROBE_LENGTHS:
            try:
                answers = self._answers_to_zeros(length)
            except Exception as error:  # whatever the model's layers raise is shown below
                errors.append(f"{length} bp: {str(error).strip().splitlines()[0] if str(error) else repr(error)}")
                continue
            self.probed = length
            longer = answers if self.inputs.length else self._answers_to_zeros(2 * length)
            shapes = (open_shape(a.shape[1:], b.shape[1:]) for a, b in zip(answers, longer, strict=True))
            return dict(zip(self._output_names(len(answers)), shapes, strict=True))
        raise OracleError(
            f"the model must answer to sequences, but failed ({'; '.join(errors[:2])}): "
            "state --input-length or --layout"
        )

    def _described_heads(self, graph: Graph, found: Mapping[str, tuple[int | None, ...]]) -> tuple[Head, ...]:
        """Return the heads with their scales, axes and places on the sequence as the layers tell."""
        assert self.options is not None
        heads = self.options.declare(found, found_scales(graph, tuple(found)))
        ends = {head.name: end.step for head, end in zip(heads, graph.outputs, strict=True)}
        stated = {*self.options.axes, *(head.name for head in heads if head.outputs)}
        flat = {name for name, end in ends.items() if self._description.axes[end] == ("position",)} - stated
        heads = tuple(replace(head, axes=("position",)) if head.name in flat else head for head in heads)
        return placed_heads(heads, self._description.places, ends)

    def _answers_to_zeros(self, length: int) -> list[Array]:
        return self.compiled.predict(self._zeros(length))

    def _zeros(self, length: int) -> Array:
        return np.zeros((self.inputs.fixed_batch or 1, *self.encoding.shape(length)), self.dtype)

    def _output_names(self, count: int) -> list[str]:
        names = self.compiled.names
        if names is None and self._graph is not None:
            names = [str(tensor._keras_history.operation.name) for tensor in self.model.outputs]
        if names is None or len(set(names)) != count:
            names = ["output"] if count == 1 else [f"output{i}" for i in range(count)]
        return names

    def _named(self, answers: list[Array]) -> Outputs:
        return {head.name: answer for head, answer in zip(self.heads, answers, strict=True)}

    def _predict(self, x: Array) -> Outputs:
        return self._named(self.compiled.predict(self.encoding.apply(x)))

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        answers, pull = self.compiled.linearize(self.encoding.apply(x))

        def pullback(cotangent: Mapping[str, Array]) -> Array:
            full = [
                np.asarray(cotangent[head.name]) if head.name in cotangent else np.zeros_like(answer)
                for head, answer in zip(self.heads, answers, strict=True)
            ]
            return self.encoding.undo(pull(full))

        return self._named(answers), pullback

    def _is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)

    def _fingerprint(self) -> str:
        calls: list[Any] = [self._native.identity] if isinstance(self._native, OutsideModel) else []
        if self._graph is not None:
            places = {step.name: i for i, step in enumerate((*self.graph.inputs, *self.graph.steps))}
            for step in self.graph.steps:
                config = step.operation.get_config()
                config.pop("name", None)  # Keras numbers unnamed layers, so that names differ from run to run
                calls.append([step.kind, config, [places[source.step] for source in step.sources]])
        assert self.options is not None
        settings = {"kind": type(self._native).__name__, "calls": calls, **self.options.identity()}
        return fingerprint_of_weights(self._native.get_weights(), settings)

    @property
    def native(self) -> Any:
        """The user's model."""
        return self._native.native if isinstance(self._native, OutsideModel) else self._native

    # ---- the inside --------------------------------------------------------------------------------------

    def _declined(self) -> dict[str, str]:
        if isinstance(self.model, OutsideModel):
            return dict.fromkeys(INSIDE, self.model.closed) | self._no_gradient
        if self._graph is None:
            return dict.fromkeys(INSIDE, "a subclassed Keras model does not show its layers; rebuild it functionally")
        lacking = [name for name, step in self._sigmoids.items() if step is None]
        if not self._sigmoids:
            return {"logits": "none of its heads is a probability"}
        return {"logits": f"its head {lacking[0]!r} does not end in a sigmoid of its own"} if lacking else {}

    @cached_property
    def _no_gradient(self) -> dict[str, str]:
        """The reason why a model that TensorFlow alone knows has no gradient, found by asking for one."""
        try:
            answers, pull = self.compiled.linearize(self._zeros(self.probed))
            pull([np.ones_like(answer) for answer in answers])
        except Exception as error:  # whatever the gradients of its operators raise is the reason
            said = (str(error).strip().splitlines() or [repr(error)])[0]
            return {"linearize": f"no gradient reaches its sequence: {said}"}
        return {}

    @cached_property
    def _sigmoids(self) -> dict[str, str | None]:
        """For each head that is a probability, the call that ends it in a sigmoid."""
        ends = zip(self.heads, self.graph.outputs, strict=True)
        return {head.name: final_sigmoid(self.graph, end) for head, end in ends if head.scale == "probability"}

    @property
    def graph(self) -> Graph:
        """The calls of the model."""
        assert self._graph is not None
        return self._graph

    @property
    def feed_shapes(self) -> list[tuple[int | None, ...]]:
        """Shape of each input, batch included, the lengths that the options state filled in."""
        shapes: list[tuple[int | None, ...]] = [(None, *shape) for shape in self.inputs.shapes]
        if self.inputs.length is not None:
            shapes[self.inputs.sequence] = (None, *self.encoding.shape(self.inputs.length))
        return shapes

    @cached_property
    def _description(self) -> Description:
        return describe(self.graph, self.feed_shapes, self.inputs.name, self.encoding)

    def _layers(self) -> tuple[Layer, ...]:
        return self._description.layers

    def _value(self, layer: Layer, pre: bool) -> tuple[Value, bool]:
        """Return the value that is a layer's pre-activation or activation, and whether a fused one must be left out."""
        step = self.graph.by_name[layer.name]
        fused = step.node is not None and fused_activation(step.operation) is not None
        if pre:
            return (step.sources[0], False) if layer.kind == "activation" else (Value(layer.name), fused)
        if layer.activation is not None and layer.kind != "activation" and not fused:
            (following,) = (x for x in self._description.layers if layer.name in x.inputs)
            return held(self.graph, following.name), False
        return held(self.graph, layer.name), False

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        value, linear = self._value(layer, pre)
        if (layer.name, pre) not in self._functions:
            self._functions[layer.name, pre] = self._compiled_value(value, linear)
        with tf.device(self._place):
            found = self._functions[layer.name, pre](tf.constant(self.encoding.apply(np.asarray(x, self.dtype))))
        return to_units(found.numpy(), self._description.axes[value.step])

    def _compiled_value(self, value: Value, linear: bool) -> Any:
        replaced: dict[str, Any] = {}
        if linear:
            step = self.graph.by_name[value.step]
            shape = self._description.shapes[step.sources[0].step]
            replaced[step.name] = copied(step, activation="linear")
            replaced[step.name].build((None, *shape))
            replaced[step.name].set_weights(step.operation.get_weights())

        def call(step: Step, values: Mapping[Value, Any]) -> Any:
            args, kwargs = step.arguments(values)
            return replaced.get(step.name, step.operation)(*args, **kwargs)

        def compute(x: Any) -> Any:
            return tf.cast(run(self.graph, self.inputs.feeds(x), [value], call)[value], self.compiled.dtype)

        return traced(compute, self.compiled.signature)

    def _weights(self, layer: Layer) -> dict[str, Array]:
        step = self.graph.by_name[layer.name]
        if not step.sources:
            return {}
        source = step.sources[0].step
        reads = self._carries_sequence(source)
        return canonical_weights(step.operation, self._description.axes[source], self.encoding if reads else None)

    def _carries_sequence(self, name: str) -> bool:
        """Tell whether a value is the sequence itself, moved or padded at most."""
        kinds = {layer.name: layer.kind for layer in self._description.layers}
        while name != self.inputs.name:
            step = self.graph.by_name[name]
            if kinds.get(name) not in ("permute", "pad", "dropout") or len(step.sources) != 1:
                return False
            name = step.sources[0].step
        return True

    def _subnetwork(self, layer: Layer) -> Oracle:
        assert layer.receptive_field is not None
        value, linear = self._value(layer, pre=True)
        shape = (None, *self.encoding.shape(layer.receptive_field))
        window = Window(self.graph, self._description, self.inputs.name)
        with tf.device(self._place):
            model = window.model(layer, shape, value, linear)
        options = self._options_for(("units",), length=layer.receptive_field, extra_inputs={})
        return KerasOracle(model, replace(options, outputs=(), scales={}, axes={}), f"{self.name} up to {layer.name}")

    def _intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        holds: dict[str, tuple[Mapping[int, float], int]] = {}
        for name, units in edits.items():
            value, _ = self._value(self.layer(name), pre=False)
            if not self.graph.by_name[value.step].sources:
                raise OracleError(f"units must be held after a layer, but {name!r} is an input: choose another layer")
            if units:
                holds[value.step] = (units, self._unit_axis(value.step))
        return self._changed(Changes(holds=holds), f"{self.name} with units held")

    def _unit_axis(self, name: str) -> int:
        axes, shape = self._description.axes[name], self._description.shapes[name]
        wide = [i for i, axis in enumerate(axes) if axis != "position" and shape[i] != 1]
        if len(wide) > 1:
            raise OracleError(f"units must lie along one axis to be held, but {name!r} gives {shape}: choose another")
        return 1 + (wide[0] if wide else next(i for i, axis in enumerate(axes) if axis != "position"))

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        operation = self.graph.by_name[layer.name].operation
        if not getattr(operation, "weights", None):
            raise OracleError(f"layer {layer.name!r} must have weights to be randomised, but it has none")
        arrays = shuffled(operation.get_weights(), rng)
        return self._changed(Changes(weights={layer.name: arrays}), f"{self.name} with {layer.name} randomised")

    def _logits(self, heads: Sequence[str]) -> Oracle:
        linear = frozenset(step for name in heads if (step := self._sigmoids[name]) is not None)
        scales = {head.name: "logit" if head.name in heads else head.scale for head in self.heads}
        return self._changed(Changes(linear=linear), f"{self.name} before the sigmoid", scales=scales)

    def _changed(self, changes: Changes, name: str, **settings: Any) -> KerasOracle:
        with tf.device(self._place):
            model = rebuilt(self.graph, self.feed_shapes, changes, name)
        return KerasOracle(model, self._options_for(tuple(head.name for head in self.heads), **settings), name)

    def _options_for(self, heads: tuple[str, ...], **settings: Any) -> OracleOptions:
        """Return options under which a copy of the model is opened, as this one was and with its heads."""
        assert self.options is not None
        known: dict[str, Any] = {"layout": self.encoding.layout, "length": self.length, "heads": heads}
        known |= {"scales": {h.name: h.scale for h in self.heads}, "axes": {h.name: h.axes for h in self.heads}}
        return replace(self.options, **{**known, **settings})
