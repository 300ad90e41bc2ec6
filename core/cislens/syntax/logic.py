"""Which logic joins two motifs, read off what each of them and both together do to a model's answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ROUNDING = 1e-9  # of an effect or an answer, that doubles and their means may leave
LEAST = 5  # sequences of a kind, of which a mean says something


class Effects(NamedTuple):
    """What motifs add to the answer to a sequence without them, and the standard error of their interaction.

    Parameters
    ----------
    one, two, both
        The change by motif_1 alone, by motif_2 alone, and by both.
    error
        Standard error of `interaction`.
    """

    one: float
    two: float
    both: float
    error: float

    @property
    def interaction(self) -> float:
        """What both do beyond the sum of what each does alone: the synergy; 0 where it is but rounding."""
        interaction = self.both - self.one - self.two
        return interaction if abs(interaction) > ROUNDING * max(map(abs, self[:3])) else 0.0


def logic_of(effects: Effects) -> tuple[str, bool]:
    """Name the logic of two motifs by their effects.

    An AND gives nothing before both are there, so that its interaction is the whole effect; of an OR the second adds
    nothing to the first, and of "and not" it takes away what the first gives: there the interaction is minus the whole
    effect. What lies between (motifs that add up, or of which one does nothing) is "beside": halfway is the border, and
    an interaction within two standard errors of none is none.

    Returns
    -------
    logic, turned
        "and", "or", "and not" or "beside"; whether it is motif_2 that gives and motif_1 that takes away.
    """
    changes = np.array([effects.one, effects.two, effects.both])
    largest = changes[np.abs(changes).argmax()]
    sign = 1.0 if changes.max() >= abs(largest) else float(np.sign(largest))
    one, two, both = sign * changes
    interaction, whole = sign * effects.interaction, abs(largest)
    if abs(interaction) <= max(2 * effects.error, whole / 2):
        return "beside", False
    if interaction > 0:
        return "and", False
    if both >= max(one, two) / 2:
        return "or", False
    return "and not", bool(two > one)


def effects_by_presence(predictions: Array, count_1: Array, count_2: Array, *, same: bool) -> Effects | None:
    """Return what motifs do by the mean prediction of the sequences that hold both, either one, or none.

    It is an association, not an intervention: what else differs between these sequences counts, too. A motif that
    hardly ever comes without the other is taken to do nothing alone, so that its effect is what it adds to the other.
    None where there are fewer than 5 sequences with both, with none, or with one motif alone.

    Parameters
    ----------
    predictions : (n,)
        Of one target.
    count_1, count_2 : (n,)
        How many instances each sequence holds.
    same
        Whether both are one motif: then "both" means two instances at least, and "one" means one.
    """
    known = np.isfinite(predictions)
    alone = [count_1 == 1] * 2 if same else [(count_1 > 0) & (count_2 == 0), (count_1 == 0) & (count_2 > 0)]
    both = predictions[known & (count_1 > 1 if same else (count_1 > 0) & (count_2 > 0))]
    none = predictions[known & (count_1 + count_2 == 0)]
    groups = [predictions[known & held] for held in alone]
    told = [group for group in groups if len(group) >= LEAST]
    if min(len(both), len(none)) < LEAST or not told:
        return None
    if np.ptp(predictions[known]) <= ROUNDING * np.abs(predictions[known]).max():
        return Effects(0.0, 0.0, 0.0, 0.0)  # an answer that does not vary says that nothing does anything
    one, two = (float(group.mean() - none.mean()) if len(group) >= LEAST else 0.0 for group in groups)
    # In the interaction both count once, each motif alone once (a motif with itself twice), and none for the rest.
    parts = [(1, both), (2, told[0])] if same else [(1, both), *((1, group) for group in told)]
    parts.append((len(told) - 1, none))
    variance = sum(weight**2 * group.var(ddof=1) / len(group) for weight, group in parts)
    return Effects(one, two, float(both.mean() - none.mean()), float(np.sqrt(variance)))
