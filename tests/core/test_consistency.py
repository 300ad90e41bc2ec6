"""Attribution errors in closed form, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cislens.consistency import (
    Sites,
    attribution_error,
    attribution_error_of,
    by_mutations,
    ensemble_mean,
    mutations_of,
    site_scores,
    standardised,
    weak_sites,
)
from cislens.errors import ReportError, SequenceError
from cislens.motif import Motif
from cislens.report import Attributions, MotifReport, Provenance
from cislens.sequences import Sequences

RNG = np.random.default_rng(7)
T, N, LENGTH, WIDTH, FLANK = 2, 5, 30, 4, 3
MAPS = RNG.normal(size=(T, N, LENGTH, 4))
STARTS = np.array([3, 10, 23, 8, 14])
SITES = Sites(STARTS, WIDTH, FLANK)
CLOSE = {"rtol": 0, "atol": 1e-12}


def written(maps: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return background maps, of which the same window is at the site of each sequence."""
    window = RNG.normal(size=(WIDTH + 2 * FLANK, 4))
    found = maps.copy()
    for row, start in enumerate(starts):
        found[..., row, start - FLANK : start + WIDTH + FLANK, :] = window
    return found


def two_by_two(size: float) -> np.ndarray:
    """Return two maps of two positions: (a, 0, 0, -a) at the first, its negative or itself at the second."""
    row = size * np.array([1.0, 0, 0, -1])
    return np.array([[row, row], [row, -row]])


@pytest.mark.parametrize("size", [0.01, 1.0, 300.0])
def test_the_error_of_two_maps_is_half_their_distance_in_standard_deviations(size: float) -> None:
    # Each map has four entries of size a among eight, so its standard deviation is a / sqrt(2). They differ by 2a in
    # two entries, which is sqrt(2) * 2a = 4 standard deviations, and the mean lies halfway.
    errors = attribution_error(two_by_two(size), Sites(np.array([0, 0]), width=2, flank=0))
    np.testing.assert_allclose(errors, [2, 2], **CLOSE)


def test_only_site_and_flanks_count() -> None:
    first = Sites(np.array([0, 0]), width=1, flank=0)
    second = Sites(np.array([1, 1]), width=1, flank=0)
    np.testing.assert_allclose(attribution_error(two_by_two(1), first), [0, 0], **CLOSE)
    np.testing.assert_allclose(attribution_error(two_by_two(1), second), [2, 2], **CLOSE)


def test_maps_of_one_scale_with_the_same_window_wherever_it_stands_have_no_error() -> None:
    maps = written(np.zeros((N, LENGTH, 4)), STARTS)
    np.testing.assert_allclose(attribution_error(maps, SITES), 0, **CLOSE)
    assert (attribution_error(maps, Sites(STARTS[::-1].copy(), WIDTH, FLANK)) > 1).any()


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_neither_scale_nor_what_is_added_to_a_position_changes_an_error(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    moved = MAPS * scale * rng.uniform(0.5, 2, (T, N, 1, 1)) + scale * rng.normal(size=(T, N, LENGTH, 1))
    np.testing.assert_allclose(attribution_error(moved, SITES), attribution_error(MAPS, SITES), rtol=1e-8)


def test_standardised_maps_have_the_uniform_gauge_and_variance_one() -> None:
    maps = standardised(MAPS.astype(np.float32))
    np.testing.assert_allclose(maps.mean(-1), 0, **CLOSE)
    np.testing.assert_allclose((maps**2).mean((-2, -1)), 1, **CLOSE)


def test_errors_square_to_the_variance_of_the_ensemble() -> None:
    # The mean squared distance to the mean is the summed variance of the coordinates.
    cropped = SITES.cropped(standardised(MAPS))
    squares = (attribution_error(MAPS, SITES) ** 2).mean(-1)
    np.testing.assert_allclose(squares, cropped.var(1).sum((-2, -1)), **CLOSE)


def test_an_ensemble_that_is_given_is_what_maps_are_compared_with() -> None:
    own = ensemble_mean(MAPS, SITES)
    assert own.shape == (T, WIDTH + 2 * FLANK, 4)
    np.testing.assert_allclose(attribution_error(MAPS, SITES, own), attribution_error(MAPS, SITES), **CLOSE)
    none = np.zeros_like(own)
    norms = np.sqrt((SITES.cropped(standardised(MAPS)) ** 2).sum((-2, -1)))
    np.testing.assert_allclose(attribution_error(MAPS, SITES, none), norms, **CLOSE)


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        (Sites(np.array([2, 10, 23, 8, 14]), WIDTH, FLANK), "must lie within 30 bp, got -1 to 30"),
        (Sites(np.array([3, 10, 24, 8, 14]), WIDTH, FLANK), "must lie within 30 bp, got 0 to 31"),
        (Sites(STARTS[1:], WIDTH, FLANK), "a site for each of 5 sequences, got 4"),
    ],
)
def test_sites_that_do_not_fit_are_refused(sites: Sites, said: str) -> None:
    with pytest.raises(ReportError, match=said):
        attribution_error(MAPS, sites)


