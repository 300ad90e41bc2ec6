"""The baseline network of SQUID's Methods (Seitz et al. 2024, 10.1038/s42256-024-00851-5), kept as weights alone."""

from __future__ import annotations

from typing import Any

from cislens_keras.runtime import keras


def gabpa() -> Any:
    """Return the network that answers whether GABPA binds 200 bp, untrained."""
    layers = keras.layers
    dna = x = keras.Input((200, 4), name="dna")
    for filters, width, rate in ((32, 15, 0.1), (64, 5, 0.2), (96, 5, 0.3)):
        x = layers.Activation("relu")(layers.Conv1D(filters, width, padding="same")(x))
        x = layers.MaxPooling1D(4)(layers.Dropout(rate)(x))
    x = layers.Activation("relu")(layers.Dense(128)(layers.Flatten()(x)))
    return keras.Model(dna, layers.Activation("sigmoid", name="binding")(layers.Dense(1)(layers.Dropout(0.5)(x))))
