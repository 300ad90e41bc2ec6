"""Maps that are linear in their parameters, against loops over letters."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cislens_squid.genotype import LinearMap
from cislens_squid.library import Library
from cislens_squid.mutagenesis import all_double_mutants, partial_mutagenesis

ORDERS = ("additive", "neighbour", "pairwise")


def library_of(width: int, n: int = 150, rate: float = 0.4, seed: int = 0) -> Library:
    rng = np.random.default_rng(seed)
    wild = rng.integers(0, 4, width).astype(np.uint8)
    return Library(wild, np.arange(width), wild, partial_mutagenesis(width, n, rate, rng).after_wild_type())


def scored(genotype: LinearMap, library: Library, theta: np.ndarray) -> np.ndarray:
    """The sum of the parameters of each variant's substitutions and pairs of them, by loops."""
    pairs = list(combinations(range(genotype.width), 2))
    if genotype.order == "neighbour":
        pairs = [(i, j) for i, j in pairs if j == i + 1]
    found = []
    for row in library.element(np.arange(len(library))).astype(int):
        own = library.wild.astype(int)
        changes = [int(base - here - 1) % 4 if base != here else None for base, here in zip(row, own, strict=True)]
        score = sum(theta[3 * site + change] for site, change in enumerate(changes) if change is not None)
        for number, (i, j) in enumerate(pairs if genotype.order != "additive" else []):
            if changes[i] is not None and changes[j] is not None:
                score += theta[3 * genotype.width + 9 * number + 3 * changes[i] + changes[j]]
        found.append(score)
    return np.array(found)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("width", [1, 2, 7])
def test_a_design_scores_variants_by_their_substitutions_and_pairs(order, width: int) -> None:
    genotype, library = LinearMap(width, order), library_of(width)
    theta = np.random.default_rng(1).normal(size=genotype.size)
    design = genotype.design(library)
    np.testing.assert_allclose(design.score(theta), scored(genotype, library, theta), atol=1e-12)
    assert set(np.unique(design.matrix.toarray())) <= {0.0, 1.0}
    assert design.score(theta)[0] == 0  # the wild type


@pytest.mark.parametrize("order", ORDERS)
def test_pulling_back_is_the_transpose_of_scoring(order) -> None:
    genotype, library = LinearMap(6, order), library_of(6)
    rng = np.random.default_rng(2)
    theta, cotangent = rng.normal(size=genotype.size), rng.normal(size=len(library))
    design = genotype.design(library)
    pulled = design.pull(theta, cotangent)
    assert pulled @ theta == pytest.approx(cotangent @ design.score(theta))


@pytest.mark.parametrize("order", ORDERS)
def test_rows_that_are_taken_are_scored_as_in_the_whole(order) -> None:
    genotype, library = LinearMap(6, order), library_of(6)
    theta = np.random.default_rng(3).normal(size=genotype.size)
    rows = np.array([5, 0, 77, 5])
    design = genotype.design(library)
    np.testing.assert_array_equal(design.take(rows).score(theta), design.score(theta)[rows])
    assert len(design.take(rows)) == 4


@pytest.mark.parametrize("order", ["neighbour", "pairwise"])
def test_the_first_parameters_are_those_of_the_additive_map(order) -> None:
    genotype, library = LinearMap(6, order), library_of(6)
    simpler = genotype.simpler()
    assert simpler == LinearMap(6)
    assert simpler.simpler() is None
    theta = np.random.default_rng(4).normal(size=simpler.size)
    narrowed = genotype.design(library).narrowed(simpler.size)
    np.testing.assert_array_equal(narrowed.score(theta), simpler.design(library).score(theta))


@pytest.mark.parametrize("order", ["neighbour", "pairwise"])
def test_each_pair_has_its_number(order) -> None:
    genotype = LinearMap(9, order)
    first, second = genotype.pair_sites()
    assert len(first) == genotype.pairs
    assert (first < second).all()
    np.testing.assert_array_equal(genotype.pair_index(first, second), np.arange(genotype.pairs))


def test_all_double_mutants_tell_all_pair_terms_apart() -> None:
    wild = np.array([0, 1, 2, 3, 0], np.uint8)
    library = Library(wild, np.arange(5), wild, all_double_mutants(5).after_wild_type())
    genotype = LinearMap(5, "pairwise")
    matrix = genotype.design(library).matrix.toarray()
    assert matrix.shape == (1 + genotype.size, genotype.size)
    assert np.linalg.matrix_rank(matrix) == genotype.size


@pytest.mark.parametrize("order", ORDERS)
def test_under_the_prior_the_latent_phenotype_varies_by_about_one(order) -> None:
    genotype, library = LinearMap(30, order), library_of(30, 1000, 0.2)
    design = genotype.design(library)
    deviation = np.sqrt(1 / (2 * genotype.prior(design)))
    rng = np.random.default_rng(5)
    squares = [np.mean(design.score(rng.normal(size=genotype.size) * deviation) ** 2) for _ in range(100)]
    assert np.mean(squares) == pytest.approx(1.0 if order == "additive" else 1.1, rel=0.1)


@pytest.mark.parametrize("order", ORDERS)
def test_the_start_is_least_squares_that_varies_by_one(order) -> None:
    genotype, library = LinearMap(8, order), library_of(8, 4000, 0.3)
    design = genotype.design(library)
    truth = np.random.default_rng(6).normal(size=genotype.size)
    y = design.score(truth)
    begun = design.score(genotype.start(design, (y - y.mean()) / y.std()))
    assert begun.std() == pytest.approx(1)
    assert np.corrcoef(begun, y)[0, 1] > 0.9  # least squares is damped


def test_a_start_that_says_nothing_stays_at_zero() -> None:
    genotype = LinearMap(4)
    design = genotype.design(library_of(4))
    np.testing.assert_array_equal(genotype.start(design, np.zeros(151)), 0)
