"""Which motifs of a list were found, by what a database names them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cislens.databases.comparing import Comparison, compared
from cislens.databases.database import Database, load, of_one_family
from cislens.motif import Motif
from cislens.truth.motif_recovery import THRESHOLD, Match, MotifRecovery, tallied

SMALLEST = float(np.finfo(float).tiny)


def found(
    motifs: Sequence[Motif],
    relevant: Sequence[Motif],
    database: Database | str = "jaspar_vertebrates",
    *,
    q_max: float = 0.05,
) -> MotifRecovery:
    """Count which relevant motifs were found, how often, and what was found besides, as ARGMINN's paper does.

    The relevant motifs are added to the database. A motif is matched if the best hit of all is a relevant motif or one
    of its family, with a q-value below `q_max`; of several relevant ones of that family, to the one of smallest
    p-value, unless the best hit is itself relevant. Any other motif is extraneous. The times a relevant motif was found
    are the larger count of its two orientations; one that is its own reverse complement has but one.

    `motif_recovery` counts by a similarity that needs no database, and looks at the relevant motifs alone; here a motif
    that is more like something else in the database is extraneous.

    Parameters
    ----------
    motifs
        Motifs of a report.
    relevant
        Motifs that are to be found, as a truth's.
    database
        The database, or what `load` takes.
    q_max
        q-value that a best hit must stay below.

    Returns
    -------
    MotifRecovery
        Its similarity is -log10 q of the closest motif to each relevant one, whatever its best hit.

    References
    ----------
    Tseng et al., ARGMINN, C.4 "Evaluating discovered motifs"; the paper's database is the list of relevant motifs for
    simulated sets, where we add it to a whole database, since q of a handful of targets means little.
    """
    database = (load(database) if isinstance(database, str) else database).joined(relevant)
    places = {motif.id: place for place, motif in enumerate(database.motifs)}
    known = np.array([places[motif.id] for motif in relevant], int)
    comparison = compared(motifs, database)
    likeness = -np.log10(np.maximum(comparison.q_value[:, known], SMALLEST))
    matches = {}
    for i, motif in enumerate(motifs):
        if (j := _matched(comparison, i, known, database, q_max)) is not None:
            matches[motif.id] = _match(comparison, i, int(known[j]), motif, relevant[j])
    return tallied(motifs, relevant, likeness, matches, THRESHOLD)


def _matched(
    comparison: Comparison, i: int, known: npt.NDArray[np.intp], database: Database, q_max: float
) -> int | None:
    """Return which relevant motif, whose places in the database are `known`, motif i is; None if it is none."""
    p_value = comparison.p_value[i]
    best = int(p_value.argmin())
    if not comparison.q_value[i, best] < q_max:
        return None
    # The relevant motif may be in the database under another id, which then matches as well.
    if (same := np.flatnonzero(p_value[known] == p_value[best])).size:
        return int(same[0])
    family = database.family_of(database.motifs[best].id)
    kin = [j for j, k in enumerate(known) if of_one_family(family, database.family_of(database.motifs[k].id))]
    return min(kin, key=lambda j: float(p_value[known[j]]), default=None)


def _match(comparison: Comparison, i: int, place: int, motif: Motif, right: Motif) -> Match:
    reverse, before = bool(comparison.reverse[i, place]), int(comparison.offset[i, place])
    ends = before, len(right) - len(motif) - before
    return Match(right.id, reverse, *(ends[::-1] if reverse else ends))
