"""Gauges of additive and pairwise maps: no score changes, and what is to be zero is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

pytest.importorskip("torch")

from cislens.gauges import to_gauge
from cislens.testing import PairwiseToy
from cislens_squid.describing import base_frequencies
from cislens_squid.gauge import Parameters, expanded, fixed, single_terms
from cislens_squid.genotype import LinearMap
from cislens_squid.library import Library
from cislens_squid.mutagenesis import partial_mutagenesis

pytestmark = pytest.mark.torch

ORDERS = ("additive", "neighbour", "pairwise")
WIDTH = 4
WILD = np.array([2, 0, 3, 1])
EVERY = np.array(list(product(range(4), repeat=WIDTH)))


def frequencies_of(gauge: str, wild: np.ndarray = WILD) -> np.ndarray:
    if gauge == "uniform":
        return np.full((len(wild), 4), 0.25)
    if gauge == "wild-type":
        return np.eye(4)[wild]
    return np.random.default_rng(7).dirichlet(np.ones(4), len(wild))


GAUGES = ("uniform", "wild-type", "empirical")


def scores(genotype: LinearMap, parameters: Parameters, codes: np.ndarray = EVERY) -> np.ndarray:
    """The constant, the single terms and the pair terms of each sequence, added up by loops."""
    first, second = genotype.pair_sites() if genotype.pairs else ((), ())
    return np.array(
        [
            parameters.constant
            + sum(parameters.singles[i, base] for i, base in enumerate(row))
            + sum(parameters.pairs[p, row[i], row[j]] for p, (i, j) in enumerate(zip(first, second, strict=True)))
            for row in codes
        ]
    )


def given(order, seed: int = 0) -> tuple[LinearMap, np.ndarray, Parameters]:
    genotype = LinearMap(WIDTH, order)
    theta = np.random.default_rng(seed).normal(size=genotype.size)
    return genotype, theta, expanded(genotype, theta, WILD)


@pytest.mark.parametrize("order", ORDERS)
def test_expanding_scores_every_sequence_as_the_parameters_do(order) -> None:
    genotype, theta, parameters = given(order)
    wild = WILD.astype(np.uint8)
    rng = np.random.default_rng(1)
    library = Library(wild, np.arange(WIDTH), wild, partial_mutagenesis(WIDTH, 300, 0.5, rng))
    codes = library.element(np.arange(300)).astype(int)
    np.testing.assert_allclose(scores(genotype, parameters, codes), genotype.design(library).score(theta), atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gauge", GAUGES)
def test_no_gauge_changes_the_score_of_any_sequence(order, gauge) -> None:
    genotype, _, parameters = given(order)
    turned = fixed(genotype, parameters, frequencies_of(gauge))
    np.testing.assert_allclose(scores(genotype, turned), scores(genotype, parameters), atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gauge", GAUGES)
def test_means_over_the_bases_of_a_site_are_zero(order, gauge) -> None:
    genotype, _, parameters = given(order)
    frequencies = frequencies_of(gauge)
    turned = fixed(genotype, parameters, frequencies)
    np.testing.assert_allclose((turned.singles * frequencies).sum(1), 0, atol=1e-12)
    if genotype.pairs:
        first, second = genotype.pair_sites()
        np.testing.assert_allclose(np.einsum("pab,pa->pb", turned.pairs, frequencies[first]), 0, atol=1e-12)
        np.testing.assert_allclose(np.einsum("pab,pb->pa", turned.pairs, frequencies[second]), 0, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_parameters_of_the_wild_type_are_in_its_gauge_already(order) -> None:
    genotype, _, parameters = given(order)
    turned = fixed(genotype, parameters, frequencies_of("wild-type"))
    np.testing.assert_allclose(turned.singles, parameters.singles, atol=1e-12)
    np.testing.assert_allclose(turned.pairs, parameters.pairs, atol=1e-12)
    assert turned.constant == pytest.approx(0)


@pytest.mark.parametrize("order", ORDERS)
def test_going_through_other_gauges_comes_back_to_the_same(order) -> None:
    genotype, _, parameters = given(order)
    uniform = fixed(genotype, parameters, frequencies_of("uniform"))
    round_about = fixed(genotype, parameters, frequencies_of("empirical"))
    round_about = fixed(genotype, fixed(genotype, round_about, frequencies_of("wild-type")), frequencies_of("uniform"))
    np.testing.assert_allclose(round_about.singles, uniform.singles, atol=1e-12)
    np.testing.assert_allclose(round_about.pairs, uniform.pairs, atol=1e-12)
    assert round_about.constant == pytest.approx(uniform.constant)


@pytest.mark.parametrize("gauge", GAUGES)
def test_an_additive_map_is_turned_as_the_core_turns_it(gauge) -> None:
    genotype, _, parameters = given("additive")
    reference = None if gauge == "uniform" else frequencies_of(gauge)
    ours = fixed(genotype, parameters, frequencies_of(gauge))
    theirs, constant = to_gauge(parameters.singles, gauge, reference=reference)
    np.testing.assert_allclose(ours.singles, theirs, atol=1e-12)
    assert ours.constant == pytest.approx(float(constant))


def test_the_uniform_gauge_of_a_pairwise_map_is_the_zero_sum_gauge_of_the_toy() -> None:
    genotype, _, parameters = given("pairwise")
    terms = np.zeros((WIDTH, 4, WIDTH, 4))
    first, second = genotype.pair_sites()
    terms[first, :, second, :] = parameters.pairs
    toy = PairwiseToy(parameters.singles, terms + terms.transpose(2, 3, 0, 1))
    turned = fixed(genotype, parameters, frequencies_of("uniform"))
    np.testing.assert_allclose(turned.singles, toy.additive, atol=1e-12)
    np.testing.assert_allclose(turned.pairs, toy.pairwise[first, :, second, :], atol=1e-12)
    assert turned.constant == pytest.approx(toy.constant)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gauge", GAUGES)
def test_the_matrix_of_single_terms_turns_parameters_as_fixing_does(order, gauge) -> None:
    genotype, theta, parameters = given(order)
    turned = fixed(genotype, parameters, frequencies_of(gauge))
    matrix = single_terms(genotype, WILD, frequencies_of(gauge))
    np.testing.assert_allclose(matrix @ theta, turned.singles.ravel(), atol=1e-12)


def test_empirical_frequencies_are_those_of_the_bases_in_the_library() -> None:
    wild = WILD.astype(np.uint8)
    drawn = partial_mutagenesis(WIDTH, 500, 0.4, np.random.default_rng(2)).after_wild_type()
    library = Library(wild, np.arange(WIDTH), wild, drawn)
    bases = library.element(np.arange(501))
    expected = [[float((bases[:, site] == base).mean()) for base in range(4)] for site in range(WIDTH)]
    np.testing.assert_allclose(base_frequencies(library, "empirical"), expected, atol=1e-12)
    np.testing.assert_array_equal(base_frequencies(library, "wild-type"), np.eye(4)[WILD])
    np.testing.assert_array_equal(base_frequencies(library, "uniform"), 0.25)


def test_fixing_leaves_what_it_was_given_as_it_was() -> None:
    genotype, _, parameters = given("pairwise")
    singles, pairs = parameters.singles.copy(), parameters.pairs.copy()
    fixed(genotype, parameters, frequencies_of("uniform"))
    np.testing.assert_array_equal(parameters.singles, singles)
    np.testing.assert_array_equal(parameters.pairs, pairs)
