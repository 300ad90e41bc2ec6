"""Models that TensorFlow can call but Keras 3 does not know from inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import OracleError
from cislens_keras.runtime import keras

Array = npt.NDArray[Any]
IN_HAND = "save it with model.save('model.h5') and open that file, which Keras 3 reads if it has all of its layers"
FROM_FILE = "rebuild it of layers that Keras 3 has, and open it as file.py:factory with --weights"


@dataclass(frozen=True)
class Taken:
    """Describe one input: its name, its shape with the batch, and its number type."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class OutsideModel:
    """Make a function of tensors look like the Keras model that `KerasOracle` calls.

    Parameters
    ----------
    name
        What it is called.
    inputs
        What it takes.
    answer
        Takes one tensor an input and returns a tensor, a list or a dictionary of them.
    arrays
        Its weights, by name.
    identity
        Text that stands for what it computes with its weights, for the fingerprint.
    closed
        Why it does not show its layers, and what to do.
    native
        The framework's own object.
    """

    name: str
    inputs: tuple[Taken, ...]
    answer: Callable[[Sequence[Any]], Any]
    arrays: Mapping[str, Array]
    identity: str
    closed: str
    native: Any

    built = True
    variables: tuple[Any, ...] = ()  # none that Keras could hold constant

    def __call__(self, tensors: Sequence[Any], training: bool = False) -> Any:
        """Return the answer to one batch."""
        return self.answer(tensors)

    @property
    def _inputs_struct(self) -> list[Taken]:
        return list(self.inputs)

    @property
    def weights(self) -> list[Array]:
        """The weights."""
        return list(self.arrays.values())

    def get_weights(self) -> list[Array]:
        """Return the weights, as Keras's own method does."""
        return self.weights


def of_keras_2(model: Any, in_hand: bool) -> OutsideModel:
    """Return a model of tf_keras, which is Keras 2, as one that an oracle can ask.

    Parameters
    ----------
    model
        A built model.
    in_hand
        Whether it is the user's own, not made of a file that Keras 3 could not read.

    Raises
    ------
    OracleError
        If it does not know the shape of its input.
    """
    if not getattr(model, "inputs", None):
        raise OracleError(
            f"{model.name} must know the shape of its input: build it functionally, or start it with "
            "tf_keras.Input((length, 4))"
        )
    names = getattr(model, "input_names", None) or [tensor.name for tensor in model.inputs]
    inputs = tuple(
        Taken(str(name), tuple(tensor.shape), tensor.dtype.name)
        for name, tensor in zip(names, model.inputs, strict=True)
    )
    structure = getattr(model, "_nested_inputs", None)

    def answer(tensors: Sequence[Any]) -> Any:
        given = keras.tree.pack_sequence_as(model.inputs if structure is None else structure, list(tensors))
        results = model(given if structure is not None or len(tensors) > 1 else tensors[0], training=False)
        flat = keras.tree.flatten(results)
        outputs = getattr(model, "output_names", None) or ()
        named = not isinstance(results, dict) and len(outputs) == len(flat)
        return dict(zip(outputs, flat, strict=True)) if named and len(set(outputs)) == len(flat) else results

    return OutsideModel(
        str(model.name),
        inputs,
        answer,
        {variable.name: np.asarray(variable) for variable in model.weights},
        model.to_json() if hasattr(model, "_nested_inputs") else type(model).__qualname__,
        f"a model of tf_keras shows no layers: {IN_HAND if in_hand else FROM_FILE}",
        model,
    )
