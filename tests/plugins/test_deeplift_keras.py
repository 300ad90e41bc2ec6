"""A Keras network is explained through a torch twin, which is admitted only where it answers as the network does."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tangermeme")
keras = pytest.importorskip("keras")

from tests.plugins.test_deeplift import LENGTH, SEQUENCES, delta  # noqa: E402

from cislens import Oracle, explain, open_oracle  # noqa: E402
from cislens.errors import CapabilityError  # noqa: E402
from cislens_deeplift import DeepLiftShap  # noqa: E402
from cislens_deeplift.admission import deviation, random_sequences, uncounted  # noqa: E402
from cislens_deeplift.translation import Untranslatable, translated  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.keras]
layers = keras.layers


def network(*steps, ends: bool = True) -> Oracle:
    """Return an oracle of layers between the sequence and a dense layer, with weights from a seed."""
    given = keras.Input((LENGTH, 4))
    value = given
    for step in (*steps, layers.Flatten(), layers.Dense(2)) if ends else steps:
        value = step(value)
    model = keras.Model(given, value)
    rng = np.random.default_rng(4)
    drawn = [rng.normal(scale=0.4, size=array.shape) for array in model.get_weights()]
    names = [variable.path for variable in model.weights]
    model.set_weights([np.abs(a) + 0.5 if "variance" in name else a for a, name in zip(drawn, names, strict=True)])
    return open_oracle(model)


def residual() -> Oracle:
    given = keras.Input((LENGTH, 4))
    first = layers.Conv1D(6, 5, padding="same", activation="relu")(given)
    second = layers.Conv1D(6, 3, dilation_rate=2, padding="same", activation="elu")(first)
    joined = layers.Concatenate()([layers.Add()([first, second]), layers.Multiply()([first, second])])
    ends = layers.Cropping1D(2)(joined)
    chance = layers.Dense(2, activation="sigmoid")(layers.GlobalMaxPooling1D()(ends))
    return open_oracle(keras.Model(given, chance))


def convolution(**settings) -> keras.layers.Layer:
    return layers.Conv1D(6, 4, **{"padding": "same", "activation": "relu", **settings})


NETWORKS = {
    "convolution": lambda: network(convolution()),
    "strided, without a bias": lambda: network(convolution(strides=3, padding="valid", use_bias=False)),
    "normalisation": lambda: network(convolution(activation=None), layers.BatchNormalization(), layers.ReLU()),
    "leaky": lambda: network(convolution(activation=None), layers.LeakyReLU(negative_slope=0.2)),
    "gelu": lambda: network(convolution(activation="gelu")),
    "exponential": lambda: network(convolution(activation="exponential")),
    "maxima": lambda: network(convolution(), layers.MaxPooling1D(3, 2, padding="same")),
    "averages": lambda: network(convolution(), layers.AveragePooling1D(4)),
    "global averages": lambda: network(convolution(), layers.GlobalAveragePooling1D(), layers.Dense(3, "tanh")),
    "padding and dropout": lambda: network(layers.ZeroPadding1D((1, 4)), convolution(), layers.Dropout(0.5)),
    "softmax": lambda: network(convolution(), layers.Flatten(), layers.Dense(2, "softmax"), ends=False),
    "residual": residual,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_keras_network_is_explained_completely_by_a_twin_that_answers_as_it_does(name: str) -> None:
    oracle = NETWORKS[name]()
    report = explain(oracle, SEQUENCES.take(slice(0, 2)), DeepLiftShap(shuffles=5), f"{oracle.heads[0].name}/0")
    assert delta(report) < 1e-4 * max(1, np.abs(report.projected().sum(-1)).max())
    assert np.abs(report.projected()).max() > 1e-4
    assert report.validity.summary == {"torch twin": 1}


@pytest.mark.parametrize("width", [1, 4])
def test_a_logit_is_explained_before_the_sigmoid(width: int) -> None:
    oracle = network(convolution(), layers.Flatten(), layers.Dense(width, "sigmoid", name="chance"), ends=False)
    report = explain(oracle, SEQUENCES.take(slice(0, 2)), DeepLiftShap(shuffles=5), "chance/0:logit")
    assert delta(report) < 1e-4
    assert report.provenance.targets[0]["target"].endswith(":logit")


def test_a_layer_that_cannot_be_translated_is_refused_by_its_name() -> None:
    oracle = network(convolution(), layers.LSTM(3, name="memory"))
    with pytest.raises(CapabilityError, match=r"'memory' \(LSTM\) cannot be translated"):
        explain(oracle, SEQUENCES, DeepLiftShap(), "0")


def test_a_head_that_needs_no_untranslatable_layer_is_explained() -> None:
    given = keras.Input((LENGTH, 4))
    trunk = convolution()(given)
    plain = layers.Dense(1, name="plain")(layers.Flatten()(trunk))
    hidden = layers.Dense(1, name="hidden")(layers.GRU(3, name="memory")(trunk))
    oracle = open_oracle(keras.Model(given, [plain, hidden]))
    assert delta(explain(oracle, SEQUENCES.take(slice(0, 2)), DeepLiftShap(shuffles=5), "plain")) < 1e-5
    with pytest.raises(CapabilityError, match="memory"):
        explain(oracle, SEQUENCES, DeepLiftShap(), "hidden")


def test_a_twin_is_not_admitted_where_a_layer_gives_other_values_than_its_weights_say() -> None:
    oracle = uncounted(network(convolution(name="first")))
    probes = random_sequences(LENGTH, oracle.dtype)
    head = oracle.heads[0]
    assert deviation(translated(oracle, head, probes), oracle, head.name, probes) < 1e-5
    true = oracle._weights
    oracle._weights = lambda layer: {name: array + 1e-3 for name, array in true(layer).items()}
    with pytest.raises(Untranslatable, match="first"):
        translated(oracle, head, probes)
