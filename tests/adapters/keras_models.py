"""Small Keras models of every shape that the adapter has to understand, with weights that are not the initial ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from cislens_keras.runtime import keras

LENGTH = 40
layers = keras.layers


def with_weights(model: Any, seed: int = 0) -> Any:
    """Draw all weights anew, variances above 0."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        values = rng.normal(0, 0.4, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    return model


def plain(start: int = 0, padding: str = "same") -> Any:
    """Convolutions, pooling and a sigmoid; names count from `start`, as Keras's own do in a long session."""
    return with_weights(
        keras.Sequential(
            [
                keras.Input((LENGTH, 4), name="dna"),
                layers.Conv1D(6, 7, padding=padding, activation="relu", name=f"conv1d_{start}"),
                layers.BatchNormalization(name=f"norm_{start}"),
                layers.MaxPooling1D(2, name=f"pool_{start}"),
                layers.Conv1D(5, 3, padding=padding, name=f"conv1d_{start + 1}"),
                layers.Activation("relu", name=f"relu_{start}"),
                layers.Dropout(0.5, name=f"drop_{start}"),
                layers.Flatten(name=f"flat_{start}"),
                layers.Dense(4, activation="tanh", name=f"dense_{start}"),
                layers.Dense(1, activation="sigmoid", name=f"dense_{start + 1}"),
            ],
            name="plain",
        )
    )


def two_headed() -> Any:
    """A residual, dilated tower and two heads."""
    dna = keras.Input((LENGTH, 4), name="dna")
    x = layers.Conv1D(6, 5, padding="same", activation="relu", name="first")(dna)
    y = layers.Conv1D(6, 3, padding="same", dilation_rate=3, activation="relu", name="dilated")(x)
    x = layers.Add(name="sum")([x, y])
    y = layers.Conv1D(6, 4, padding="same", dilation_rate=2, name="even")(x)
    x = layers.Concatenate(name="both")([x, y])
    x = layers.MaxPooling1D(3, 2, padding="same", name="pooled")(x)
    x = layers.Conv1D(3, 3, padding="causal", name="causal")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(layers.ReLU(name="relu")(x))
    outputs = [layers.Dense(1, name="Dense_Dev")(x), layers.Dense(2, name="Dense_Hk")(x)]
    return with_weights(keras.Model(dna, outputs, name="two_headed"))


def nested() -> Any:
    """A tower used twice inside a model, and a sum written as an expression."""
    given = keras.Input((None, 6), name="given")
    inside = layers.Conv1D(6, 3, padding="same", activation="elu", name="conv")(given)
    tower = keras.Model(given, inside, name="tower")
    dna = keras.Input((LENGTH, 4), name="dna")
    x = layers.Conv1D(6, 5, padding="same", name="first")(dna)
    x = x + tower(tower(x))
    return with_weights(keras.Model(dna, layers.Dense(2, name="out")(layers.Flatten()(x)), name="nested"))


def permuted() -> Any:
    """A model that takes (4, length) and turns it inside."""
    dna = keras.Input((4, LENGTH), name="dna")
    x = layers.Conv1D(5, 3, padding="same", activation="relu", name="conv")(layers.Permute((2, 1), name="turn")(dna))
    return with_weights(keras.Model(dna, layers.Dense(1, name="out")(layers.Flatten()(x)), name="permuted"))


def two_dimensional() -> Any:
    """A model of the time when DNA was an image: (length, 4, 1)."""
    dna = keras.Input((LENGTH, 4, 1), name="dna")
    x = layers.Conv2D(5, (6, 4), activation="relu", name="conv")(dna)
    x = layers.MaxPooling2D((2, 1), name="pool")(x)
    x = layers.Conv2D(3, (3, 1), name="second")(x)
    return with_weights(keras.Model(dna, layers.Dense(1, name="out")(layers.Flatten()(x)), name="image"))


def with_singleton() -> Any:
    """A model that takes (1, length, 4)."""
    dna = keras.Input((1, LENGTH, 4), name="dna")
    x = layers.Conv2D(5, (1, 6), strides=(1, 2), padding="same", activation="relu", name="conv")(dna)
    x = layers.Conv1D(3, 3, name="second")(layers.Reshape((LENGTH // 2, 5), name="squeeze")(x))
    return with_weights(keras.Model(dna, layers.Dense(1, name="out")(layers.Flatten()(x)), name="singleton"))


def recurrent() -> Any:
    """A convolution and a bidirectional LSTM."""
    dna = keras.Input((LENGTH, 4), name="dna")
    x = layers.MaxPooling1D(4, name="pool")(layers.Conv1D(5, 3, activation="relu", name="conv")(dna))
    x = layers.Bidirectional(layers.LSTM(3), name="both_ways")(x)
    return with_weights(keras.Model(dna, layers.Dense(3, activation="softmax", name="out")(x), name="recurrent"))


def profile(bins: int | None = None) -> Any:
    """A profile of free length that also takes a control track, and a scalar of counts."""
    dna, control = keras.Input((None, 4), name="dna"), keras.Input((None, 2), name="control")
    x = layers.Conv1D(6, 5, padding="same", activation="relu", name="first")(dna)
    y = layers.Concatenate(name="joined")([x, control])
    track = layers.Conv1D(1, 3, padding="same", name="profile")(y)
    counts = layers.Dense(1, name="counts")(layers.GlobalAveragePooling1D(name="mean")(x))
    return with_weights(keras.Model([dna, control], {"profile": track, "counts": counts}, name="profile"))


ALL = {
    "plain": plain,
    "two_headed": two_headed,
    "nested": nested,
    "permuted": permuted,
    "two_dimensional": two_dimensional,
    "with_singleton": with_singleton,
    "recurrent": recurrent,
}


def dna(n: int, length: int = LENGTH, seed: int = 1) -> np.ndarray:
    """Return random one-hot sequences."""
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(seed).integers(0, 4, (n, length))]
