from __future__ import annotations

import numpy as np
import pytest

from cislens.sequences import Sequences
from cislens.testing import ConvPoolToy, LinearToy, MotifToy, OracleContract, Toy, bundled_toys
from cislens.testing.toys.conv_pool import hand_set_weights

RNG = np.random.default_rng(2)
TOYS = {toy.name: toy for toy in bundled_toys()}


def substituted(onehot: np.ndarray, position: int, base: int) -> np.ndarray:
    changed = onehot.copy()
    changed[:, position] = np.eye(4, dtype=onehot.dtype)[base]
    return changed


def effects_one_by_one(toy: Toy, sequences: Sequences) -> np.ndarray:
    """The effect of every substitution by asking the toy for each, (n, length, 4)."""
    x = sequences.onehot
    before = toy.predict(x)["value"]
    effects = np.zeros(x.shape)
    for position in range(x.shape[1]):
        for base in range(4):
            effects[:, position, base] = toy.predict(substituted(x, position, base))["value"] - before
    return np.where(x.any(-1, keepdims=True), effects, 0)


@pytest.mark.parametrize(
    "check", [c for toy in TOYS.values() for c in OracleContract(toy, toy.examples(9, RNG)).checks()]
)
def test_each_toy_keeps_the_promises_of_an_oracle(check) -> None:
    check()


def test_the_linear_toy_sums_the_weights_of_its_bases() -> None:
    weights = RNG.normal(size=(5, 4))
    value = LinearToy(weights).predict(Sequences.from_onehot(np.eye(4, dtype=np.uint8)[[[0, 3, 2, 1, 1]]]))["value"]
    np.testing.assert_allclose(value, weights[0, 0] + weights[1, 3] + weights[2, 2] + weights[3, 1] + weights[4, 1])


def test_the_exact_map_of_the_linear_toy_gives_the_effect_of_each_substitution() -> None:
    toy = LinearToy(RNG.normal(size=(6, 4)))
    sequences = toy.examples(5, RNG)
    exact = toy.attribution(sequences)[0]
    own = (exact * sequences.onehot).sum(-1, keepdims=True)
    np.testing.assert_allclose(exact - own, effects_one_by_one(toy, sequences), atol=1e-12)
    np.testing.assert_allclose(exact.sum(-1), 0, atol=1e-12)


@pytest.mark.parametrize("response", ["sigmoid", "tanh"])
@pytest.mark.parametrize("pool", ["max", "sum"])
def test_the_exact_map_of_a_motif_toy_is_that_of_every_substitution_asked_for(pool, response) -> None:
    toy = MotifToy(RNG.normal(size=(5, 4)), 17, pool, response, midpoint=1.0, slope=0.7)
    sequences = toy.examples(6, RNG)
    with_n = sequences.onehot.copy()
    with_n[:, 4] = 0
    for each in (sequences, Sequences.from_onehot(with_n)):
        np.testing.assert_allclose(toy.attribution(each)[0], effects_one_by_one(toy, each), atol=1e-12)


def test_a_motif_toy_responds_to_its_best_site_by_the_stated_curve() -> None:
    pwm = RNG.normal(size=(5, 4))
    sequences = MotifToy(pwm, 17).examples(3, RNG)
    best = pwm.max(1).sum()  # the planted site; no other window can score more
    sigmoid = MotifToy(pwm, 17, midpoint=2.0, slope=0.5).predict(sequences)["value"]
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-0.5 * (best - 2.0))), rtol=1e-12)
    tanh = MotifToy(pwm, 17, response="tanh", midpoint=2.0, slope=0.5).predict(sequences)["value"]
    np.testing.assert_allclose(tanh, np.tanh(0.5 * (best - 2.0)), rtol=1e-12)


def test_a_motif_toy_that_sums_counts_every_site() -> None:
    toy = MotifToy(np.zeros((3, 4)), 12, pool="sum", response="tanh", slope=0.1)
    np.testing.assert_allclose(toy.predict(toy.examples(2, RNG))["value"], np.tanh(0.1 * np.log(10)), rtol=1e-12)


