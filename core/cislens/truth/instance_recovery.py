"""How many called motif instances are true, and how many true ones are called."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.spans import apart

if TYPE_CHECKING:
    import pandas as pd

Whole = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class InstanceRecovery:
    """Hold how calls and true instances agree.

    Parameters
    ----------
    calls
        How many calls count, of overlapping ones the best.
    instances
        How many true instances are to be found.
    precision
        Share of the calls that overlap a true instance; NaN where nothing is called.
    recall_at : (calls,)
        Share of the instances to be found, each counted once, that one of the best k calls overlaps, k = 1, 2, ...
    """

    calls: int
    instances: int
    precision: float
    recall_at: npt.NDArray[np.float64]

    @property
    def recall(self) -> float:
        """Share of the instances to be found that a call overlaps; NaN where there are none."""
        return self.recall_at_top(self.calls)

    def recall_at_top(self, k: int | None = None) -> float:
        """Return the recall of the best `k` calls; by default as many as there are instances to be found."""
        if not self.instances:
            return float("nan")
        last = min(self.instances if k is None else k, self.calls)
        return float(self.recall_at[last - 1]) if last > 0 else 0.0


@dataclass(frozen=True)
class _Line:
    """Lays all sequences (for each motif, where motifs are told apart) on one line, gaps between them."""

    ids: Sequence[str]
    motifs: Sequence[str] | None
    stride: int

    def places(self, table: pd.DataFrame) -> tuple[Whole, Whole]:
        owner = _index(table["sequence"], self.ids, "sequence")
        if self.motifs is not None:
            owner = owner + len(self.ids) * _index(table["motif"], self.motifs, "motif")
        spans = table[["start", "end"]].to_numpy(int)
        return owner * self.stride + spans[:, 0], owner * self.stride + spans[:, 1]


def instance_recovery(
    called: pd.DataFrame,
    true: pd.DataFrame,
    ids: Sequence[str],
    beside: Collection[str] = (),
    *,
    minimum_overlap: int = 1,
    same_motif: bool = False,
) -> InstanceRecovery:
    """Compare called motif instances with true ones, as ARGMINN's paper does.

    Of calls that overlap the best is kept, and those that overlap one that is kept are dropped: a site called twice, or
    on both strands, is no two successes, and calls of everything are not one that is right. Strands are not compared.

    Parameters
    ----------
    called, true
        Tables with the columns of a report's instances; a higher score is a better call, and of equal scores the
        earlier row is.
    ids
        The sequences that both speak of.
    beside
        Motifs whose true instances need not be found: none is missed, and calls of these alone do not count.
    minimum_overlap
        bp that a call and a true instance must share. The paper says "overlap": 1.
    same_motif
        Demand that they are of the same motif; else any true instance will do, as in the paper. Calls of different
        motifs then stay apart.

    Raises
    ------
    CislensError
        If an instance lies in no sequence of `ids`.

    References
    ----------
    Tseng et al., ARGMINN, C.4 "Evaluating motif instances" and "Scanning for motif instances with FIMO".
    """
    motifs = sorted({*called["motif"], *true["motif"]}) if same_motif else None
    stride = 1 + max((int(table["end"].max()) for table in (called, true) if len(table)), default=0)
    line = _Line(ids, motifs, stride)
    starts, ends = line.places(called)
    best = np.argsort(-called["score"].to_numpy(float), kind="stable")
    kept = apart(starts // stride, starts, ends, best)
    rank = np.argsort(starts[kept], kind="stable")
    starts, ends = starts[kept][rank], ends[kept][rank]
    call, instance = _overlapping((starts, ends), line.places(true), minimum_overlap)
    asked = ~true["motif"].isin(list(beside)).to_numpy(bool)
    right = np.bincount(call[asked[instance]], minlength=len(starts)) > 0
    counted = right | (np.bincount(call, minlength=len(starts)) == 0)
    rank = (np.cumsum(counted[np.argsort(rank)]) - 1)[rank]
    calls, instances = int(counted.sum()), int(asked.sum())
    first = np.full(len(true), calls)
    np.minimum.at(first, instance, rank[call])
    reached = np.bincount(first[asked], minlength=calls + 1)[:calls]
    precision = float(right.sum()) / calls if calls else float("nan")
    return InstanceRecovery(calls, instances, precision, np.cumsum(reached) / max(instances, 1))


def _index(names: pd.Series[Any], known: Sequence[str], what: str) -> Whole:
    import pandas as pd

    index = pd.Index(known).get_indexer(pd.Index(names))
    if (index < 0).any():
        stranger = names.iloc[int((index < 0).argmax())]
        raise CislensError(f"instances must be of known {what}s, got one of the {what} {stranger!r}")
    return np.asarray(index, np.intp)


def _overlapping(calls: tuple[Whole, Whole], true: tuple[Whole, Whole], minimum: int) -> tuple[Whole, Whole]:
    """Return each pair of a call and an instance that share `minimum` bp; calls are sorted and lie apart."""
    low = np.searchsorted(calls[1], true[0], side="right")
    high = np.maximum(np.searchsorted(calls[0], true[1], side="left"), low)
    count = high - low
    instance = np.repeat(np.arange(len(low)), count)
    call = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    shared = np.minimum(calls[1][call], true[1][instance]) - np.maximum(calls[0][call], true[0][instance])
    enough = shared >= minimum
    return call[enough], instance[enough]
