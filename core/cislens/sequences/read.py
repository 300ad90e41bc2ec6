"""The one way in: sequences from a file."""

from __future__ import annotations

from pathlib import Path

from cislens.errors import SequenceError, require_choice
from cislens.sequences.arrays import ARRAY_SUFFIXES, read_array, split_key
from cislens.sequences.bed import read_bed
from cislens.sequences.container import Sequences
from cislens.sequences.fasta import read_fasta
from cislens.sequences.files import require_file
from cislens.sequences.lengths import fit_records, fit_sequences
from cislens.sequences.letters import apply_policy, encode_records, refuse_strangers
from cislens.sequences.policy import Fit, ReadPolicy
from cislens.sequences.record import Reading

FASTA_SUFFIXES = (".fa", ".fasta", ".fna", ".fas")
BED_SUFFIXES = (".bed", ".narrowpeak", ".broadpeak")
PACKED = (".gz", ".bgz")
FORMATS = (
    f"FASTA ({' '.join(FASTA_SUFFIXES)}) and BED (.bed .narrowPeak .broadPeak, with a genome), both also as "
    f"{' or '.join(PACKED)}, and one-hot arrays ({' '.join(ARRAY_SUFFIXES)})"
)
LISTED = 3  # reasons named when nothing is left


def read_sequences(
    path: str | Path,
    *,
    length: int | None = None,
    fit: Fit = "error",
    genome: str | Path | None = None,
    key: str | None = None,
    policy: ReadPolicy | None = None,
) -> Sequences:
    """Read sequences from FASTA, from BED with a genome, or from a one-hot array.

    Nothing changes silently: what is dropped is listed with its reason in `dropped`, and what is changed is said in
    `notes`. Ids are those of the file, made unique with #2, #3, ...; coordinates (0-based, half-open) come from BED, or
    from FASTA names such as chr1:100-200(-), and follow crops and pads.

    Parameters
    ----------
    path
        The file; "file.h5:dataset" names one array of several. The suffix says the format.
    length
        Length in bp that the model takes; None where any will do, as long as all sequences share it.
    fit
        What to do with a sequence of another length. "error" refuses; "crop-center" crops what is longer, "crop-left"
        keeps its left end, "crop-right" its right end; "pad-n" pads what is shorter with N on both sides; "fit" does
        crop-center or pad-n; "drop" leaves it out; "resize-center" reads `length` bp of the genome around each
        interval's centre, whatever the interval's length.
    genome
        FASTA of the genome, for BED. Its index is kept beside it as .fai where the folder can be written.
    key
        Which array of a file that holds several.
    policy
        How lower case, IUPAC codes and the axes of arrays are read; by default as `ReadPolicy` says.

    Raises
    ------
    SequenceError
        If the file cannot be read, a letter is no DNA or RNA, a length does not fit, or no sequence is left.

    Examples
    --------
    >>> sequences = read_sequences("peaks.bed", genome="hg38.fa", length=500, fit="resize-center")  # doctest: +SKIP
    """
    file, named = split_key(Path(path))
    policy = policy or ReadPolicy()
    require_choice("fit", fit, Fit, SequenceError)
    kind = _kind(file)
    if fit == "resize-center" and kind != "bed":
        raise SequenceError(
            f"resize-center reads the genome around intervals, which needs BED with a genome, got {file.name}: "
            "say crop-center, pad-n or fit"
        )
    if fit == "resize-center" and length is None:
        raise SequenceError("resize-center must be told a length in bp, and this model takes any: say length=")
    require_file(file, "sequences")
    if kind == "array":
        sequences = fit_sequences(read_array(file, key or named, policy.layout), length, fit)
    else:
        reading = read_fasta(file) if kind == "fasta" else _read_bed(file, genome, length, fit)
        refuse_strangers(reading)
        sequences = encode_records(apply_policy(fit_records(reading, length, fit), policy))
    _refuse_nothing(sequences, file)
    return sequences


def _kind(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
        arrays: tuple[str, ...] = ()
    else:
        arrays = ARRAY_SUFFIXES
    suffix = suffixes[-1] if suffixes else ""
    for kind, known in (("fasta", FASTA_SUFFIXES), ("bed", BED_SUFFIXES), ("array", arrays)):
        if suffix in known:
            return kind
    raise SequenceError(f"sequences are read from {FORMATS}, got {file.name}: rename or convert it")


def _read_bed(file: Path, genome: str | Path | None, length: int | None, fit: Fit) -> Reading:
    if genome is None:
        raise SequenceError(
            f"BED holds only places, so {file.name} must come with a genome: say --genome FASTA (in Python, genome=)"
        )
    return read_bed(file, Path(genome), length if fit == "resize-center" else None)


def _refuse_nothing(sequences: Sequences, file: Path) -> None:
    if not len(sequences):
        reasons = "; ".join(f"{drop.id}: {drop.reason}" for drop in sequences.dropped[:LISTED])
        raise SequenceError(
            f"{file.name} must leave at least one sequence, but all {len(sequences.dropped):,} were dropped "
            f"({reasons or 'it is empty'})"
        )
