"""The effects of a block of variants, by the model and by additive maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.driver import explain
from cislens.errors import CislensError
from cislens.explainer import LabelledExplainer
from cislens.files import whole_file
from cislens.oracle.base import Oracle
from cislens.sequences.alphabet import rows_of
from cislens.sequences.container import OneHot, Sequences
from cislens.targeted import Targeted
from cislens.variants.alleles import Allele

Array = npt.NDArray[Any]
Maps = tuple[dict[bytes, Array | str], list[str]]  # of windows, or why there is none; what was warned of
MODEL, REFERENCE = "model", "reference"  # what columns of numbers begin with that no explainer gives
HELD_AT_ONCE = 1 << 26  # bytes of windows, or of their one-hot rows


@dataclass(frozen=True, eq=False)
class Scores:
    """Hold what was found of n alternative alleles, in the order of the file.

    Parameters
    ----------
    status, reason
        (n,), as in `Allele`. The reason of one that is scored tells which maps have no effect for it, and why.
    references
        (n, t), the targets' values on the reference windows; NaN where not scored.
    effects
        (s, n, t), alternative minus reference: of the model first, then of each explainer; positive where the
        alternative is predicted to have more. NaN where not scored.
    warnings
        Sentences of the explainers, each after the label.
    """

    status: Array
    reason: Array
    references: Array
    effects: Array
    warnings: Array

    def save(self, path: Path) -> None:
        """Write it to a file that is there whole or not at all."""
        with whole_file(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**arrays)


@dataclass(frozen=True)
class Scorer:
    """Score alleles with a model, and with the maps of explainers.

    Parameters
    ----------
    oracle
        The model.
    targeted
        The model as its targets.
    explainers
        Those whose maps are read too, each with its label.
    seed
        Of every random stream.
    """

    oracle: Oracle
    targeted: Targeted
    explainers: tuple[LabelledExplainer, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        labels = [MODEL, REFERENCE, *(item.label for item in self.explainers)]
        for item in self.explainers:
            if "attributions" not in item.explainer.emits or item.explainer.scope != "sequence":
                raise CislensError(
                    f"effects are read from the additive map of each sequence, which {item.explainer.name} does not "
                    "give: choose an explainer such as ism"
                )
            if labels.count(item.label) > 1:
                raise CislensError(f"{item.label!r} names two columns: name one, as in -e other={item.label}:...")

    @property
    def sources(self) -> tuple[str, ...]:
        """What effects come from: the model, then the labels of the explainers."""
        return (MODEL, *(item.label for item in self.explainers))

    def score(self, alleles: Sequence[Allele]) -> Scores:
        """Return the effects; each distinct window is predicted once."""
        windows: dict[bytes, int] = {}
        rows = np.array(
            [[windows.setdefault(text, len(windows)) for text in a.windows] for a in alleles if a.windows], int
        ).reshape(-1, 2)
        values = self._predicted(list(windows))
        found = np.array([a.windows is not None for a in alleles], bool)
        references = np.full((len(alleles), values.shape[1]), np.nan)
        effects = np.full((len(self.sources), *references.shape), np.nan)
        references[found] = values[rows[:, 0]]
        effects[0, found] = values[rows[:, 1]] - values[rows[:, 0]]
        reasons = [a.reason for a in alleles]
        warned: list[str] = []
        for number, item in enumerate(self.explainers, 1):
            warned += self._read_maps(item, alleles, effects[number], reasons)
        status = np.array([a.status for a in alleles], str)
        return Scores(status, np.array(reasons, str), references, effects, np.array(warned, str))

    def _predicted(self, windows: list[bytes]) -> Array:
        """Return the targets' values (n, t) in double precision, so that a difference loses nothing more."""
        held = max(1, HELD_AT_ONCE // (4 * len(windows[0]))) if windows else 1
        blocks = (encoded(windows[first : first + held]) for first in range(0, len(windows), held))
        return self.targeted.predict(blocks).astype(np.float64)

    def _read_maps(
        self, item: LabelledExplainer, alleles: Sequence[Allele], effects: Array, reasons: list[str]
    ) -> list[str]:
        """Fill in effects (n, t) by one explainer, add to the reasons where it has none, and return its warnings."""
        wanted = dict.fromkeys(a.windows[0] for a in alleles if a.windows and not is_indel(a))
        maps, warned = self._maps(item, list(wanted)) if wanted else ({}, [])
        for i, allele in enumerate(alleles):
            if allele.windows is None:
                continue
            found = maps.get(allele.windows[0])
            if is_indel(allele):
                reasons[i] = _joined(reasons[i], f"{item.label}: a map has no effect of an insertion or deletion")
            elif isinstance(found, str):
                reasons[i] = _joined(reasons[i], f"{item.label}: {found}")
            else:
                old, new = (encoded([window])[0].astype(np.float64) for window in allele.windows)
                effects[i] = ((new - old) * found).sum((-2, -1))
        return warned

    def _maps(self, item: LabelledExplainer, windows: list[bytes]) -> Maps:
        """Return the map (t, length, 4) of each window, or why there is none, and what the explainer warns of."""
        sequences = Sequences(encoded(windows), tuple(map(str, range(len(windows)))))
        try:
            report = explain(self.oracle, sequences, item.explainer, list(self.targeted.targets), self.seed)
        except Exception as error:  # none of them can be explained, each for its own reason: other blocks go on
            if len(windows) == 1:
                return {windows[0]: f"{type(error).__name__}: {error}"}, []
            return _merged(self._maps(item, [window]) for window in windows)
        if report.attributions is None or not report.attributions.hypothetical:
            raise CislensError(
                f"{item.label} must say what each base would contribute, but speaks only of those of the sequence: "
                "choose an explainer or a setting whose maps are hypothetical"
            )
        found: dict[bytes, Array | str] = {windows[int(drop.id)]: drop.reason for drop in report.dropped}
        values = report.attributions.values.astype(np.float64)
        found.update((windows[int(name)], values[:, i]) for i, name in enumerate(report.sequences.ids))
        return found, [f"{item.label}: {sentence}" for sentence in report.validity.warnings]


def _merged(parts: Iterable[Maps]) -> Maps:
    maps: dict[bytes, Array | str] = {}
    warned: list[str] = []
    for found, said in parts:
        maps |= found
        warned += said
    return maps, warned


def encoded(windows: Sequence[bytes]) -> OneHot:
    """Return one-hot rows (n, length, 4) of windows of one length; IUPAC codes become N."""
    return rows_of(b"".join(windows)).reshape(len(windows), -1, 4)


def is_indel(allele: Allele) -> bool:
    """Tell whether an alternative is of another length than the reference."""
    return len(allele.record.ref) != len(allele.alt)


def _joined(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))
