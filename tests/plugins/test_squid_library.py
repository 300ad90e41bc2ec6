"""Libraries written out as one-hot blocks, against letters written out one by one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

pytest.importorskip("torch")

from cislens import CislensError, Sequences
from cislens.sequences.codes import codes_with_n
from cislens_squid import Squid
from cislens_squid.library import Library, mutable_sites
from cislens_squid.mutagenesis import all_double_mutants, partial_mutagenesis
from cislens_squid.running import local_library

pytestmark = pytest.mark.torch

ALPHABET = "ACGTN"


def codes(letters: str) -> np.ndarray:
    return np.array([ALPHABET.index(letter) for letter in letters], np.uint8)


def letters(onehot: np.ndarray) -> list[str]:
    return ["".join(ALPHABET[row.argmax()] if row.any() else "N" for row in one) for one in onehot]


def written_out(frames: list[str], sites: list[int], substitutions) -> list[str]:
    """The variants, letter by letter."""
    found = []
    for frame, start, stop in zip(frames, substitutions.offsets, substitutions.offsets[1:], strict=False):
        bases = list(frame)
        for place, change in zip(substitutions.sites[start:stop], substitutions.changes[start:stop], strict=True):
            own = bases[sites[place]]
            bases[sites[place]] = "ACGT"[("ACGT".index(own) + 1 + int(change)) % 4]
        found.append("".join(bases))
    return found


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_hold_the_variants_in_order(size: int) -> None:
    wild = "ACGTNACGGTNNACTA"
    sites = mutable_sites(codes(wild), (2, 14))
    drawn = partial_mutagenesis(len(sites), 200, 0.3, np.random.default_rng(0)).after_wild_type()
    library = Library(codes(wild), sites, codes(wild)[sites], drawn)
    blocks = list(library.blocks(size))
    assert all(len(block) == size for block in blocks[:-1])
    assert all(block.dtype == np.uint8 for block in blocks)
    assert letters(np.concatenate(blocks)) == written_out([wild] * 201, sites.tolist(), drawn)
    assert letters(blocks[0][:1]) == [wild]


def test_an_n_is_never_changed_and_stays_n() -> None:
    wild = "NNACGTNTTNAC"
    squid = Squid(library=400, rate=0.9)
    onehot = np.eye(5, dtype=np.uint8)[codes(wild)][:, :4]
    library = local_library(squid, onehot, np.random.default_rng(0))
    seen = letters(np.concatenate(list(library.blocks())))
    unknown = [i for i, letter in enumerate(wild) if letter == "N"]
    assert {tuple(i for i, letter in enumerate(one) if letter == "N") for one in seen} == {tuple(unknown)}
    changed = {i for one in seen for i in range(len(wild)) if one[i] != wild[i]}
    assert changed == set(range(len(wild))) - set(unknown)


def test_a_window_leaves_what_is_outside_alone() -> None:
    wild = "ACGTACGTACGT"
    onehot = np.eye(5, dtype=np.uint8)[codes(wild)][:, :4]
    library = local_library(Squid(library=3000, window="3-6", rate=0.8), onehot, np.random.default_rng(0))
    seen = letters(np.concatenate(list(library.blocks())))
    assert {one[:3] + one[6:] for one in seen} == {wild[:3] + wild[6:]}
    assert len({one[3:6] for one in seen}) == 64


def test_each_variant_stands_in_a_frame_of_its_own() -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 5, (50, 20)).astype(np.uint8)
    element, sites = codes("TTTTT"), np.array([3, 4, 5, 12, 17])
    drawn = partial_mutagenesis(5, 50, 0.4, rng)
    given = frames.copy()
    given[:, sites] = element
    expected = written_out(["".join(ALPHABET[c] for c in row) for row in given], sites.tolist(), drawn)
    before = frames.copy()
    assert letters(np.concatenate(list(Library(frames, sites, element, drawn).blocks(16)))) == expected
    np.testing.assert_array_equal(frames, before)


def test_elements_of_some_variants_are_those_of_the_blocks() -> None:
    wild = codes("ACGTACGA")
    drawn = all_double_mutants(8)
    library = Library(wild, np.arange(8), wild, drawn)
    some = np.array([17, 3, 200, 3])
    whole = np.concatenate(list(library.blocks()))
    np.testing.assert_array_equal(library.element(some), codes_with_n(whole)[some])


def test_the_library_of_a_run_begins_with_the_wild_type_and_holds_as_many_variants_as_it_costs() -> None:
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(2).integers(0, 4, 30)]
    for settings, variants in (
        ({"library": 123}, 123),
        ({"library": 123, "mutagenesis": "exactly", "substitutions": 4}, 123),
        ({"mutagenesis": "singles"}, 1 + 90),
        ({"mutagenesis": "doubles", "window": "5-12"}, 1 + 21 + 9 * 21),
    ):
        squid = Squid(**settings)
        library = local_library(squid, onehot, np.random.default_rng(3))
        assert len(library) == variants == squid.variants(library.width)
        np.testing.assert_array_equal(next(library.blocks())[0], onehot)


def test_a_library_of_100_000_variants_takes_50_mb_at_most_and_is_written_out_in_blocks() -> None:
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(4).integers(0, 4, 249)]
    tracemalloc.start()
    library = local_library(Squid(library=100_000), onehot, np.random.default_rng(5))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    n = sum(len(block) for block in library.blocks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 100_000
    assert held < 50e6
    assert peak - held < 25e6  # 100,000 one-hot sequences are 100 MB


def test_what_is_no_library_is_refused() -> None:
    wild = codes("ACGTN")
    drawn = partial_mutagenesis(4, 10, 0.5, np.random.default_rng(0))
    with pytest.raises(CislensError, match="a library of 10 variants needs a frame for each, got 3"):
        Library(np.tile(wild, (3, 1)), np.arange(4), wild[:4], drawn)
    with pytest.raises(CislensError, match="a known base at each of its sites"):
        Library(wild, np.arange(5), wild, drawn)


def test_a_window_beyond_the_sequence_or_of_n_alone_is_refused() -> None:
    wild = codes("ACNNA")
    with pytest.raises(CislensError, match="must lie within the 5 bp of the sequence, got 3-6"):
        mutable_sites(wild, (3, 6))
    with pytest.raises(CislensError, match="the window 2-4 must hold a base that can change, but is all N"):
        mutable_sites(wild, (2, 4))
    np.testing.assert_array_equal(mutable_sites(wild, (1, 5)), [1, 4])


def test_sequences_of_n_alone_are_refused() -> None:
    sequences = Sequences.from_onehot(np.zeros((1, 8, 4), np.uint8))
    with pytest.raises(CislensError, match="is all N"):
        local_library(Squid(), sequences.onehot[0], np.random.default_rng(0))
