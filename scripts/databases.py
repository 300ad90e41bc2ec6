"""Write the motif databases that cislens bundles, and their list of families; needs `pip install pyjaspar`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pyjaspar import jaspardb
from scipy.cluster.hierarchy import average, fcluster
from scipy.spatial.distance import squareform

from cislens.motif import Motif
from cislens.motif_files import write_motifs
from cislens.truth.motif_similarity import similarities

RELEASE = "JASPAR2026"
GROUPS = ("vertebrates", "insects")
OUTPUT = Path(__file__).resolve().parents[1] / "core/cislens/databases"
ALIKE = 0.8  # similarity from which two motifs are alike
# JASPAR's families are TFClass's, which go by the structure of the protein. Where fewer of a family's pairs are alike
# than this (of long zinc finger arrays 1%, as of any two motifs; of all other large families 19% and more), the family
# says nothing of the motif, and is split into groups that are alike.
COHERENT = 0.1
# Composites with a spacer of so many flat columns are left out: Tomtom aligns any motif of little information with a
# spacer, so that the four of the release (two of CTCF, GATA1::TAL1, RARA::RXRG) were the best match of 95% of random
# motifs of low contrast, with q < 0.05. Their parts are in the collection on their own.
SPACER, FLAT = 5, 0.2  # columns, bits
# The two sides of one dimer, which bind the same site; releases differ in the words at the end of a family's name.
ONE = {"Fos": "Fos/Jun", "Jun": "Fos/Jun"}
ENDINGS = re.compile(r"(-related)?( domain)?( factors)?$")


class Profile(NamedTuple):
    """A motif with the group of species it is of, and the class and family of its factor, '::' between partners."""

    motif: Motif
    group: str
    structure: str
    family: str


def main() -> None:
    database = jaspardb(release=RELEASE)
    found = [
        profile(entry, group)
        for group in GROUPS
        for entry in database.fetch_motifs(collection="CORE", tax_group=[group])
    ]
    found = [each for each in found if not spaced(each.motif)]
    families = split([each.motif for each in found], [each.family for each in found])
    rows = ["id\tname\tclass\tfamily"]
    for each, family in sorted(zip(found, families, strict=True), key=lambda pair: pair[0].motif.id):
        rows.append("\t".join([each.motif.id, each.motif.name, each.structure, family]))
    (OUTPUT / "families.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for group in GROUPS:
        path = OUTPUT / f"jaspar_{group}.meme"
        write_motifs([each.motif for each in found if each.group == group], path)
        path.write_text(re.sub(r"(\.\d{4})00\b", r"\1", path.read_text(encoding="utf-8")), encoding="utf-8")


def profile(entry: Any, group: str) -> Profile:
    counts = np.array([entry.counts[base] for base in "ACGT"]).T
    probabilities = np.round(counts / counts.sum(1, keepdims=True), 4)
    motif = Motif(entry.matrix_id, probabilities, name=entry.name, sites=round(counts.sum(1).max()))
    family = joined(ONE.get(name, name) for name in (ENDINGS.sub("", text) for text in entry.tf_family or []))
    return Profile(motif, group, joined(entry.tf_class or []), family)


def spaced(motif: Motif) -> bool:
    flat = "".join("-" if bits < FLAT else "+" for bits in motif.information())
    return "-" * SPACER in flat.strip("-")


def joined(names: Iterable[str]) -> str:
    return "::".join(dict.fromkeys(filter(None, names)))


def split(motifs: list[Motif], families: list[str]) -> list[str]:
    """Return the families, those whose motifs are not alike split into groups that are, named by a member."""
    members = defaultdict(list)
    for place, family in enumerate(families):
        members[family].append(place)
    named = list(families)
    for family, places in members.items():
        held = [motifs[place] for place in places]
        if len(held) == 1:
            named[places[0]] = family or held[0].name
            continue
        distances = squareform(1 - similarities(held, held).correlation, checks=False)
        if family and (distances <= 1 - ALIKE).mean() >= COHERENT:
            continue
        # Average linkage: by single links, weak motifs chain all others together.
        groups = fcluster(average(distances), 1 - ALIKE, "distance")
        for place, group in zip(places, groups, strict=True):
            first = held[list(groups).index(group)].name
            named[place] = f"{family} ({first})" if family else first
    return named


if __name__ == "__main__":
    main()
