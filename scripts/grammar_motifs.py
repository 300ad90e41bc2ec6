"""Write the matrices of JASPAR that the bundled grammars use; needs `pip install pyjaspar`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyjaspar import jaspardb

from cislens.motif import Motif
from cislens.motif_files import write_motifs

RELEASE = "JASPAR2020"
MATRICES = {
    "SPI1": "MA0080.5",
    "CTCF": "MA0139.1",
    "GATA1": "MA0035.4",
    "TAL1::TCF3": "MA0091.1",
    "E2F6": "MA0471.2",
    "MAX": "MA0058.3",
    "JUND": "MA0491.2",
    "JUND(var.2)": "MA0492.1",
    "TEAD4": "MA0809.2",
    "REST": "MA0138.2",
}
OUTPUT = Path(__file__).resolve().parents[1] / "core/cislens/simulation/grammars/jaspar2020.jaspar"


def main() -> None:
    database = jaspardb(release=RELEASE)
    motifs = []
    for identifier in MATRICES.values():
        found = database.fetch_motif_by_id(identifier)
        matrix = np.array([found.counts[base] for base in "ACGT"]).T.astype(int)
        motifs.append(Motif(identifier, matrix, "counts", name=found.name))
    write_motifs(motifs, OUTPUT)


if __name__ == "__main__":
    main()
