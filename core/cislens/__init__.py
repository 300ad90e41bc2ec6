"""Ask a trained genomic sequence model what it has learned.

>>> import cislens
>>> oracle = cislens.open_oracle(lambda x: x[:, :, 2].sum(1), length=20)
>>> sequences = cislens.Sequences.from_strings(["ACGTACGTACGTACGTACGT"])
>>> report = cislens.explain(oracle, sequences, "ism")
>>> report.attributions.values.shape
(1, 1, 20, 4)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cislens.context import Context
    from cislens.driver import Run, explain
    from cislens.errors import CislensError
    from cislens.explainer import Explainer, Fitted, SetExplainer
    from cislens.motif import Motif
    from cislens.opening import open_oracle
    from cislens.oracle import FunctionOracle, Oracle, OracleOptions
    from cislens.page import write_page
    from cislens.plugins import hookimpl
    from cislens.report import Attributions, Masks, MotifReport, Validity
    from cislens.sequences import Sequences, read_sequences
    from cislens.settings import setting
    from cislens.simulation import simulate
    from cislens.target import Target
    from cislens.targeted import Targeted

__version__ = "0.1.0"

# Where each public name lives: imported when first asked for, so that `import cislens` is quick.
_HOMES = {
    "Attributions": "report",
    "CislensError": "errors",
    "Context": "context",
    "Explainer": "explainer",
    "Fitted": "explainer",
    "FunctionOracle": "oracle",
    "Masks": "report",
    "Motif": "motif",
    "MotifReport": "report",
    "Oracle": "oracle",
    "OracleOptions": "oracle",
    "Run": "driver",
    "Sequences": "sequences",
    "SetExplainer": "explainer",
    "Target": "target",
    "Targeted": "targeted",
    "Validity": "report",
    "explain": "driver",
    "hookimpl": "plugins",
    "open_oracle": "opening",
    "read_sequences": "sequences",
    "setting": "settings",
    "simulate": "simulation",
    "write_page": "page",
}

__all__ = [
    "Attributions",
    "CislensError",
    "Context",
    "Explainer",
    "Fitted",
    "FunctionOracle",
    "Masks",
    "Motif",
    "MotifReport",
    "Oracle",
    "OracleOptions",
    "Run",
    "Sequences",
    "SetExplainer",
    "Target",
    "Targeted",
    "Validity",
    "explain",
    "hookimpl",
    "open_oracle",
    "read_sequences",
    "setting",
    "simulate",
    "write_page",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cislens' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"cislens.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
