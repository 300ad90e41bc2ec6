"""The one way in: training data from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cislens.context import stream
from cislens.errors import CislensError
from cislens.sequences.record import counted
from cislens.training.array_data import ArrayData
from cislens.training.data import Examples, TrainingData
from cislens.training.intervals import spans_of, touching
from cislens.training.kinds import Kind, require_kind
from cislens.training.labelled import Labelled
from cislens.training.negatives import against_negatives
from cislens.training.options import DataOptions
from cislens.training.simulated import read_simulated
from cislens.training.splits import Parts, kin, leaks, split_at_random, split_by_chromosome, split_the_rest
from cislens.training.tables import read_table
from cislens.training.value_arrays import read_value_arrays

READERS: dict[Kind, Callable[[Path, DataOptions], Labelled]] = {
    "fasta": against_negatives,
    "bed": against_negatives,
    "table": read_table,
    "arrays": read_value_arrays,
    "simulated": read_simulated,
}


def read_training_data(path: str | Path, options: DataOptions | None = None) -> TrainingData:
    """Read training data from a file, and split them.

    Positives (FASTA, or BED with a genome) are told apart from negatives that are given or made. Tables (.csv, .tsv)
    and arrays (.npz, .h5) bring a value, or several, for each sequence; a folder that `cislens simulate` wrote brings
    its labels. What was left out or changed is in the record.

    Parameters
    ----------
    path
        The file, whose suffix says the format, or the folder.
    options
        How it is read and split; by default as `DataOptions` says.

    Raises
    ------
    CislensError
        If the file cannot be read, or the options do not fit it.

    Examples
    --------
    >>> options = DataOptions(negatives="dinucleotide", validation=("chr8",), test=("chr1",))
    >>> data = read_training_data("peaks.fa.gz", options)  # doctest: +SKIP
    """
    file, options = Path(path), options or DataOptions()
    kind = require_kind(file)
    _refuse_what_does_not_apply(kind, file, options)
    return _split(READERS[kind](file, options), file, options)


def _refuse_what_does_not_apply(kind: Kind, file: Path, options: DataOptions) -> None:
    positives = kind in ("fasta", "bed")
    if (positives or kind == "simulated") and (options.sequences is not None or options.values):
        raise CislensError(
            f"columns and arrays are named for tables and files of arrays, got {file.name}: leave out --sequences and "
            "--values"
        )
    if not positives and options.negatives is not None:
        raise CislensError(
            f"negatives are for positives, that is FASTA or BED, but {file.name} brings values of its own: leave out "
            "--negatives"
        )


def _split(labelled: Labelled, file: Path, options: DataOptions) -> ArrayData:
    sequences = labelled.sequences
    groups = kin(sequences.onehot, labelled.parents)
    parts = _parts(labelled, groups, options)
    origin = {
        "file": str(file),
        "options": options.record(),
        "dropped": [list(drop) for drop in sequences.dropped],
    }
    return ArrayData(
        file.name,
        Examples(sequences.onehot, labelled.values),
        parts,
        labelled.outputs,
        labelled.task(options.task),
        origin,
        (*sequences.notes, *_told(labelled, parts, leaks(parts, groups))),
    )


def _parts(labelled: Labelled, groups: np.ndarray, options: DataOptions) -> Parts:
    rng = stream(options.seed, "training data", "split")
    validation, test = options.validation, options.test
    if isinstance(validation, tuple) and isinstance(test, tuple):
        if labelled.parts is not None:
            raise CislensError(
                "a file that is split already cannot be split by chromosome as well: leave out --validation and --test"
            )
        return split_by_chromosome(labelled.sequences.regions, validation, test)
    assert not isinstance(validation, tuple)  # DataOptions refuses a mixture
    assert not isinstance(test, tuple)
    if labelled.parts is not None:
        return split_the_rest(labelled.parts, groups, (validation, test), rng)
    return split_at_random(groups, validation, test, rng)


def _told(labelled: Labelled, parts: Parts, leaked: int) -> tuple[str, ...]:
    notes = []
    dropped = labelled.sequences.dropped
    if dropped:
        first = dropped[0]
        notes.append(f"{counted(len(dropped), 'sequence')} left out, the first {first.id}: {first.reason}")
    if labelled.parts is not None:
        drawn = " and ".join(name for name, size in labelled.parts.sizes().items() if not size)
        notes.append(f"the file's own split is kept{drawn and f', {drawn} drawn from its training part'}")
    held = np.concatenate([parts.validation, parts.test])
    regions = labelled.sequences.regions
    near = int(touching(spans_of([regions[i] for i in parts.train]), [regions[i] for i in held]).sum())
    if near:
        notes.append(
            f"{counted(near, 'held-out interval')} overlapping one trained on: split by chromosome to keep them apart"
        )
    if leaked:
        notes.append(
            f"{counted(leaked, 'held-out example')} also trained on, with the same bases or as shuffles of one another"
        )
    return tuple(notes)
