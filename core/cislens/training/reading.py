"""The one way in: training data from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cislens.context import stream
from cislens.errors import CislensError
from cislens.sequences.record import counted
from cislens.training.array_data import ArrayData
from cislens.training.data import Examples, TrainingData
from cislens.training.kinds import require_kind
from cislens.training.labelled import Labelled
from cislens.training.negatives import against_negatives
from cislens.training.options import DataOptions
from cislens.training.splits import Parts, kin, leaks, split_at_random, split_by_chromosome, split_the_rest
from cislens.training.tables import read_table
from cislens.training.value_arrays import read_value_arrays


def read_training_data(path: str | Path, options: DataOptions | None = None) -> TrainingData:
    """Read training data from a file, and split them.

    Positives (FASTA, or BED with a genome) are told apart from negatives that are given or made. Tables (.csv, .tsv)
    and arrays (.npz, .h5) bring a value, or several, for each sequence. What was left out or changed is in the record.

    Parameters
    ----------
    path
        The file; its suffix says the format.
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
    if kind in ("fasta", "bed"):
        labelled = against_negatives(file, options)
    elif options.negatives is not None:
        raise CislensError(
            f"negatives are for positives, that is FASTA or BED, but {file.name} brings values of its own: leave out "
            "--negatives"
        )
    else:
        labelled = (read_table if kind == "table" else read_value_arrays)(file, options)
    return _split(labelled, file, options)


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
    drawn = [
        name for name in ("validation", "test") if labelled.parts is not None and not len(getattr(labelled.parts, name))
    ]
    if drawn:
        notes.append(f"the file holds no {' and no '.join(drawn)} part, which was drawn from its training part")
    if leaked:
        notes.append(
            f"{counted(leaked, 'held-out example')} also trained on, with the same bases or as shuffles of one another"
        )
    return tuple(notes)