@pytest.mark.parametrize("starts", [np.zeros((2, 2), int), np.zeros(0, int)])
def test_sites_must_have_one_start_a_sequence(starts: np.ndarray) -> None:
    with pytest.raises(ReportError, match="one start a sequence"):
        Sites(starts, WIDTH)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_map_that_does_not_tell_bases_apart_has_no_error(value: float) -> None:
    with pytest.raises(ReportError, match="must tell bases apart"):
        standardised(np.concatenate([MAPS[0], np.full((1, LENGTH, 4), value)]))


# ---- reports and weak sites -----------------------------------------------------------------------------------

CONSENSUS = "ACGT"
PWM = Motif("m", np.eye(4) * 0.5 + 0.125)  # 1.32 bits for its base, -1 for another
SEQUENCES = Sequences.from_strings(
    ["GGG" + site + "G" * (LENGTH - 7) for site in ("ACGT", "ACGT", "ACGA", "TCGT", "AATT")]
)
AT_THREE = Sites(np.full(N, 3), WIDTH, FLANK)


def report(values: np.ndarray = MAPS, **changes) -> MotifReport:
    provenance = Provenance("toy", targets=({"target": "a"}, {"target": "b"}))
    return MotifReport(SEQUENCES, attributions=Attributions(values, **changes), provenance=provenance)


def test_the_errors_of_a_report_are_those_of_its_maps() -> None:
    np.testing.assert_array_equal(attribution_error_of(report(), SITES), attribution_error(MAPS, SITES))


@pytest.mark.parametrize("without", [report(hypothetical=False), MotifReport(SEQUENCES)])
def test_maps_of_the_own_bases_alone_are_refused(without: MotifReport) -> None:
    with pytest.raises(ReportError, match="over all four bases"):
        attribution_error_of(without, SITES)


def test_mutations_and_scores_are_those_of_the_bases() -> None:
    mutations = mutations_of(SEQUENCES.onehot, AT_THREE, CONSENSUS)
    assert mutations.tolist() == [0, 0, 1, 1, 2]
    # A base of the motif has a probability of 0.625 and another one 0.125, the background 0.25.
    expected = (4 - mutations) * np.log2(2.5) - mutations
    np.testing.assert_allclose(site_scores(SEQUENCES.onehot, AT_THREE, PWM), expected, atol=0.01)


def test_an_n_is_a_mutation_and_scores_nothing() -> None:
    onehot = SEQUENCES.onehot[:1].copy()
    onehot[0, 3:7] = 0
    site = Sites(np.array([3]), WIDTH, FLANK)
    assert mutations_of(onehot, site, CONSENSUS).tolist() == [4]
    assert site_scores(onehot, site, PWM).tolist() == [0]


def test_weak_sites_are_compared_with_the_mean_of_the_consensus() -> None:
    table = weak_sites(report(), AT_THREE, CONSENSUS, PWM)
    assert table["target"].tolist() == ["a"] * N + ["b"] * N
    assert table["sequence"].tolist() == list(SEQUENCES.ids) * 2
    cropped = standardised(MAPS)[:, :, : WIDTH + 2 * FLANK]
    middle = cropped[:, :2].mean(1, keepdims=True)
    np.testing.assert_allclose(table["error"], np.linalg.norm((cropped - middle).reshape(T * N, -1), axis=1), **CLOSE)


def test_the_table_of_weak_sites_is_summed_up_by_mutations() -> None:
    table = weak_sites(report(), AT_THREE, CONSENSUS, PWM)
    found = by_mutations(table)
    assert found[["target", "mutations", "sites"]].to_numpy().tolist() == [
        [target, mutations, sites] for target in "ab" for mutations, sites in ((0, 2), (1, 2), (2, 1))
    ]
    of_a = table["error"].to_numpy()[:N]
    np.testing.assert_allclose(found["error"][:3], [of_a[:2].mean(), of_a[2:4].mean(), of_a[4]], **CLOSE)
    np.testing.assert_allclose(found["error_sd"][:2], [of_a[:2].std(ddof=1), of_a[2:4].std(ddof=1)], **CLOSE)
    assert np.isnan(found["error_sd"][2])


def test_weak_sites_alone_have_nothing_to_be_compared_with() -> None:
    with pytest.raises(ReportError, match="some sites must be the consensus TTTT"):
        weak_sites(report(), AT_THREE, "TTTT", PWM)


@pytest.mark.parametrize("consensus", ["ACG", "ACGTA", "ACGN"])
def test_the_consensus_must_fit_the_sites(consensus: str) -> None:
    with pytest.raises(SequenceError, match="the consensus must be 4 of A, C, G and T"):
        mutations_of(SEQUENCES.onehot, AT_THREE, consensus)


def test_the_motif_must_fit_the_sites() -> None:
    with pytest.raises(ReportError, match="must be 4 bp wide"):
        site_scores(SEQUENCES.onehot, AT_THREE, Motif("m", np.eye(4)[:3]))
