"""From a report to files that another tool reads."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from cislens.errors import ReportError
from cislens.exchange.blocks import ReportBlocks
from cislens.files import ELSEWHERE, writing
from cislens.report import MotifReport
from cislens.report.store import ReportReader
from cislens.settings import Configured, named


@dataclass(frozen=True)
class Exported:
    """Say what was written, and what whoever reads it should know.

    Parameters
    ----------
    paths
        The files, in the order in which they are to be named.
    notes
        Sentences: what was left out, and by which rule what is ambiguous was decided.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exporter(Configured, ABC):
    """Write a part of a report in the format of another tool.

    An exporter is a frozen dataclass whose fields are its settings, as an explainer is; a plugin registers its class
    with the hook `register_exporters`. Each becomes an option of `cislens report`, `--NAME FILE`, and each setting one
    too, `--NAME-SETTING VALUE`.

    Attributes
    ----------
    name
        What the command line calls it.
    suffixes
        How the names of its files may end, in lower case.
    takes
        Parts of which the report must hold one at least; empty where the sequences are enough.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    takes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def write(self, report: ReportBlocks, path: Path) -> Exported:
        """Write the report to `path`, or to files beside it whose names begin as it does.

        A report may be larger than memory: maps are to be read block by block.
        """


def export(report: MotifReport | ReportReader | ReportBlocks, exporter: Exporter | str, path: str | Path) -> Exported:
    r"""Write a report as a file of another tool.

    Parameters
    ----------
    report
        In memory, or a store's reader, of which no more than some sequences are in memory at a time; for several
        files, `ReportBlocks.of` it is looked through only once.
    exporter
        An exporter, or its text form: "NAME" or "NAME:setting=value,...".
    path
        The file; its suffix must be one of the exporter's.

    Returns
    -------
    Exported
        The files, and what was left out or decided.

    Raises
    ------
    ReportError
        If the report lacks what the exporter takes, the suffix is another, or the file cannot be written.

    Examples
    --------
    >>> from cislens import MotifReport, Sequences
    >>> report = MotifReport(Sequences.from_strings(["ACGT"], ids=["one"]))
    >>> export(report, "fasta", "one.fa").paths[0].read_text()
    '>one\nACGT\n'
    """
    chosen = parse_exporter(exporter) if isinstance(exporter, str) else exporter
    path = Path(path)
    if not path.name.lower().endswith(chosen.suffixes):
        raise ReportError(f"{chosen.name} is written to a file named *{' or *'.join(chosen.suffixes)}, got {path.name}")
    held = ReportBlocks.of(report)
    if chosen.takes and not set(chosen.takes) & set(held.emits):
        raise ReportError(
            f"{chosen.name} is written from {' or '.join(chosen.takes)}, but the report holds only "
            f"{', '.join(held.emits) or 'its sequences'}: derive them; where nothing was found, the page says why"
        )
    with writing(path, ELSEWHERE):
        exported = chosen.write(held, path)
    return replace(exported, notes=(*held.notes, *exported.notes))


def parse_exporter(text: str) -> Exporter:
    """Read `NAME` or `NAME:setting=value,...`.

    Raises
    ------
    PluginError
        If no exporter has that name.
    CislensError
        If a setting is unknown or of the wrong type.
    """
    from cislens.plugins import registry

    return named(text, registry().exporter)


def paths_of(path: Path, suffix: str, targets: Sequence[str]) -> tuple[Path, ...]:
    """Return a path for each target: itself for one, for several with each target's name before the suffix."""
    stem = path.name[: -len(suffix)]
    if len(targets) == 1:
        return (path,)
    words = [re.sub(r"[^\w+-]+", "_", target) for target in targets]
    unique = [word if words.count(word) == 1 else f"{word}.{t}" for t, word in enumerate(words)]
    return tuple(path.with_name(f"{stem}.{word}{suffix}") for word in unique)
