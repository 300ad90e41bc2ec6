"""The few layers and functions that cislens puts into models it rebuilds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cislens_keras.runtime import keras


@keras.saving.register_keras_serializable(package="cislens")  # type: ignore[untyped-decorator]  # keras ships no types
def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """Return the hard sigmoid as it was before Keras 3 gave it another slope, as recurrent layers were trained with."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


@keras.saving.register_keras_serializable(package="cislens")
class Crop(keras.layers.Layer):  # type: ignore[misc]
    """Leave out positions at both ends of an axis.

    Parameters
    ----------
    before, after
        How many positions.
    axis
        Which axis, the batch being 0.
    """

    def __init__(self, before: int, after: int, axis: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.before, self.after, self.axis = before, after, axis

    def call(self, x: Any) -> Any:
        """Return the middle of x."""
        end = -self.after if self.after else None
        return x[(slice(None),) * self.axis + (slice(self.before, end),)]

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), "before": self.before, "after": self.after, "axis": self.axis}


@keras.saving.register_keras_serializable(package="cislens")
class HoldUnits(keras.layers.Layer):  # type: ignore[misc]
    """Give units fixed values, whatever comes in.

    Parameters
    ----------
    values
        {unit: value}; keys may be text, as JSON makes them.
    axis
        The axis of the units, the batch being 0.
    """

    def __init__(self, values: Mapping[Any, float], axis: int = -1, **settings: Any) -> None:
        super().__init__(**settings)
        self.values = {int(unit): float(value) for unit, value in values.items()}
        self.axis = axis

    def call(self, x: Any) -> Any:
        """Return x with the units held; no gradient flows through them."""
        shape = [1] * len(x.shape)
        shape[self.axis] = x.shape[self.axis]
        held, values = np.zeros(shape, bool), np.zeros(shape)
        for unit, value in self.values.items():
            held.flat[unit] = True
            values.flat[unit] = value
        return keras.ops.where(held, keras.ops.cast(values, x.dtype), x)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), "values": {str(u): v for u, v in self.values.items()}, "axis": self.axis}
