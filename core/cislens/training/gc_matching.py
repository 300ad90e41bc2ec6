"""Negatives of the same GC as the positives, from a genome or from a pool of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.sequences.alphabet import LOWER_TO_N
from cislens.sequences.container import OneHot, Region, Sequences
from cislens.sequences.genome import Genome, open_genome
from cislens.sequences.letters import apply_policy, encode_records
from cislens.sequences.policy import ReadPolicy
from cislens.sequences.record import Reading, Record
from cislens.training.intervals import overlapping, spans_of, touching

Index = npt.NDArray[np.intp]

BINS = 50  # of GC, 0.02 wide
KNOWN_SHARE = 0.99  # of an interval's bases: what holds more N is no candidate
SHORT_SHARE = 0.1  # of negatives that may be missing; more would leave GC itself to be learned
COUNTED_AT_ONCE = 1 << 22  # letters
NONE = -1  # the bin of a sequence without bases; what is chosen where nothing is left
NOT_GC, GC = 1, 2
KINDS = np.zeros(256, np.uint8)
KINDS[list(b"ATUatu")] = NOT_GC
KINDS[list(b"GCgc")] = GC


def gc_bins(onehot: OneHot) -> Index:
    """Return the bin of GC (n,) of each sequence (n, length, 4), 0 to 49; -1 where it holds no base."""
    counts = onehot.sum(1, dtype=np.intp)
    return _bins(counts[:, 1] + counts[:, 2], counts.sum(1))


def gc_from_pool(positives: Sequences, pool: Sequences, per_positive: int, rng: np.random.Generator) -> Sequences:
    """Choose from candidates, each at most once, so that bins of GC hold as many as they hold positives.

    Candidates that overlap a positive, where both have coordinates, are never chosen. Those chosen need not lie on the
    chromosomes of the positives.

    Raises
    ------
    CislensError
        If more than a tenth of what is wanted finds no candidate of its GC.
    """
    taken = touching(spans_of(positives.regions), pool.regions)
    candidates = np.where(taken, NONE, gc_bins(pool.onehot))
    chosen = _matched(np.repeat(gc_bins(positives.onehot), per_positive), candidates, rng)
    note = _told_short(chosen, "the pool")
    found = pool.take(chosen[chosen != NONE])
    return Sequences(found.onehot, found.ids, found.regions, pool.dropped, (*pool.notes, *note))


def gc_from_genome(
    positives: Sequences,
    genome: Path,
    taken: Sequence[Region],
    per_positive: int,
    policy: ReadPolicy,
    rng: np.random.Generator,
) -> Sequences:
    """Choose intervals of the genome at random, each on the chromosome and of the GC (bins of 0.02) of a positive.

    A chromosome is cut into intervals of the positives' length from a random place on, so that no two of those chosen
    overlap. What overlaps a positive, or holds more than 1% of N, is never chosen.

    Parameters
    ----------
    positives
        With coordinates.
    genome
        FASTA.
    taken
        What no negative may overlap beside the positives, such as intervals that they were cropped from.
    per_positive
        How many for each positive, each with that one's strand.
    policy
        How letters are read.
    rng
        Where chance comes from.

    Raises
    ------
    CislensError
        If a positive has no coordinates or lies outside of the genome, or more than a tenth of what is wanted finds no
        interval of its GC.
    """
    regions = _placed(positives)
    forbidden = spans_of([*regions, *taken])
    chromosomes = np.repeat([region.chrom for region in regions], per_positive)
    bins = np.repeat(gc_bins(positives.onehot), per_positive)
    starts = np.full(len(bins), NONE)
    with open_genome(genome) as contigs:
        for chrom in sorted(set(chromosomes)):
            wanted = chromosomes == chrom
            tiles, found = _tiles(_letters(contigs, chrom, policy), positives.length, rng)
            candidates = np.where(overlapping(forbidden, chrom, tiles, tiles + positives.length), NONE, found)
            chosen = _matched(bins[wanted], candidates, rng)
            # What found none has the last place here, which stands for none.
            starts[wanted] = np.append(tiles, NONE)[chosen]
        notes = _told_short(starts, f"the genome {genome.name}")
        places = np.flatnonzero(starts != NONE)
        likes = [regions[place // per_positive] for place in places]
        records = [_record(contigs, like, int(starts[i])) for i, like in zip(places, likes, strict=True)]
    return encode_records(apply_policy(Reading(records, notes=notes), policy))


def _bins(gc: Index, known: Index) -> Index:
    # Whole numbers all the way: a share such as 0.58 must not slip into the bin below.
    return np.where(known > 0, np.minimum(gc * BINS // np.maximum(known, 1), BINS - 1), NONE)


def _matched(wanted: Index, candidates: Index, rng: np.random.Generator) -> Index:
    """Return for each wanted bin a candidate of that bin, none of them twice; -1 where none is left."""
    chosen = np.full(len(wanted), NONE)
    for current in np.unique(wanted[wanted != NONE]):
        # Both in random order, so that chance says who goes without.
        places, found = (rng.permutation(np.flatnonzero(bins == current)) for bins in (wanted, candidates))
        n = min(len(places), len(found))
        chosen[places[:n]] = found[:n]
    return chosen


def _told_short(chosen: Index, where: str) -> tuple[str, ...]:
    short = int((chosen == NONE).sum())
    sentence = f"{short:,} of {len(chosen):,} negatives found no interval of their positive's GC left in {where}"
    if short > SHORT_SHARE * len(chosen):
        raise CislensError(
            f"at least nine in ten negatives must match the GC of their positives, but {sentence}: give a larger one, "
            "ask for fewer with --per-positive, or take --negatives dinucleotide"
        )
    return (sentence,) if short else ()


def _placed(positives: Sequences) -> list[Region]:
    placed = [region for region in positives.regions if region is not None]
    if len(placed) < len(positives):
        raise CislensError(
            "negatives of the same GC are drawn from a genome around positives with coordinates, but "
            f"{len(positives) - len(placed):,} of {len(positives):,} have none: give BED, or FASTA with names such as "
            "chr1:100-200, or candidates with --pool"
        )
    return placed


def _record(genome: Genome, like: Region, start: int) -> Record:
    region = like._replace(start=start, end=start + like.end - like.start)
    return Record(f"{region.chrom}:{region.start}-{region.end}({region.strand})", genome.read(region), region)


def _letters(genome: Genome, chrom: str, policy: ReadPolicy) -> bytes:
    whole = Region(chrom, 0, genome.lengths.get(chrom, 0))
    outside = genome.why_outside(whole)
    if outside is not None:
        raise CislensError(f"the genome must hold the chromosomes of the positives, but {outside}: give the same build")
    letters = genome.read(whole)
    return letters.translate(LOWER_TO_N) if policy.lowercase == "n" else letters


def _tiles(letters: bytes, length: int, rng: np.random.Generator) -> tuple[Index, Index]:
    """Return the starts (n,) of the intervals that a chromosome is cut into, and their bins of GC, -1 for many Ns."""
    room = len(letters) - length
    if room < 0:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    starts = np.arange(rng.integers(min(length, room + 1)), room + 1, length, dtype=np.intp)
    codes = np.frombuffer(letters, np.uint8)[starts[0] : starts[-1] + length].reshape(-1, length)
    bins = np.empty(len(starts), np.intp)
    rows = max(1, COUNTED_AT_ONCE // length)
    for first in range(0, len(starts), rows):
        kinds = KINDS[codes[first : first + rows]]
        known = (kinds > 0).sum(1)
        found = _bins((kinds == GC).sum(1), known)
        bins[first : first + rows] = np.where(known >= KNOWN_SHARE * length, found, NONE)
    return starts, bins
