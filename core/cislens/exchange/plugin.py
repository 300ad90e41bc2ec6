"""Registers the exporters and importers that come with cislens."""

from __future__ import annotations

from cislens.exchange.exporter import Exporter
from cislens.exchange.importer import Importer
from cislens.plugins import hookimpl


@hookimpl
def register_exporters() -> list[type[Exporter]]:
    """Add the formats that reports are written in."""
    from cislens.exchange.bigwig import BigWig
    from cislens.exchange.fasta import Fasta
    from cislens.exchange.modisco_npz import ModiscoNpz
    from cislens.exchange.motifs import Jaspar, Meme
    from cislens.exchange.tables import Bed, Tsv

    return [Meme, Jaspar, Bed, Tsv, BigWig, ModiscoNpz, Fasta]


@hookimpl
def register_importers() -> list[type[Importer]]:
    """Add the files that reports are read from."""
    from cislens.exchange.contributions_h5 import ContributionsH5
    from cislens.exchange.contributions_npz import ContributionsNpz
    from cislens.exchange.modisco_h5 import ModiscoH5

    return [ModiscoH5, ContributionsNpz, ContributionsH5]
