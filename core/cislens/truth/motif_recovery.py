"""Which motifs of a list were found, how often, and what was found besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.truth.motif_similarity import MINIMUM_OVERLAP, similarities, symmetric

if TYPE_CHECKING:
    import pandas as pd

# Of JASPAR 2020's vertebrate motifs, 0.6% of the pairs of two structural classes are so alike, as are 0.6% of the pairs
# of a motif and one with shuffled columns; 39% of the pairs of one family are.
THRESHOLD = 0.8


class Match(NamedTuple):
    """The true motif that a found one is.

    `before` and `after` are the columns that the true motif has more than the found one (negative: less) at its two
    ends, as the true motif reads; `reverse` says that the found one is its reverse complement.
    """

    motif: str
    reverse: bool
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class MotifRecovery:
    """Hold what became of the motifs of a list.

    Parameters
    ----------
    relevant
        Table, one row for each relevant motif: motif (id), similarity of the closest found motif (0 where there is
        none), closest (its id, "" for none), forward and reverse (how many found motifs are matched to it, in each
        orientation; all are forward where it is its own reverse complement), matched (the larger of the two).
    matches
        By the id of each found motif that is not extraneous, what it is.
    extraneous
        Ids of the found motifs that are none of them, nor any that is known besides.
    """

    relevant: pd.DataFrame
    matches: dict[str, Match]
    extraneous: tuple[str, ...]

    @property
    def similarity(self) -> float:
        """Mean similarity of the closest found motif to each relevant one; NaN where no motif is relevant."""
        return float(self.relevant["similarity"].mean()) if len(self.relevant) else float("nan")

    @property
    def found(self) -> tuple[str, ...]:
        """Ids of the relevant motifs that a found one is matched to."""
        return tuple(self.relevant["motif"][self.relevant["matched"] > 0])

    @property
    def missed(self) -> tuple[str, ...]:
        """Ids of the relevant motifs that none is matched to."""
        return tuple(self.relevant["motif"][self.relevant["matched"] == 0])

    @property
    def redundant(self) -> int:
        """How many found motifs too many there are: those past the first of each relevant motif and orientation."""
        return int((self.relevant["matched"] - 1).clip(lower=0).sum())


def motif_recovery(
    found: Sequence[Motif],
    relevant: Sequence[Motif],
    beside: Sequence[Motif] = (),
    *,
    threshold: float = THRESHOLD,
    minimum_overlap: int = MINIMUM_OVERLAP,
) -> MotifRecovery:
    """Match each found motif to the closest relevant one, and count as ARGMINN's paper does.

    A found motif is extraneous if it is less similar than `threshold` to all that are known. A relevant motif is found
    in either orientation, and the times it was found are the larger count of its two orientations, so that a network
    that learns both is not called redundant; a motif that is its own reverse complement (as similar to it as
    `threshold`) has but one.

    The paper matches by Tomtom's q-value, which depends on the list that is searched; here it is the similarity of
    `similarities`, which does not.

    Parameters
    ----------
    found
        Motifs of a report, of any kind, ids unique.
    relevant
        Motifs that are to be found.
    beside
        Motifs that are known, but need not be found: they are neither missed nor extraneous.
    threshold
        Similarity from which a motif is matched, 0 to 1.
    minimum_overlap
        See `similarities`.

    References
    ----------
    Tseng et al., ARGMINN, C.4 "Evaluating discovered motifs".
    """
    known = [*relevant, *beside]
    _require_unique(found)
    _require_unique(known)
    alike = similarities(found, known, minimum_overlap=minimum_overlap)
    matches = {}
    for i, motif in enumerate(found):
        closest = int(alike.correlation[i].argmax()) if known else 0
        if not known or alike.correlation[i, closest] < threshold:
            continue
        right, reverse, before = known[closest], bool(alike.reverse[i, closest]), int(alike.offset[i, closest])
        matches[motif.id] = Match(right.id, reverse, before, len(right) - len(motif) - before)
    return tallied(found, relevant, alike.correlation[:, : len(relevant)], matches, threshold)


def tallied(
    found: Sequence[Motif],
    relevant: Sequence[Motif],
    alike: npt.NDArray[np.float64],
    matches: dict[str, Match],
    threshold: float,
) -> MotifRecovery:
    """Return what became of relevant motifs, once it is known which found motif is which.

    Parameters
    ----------
    found, relevant
        The f motifs found, and the r that are to be.
    alike : (f, r)
        How alike they are, 0 where not at all.
    matches
        By the id of a found motif what it is, a relevant one or one that is known besides.
    threshold
        Similarity to its own reverse complement from which a motif has no orientation.
    """
    import pandas as pd

    places = {motif.id: place for place, motif in enumerate(relevant)}
    oriented = [not symmetric(motif, threshold) for motif in relevant]
    counts = np.zeros((len(relevant), 2), int)
    for match in matches.values():
        if (place := places.get(match.motif)) is not None:
            counts[place, int(match.reverse and oriented[place])] += 1
    # A row of zeros stands for none, so that there is a closest one of no found motifs too.
    similarity = np.vstack([np.zeros(len(relevant)), alike])
    names = ["", *(motif.id for motif in found)]
    table = pd.DataFrame(
        {
            "motif": [motif.id for motif in relevant],
            "similarity": similarity.max(0),
            "closest": [names[i] for i in similarity.argmax(0)],
            "forward": counts[:, 0],
            "reverse": counts[:, 1],
            "matched": counts.max(1),
        }
    )
    return MotifRecovery(table, matches, tuple(motif.id for motif in found if motif.id not in matches))


def _require_unique(motifs: Sequence[Motif]) -> None:
    ids = [motif.id for motif in motifs]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise CislensError(f"ids of motifs must be unique, {twice!r} came twice: rename one of them")
