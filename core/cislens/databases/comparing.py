"""Tomtom: how likely a motif is to match one of a database as well by chance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.databases.database import Database
from cislens.motif import Motif

Array = npt.NDArray[Any]
TRIM = 0.2  # bits
WIDEST = 50  # columns, since memelite's memory grows with their cube: 200 would ask for 24 GB
COMPILES = "the first time on a machine, memelite compiles for about a minute"
FEW = 25  # targets from which on p-values depend little on which they are, as memelite warns


@dataclass(frozen=True, eq=False)
class Comparison:
    """Hold the best alignment of each of f motifs with each of the d motifs of a database.

    Parameters
    ----------
    p_value : (f, d)
        That a motif whose columns are drawn from the database's aligns as well, over offsets and orientations.
    q_value : (f, d)
        Benjamini and Hochberg's, over all d targets, for each motif on its own: the smallest false-discovery rate at
        which the target is among the discoveries.
    offset : (f, d)
        The column of the target, turned to its reverse complement where `reverse` says so, at which the motif's first
        column lies.
    overlap : (f, d)
        Columns that lie on each other.
    reverse : (f, d)
        Whether the target was turned.
    """

    p_value: Array
    q_value: Array
    offset: Array
    overlap: Array
    reverse: Array

    def best_first(self) -> Array:
        """Return for each motif the places of the targets from the best to the worst, (f, d)."""
        return np.argsort(self.p_value, axis=1, kind="stable")


def compared(motifs: Sequence[Motif], database: Database, trim: float = TRIM) -> Comparison:
    """Compare motifs with all of a database by Tomtom, as memelite has it with its defaults.

    Motifs are compared as probabilities without a pseudocount. Their flanks are left out first: Tomtom finds a flat
    column alike to any other flat one, and a motif without information matches the spacers of a database with p-values
    of 1e-12. Of a motif wider than 50 columns the 50 of most information are compared. The first call on a machine
    compiles memelite, which takes about a minute; what was compiled is kept.

    Parameters
    ----------
    motifs
        None may hold contributions.
    database
        With fewer than 25 motifs p-values depend much on which these are. Its motifs are compared whole.
    trim
        Bits below which columns at the ends of `motifs` are left out; 0 compares them whole.

    References
    ----------
    Gupta et al. 2007, 10.1186/gb-2007-8-2-r24; Benjamini & Hochberg 1995, 10.1111/j.2517-6161.1995.tb02031.x.
    """
    from memelite import tomtom  # type: ignore[import-untyped]  # ships no types
    from scipy.stats import false_discovery_control  # type: ignore[import-untyped]

    if not motifs:  # which memelite does not take
        return Comparison(*np.zeros((5, 0, len(database))))
    columns = [motif.informative(trim, WIDEST) for motif in motifs]
    # memelite is compiled anew for another type of number.
    queries = [
        np.asarray(motif.probabilities()[slice(*held)].T, np.float64)
        for motif, held in zip(motifs, columns, strict=True)
    ]
    targets = [motif.probabilities().T for motif in database.motifs]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "tomtom was given", UserWarning)  # said in the report's validity
        p_value, _, offset, overlap, strand = tomtom(queries, targets)
    p_value, offset = np.minimum(p_value, 1), offset.astype(int) - np.array(columns)[:, :1]
    q_value = false_discovery_control(p_value, axis=-1)
    return Comparison(p_value, q_value, offset, overlap.astype(int), strand == 1)
