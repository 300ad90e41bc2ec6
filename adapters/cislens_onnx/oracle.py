"""An ONNX model as an oracle: onnxruntime answers, torch shows the inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from cislens.errors import OracleError
from cislens.oracle.base import Array, Oracle, Outputs, Pullback
from cislens.oracle.encoding import Encoding
from cislens.oracle.fingerprint import fingerprint_of_weights
from cislens.oracle.head import Head, Scale, open_shape
from cislens.oracle.hooks import HOOKS
from cislens.oracle.layer import Layer
from cislens.oracle.options import OracleOptions
from cislens.oracle.sequence_input import SequenceInput, Shape, find_sequence
from cislens_onnx.graph import declared_shape, number_type, probable_outputs
from cislens_onnx.session import Session

if TYPE_CHECKING:
    from cislens_onnx.execution import Execution

# Lengths in bp that a model of any length is tried with, shortest first.
PROBE_LENGTHS = (200, 500, 1000, 2114, 16_384, 131_072)
NUMBERS = ("float32", "float64", "float16")


class OnnxOracle(Oracle):
    """Ask an ONNX model.

    Predictions and activations come from onnxruntime. Gradients, layers, subnetworks and interventions come from our
    own execution of the graph in torch, if that is installed, covers each operator of the model, and agrees with
    onnxruntime on a few sequences; otherwise they are declined with the reason.

    Parameters
    ----------
    model
        The model, its weights inside.
    options
        How it wants its input, what its outputs are, and how to run it.
    name
        What reports call it.

    Raises
    ------
    OracleError
        If no input takes DNA, the options do not fit, or the model does not answer.
    """

    def __init__(self, model: onnx.ModelProto, options: OracleOptions, name: str) -> None:
        self.model, self.options = model, options
        given = self._given_inputs()
        names, shapes = tuple(given), tuple(declared_shape(value) for value in given.values())
        self.input: SequenceInput = find_sequence(names, tuple(shape[1:] for shape in shapes), options)
        self.sequence = names[self.input.index]
        self._number = self._checked_number(given[self.sequence])
        self.dtype = np.float64 if self._number == np.float64 else np.float32
        self.encoding = Encoding(self.input.layout, options.base_order, options.n_value)
        self.fixed_batch = shapes[self.input.index][0]
        self.session = Session(model, options.device, name)
        self.others = self._held(given)
        found = self._probe()
        scales: dict[str, Scale] = dict.fromkeys(probable_outputs(model) & set(found), "probability")
        heads = options.declare(found, scales)
        self._names = dict(zip(found, (head.name for head in heads), strict=True))
        super().__init__(
            name,
            heads,
            self.input.length,
            batch_size=options.batch_size,
            device=self.session.device,
            fixed_batch=self.fixed_batch,
        )
        self.execution, self._uncovered = self._executed()
        if self.execution is not None:
            self.heads = self.execution.oracle.heads

    # ---- what it takes -----------------------------------------------------------------------------------

    def _given_inputs(self) -> dict[str, onnx.ValueInfoProto]:
        constants = {tensor.name for tensor in self.model.graph.initializer}
        return {value.name: value for value in self.model.graph.input if value.name not in constants}

    def _checked_number(self, value: onnx.ValueInfoProto) -> np.dtype[Any]:
        number = number_type(value)
        if number.name not in NUMBERS:
            raise OracleError(f"input {value.name!r} must take floating-point numbers, got {number.name}")
        assert self.options is not None
        if self.options.precision not in ("float32", number.name):
            raise OracleError(
                f"an ONNX model computes in the precision of its file, which is {number.name}, got precision "
                f"{self.options.precision}: leave it out"
            )
        return number

    def _held(self, given: Mapping[str, onnx.ValueInfoProto]) -> dict[str, Array]:
        """Return what each further input is held at, for one sequence."""
        assert self.options is not None
        held = {}
        for name, value in given.items():
            if name == self.sequence:
                continue
            extra = self.options.extra_inputs.get(name)
            shape: Shape = declared_shape(value)[1:] if extra is None else extra.shape
            sizes = [size if size is not None else self.input.length for size in shape]
            known = [size for size in sizes if size is not None]
            if len(known) < len(sizes):
                raise OracleError(
                    f"the shape of the further input {name!r} must be stated, as in --extra-input {name}=1000x2"
                )
            held[name] = np.full(known, 0.0 if extra is None else extra.value, number_type(value))
        return held

    def _feeds(self, x: Array) -> dict[str, Array]:
        encoded = self.encoding.apply(np.asarray(x, self._number))
        others = {name: np.broadcast_to(value, (len(x), *value.shape)) for name, value in self.others.items()}
        return {self.sequence: encoded, **others}

    def _probe(self) -> dict[str, tuple[int | None, ...]]:
        """Return the shape of each output by its name, from the answers to sequences of zeros."""
        errors = []
        for length in (self.input.length,) if self.input.length else PROBE_LENGTHS:
            try:
                answers = self._answers_to_zeros(length)
                longer = answers if self.input.length else self._answers_to_zeros(2 * length)
            except Exception as error:  # whatever onnxruntime raises is shown below
                errors.append(f"{length} bp: {str(error).strip().partition(chr(10))[0][:200]}")
                continue
            self.probed = length
            return {name: open_shape(answer.shape[1:], longer[name].shape[1:]) for name, answer in answers.items()}
        raise OracleError(
            f"the model must answer to sequences, but failed ({'; '.join(errors[:2])}): state --input-length or "
            "--layout"
        )

    def _answers_to_zeros(self, length: int) -> dict[str, Array]:
        rows = self.fixed_batch or 2
        answers = self.session.run(self._feeds(np.zeros((rows, length, 4), self.dtype)))
        for name, answer in answers.items():
            if not isinstance(answer, np.ndarray) or answer.ndim == 0 or len(answer) != rows:
                raise OracleError(f"output {name!r} must have one row for each sequence")
        return answers

    # ---- answers -----------------------------------------------------------------------------------------

    def _predict(self, x: Array) -> Outputs:
        answers = self.session.run(self._feeds(x))
        return {self._names[name]: np.asarray(answer, self.dtype) for name, answer in answers.items()}

    def _linearize(self, x: Array) -> tuple[Outputs, Pullback]:
        return self._inside._linearize(x)

    def _substitutions(self, x: Array, sites: Array) -> Outputs | None:
        return None if self.execution is None else self._inside._substitutions(x, sites)

    def _is_out_of_memory(self, error: Exception) -> bool:
        # onnxruntime's errors share no class but Exception; torch's are of the execution.
        text = str(error)
        return isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text

    # ---- the inside --------------------------------------------------------------------------------------

    def _executed(self) -> tuple[Execution | None, str]:
        """Return the torch execution, or the reason why there is none."""
        from cislens_onnx.node import Uncovered

        if self._number == np.float16:
            return None, "it computes in float16, too coarse to compare with its torch execution: export it in float32"
        try:
            from cislens_onnx.execution import Execution

            execution = Execution(self)
        except ModuleNotFoundError as error:
            return None, f"it needs {error.name}, which is not installed: pip install 'cislens[onnx,torch]'"
        except Uncovered as error:
            return None, f"the torch execution of ONNX does not cover {error}"
        except Exception as error:  # a form that an operator's torch function does not expect: predictions remain
            return None, f"the torch execution of the graph fails ({type(error).__name__}: {error})"
        return (execution, "") if not execution.disagreement else (None, execution.disagreement)

    @property
    def _inside(self) -> Oracle:
        assert self.execution is not None
        return self.execution.oracle

    def _layers(self) -> tuple[Layer, ...]:
        return self._inside._layers()

    def _activations(self, x: Array, layer: Layer, pre: bool) -> Array:
        assert self.execution is not None
        exposed = self.execution.exposed(layer, pre)
        if exposed is None:
            return self._inside._activations(x, layer, pre)
        return exposed.as_units(self.session.value(exposed.value, self._feeds(x)))

    def _weights(self, layer: Layer) -> dict[str, Array]:
        return self._inside._weights(layer)

    def _subnetwork(self, layer: Layer) -> Oracle:
        return self._inside._subnetwork(layer)

    def _intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        return self._inside._intervene(edits)

    def _randomised(self, layer: Layer, rng: np.random.Generator) -> Oracle:
        return self._inside._randomised(layer, rng)

    def _logits(self, heads: Sequence[str]) -> Oracle:
        return self._inside._logits(heads)

    def _declined(self) -> dict[str, str]:
        if self.execution is None:
            return {name: self._uncovered for name in HOOKS if name != "predict"}
        return self._inside._declined()

    # ---- what it is --------------------------------------------------------------------------------------

    def _fingerprint(self) -> str:
        arrays = [onnx.numpy_helper.to_array(tensor) for tensor in self.model.graph.initializer]
        calls = [
            [node.op_type, list(node.input), list(node.output), [str(attribute) for attribute in node.attribute]]
            for node in self.model.graph.node
        ]
        assert self.options is not None
        return fingerprint_of_weights(arrays, {"calls": calls, **self.options.identity()})

    @property
    def native(self) -> onnx.ModelProto:
        """The model as it runs: onnx's own object, the functions of its own written out."""
        return self.model


def placed_options(oracle: OnnxOracle, heads: tuple[Head, ...]) -> OracleOptions:
    """Return options under which the torch execution is opened: what was found of the model, stated."""
    assert oracle.options is not None
    return replace(
        oracle.options,
        layout=oracle.input.layout,
        length=oracle.input.length,
        extra_inputs={},
        scales={head.name: head.scale for head in heads},
        precision="float64" if oracle.dtype == np.float64 else "float32",
    )
