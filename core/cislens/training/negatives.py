"""What positives are told apart from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cislens.context import stream
from cislens.dinucleotide import shuffle_dinucleotides
from cislens.errors import CislensError
from cislens.sequences import Sequences, read_sequences
from cislens.sequences.bed import read_intervals
from cislens.sequences.container import Dropped
from cislens.sequences.record import unique_names
from cislens.training.gc_matching import gc_from_genome, gc_from_pool
from cislens.training.kinds import kind_of
from cislens.training.labelled import Labelled, as_values
from cislens.training.options import DataOptions
from cislens.training.splits import twins

Index = npt.NDArray[np.intp]
OUTPUT = "positive"
SAME = "has the bases of a positive"


def against_negatives(path: Path, options: DataOptions) -> Labelled:
    """Read positives, and read or make the negatives that the options say: values are 1 and 0.

    A negative with the bases of a positive, on either strand, is left out.

    Raises
    ------
    CislensError
        If the options name no negatives, or these cannot be had.
    """
    if options.negatives is None:
        raise CislensError(
            f"{path.name} holds positives alone, and they must be told apart from something: say --negatives "
            "dinucleotide, gc or a file (in Python, negatives='dinucleotide')"
        )
    positives = read_sequences(
        path, length=options.length, fit=options.fit, genome=options.genome, policy=options.policy
    )
    made, parents = _negatives(positives, path, options)
    return _together(positives, made, parents)


def dinucleotide_negatives(positives: Sequences, per_positive: int, rng: np.random.Generator) -> Sequences:
    """Shuffle each positive so that it keeps its dinucleotides; a shuffle keeps its positive's coordinates.

    The coordinates put both on the same side of a split by chromosome. Shuffles of one positive follow each other.
    """
    shuffles = shuffle_dinucleotides(positives.onehot, per_positive, rng)
    ids = [f"{name}_shuffle{i + 1}" for name in positives.ids for i in range(per_positive)]
    regions = [region for region in positives.regions for _ in range(per_positive)]
    return Sequences(shuffles.reshape(-1, positives.length, 4), tuple(ids), tuple(regions))


def _negatives(positives: Sequences, path: Path, options: DataOptions) -> tuple[Sequences, Index | None]:
    """Return the negatives and, where they were made of positives, of which."""
    rng = stream(options.seed, "training data", "negatives")
    each = options.per_positive
    if options.negatives == "dinucleotide":
        return dinucleotide_negatives(positives, each, rng), np.repeat(np.arange(len(positives)), each)
    if options.negatives == "gc":
        return _same_gc(positives, path, options, rng), None
    if each > 1:
        raise CislensError(
            f"{each} negatives for each positive can be made, not read from a file, got {options.negatives}: leave out "
            "--per-positive"
        )
    return _read(Path(str(options.negatives)), options, positives.length), None


def _same_gc(positives: Sequences, path: Path, options: DataOptions, rng: np.random.Generator) -> Sequences:
    if options.pool is not None:
        pool = _read(Path(options.pool), options, positives.length)
        return gc_from_pool(positives, pool, options.per_positive, rng)
    if options.genome is None:
        raise CislensError(
            "negatives of the same GC are drawn from a genome or a pool of candidates: say --genome FASTA or --pool "
            "FILE (in Python, genome= or pool=)"
        )
    genome = Path(options.genome)
    # Intervals as they stand in the file: a window of one may leave out a part that is as positive.
    intervals = read_intervals(path) if kind_of(path) == "bed" else ()
    taken = [region for _, region in intervals if region.start < region.end]
    return gc_from_genome(positives, genome, taken, options.per_positive, options.policy, rng)


def _read(path: Path, options: DataOptions, length: int) -> Sequences:
    """Read negatives or candidates at the positives' length."""
    if kind_of(path) not in ("fasta", "bed"):
        raise CislensError(
            f"negatives must be dinucleotide, gc, or FASTA or BED, and candidates FASTA or BED, got {str(path)!r}"
        )
    # Only intervals can be resized: other sequences must then have the length that the positives were given.
    fit = "error" if options.fit == "resize-center" and kind_of(path) != "bed" else options.fit
    return read_sequences(path, length=length, fit=fit, genome=options.genome, policy=options.policy)


def _together(positives: Sequences, negatives: Sequences, parents: Index | None) -> Labelled:
    n = len(positives)
    onehot = np.concatenate([positives.onehot, negatives.onehot])
    group = twins(onehot)
    distinct = ~np.isin(group, group[:n])
    kept = np.concatenate([np.arange(n), np.flatnonzero(distinct)])
    same = [Dropped(negatives.ids[place - n], SAME) for place in np.flatnonzero(~distinct) if place >= n]
    if len(kept) == n:
        raise CislensError(f"at least one negative must differ from every positive, but all {len(same):,} are the same")
    ids, renamed = unique_names([*positives.ids, *negatives.ids])
    regions = (*positives.regions, *negatives.regions)
    sequences = Sequences(
        onehot[kept],
        tuple(ids[place] for place in kept),
        tuple(regions[place] for place in kept),
        (*positives.dropped, *negatives.dropped, *same),
        (*positives.notes, *negatives.notes, *renamed),
    )
    made = None if parents is None else np.concatenate([np.arange(n), parents])[kept]
    return Labelled(sequences, as_values(kept < n), (OUTPUT,), made)
