"""Files of other tools: reports written for them, and what they wrote read as a report."""

from cislens.exchange.blocks import ReportBlocks
from cislens.exchange.exporter import Exported, Exporter, export
from cislens.exchange.importer import Importer, import_report

__all__ = ["Exported", "Exporter", "Importer", "ReportBlocks", "export", "import_report"]
