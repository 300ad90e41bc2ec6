from __future__ import annotations

import numpy as np
import pytest

from cislens import FunctionOracle, OracleOptions, Sequences, explain
from cislens.oracle import substitution
from cislens.oracle.substitution import mutants
from cislens.testing import ConvPoolToy, LinearToy, MotifToy
from cislens_ism import Ism
from cislens_ism.ism import substitutions

RNG = np.random.default_rng(4)
WEIGHTS = RNG.normal(size=(12, 4))


def test_ism_of_a_linear_oracle_is_the_difference_of_its_weights() -> None:
    toy = LinearToy(WEIGHTS)
    sequences = toy.examples(7, RNG)
    report = explain(toy, sequences, Ism())
    own = (WEIGHTS * sequences.onehot).sum(-1, keepdims=True)
    np.testing.assert_allclose(report.attributions.values[0], WEIGHTS - own, atol=1e-12)
    assert (report.attributions.gauge, report.attributions.hypothetical) == ("wild-type", True)


@pytest.mark.parametrize(("pool", "response"), [("max", "sigmoid"), ("sum", "tanh")])
def test_ism_of_a_saturating_motif_is_its_closed_form(pool, response) -> None:
    toy = MotifToy(RNG.normal(size=(5, 4)), 20, pool, response, midpoint=1.0)
    sequences = toy.examples(6, RNG)
    maps = explain(toy, sequences, Ism()).attributions.values
    np.testing.assert_allclose(maps, toy.attribution(sequences), atol=1e-12)


def test_the_map_is_exactly_zero_at_the_sequences_own_bases() -> None:
    toy = ConvPoolToy(40)
    report = explain(toy, toy.examples(3, RNG), Ism(), "either")
    np.testing.assert_array_equal(report.projected(), 0)


def test_n_is_left_at_zero_and_asked_nothing() -> None:
    toy = LinearToy(WEIGHTS)
    onehot = toy.examples(3, RNG).onehot.copy()
    onehot[1, 4:7] = 0
    report = explain(toy, Sequences.from_onehot(onehot), Ism())
    np.testing.assert_array_equal(report.attributions.values[0, 1, 4:7], 0)
    assert report.provenance.cost.predictions == 3 + 3 * (3 * 12 - 3)
    empty = explain(toy, Sequences.from_onehot(np.zeros((2, 12, 4), np.uint8)), Ism())
    np.testing.assert_array_equal(empty.attributions.values, 0)


def test_all_targets_cost_what_one_does_and_equal_each_alone() -> None:
    toy = ConvPoolToy(40)
    sequences = toy.examples(4, RNG)
    both = explain(toy, sequences, Ism(), ["together", "either"])
    assert both.provenance.cost.predictions == 4 + 4 * 3 * 40
    for t, target in enumerate(("together", "either")):
        alone = explain(toy, sequences, Ism(), target)
        np.testing.assert_array_equal(both.attributions.values[t], alone.attributions.values[0])


def test_chunks_of_any_size_give_the_same_map(monkeypatch) -> None:
    toy = MotifToy(RNG.normal(size=(5, 4)), 20)
    sequences = toy.examples(4, RNG)
    whole = explain(toy, sequences, Ism()).attributions.values
    for rows in (1, 7):
        monkeypatch.setattr(substitution, "CHUNK_ROWS", rows)
        np.testing.assert_allclose(explain(toy, sequences, Ism()).attributions.values, whole, atol=1e-12)


def test_ism_of_a_plain_function_in_float32_is_within_its_rounding() -> None:
    oracle = FunctionOracle(lambda x: np.tanh((x * WEIGHTS.astype(np.float32)).sum((1, 2))), OracleOptions(length=12))
    sequences = LinearToy(WEIGHTS).examples(3, RNG)
    maps = explain(oracle, sequences, Ism()).attributions.values
    changed = (WEIGHTS * sequences.onehot).sum((1, 2))[:, None, None] + explain(
        LinearToy(WEIGHTS), sequences, Ism()
    ).attributions.values[0]
    exact = np.tanh(changed) - np.tanh((WEIGHTS * sequences.onehot).sum((1, 2)))[:, None, None]
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps[0], exact, atol=2e-6)  # of values near 1: some steps of float32


def test_each_mutant_differs_at_its_one_site() -> None:
    onehot = LinearToy(WEIGHTS).examples(2, RNG).onehot
    sites = substitutions(onehot)
    assert len(sites) == 2 * 12 * 3
    changed = mutants(onehot, sites)
    differs = (changed != onehot[sites[:, 0]]).any(-1)
    np.testing.assert_array_equal(differs.sum(1), 1)
    np.testing.assert_array_equal(differs.argmax(1), sites[:, 1])
    np.testing.assert_array_equal(changed[np.arange(len(sites)), sites[:, 1]].argmax(-1), sites[:, 2])
    np.testing.assert_array_equal(changed.sum(-1), 1)
