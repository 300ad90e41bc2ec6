"""Databases of known motifs: those of JASPAR that are bundled, or any file of motifs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.motif_files import read_motifs

FOLDER = Path(__file__).parent
BUNDLED = {
    "jaspar_vertebrates": "JASPAR 2026 CORE vertebrates",
    "jaspar_insects": "JASPAR 2026 CORE insects",
}
VARIANT = re.compile(r"\s*\(var\.\d+\)$")  # which older releases of JASPAR add to a name


@dataclass(frozen=True, eq=False)
class Database:
    """Hold known motifs and their families.

    Parameters
    ----------
    title
        What reports call it: of a bundled one its collection and release, else the file's name.
    motifs
        Ids unique.
    families
        By id, only for motifs that the bundled list does not name.
    """

    title: str
    motifs: tuple[Motif, ...]
    families: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [motif.id for motif in self.motifs]
        if not ids:
            raise ReportError(f"a database must hold motifs, got none in {self.title}")
        if len(set(ids)) < len(ids):
            twice = next(name for name in ids if ids.count(name) > 1)
            raise ReportError(f"ids of motifs in a database must be unique, {twice!r} came twice in {self.title}")

    def __len__(self) -> int:
        return len(self.motifs)

    def family_of(self, motif: str) -> str:
        """Return the family of a motif by its id, '' where none is known."""
        return self.families.get(motif) or family_of(motif)

    def joined(self, motifs: Sequence[Motif]) -> Database:
        """Return the database with further motifs, as a truth's own; those whose id it holds are left out.

        Their family is that of their id in the bundled list, else that of the factor that they are named after.
        """
        held = {motif.id for motif in self.motifs}
        new = [motif for motif in motifs if motif.id not in held]
        families = {motif.id: family_of(motif.id) or family_of_factor(motif.name) for motif in new}
        return replace(self, motifs=(*self.motifs, *new), families={**self.families, **families})


def load(name: str | Path) -> Database:
    """Return a database.

    Parameters
    ----------
    name
        "jaspar_vertebrates" or "jaspar_insects", which are bundled (non-redundant CORE of JASPAR 2026, CC BY 4.0, but
        for four composites with long spacers), or the path of a file of motifs in the format of MEME, JASPAR or
        TRANSFAC.

    Raises
    ------
    ReportError
        If it is neither.

    References
    ----------
    JASPAR, https://jaspar.elixir.no; release 2024: Rauluseviciute et al. 2024, 10.1093/nar/gkad1059.
    """
    if str(name) in BUNDLED:
        return Database(BUNDLED[str(name)], read_motifs(FOLDER / f"{name}.meme"))
    if not Path(name).is_file():
        raise ReportError(f"a database must be {', '.join(BUNDLED)} or the path of a file of motifs, got {str(name)!r}")
    return Database(Path(name).name, read_motifs(name))


def family_of(motif: str) -> str:
    """Return the family of a motif of JASPAR by its id, '' where the bundled list does not name it.

    Any version of a matrix is of one family. Families are those of TFClass, which JASPAR states, with four changes:
    words in which releases differ are left out; Fos and Jun are one, the two sides of one dimer; a family whose motifs
    are no more alike than any two (long zinc finger arrays) is split into groups that are; a motif of no family is one
    of its own. A heterodimer's families are written with '::' between them.
    """
    by_id = _listed()[0]
    return by_id.get(motif) or by_id.get(motif.partition(".")[0], "")


def family_of_factor(name: str) -> str:
    """Return the family of a factor by the name of its motifs, of the oldest of them; '' where none has it."""
    return _listed()[1].get(VARIANT.sub("", name).upper(), "")


def of_one_family(one: str, other: str) -> bool:
    """Tell whether two families, as `family_of` gives them, are one; a heterodimer is of both its partners'."""
    return bool((set(one.split("::")) & set(other.split("::"))) - {""})


@cache
def _listed() -> tuple[dict[str, str], dict[str, str]]:
    """Return the bundled list: families by id, with and without its version, and by name of factor."""
    by_id: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for line in (FOLDER / "families.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        motif, name, _, family = line.split("\t")
        by_id[motif] = by_id[motif.partition(".")[0]] = family
        by_name.setdefault(name.upper(), family)  # a release may take a matrix from another species, Spi1 for SPI1
    return by_id, by_name
