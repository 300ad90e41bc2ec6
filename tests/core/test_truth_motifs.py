"""Recovery of motifs: found, redundant, extraneous, missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.truth.motif_recovery import Match, motif_recovery


def word(name: str, text: str, share: float = 0.9) -> Motif:
    hot = np.eye(4)[["ACGT".index(base) for base in text]]
    return Motif(name, hot * share + (1 - hot) * (1 - share) / 3)


SPI1, CTCF, MAX = word("SPI1", "GGAAGTGA"), word("CTCF", "CCACTAGGGGGCG"), word("MAX", "CACGTG")
RELEVANT = [SPI1, CTCF, MAX]
NOISE = word("noise", "TATTTATAAT")


def named(motif: Motif, name: str) -> Motif:
    return replace(motif, id=name)


def counts(found: list[Motif]) -> tuple[tuple[str, ...], tuple[str, ...], int, tuple[str, ...]]:
    result = motif_recovery(found, RELEVANT)
    return result.found, result.missed, result.redundant, result.extraneous


def test_all_motifs_found_once_miss_nothing() -> None:
    result = motif_recovery(RELEVANT, RELEVANT)
    assert counts(RELEVANT) == (("SPI1", "CTCF", "MAX"), (), 0, ())
    assert result.similarity == pytest.approx(1)
    assert list(result.relevant["closest"]) == ["SPI1", "CTCF", "MAX"]


def test_nothing_found_misses_all() -> None:
    assert counts([]) == ((), ("SPI1", "CTCF", "MAX"), 0, ())
    assert motif_recovery([], RELEVANT).similarity == 0


def test_without_relevant_motifs_all_are_extraneous() -> None:
    result = motif_recovery([SPI1], [])
    assert (result.found, result.extraneous) == ((), ("SPI1",))
    assert np.isnan(result.similarity)


def test_a_motif_that_is_left_out_is_missed_and_its_similarity_is_that_of_the_closest() -> None:
    result = motif_recovery([SPI1, MAX], RELEVANT)
    assert (result.found, result.missed) == (("SPI1", "MAX"), ("CTCF",))
    assert result.relevant["similarity"][1] < 0.8


def test_a_further_motif_is_extraneous_and_moves_nothing_else() -> None:
    assert counts([*RELEVANT, NOISE]) == (("SPI1", "CTCF", "MAX"), (), 0, ("noise",))


def test_a_motif_twice_in_one_orientation_is_redundant() -> None:
    assert counts([*RELEVANT, named(SPI1, "again")])[2] == 1
    assert counts([*RELEVANT, named(SPI1, "again"), named(SPI1, "and again")])[2] == 2


def test_a_motif_once_in_each_orientation_is_not_redundant() -> None:
    found = [SPI1, named(SPI1.reverse_complement(), "turned")]
    result = motif_recovery(found, RELEVANT)
    row = result.relevant.set_index("motif").loc["SPI1"]
    assert (row["forward"], row["reverse"], row["matched"], result.redundant) == (1, 1, 1, 0)


def test_the_orientations_of_a_palindrome_count_together() -> None:
    # A weak last base breaks the tie, so that each orientation is matched as what it is.
    lopsided = replace(MAX, matrix=np.concatenate([MAX.matrix, [[0.5, 0.2, 0.2, 0.1]]]))
    result = motif_recovery([lopsided, named(lopsided.reverse_complement(), "turned")], [lopsided])
    assert [match.reverse for match in result.matches.values()] == [False, True]
    row = result.relevant.iloc[0]
    assert (row["forward"], row["reverse"], row["matched"], result.redundant) == (2, 0, 2, 1)


def test_a_match_says_how_much_wider_the_relevant_motif_is_at_its_two_ends() -> None:
    part = named(CTCF.window(3, 12), "part")
    assert motif_recovery([part], RELEVANT).matches == {"part": Match("CTCF", False, 3, 1)}
    turned = named(part.reverse_complement(), "turned")
    assert motif_recovery([turned], RELEVANT).matches == {"turned": Match("CTCF", True, 3, 1)}
    wide = named(replace(CTCF, matrix=np.concatenate([np.full((2, 4), 0.25), CTCF.matrix])), "wide")
    assert motif_recovery([wide], RELEVANT).matches == {"wide": Match("CTCF", False, -2, 0)}


def test_the_threshold_decides_what_is_extraneous() -> None:
    blurred = named(word("x", "GGAACTCA"), "blurred")
    similarity = motif_recovery([blurred], [SPI1]).relevant["similarity"][0]
    assert motif_recovery([blurred], [SPI1], threshold=similarity + 1e-6).extraneous == ("blurred",)
    assert motif_recovery([blurred], [SPI1], threshold=similarity - 1e-6).extraneous == ()


def test_a_motif_that_is_known_besides_is_neither_missed_nor_extraneous() -> None:
    with_it, without = (motif_recovery(found, [SPI1], [CTCF]) for found in ([SPI1, CTCF], [SPI1]))
    for result in (with_it, without):
        assert (result.found, result.missed, result.extraneous) == (("SPI1",), (), ())
    assert with_it.matches["CTCF"].motif == "CTCF"


@pytest.mark.parametrize(("found", "relevant"), [([SPI1, SPI1], [SPI1]), ([SPI1], [SPI1, SPI1])])
def test_two_motifs_of_one_id_are_refused(found, relevant) -> None:
    with pytest.raises(CislensError, match="ids of motifs must be unique, 'SPI1' came twice"):
        motif_recovery(found, relevant)


def test_motifs_with_shuffled_columns_are_seldom_matched() -> None:
    # The null of the threshold: of random motifs of 10 columns fewer than 2% reach it.
    rng = np.random.default_rng(0)
    motifs = [Motif(str(i), rng.dirichlet([0.2] * 4, 10)) for i in range(200)]
    result = motif_recovery(motifs, [word("one", "GGAAGTGACT")])
    assert len(result.matches) <= 4
