"""Tables with a sequence and its values in each row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cislens.errors import CislensError
from cislens.sequences.alphabet import AMBIGUOUS, KNOWN
from cislens.sequences.container import Dropped, Region
from cislens.sequences.files import require_file
from cislens.sequences.lengths import fit_records
from cislens.sequences.letters import apply_policy, encode_records, refuse_strangers
from cislens.sequences.record import Reading, Record, region_in_name, unique_names
from cislens.training.kinds import TABLE_SUFFIXES, unpacked_suffix
from cislens.training.labelled import Labelled, as_values
from cislens.training.options import DataOptions

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, "pd.Series[Any]"]

SEQUENCE_NAMES = ("sequence", "seq", "dna")
ID_NAMES = ("id", "name")
PLACES = {"chrom": ("chrom", "chr", "chromosome"), "start": ("start",), "end": ("end", "stop"), "strand": ("strand",)}
LETTERS = frozenset((KNOWN + AMBIGUOUS).decode())


def read_table(path: Path, options: DataOptions) -> Labelled:
    """Read a table (.csv or .tsv, plain or gzipped) whose first line names its columns.

    The sequence is the column that `options.sequences` names, else the one called sequence, seq or dna, else the only
    one that holds DNA throughout. Values are the columns that `options.values` names, else the only one with numbers.
    Columns id or name, and chrom, start, end and strand, are read as such where they are there.

    Raises
    ------
    CislensError
        If a column is not there, or more than one could be meant, or the table holds what is neither DNA nor a number.
    """
    require_file(path, "the table")
    table = _table(path)
    sequence = _sequence_column(table, options.sequences, path)
    outputs = options.values or _value_columns(table, sequence, path)
    numbers = np.stack([_numbers(table, name, path) for name in outputs], 1)
    ids, reading = _records(table, sequence)
    refuse_strangers(reading)
    sequences = encode_records(apply_policy(fit_records(reading, options.length, options.fit), options.policy))
    if not len(sequences):
        raise CislensError(f"{path.name} must leave at least one sequence, but holds none that is kept")
    rows = {name: row for row, name in enumerate(ids)}
    kept = [rows[name] for name in sequences.ids]
    return Labelled(sequences, as_values(numbers[kept]), tuple(outputs))


def _table(path: Path) -> Columns:
    import pandas as pd

    separator = TABLE_SUFFIXES[unpacked_suffix(path)]
    try:
        names = pd.read_csv(path, sep=separator, nrows=0).columns
        # Chromosome 1 is a name, which a number, or a missing one below it, would make 1.0.
        texts = {name: str for name in names if str(name).strip().lower() in (*ID_NAMES, *PLACES["chrom"])}
        table = pd.read_csv(path, sep=separator, low_memory=False, dtype=texts)
    except (ValueError, OSError, EOFError) as error:  # pandas' own errors are ValueErrors
        raise CislensError(
            f"{path} must be a table with a first line that names its columns, but cannot be read: {error}"
        ) from None
    return {str(name).strip(): table[name] for name in table}


def _sequence_column(table: Columns, named: str | None, path: Path) -> str:
    if named is not None:
        return _present(table, named, path)
    called = _called(table, SEQUENCE_NAMES)
    if called is not None:
        return called
    fitting = [name for name in table if _is_dna(table[name])]
    if len(fitting) != 1:
        which = f"{len(fitting)} do ({', '.join(fitting)})" if fitting else "none does"
        raise CislensError(
            f"one column of {path.name} must hold DNA, but {which}: name it with --sequences COLUMN (in Python, "
            f"sequences=); the columns are {', '.join(table)}"
        )
    return fitting[0]


def _value_columns(table: Columns, sequence: str, path: Path) -> tuple[str, ...]:
    from pandas.api.types import is_numeric_dtype

    known = {sequence, *(_called(table, names) for names in (ID_NAMES, *PLACES.values()))}
    # pandas calls a column without a name, such as an index that was written along, "Unnamed: 0".
    fitting = [
        name for name in table if is_numeric_dtype(table[name]) and name not in known and not name.startswith("Unnamed")
    ]
    if len(fitting) != 1:
        which = f"{len(fitting)} do ({', '.join(fitting)})" if fitting else "none does"
        raise CislensError(
            f"one column of {path.name} must hold the values, but {which}: name one or more with --values COLUMN (in "
            f"Python, values=); the columns are {', '.join(table)}"
        )
    return tuple(fitting)


def _numbers(table: Columns, name: str, path: Path) -> Any:
    import pandas as pd

    column = table[_present(table, name, path)]
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    strange = np.flatnonzero(np.isnan(numbers) & column.notna().to_numpy())
    if len(strange):
        raise CislensError(
            f"column {name!r} of {path.name} must hold numbers, got {column.iloc[strange[0]]!r} in row "
            f"{strange[0] + 1:,} (counted from 1, without the line of names)"
        )
    return numbers


def _records(table: Columns, sequence: str) -> tuple[list[str], Reading]:
    """Return the ids of all rows, and the rows as records, those without a sequence dropped."""
    called = _called(table, ID_NAMES)
    given = [f"seq{i}" for i in range(len(table[sequence]))] if called is None else table[called].astype(str).tolist()
    ids, notes = unique_names(given)
    # Letters outside of Latin-1 become "?", which is refused like every other stranger.
    texts = [text.strip().encode("latin-1", "replace") for text in table[sequence].fillna("").astype(str)]
    regions = _regions(table, given, [len(text) for text in texts])
    rows = list(zip(ids, texts, regions, strict=True))
    dropped = tuple(Dropped(name, "the sequence is empty") for name, text, _ in rows if not text)
    return ids, Reading([Record(*row) for row in rows if row[1]], dropped, notes)


def _regions(table: Columns, names: list[str], lengths: list[int]) -> list[Region | None]:
    """Return where each row lies: by its columns where they are there, else by its name."""
    chrom, start, end, strand = (_called(table, called) for called in PLACES.values())
    if chrom is None or start is None or end is None:
        return [region_in_name(name, length) for name, length in zip(names, lengths, strict=True)]
    import pandas as pd

    starts, ends = (pd.to_numeric(table[name], errors="coerce") for name in (start, end))
    strands = table[strand] if strand is not None else ["+"] * len(names)
    rows = zip(table[chrom], starts, ends, strands, lengths, strict=True)
    # As with names of FASTA: coordinates that do not span the sequence count from 1, or are not its own; so with text.
    return [
        Region(where, int(first), int(last), "-" if side == "-" else "+")
        if isinstance(where, str) and last - first == length
        else None
        for where, first, last, side, length in rows
    ]


def _present(table: Columns, name: str, path: Path) -> str:
    if name not in table:
        raise CislensError(f"{path.name} has no column {name!r}: its columns are {', '.join(table)}")
    return name


def _called(table: Columns, names: tuple[str, ...]) -> str | None:
    """Return the column with one of these names, in upper or lower case; None where there is none or several."""
    found = [name for name in table if name.lower() in names]
    return found[0] if len(found) == 1 else None


def _is_dna(column: pd.Series[Any]) -> bool:
    return column.dtype.kind not in "biuf" and all(
        isinstance(text, str) and text.strip() and LETTERS.issuperset(text.strip()) for text in column
    )
