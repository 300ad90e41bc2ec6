"""Which input of a Keras model takes the DNA, in which form, and what the others are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cislens.errors import OracleError
from cislens.oracle.encoding import Encoding
from cislens.oracle.options import OracleOptions
from cislens.oracle.sequence_input import Shape, find_sequence
from cislens_keras.runtime import keras, tf


@dataclass(frozen=True)
class Inputs:
    """Turn sequences into all that a model takes.

    Parameters
    ----------
    names, shapes, dtypes
        Of each input, in the model's flat order; shapes without the batch.
    sequence
        Index of the one that takes the DNA.
    encoding
        Its form.
    length
        Its length in bp, None where any will do.
    values
        What each other input is held at.
    structure
        How the model wants its inputs arranged.
    fixed_batch
        Sequences a batch, None where any number will do.
    """

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    dtypes: tuple[str, ...]
    sequence: int
    encoding: Encoding
    length: int | None
    values: tuple[float, ...]
    structure: Any
    fixed_batch: int | None = None

    @property
    def name(self) -> str:
        """Name of the input that takes the DNA."""
        return self.names[self.sequence]

    def feeds(self, x: Any) -> list[Any]:
        """Return a tensor for each input, given one batch of the DNA in the model's form."""
        tensors = []
        for i, (shape, dtype, value) in enumerate(zip(self.shapes, self.dtypes, self.values, strict=True)):
            if i == self.sequence:
                tensors.append(tf.cast(x, dtype))
                continue
            length = tf.shape(x)[1 + self.encoding.layout.split(",").index("length")]
            sizes = [tf.shape(x)[0], *(length if size is None else size for size in shape)]
            tensors.append(tf.fill(sizes, tf.cast(value, dtype)))
        return tensors

    def arranged(self, x: Any) -> Any:
        """Return what the model is called with."""
        return keras.tree.pack_sequence_as(self.structure, self.feeds(x))


def find_inputs(model: Any, options: OracleOptions) -> Inputs:
    """Find the input that takes the DNA by its shape, and hold the others.

    Raises
    ------
    OracleError
        If none or several could take it, or options do not fit.
    """
    declared = getattr(model, "inputs", None) or []
    if not declared:
        return _undeclared(model, options)
    names = tuple(str(tensor.name) for tensor in declared)
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in declared)
    found = find_sequence(names, shapes, options)
    structure = getattr(model, "_inputs_struct", None)
    shapes = tuple(
        tuple(options.extra_inputs[name].shape) if name in options.extra_inputs else shape
        for name, shape in zip(names, shapes, strict=True)
    )
    for i, name in enumerate(names):
        if i != found.index and sum(size is None for size in shapes[i]) > 1:
            raise OracleError(f"the shape of the extra input {name!r} must be declared, the file says only {shapes[i]}")
    return Inputs(
        names,
        shapes,
        tuple(str(tensor.dtype) for tensor in declared),
        found.index,
        Encoding(found.layout, options.base_order, options.n_value),
        found.length,
        tuple(options.extra_inputs[n].value if n in options.extra_inputs else 0.0 for n in names),
        declared[0] if structure is None else structure,
        declared[found.index].shape[0],
    )


def _undeclared(model: Any, options: OracleOptions) -> Inputs:
    layout = "length,4" if options.layout == "auto" else options.layout
    if options.extra_inputs:
        raise OracleError(
            f"{model.name} does not declare its inputs, so that none can be held: rebuild it functionally"
        )
    encoding = Encoding(layout, options.base_order, options.n_value)
    sizes: dict[str, int | None] = {"length": options.length, "4": 4, "1": 1}
    shape = tuple(sizes[axis] for axis in encoding.layout.split(","))
    dtype = str(model.compute_dtype)
    return Inputs((str(model.name),), (shape,), (dtype,), 0, encoding, options.length, (0.0,), 0)
