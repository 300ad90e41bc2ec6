"""The demo's network, as its makers would publish it: a class, and factories that build it without weights.

It answers with the log2 activity of a 200 bp enhancer in two conditions, "stimulated" and "blood".
"""

from __future__ import annotations

from typing import Any

LENGTH = 200  # bp
OUTPUTS = ("stimulated", "blood")
FILTERS, WIDTH = 24, 12  # of the first convolution
POOL = 4
MODULES, SPAN = 24, 5  # units and width of the second convolution
HIDDEN = 16


def torch_model() -> Any:
    """Return the network in PyTorch; input (n, 4, 200)."""
    from torch import nn

    class Enhancer(nn.Module):
        """Two convolutions, the best place of each unit, two dense layers."""

        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv1d(4, FILTERS, WIDTH)
            self.relu1 = nn.ReLU()
            self.pool1 = nn.MaxPool1d(POOL)
            self.conv2 = nn.Conv1d(FILTERS, MODULES, SPAN)
            self.relu2 = nn.ReLU()
            self.pool2 = nn.AdaptiveMaxPool1d(1)
            self.flatten = nn.Flatten()
            self.dense1 = nn.Linear(MODULES, HIDDEN)
            self.relu3 = nn.ReLU()
            self.stimulated = nn.Linear(HIDDEN, 1)
            self.blood = nn.Linear(HIDDEN, 1)

        def forward(self, x: Any) -> dict[str, Any]:
            """Return each output, (n, 1)."""
            x = self.pool1(self.relu1(self.conv1(x)))
            x = self.pool2(self.relu2(self.conv2(x)))
            x = self.relu3(self.dense1(self.flatten(x)))
            return {"stimulated": self.stimulated(x), "blood": self.blood(x)}

    return Enhancer()


def keras_model() -> Any:
    """Return the network in Keras; input (n, 200, 4)."""
    from keras import Input, Model, layers

    inputs = Input((LENGTH, 4), name="sequence")
    x = layers.Conv1D(FILTERS, WIDTH, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling1D(POOL, name="pool1")(x)
    x = layers.Conv1D(MODULES, SPAN, activation="relu", name="conv2")(x)
    x = layers.GlobalMaxPooling1D(name="pool2")(x)
    x = layers.Dense(HIDDEN, activation="relu", name="dense1")(x)
    return Model(inputs, [layers.Dense(1, name=name)(x) for name in OUTPUTS], name="enhancer")