def test_the_logit_of_a_sigmoid_toy_is_read_before_its_sigmoid() -> None:
    toy = MotifToy(RNG.normal(size=(5, 4)), 17, midpoint=2.0, slope=40.0)  # so steep that the sigmoid is all 0 or 1
    sequences = toy.examples(3, RNG)
    score = toy.score(sequences.onehot)
    np.testing.assert_allclose(toy.select("value:logit").predict(sequences.onehot)[:, 0], 40 * (score - 2), rtol=1e-12)


def test_a_motif_toy_knows_where_its_motif_was_planted() -> None:
    toy = TOYS["motif toy (max, sigmoid)"]
    sequences = toy.examples(20, RNG)
    for text, (start, end) in zip(sequences.strings(), toy.sites(sequences), strict=True):
        assert text[start:end] == "TGACTCAG"


def test_the_receptive_fields_of_the_network_are_those_reckoned_by_hand() -> None:
    fields = {layer.name: (layer.receptive_field, layer.step, layer.offset) for layer in ConvPoolToy(40).layers()}
    # 7 bp; then 4 of these side by side; then 3 of those, 4 bp apart; all beyond sees the whole.
    assert fields["conv1"] == (7, 1, 0)
    assert fields["pool1"] == (10, 4, 0)
    assert fields["conv2"] == (18, 4, 0)
    assert fields["top"] == fields["output"] == (None, None, None)


def test_the_network_responds_most_to_both_motifs_together() -> None:
    toy = ConvPoolToy(40)
    both = toy.examples(20, RNG)
    neither = Sequences.from_onehot(np.tile(np.eye(4, dtype=np.uint8)[0], (1, 40, 1)))
    assert (toy.predict(both)["expression"][:, 0] > toy.predict(neither)["expression"][0, 0] + 0.5).all()


def test_a_held_unit_passes_no_gradient() -> None:
    held = ConvPoolToy(40).intervene({"conv1": {0: 0.3, 1: 0.1}})
    _, gradient = held.vjp(held.examples(4, RNG), {"expression": np.ones((4, 2))})
    np.testing.assert_array_equal(gradient, 0)


def test_held_units_change_the_fingerprint_and_add_up() -> None:
    toy = ConvPoolToy(40)
    once = toy.intervene({"conv2": {0: 0.0}})
    twice = once.intervene({"conv2": {1: 0.0}})
    assert len({toy.fingerprint, once.fingerprint, twice.fingerprint}) == 3
    after = twice.activations(toy.examples(3, RNG), "conv2", pre=False)
    np.testing.assert_array_equal(after[:, :, :2], 0)


@pytest.mark.torch
def test_the_network_is_the_one_that_torch_computes_from_its_weights() -> None:
    torch = pytest.importorskip("torch")
    toy, weights = ConvPoolToy(43), hand_set_weights()
    sequences = toy.examples(8, RNG)
    arrays = {name: {k: torch.tensor(v) for k, v in layer.items()} for name, layer in weights.items()}
    x = torch.tensor(sequences.onehot.astype(np.float64).swapaxes(1, 2), requires_grad=True)
    functional = torch.nn.functional
    first = functional.conv1d(x, arrays["conv1"]["kernel"].swapaxes(1, 2), arrays["conv1"]["bias"])
    pooled = functional.max_pool1d(functional.relu(first), 4)
    second = functional.conv1d(pooled, arrays["conv2"]["kernel"].swapaxes(1, 2), arrays["conv2"]["bias"])
    top = functional.relu(second).amax(2)
    answer = functional.linear(top, arrays["output"]["kernel"], arrays["output"]["bias"])
    cotangent = RNG.normal(size=(8, 2))
    (answer * torch.tensor(cotangent)).sum().backward()

    values, gradient = toy.vjp(sequences, {"expression": cotangent})
    np.testing.assert_allclose(values["expression"], answer.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(gradient, x.grad.numpy().swapaxes(1, 2), atol=1e-12)
    np.testing.assert_allclose(toy.activations(sequences, "conv2"), second.detach().numpy().swapaxes(1, 2), atol=1e-12)
