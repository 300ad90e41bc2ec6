"""Score the variants of a VCF file, block by block."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cislens.context import Progress, silent
from cislens.driver import check_needs, saturation_warnings
from cislens.errors import ReportError, SequenceError, require_choice
from cislens.explainer import parse_explainer
from cislens.oracle.base import Oracle
from cislens.report import MotifReport
from cislens.sequences import Sequences
from cislens.sequences.genome import open_genome
from cislens.target import Target
from cislens.variants.alleles import Allele, Fit, Windows
from cislens.variants.components import Fitting
from cislens.variants.entries import Entries
from cislens.variants.evaluation import require_labels
from cislens.variants.parts import Parts, run_key
from cislens.variants.remarks import Remarks
from cislens.variants.scores import HELD_AT_ONCE, Scorer, Scores, encoded
from cislens.variants.summary import Summary
from cislens.variants.vcf import Vcf, open_vcf
from cislens.variants.writing import TsvLines, lines_for, written_whole

if TYPE_CHECKING:
    import pandas as pd

BLOCK, BLOCK_OF_MAPS = 1024, 64  # records that are scored and kept at a time
Targets = str | Target | Sequence[str | Target] | None


@dataclass(frozen=True, kw_only=True)
class VariantRun:
    """Say how variants are scored.

    Parameters
    ----------
    explainers
        Explainers whose maps of the reference window are read too: v[alternative] - v[reference], summed over the
        positions that differ, in the text form of the command line.
    length
        Length of the windows in bp, for a model that takes any.
    fit
        What is done where a window passes the end of its contig: "drop" lists the variant, "pad-n" fills up with N.
    info
        Keys of INFO whose numbers are copied into the table, as columns INFO/KEY; of a flag, 1 or 0.
    labels
        One of these keys whose numbers must be 0 or 1, which is seen to before anything is predicted.
    seed
        Seed of every random stream.
    overwrite
        Replace an output that is there, or what is left of another run.
    progress
        Called with (done, total) in records.
    """

    explainers: tuple[str, ...] = ()
    length: int | None = None
    fit: Fit = "drop"
    info: tuple[str, ...] = ()
    labels: str | None = None
    seed: int = 0
    overwrite: bool = False
    progress: Progress = silent

    def __post_init__(self) -> None:
        require_choice("--length (fit=)", self.fit, Fit, SequenceError)
        if self.labels not in (None, *self.info):
            raise SequenceError(f"labels must be among the keys in info, {', '.join(self.info)}, got {self.labels!r}")


def score_variants(
    oracle: Oracle,
    vcf: str | Path,
    genome: str | Path,
    target: Targets = None,
    run: VariantRun | None = None,
) -> pd.DataFrame:
    """Return the effects of variants: predictions of the alternative minus those of the reference.

    Parameters
    ----------
    oracle
        The model, as `open_oracle` returns it.
    vcf
        The variants, plain, gzipped or bgzipped.
    genome
        FASTA, plain or bgzipped, against which REF is checked.
    target
        Which scalars; may be left out where the oracle has but one. A principal component (`:pc1`) is fitted on
        reference windows of the file, drawn by the seed, and signed so that they score above mutants of them.
    run
        Explainers, length, padding, seed.

    Returns
    -------
    DataFrame
        A row for each alternative allele of each record, in the order of the file: chrom, pos (from 1), id, ref, alt;
        status ("scored", or why not: no_sequence, no_contig, mismatch, near_end, too_long) and reason; for each target
        "reference:TARGET", the prediction of the reference, "model:TARGET", the effect, and "LABEL:TARGET", the effect
        by an explainer's map; "INFO/KEY". What was not scored is NaN.

    Raises
    ------
    SequenceError
        If a file cannot be read, or no length is known.
    TargetError
        If the target does not name one scalar; the sentence lists the choices.

    Examples
    --------
    >>> table = score_variants(oracle, "variants.vcf", "hg38.fa", "Dev")  # doctest: +SKIP
    """
    import pandas as pd

    with _opened(oracle, Path(vcf), Path(genome), target, run or VariantRun()) as job:
        tables = [job.table.frame(alleles, scores) for alleles, scores in job.blocks()]
        return pd.concat(tables or [pd.DataFrame(columns=job.table.columns)], ignore_index=True)


def write_variants(
    oracle: Oracle,
    vcf: str | Path,
    genome: str | Path,
    output: Path,
    target: Targets = None,
    run: VariantRun | None = None,
) -> Summary:
    """Write the effects of variants to a file, as a table (.tsv) or as the VCF itself (.vcf, .vcf.gz).

    What is done is kept beside the output, in a folder named OUTPUT.parts, until the file is whole: the same call again
    after a kill goes on from there. However many variants there are, one block of them is held; of those with entries
    of INFO asked for, the numbers are.

    Parameters
    ----------
    oracle, vcf, genome, target, run
        As in `score_variants`.
    output
        The file to write.

    Raises
    ------
    ReportError
        If the output is there already, or its folder of parts is of another run, and neither is to be overwritten.
    """
    run = run or VariantRun()
    if output.exists() and not run.overwrite:
        raise ReportError(f"{output} is there already: say --overwrite (overwrite=True), or write to another file")
    with _opened(oracle, Path(vcf), Path(genome), target, run) as job:
        written = lines_for(output, job.table)
        summary = Summary(job.table, evaluated=bool(run.info))
        with Parts.opened(output.with_name(f"{output.name}.parts"), job.key(), run.overwrite) as parts:
            with written_whole(output) as write:
                write(written.header())
                for alleles, scores in job.blocks(parts):
                    write(written.lines(alleles, scores))
                    summary.add(alleles, scores)
            parts.remove()
    return summary


@dataclass(frozen=True)
class _Job:
    """One run over one file."""

    vcf: Vcf
    files: tuple[Path, Path]  # variants, genome
    windows: Windows
    scorer: Scorer
    run: VariantRun
    total: int
    fitted: str  # what principal components were fitted on

    @property
    def table(self) -> TsvLines:
        """What names and fills the columns."""
        targets = tuple(map(str, self.scorer.targeted.targets))
        entries = Entries.of(self.vcf, self.run.info)
        return TsvLines(self.vcf, self.scorer.sources, targets, entries, self.fitted)

    @property
    def block(self) -> int:
        """Records that are scored and kept at a time."""
        most = BLOCK_OF_MAPS if self.scorer.explainers else BLOCK
        return max(1, min(most, HELD_AT_ONCE // (2 * self.windows.length)))

    def key(self) -> dict[str, Any]:
        """Return what makes two runs the same."""
        settings = {"length": self.windows.length, "fit": self.windows.fit, "block": self.block}
        return run_key(self.scorer, *self.files, settings)

    def blocks(self, parts: Parts | None = None) -> Iterator[tuple[list[Allele], Scores]]:
        """Yield the alleles of each block with their scores; all alleles of a record are in one."""
        done, remarks = 0, Remarks(self.scorer.sources)
        for number, records in enumerate(iter(lambda: list(islice(self.vcf.records, self.block)), [])):
            alleles = [allele for record in records for allele in self.windows.of(record)]
            scores = parts.get(number) if parts else None
            if scores is None:
                scores = self.scorer.score(alleles)
                if parts:
                    parts.keep(number, scores)
            if number == 0:
                self._warn_of_saturation(alleles, scores)
            remarks.add(alleles, scores)
            yield alleles, scores
            done += len(records)
            self.run.progress(done, self.total)
        for name, other in self.windows.renamed.items():
            warnings.warn(f"contig {name} of the variants was read as {other} of the genome", stacklevel=3)
        for sentence in remarks.sentences():
            warnings.warn(sentence, stacklevel=3)

    def _warn_of_saturation(self, alleles: list[Allele], scores: Scores) -> None:
        """Warn where probabilities of the first references are too near 0 or 1 for an alternative to move them."""
        windows = [allele.windows[0] for allele in alleles if allele.windows]
        if windows:
            sequences = Sequences(encoded(windows), tuple(map(str, range(len(windows)))))
            predictions = scores.references[scores.status == "scored"].T
            for sentence in saturation_warnings(self.scorer.targeted, MotifReport(sequences, predictions=predictions)):
                warnings.warn(f"of the first variants, {sentence}", stacklevel=4)


@contextmanager
def _opened(oracle: Oracle, vcf: Path, genome: Path, target: Targets, run: VariantRun) -> Iterator[_Job]:
    length = oracle.length or run.length
    if length is None:
        raise SequenceError(f"{oracle.name} takes any length: say --input-length (length=), in bp")
    if run.length not in (None, length):
        raise SequenceError(f"{oracle.name} takes windows of {length:,} bp, got length {run.length:,}: leave it out")
    explainers = tuple(parse_explainer(text) for text in run.explainers)
    for item in explainers:
        check_needs(item.explainer, oracle)
    scorer = Scorer(oracle, oracle.select(target), explainers, run.seed)
    total = _surveyed(vcf, run.info, run.labels)
    with open_genome(genome) as contigs, open_vcf(vcf) as variants:
        windows = Windows(contigs, length, run.fit)
        targeted, fitted = Fitting(vcf, total, windows, run.seed).apply(scorer.targeted)
        yield _Job(variants, (vcf, genome), windows, replace(scorer, targeted=targeted), run, total, fitted)


def _surveyed(path: Path, info: tuple[str, ...], labels: str | None) -> int:
    """Return how many records there are, once the whole file was seen to be readable and to hold what is asked for."""
    count = 0
    with open_vcf(path) as vcf:
        entries = Entries.of(vcf, info)
        missing, seen = set(info) - set(vcf.declared), set(vcf.declared)
        for record in vcf.records:
            count += 1
            for allele in range(len(record.alts) if info else 0):
                numbers = entries.numbers(record, allele)
                if labels is not None:
                    require_labels(np.array([numbers[info.index(labels)]]), f"INFO/{labels}")
            if missing:
                seen |= set(record.info)
                missing -= seen
    if missing:
        raise SequenceError(
            f"INFO of {path} must hold {', '.join(sorted(missing))}, but holds {', '.join(sorted(seen)) or 'nothing'}"
        )
    if not count:
        raise SequenceError(f"{path} must hold variants, but holds none: check that the file is whole")
    return count
