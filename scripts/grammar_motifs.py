"""Write the matrices of JASPAR that the bundled grammars use; needs `pip install pyjaspar`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyjaspar import jaspardb

from cislens.motif import Motif
from cislens.motif_files import write_motifs

RELEASE = "JASPAR2020"
MATRICES = (
    ("MA0080.5", "MA0139.1", "MA0035.4", "MA0091.1", "MA0471.2")  # SPI1, CTCF, GATA1, TAL1::TCF3, E2F6
    + ("MA0058.3", "MA0491.2", "MA0492.1", "MA0809.2", "MA0138.2")  # MAX, JUND, JUND (var.2), TEAD4, REST
)
OUTPUT = Path(__file__).resolve().parents[1] / "core/cislens/simulation/grammars/jaspar2020.jaspar"


def main() -> None:
    database = jaspardb(release=RELEASE)
    motifs = []
    for identifier in MATRICES:
        found = database.fetch_motif_by_id(identifier)
        matrix = np.array([found.counts[base] for base in "ACGT"]).T.astype(int)
        motifs.append(Motif(identifier, matrix, "counts", name=found.name))
    write_motifs(motifs, OUTPUT)


if __name__ == "__main__":
    main()
