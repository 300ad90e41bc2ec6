"""A Keras model's answers and pullbacks, compiled once for every batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError
from cislens_keras.inputs import Inputs
from cislens_keras.runtime import keras, tf

Array = npt.NDArray[Any]


class Compiled:
    """Call a model on batches of any size, traced once.

    Parameters
    ----------
    model
        A Keras model; called in inference mode, never changed.
    inputs
        How it takes sequences.
    dtype
        Number type of sequences and answers.
    place
        TensorFlow's name of the device, such as "/CPU:0".
    keeps_forward
        Whether a pullback starts from the values that the forward pass kept. On a CPU it is faster to go forward again
        in one compiled call with the backward pass (49 against 60 ms for 64 sequences of DeepSTARR on one core, as
        TensorFlow's CPU kernels for pooling hand values over only inside one call) and takes less memory; on a GPU
        the forward pass is worth keeping.
    """

    def __init__(self, model: Any, inputs: Inputs, dtype: npt.DTypeLike, place: str, keeps_forward: bool) -> None:
        self.model, self.inputs, self.place, self.keeps_forward = model, inputs, place, keeps_forward
        self.dtype = tf.as_dtype(np.dtype(dtype))
        self.signature = tf.TensorSpec((inputs.fixed_batch, *_open(inputs)), self.dtype)
        self.names: list[str] | None = None
        self._pull: Any = None

    @cached_property
    def _forward(self) -> Any:
        return traced(self._flat, self.signature)

    @cached_property
    def _kept(self) -> Any:
        return traced(self._without_weights, self.signature)

    def _flat(self, x: Any) -> list[Any]:
        answer = self.model(self.inputs.arranged(x), training=False)
        if isinstance(answer, dict):
            self.names = sorted(answer)
        return [tf.cast(part, self.dtype) for part in keras.tree.flatten(answer)]

    def _without_weights(self, x: Any) -> list[Any]:
        """Answer with the weights held constant, so that the backward pass need not reach them."""
        held = [(variable, tf.stop_gradient(variable.value)) for variable in self.model.variables]
        with keras.StatelessScope(state_mapping=held):
            return self._flat(x)

    def _backward(self, x: Any, cotangents: list[Any]) -> Any:
        gradient = tf.gradients(self._flat(x), x, cotangents)[0]
        if gradient is None:
            raise OracleError("the model must pass a gradient to its sequence, but one of its layers lets none through")
        return gradient

    def predict(self, x: Array) -> list[Array]:
        """Return the answers to one batch in the model's form, in its flat order."""
        with tf.device(self.place):
            return [part.numpy() for part in self._forward(tf.constant(x, self.dtype))]

    def linearize(self, x: Array) -> tuple[list[Array], Callable[[Sequence[Array]], Array]]:
        """Return the answers, and a function from one cotangent an answer to the gradient of the model's input."""
        if self.keeps_forward:
            return self._linearize_kept(x)
        answers = self.predict(x)
        if self._pull is None:
            specs = [tf.TensorSpec((None,) * answer.ndim, self.dtype) for answer in answers]
            self._pull = traced(self._backward, self.signature, specs)

        def pull(cotangents: Sequence[Array]) -> Array:
            with tf.device(self.place):
                given = [tf.constant(c, self.dtype) for c in cotangents]
                return np.asarray(self._pull(tf.constant(x, self.dtype), given).numpy())

        return answers, pull

    def _linearize_kept(self, x: Array) -> tuple[list[Array], Callable[[Sequence[Array]], Array]]:
        with tf.device(self.place), tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            source = tf.constant(x, self.dtype)
            tape.watch(source)
            answers = self._kept(source)

        def pull(cotangents: Sequence[Array]) -> Array:
            with tf.device(self.place):
                given = [tf.constant(c, self.dtype) for c in cotangents]
                gradient = tape.gradient(answers, source, given)
            if gradient is None:
                raise OracleError(
                    "the model must pass a gradient to its sequence, but one of its layers lets none through"
                )
            return np.asarray(tf.convert_to_tensor(gradient))

        return [answer.numpy() for answer in answers], pull


def traced(function: Callable[..., Any], *signature: Any) -> Any:
    """Return a function traced once for its signature; nothing that it is called with traces it again."""
    return tf.function(function).get_concrete_function(*signature)


def _open(inputs: Inputs) -> tuple[int | None, ...]:
    axes = inputs.encoding.layout.split(",")
    return tuple(inputs.length if axis == "length" else int(axis) for axis in axes)
