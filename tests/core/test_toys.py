from __future__ import annotations

import numpy as np
import pytest

from cislens.sequences import Sequences
from cislens.testing import ConvPoolToy, LinearToy, MotifToy, OracleContract, SymmetricToy, Toy, bundled_toys

RNG = np.random.default_rng(2)
TOYS = {toy.name: toy for toy in bundled_toys()}


def answers(toy: Toy, x: np.ndarray) -> np.ndarray:
    return np.concatenate([value.reshape(len(x), -1) for value in toy.predict(x).values()], axis=1)


def effects_one_by_one(toy: Toy, sequences: Sequences) -> np.ndarray:
    """The effect of every substitution by asking the toy for each, (t, n, length, 4)."""
    x = sequences.onehot
    before = answers(toy, x)
    effects = np.zeros((before.shape[1], *x.shape))
    for position in range(x.shape[1]):
        for base in range(4):
            changed = x.copy()
            changed[:, position] = np.eye(4, dtype=x.dtype)[base]
            effects[:, :, position, base] = (answers(toy, changed) - before).T
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
    np.testing.assert_allclose(exact - own, effects_one_by_one(toy, sequences)[0], atol=1e-12)
    np.testing.assert_allclose(exact.sum(-1), 0, atol=1e-12)


@pytest.mark.parametrize("kind", [MotifToy, SymmetricToy])
@pytest.mark.parametrize("response", ["sigmoid", "tanh"])
@pytest.mark.parametrize("pool", ["max", "sum"])
def test_the_exact_map_of_a_motif_toy_is_that_of_every_substitution_asked_for(pool, response, kind) -> None:
    toy = kind(RNG.normal(size=(5, 4)), 17, pool, response, midpoint=1.0, slope=0.7)
    assert_exact(toy, toy.examples(6, RNG))


@pytest.mark.parametrize("toy", [toy for toy in TOYS.values() if not isinstance(toy, LinearToy)], ids=lambda t: t.name)
def test_the_exact_map_of_each_toy_is_that_of_every_substitution_asked_for(toy) -> None:
    assert_exact(toy, toy.examples(4, RNG))


def assert_exact(toy: Toy, sequences: Sequences) -> None:
    with_n = sequences.onehot.copy()
    with_n[:, 4] = 0
    for each in (sequences, Sequences.from_onehot(with_n)):
        np.testing.assert_allclose(toy.attribution(each), effects_one_by_one(toy, each), atol=1e-12)


@pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS)
def test_the_exact_map_of_no_sequences_is_empty(toy) -> None:
    none = toy.examples(2, RNG).take(slice(0, 0))
    assert toy.attribution(none).shape == (toy.heads[0].width, 0, toy.length, 4)


def test_giving_the_exact_map_counts_nothing() -> None:
    for toy in TOYS.values():
        before = toy.counts.snapshot()
        toy.attribution(toy.examples(2, RNG))
        assert (toy.counts.since(before).predictions, toy.counts.since(before).pullbacks) == (0, 0)


def test_no_two_toys_have_one_name_or_one_fingerprint() -> None:
    toys = bundled_toys()
    assert len({toy.name for toy in toys}) == len({toy.fingerprint for toy in toys}) == len(toys)


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
