"""From maps to motifs and their instances, with numpy and scipy alone."""

from __future__ import annotations

from cislens.discovery.instances import Instances
from cislens.discovery.motifs import Motifs

__all__ = ["Instances", "Motifs"]
