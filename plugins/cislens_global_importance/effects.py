"""Effects over backgrounds: means, standard errors, and the table of syntax that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens import Motif
from cislens.report import TABLES
from cislens.syntax import Effects, logic_of
from cislens_global_importance.designs import Designs

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
COLUMNS = (
    *TABLES["syntax"],
    "target",
    "effect_1",
    "effect_2",
    "effect",
    "interaction",
    "standard_error",
    "p_value",
    "q_value",
)
NOTICEABLE = 0.1  # of a target's largest effect, below which an interaction is not worth a name
ROUNDING = 16  # last bits of a number, within which a difference of answers is none


class Moments:
    """Sum up arrays one by one, for their means and standard errors."""

    def __init__(self) -> None:
        self.n = 0
        self.mean: Array = np.zeros(())
        self._squares: Array = np.zeros(())

    def add(self, values: Array) -> None:
        """Take in the values of one more background (Welford's recurrence)."""
        self.n += 1
        before = values - self.mean
        self.mean = self.mean + before / self.n
        self._squares = self._squares + before * (values - self.mean)

    @property
    def error(self) -> Array:
        """Standard errors of the means; NaN of one background."""
        return np.asarray(np.sqrt(self._squares / (self.n - 1) / self.n)) if self.n > 1 else self.mean * np.nan


def effects_of(values: Array, designs: Designs) -> tuple[Array, Array]:
    """Return what motifs change in one background.

    Parameters
    ----------
    values : (designs, t)
        The targets' values.

    Returns
    -------
    alone : (alone, t)
        Of each motif and strand.
    pairs : (arrangements, 4, t)
        Of motif_1, motif_2 and both, and the interaction: both less the sum of each alone, 0 within rounding.
    """
    smallest = ROUNDING * np.finfo(values.dtype).eps * np.abs(values).max(0)
    change = (values - values[0]).astype(np.float64)
    one, two, both = (change[[getattr(held, name) for held in designs.arrangements]] for name in ("one", "two", "both"))
    interaction = both - one - two
    interaction[np.abs(interaction) <= smallest] = 0
    return change[[design for _, _, design in designs.alone]], np.stack([one, two, both, interaction], axis=1)


def syntax_table(
    motifs: Sequence[Motif], designs: Designs, moments: Moments, targets: Sequence[str], bound: float
) -> pd.DataFrame:
    """Return a row for each arrangement and target.

    p is that of a t-test of the interaction over the backgrounds, q Benjamini-Hochberg over all rows. The logic is
    named by the effects (`logic_of`) where q is at most the bound and the interaction is a tenth of the target's
    largest effect at least, else it is "beside". support is the row's share of the sizes of the interactions of its
    pair and target, "beside" counted as none.
    """
    import pandas as pd
    from scipy.stats import false_discovery_control  # type: ignore[import-untyped]

    p_values = _p_values(moments)
    q_values = false_discovery_control(p_values.ravel()).reshape(p_values.shape)
    least = NOTICEABLE * np.abs(moments.mean[:, :3]).max((0, 1), initial=0.0)
    named = (q_values <= bound) & (np.abs(moments.mean[:, 3]) >= least)
    rows = []
    for a, held in enumerate(designs.arrangements):
        for t, target in enumerate(targets):
            one, two, both, interaction = (float(value) for value in moments.mean[a, :, t])
            error = float(moments.error[a, 3, t])
            logic, turned = logic_of(Effects(one, two, both, 0.0)) if named[a, t] else ("beside", False)
            pair, order = (motifs[held.motif_1].id, motifs[held.motif_2].id), held.order
            if turned:
                pair, one, two = pair[::-1], two, one
                order = {"1-2": "2-1", "2-1": "1-2"}[order] if held.orientation == "++" else order
            numbers = (one, two, both, interaction, error, p_values[a, t], q_values[a, t])
            rows.append((*pair, order, held.orientation, float(held.spacing), logic, 0.0, target, *numbers))
    return _supported(pd.DataFrame(rows, columns=list(COLUMNS)))


def _p_values(moments: Moments) -> Array:
    from scipy.stats import t

    mean, error = np.abs(moments.mean[:, 3]), moments.error[:, 3]
    score = np.divide(mean, error, out=np.where(mean > 0, np.inf, 0.0), where=error > 0)
    return np.asarray(2 * t.sf(score, max(moments.n - 1, 1)))


def _supported(table: pd.DataFrame) -> pd.DataFrame:
    size = table["interaction"].abs().where(table["logic"] != "beside", 0.0)
    pair = [table["motif_1"].where(table["motif_1"] < table["motif_2"], table["motif_2"])]
    pair += [table["motif_2"].where(table["motif_1"] < table["motif_2"], table["motif_1"]), table["target"]]
    total = size.groupby(pair).transform("sum")
    return table.assign(support=(size / total.where(total > 0, 1.0)))
