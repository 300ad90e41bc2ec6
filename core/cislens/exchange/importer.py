"""From files of other tools to a report."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from zipfile import BadZipFile

from cislens.errors import ReportError
from cislens.provenance import versions
from cislens.report import MotifReport, Provenance
from cislens.sequences.files import require_file
from cislens.settings import Configured, named


@dataclass(frozen=True)
class Importer(Configured, ABC):
    """Read what another tool wrote as a report.

    An importer is a frozen dataclass whose fields are its settings, as an explainer is; a plugin registers its class
    with the hook `register_importers`.

    Attributes
    ----------
    name
        What the command line calls it.
    suffixes
        How the names of its files end, in lower case.
    references
        DOIs of the tool.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    references: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether a file with one of the suffixes is of this kind; little of it is to be read."""

    @abstractmethod
    def read(self, path: Path) -> MotifReport:
        """Return the report; its provenance is made by `provenance`."""

    def provenance(self, path: Path, target: str, **facts: Any) -> Provenance:
        """Return where a report comes from: a file, by name and hash, read by this importer, with further facts."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Provenance(
            explainer=f"imported as {self.name}",
            settings={"file": path.name, "sha256": digest, **self.settings(), **facts},
            targets=({"target": target},),
            model={"name": f"not recorded in {path.name}"},
            references=self.references,
            versions=versions(),
        )


def import_report(path: str | Path, importer: Importer | str | None = None) -> MotifReport:
    """Read what another tool wrote as a report, which can be derived from, shown, compared and exported as any other.

    Parameters
    ----------
    path
        The file.
    importer
        An importer, or its text form: "NAME" or "NAME:setting=value,..."; by default the one that recognises the file.

    Returns
    -------
    MotifReport
        Its provenance names the file, its hash, and what its numbers are.

    Raises
    ------
    ReportError
        If no importer recognises the file, or it does not hold what it should.
    """
    path = Path(path)
    chosen = importer if isinstance(importer, Importer) else chosen_importer(path, importer)
    with _told_of_damage(path):
        return chosen.read(path)


def chosen_importer(path: Path, text: str | None = None) -> Importer:
    """Return the importer that `NAME` or `NAME:setting=value,...` says, or else the one that recognises a file.

    Raises
    ------
    PluginError
        If no importer has that name.
    ReportError
        If none recognises the file, or several do.
    CislensError
        If a setting is unknown or of the wrong type.
    """
    from cislens.plugins import registry

    require_file(path, "what is imported")
    if text is None:
        with _told_of_damage(path):
            return _recognised(path)
    return named(text, registry().importer)


@contextmanager
def _told_of_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, KeyError, IndexError, ValueError, BadZipFile) as error:
        raise ReportError(f"{path} must be whole and of the form that its kind has, but is not: {error}") from error


def _recognised(path: Path) -> Importer:
    from cislens.plugins import registry

    known = registry().importers.values()
    found = [kind for kind in known if path.name.lower().endswith(kind.suffixes) and kind.recognises(path)]
    if len(found) == 1:
        return found[0]()
    listed = "; ".join(f"{kind.name} ({', '.join(kind.suffixes)}), {kind.summary().rstrip('.')}" for kind in known)
    what = f"{path.name} could be any of {', '.join(kind.name for kind in found)}" if found else f"got {path.name}"
    raise ReportError(f"a file must be of a kind that is read, {what}: say which with --as NAME, of {listed}")
