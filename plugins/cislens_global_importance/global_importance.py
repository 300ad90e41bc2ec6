"""Global importance analysis: motifs put into backgrounds, and what the model makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cislens import (
    CislensError,
    Context,
    Fitted,
    Motif,
    MotifReport,
    Sequences,
    SetExplainer,
    Targeted,
    Validity,
    setting,
)
from cislens.backgrounds import Sampled, parse_background
from cislens_global_importance.asked import asked_motifs, best_site, drawn_site
from cislens_global_importance.designs import Designs
from cislens_global_importance.effects import Moments, effects_of, syntax_table

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
BLOCK = 256  # sequences that are made at a time


@dataclass(frozen=True, eq=False)
class FittedImportance(Fitted):
    """The effects that were measured: they speak of the model, and are the same for any sequences."""

    motifs: tuple[Motif, ...]
    syntax: pd.DataFrame
    validity: Validity

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Return the motifs and the table of their pairs."""
        return MotifReport(sequences, motifs=self.motifs, syntax=self.syntax, validity=self.validity)

    def save(self, folder: Path) -> None:
        """Write itself into a folder, as JSON."""
        motifs = [[m.id, m.matrix.tolist(), list(m.background), m.name] for m in self.motifs]
        kept = {
            "motifs": motifs,
            "syntax": self.syntax.to_dict("list"),
            "summary": dict(self.validity.summary),
            "warnings": list(self.validity.warnings),
        }
        (folder / "importance.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FittedImportance:
        """Read what `save` wrote."""
        import pandas as pd

        kept = json.loads((folder / "importance.json").read_text(encoding="utf-8"))
        motifs = tuple(
            Motif(name, np.array(matrix), background=tuple(background), name=called)
            for name, matrix, background, called in kept["motifs"]
        )
        validity = Validity({}, kept["summary"], tuple(kept["warnings"]))
        return cls(motifs, pd.DataFrame(kept["syntax"]), validity)


@dataclass(frozen=True)
class GlobalImportance(SetExplainer):
    """Put motifs into backgrounds, alone and in pairs, and measure what the answer changes by.

    A motif's global importance is the mean change of the answer when it is put into sequences that hold nothing in
    particular, so that nothing else that goes with the motif in real sequences counts. Of two motifs, in each order,
    orientation and spacing, it is measured of both and of either one in the same place; what both do beyond the sum is
    their interaction, and names their logic. Every arrangement is put into the same backgrounds, and standard errors
    are over these.

    A background can itself hold what the model answers to, and an effect depends on the scale of the target: on a
    probability near 0 or 1 two effects that add up seem to interact, which on a logit they do not.

    Motifs are settings: words in IUPAC letters or files of motifs, joined by +; the two of the default are but an
    example. The effect of each alone, in the middle and on either strand, is in the summary.

    References
    ----------
    Koo, Majdandzic, Ploenzke, Anand & Paul, Global importance analysis, 2021, 10.1371/journal.pcbi.1008925. We add the
    difference to the sum of both motifs alone, and name the logic by it.
    """

    name: ClassVar[str] = "global_importance"
    emits: ClassVar[tuple[str, ...]] = ("motifs", "syntax")
    references: ClassVar[tuple[str, ...]] = ("10.1371/journal.pcbi.1008925",)
    many_targets: ClassVar[bool] = True
    fitted: ClassVar[type[Fitted]] = FittedImportance

    motifs: tuple[str, ...] = setting(("TGACTCA", "GATAAG"), "IUPAC words, or MEME, JASPAR or TRANSFAC files")
    samples: int = setting(100, "backgrounds into which everything is put")
    background: str = setting("dinucleotide", "what they are, made of the sequences: as for other explainers")
    sites: Literal["best", "sampled"] = setting("best", "a motif's likeliest site, or one drawn for each background")
    most: int = setting(20, "largest spacing of two motifs, in bp")
    step: int = setting(1, "bp from one spacing to the next")
    q_value: float = setting(0.05, "up to which an interaction names a logic other than 'beside'")

    def __post_init__(self) -> None:
        if self.samples < 2 or self.most < 0 or self.step < 1 or not 0 < self.q_value <= 1:
            raise CislensError(
                "global_importance needs two samples at least, a largest spacing of 0 bp at least, a step of 1 bp at "
                f"least and a q-value above 0 and up to 1, got samples={self.samples}, most={self.most}, "
                f"step={self.step}, q_value={self.q_value}"
            )

    def fit(self, oracle: Targeted, training: Sequences, context: Context) -> FittedImportance:
        """Measure the effects in backgrounds that are made of the training sequences."""
        motifs = asked_motifs(self.motifs)
        designs = self._designs(motifs, training.length)
        if len(designs.alone) < 2 * len(motifs):
            raise CislensError(
                f"motifs must fit into the {training.length} bp of the sequences, got one of "
                f"{max(map(len, motifs))} bp: trim it"
            )
        rng = context.set_rng()
        alone, pairs = Moments(), Moments()
        for done, background in enumerate(self._backgrounds(training, rng), 1):
            sites = [best_site(m) if self.sites == "best" else drawn_site(m, rng) for m in motifs]
            values = oracle.predict(designs.embedded(background, sites, BLOCK))
            for moments, effects in zip((alone, pairs), effects_of(values, designs), strict=True):
                moments.add(effects)
            context.progress(done, self.samples)
        names = [str(target) for target in oracle.targets]
        table = syntax_table(motifs, designs, pairs, names, self.q_value)
        return FittedImportance(motifs, table, Validity({}, _summary(motifs, designs, alone, names)))

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction for each design and background, however many sequences and targets."""
        return self.samples * len(self._designs(asked_motifs(self.motifs), length)), 0

    def _designs(self, motifs: tuple[Motif, ...], length: int) -> Designs:
        return Designs([len(motif) for motif in motifs], length, range(0, self.most + 1, self.step))

    def _backgrounds(self, training: Sequences, rng: np.random.Generator) -> Iterator[Array]:
        background = parse_background(self.background, training)
        order = np.resize(rng.permutation(len(training)), self.samples)  # each sequence serves before any serves again
        for i in order:
            if isinstance(background, Sampled):
                yield training.onehot[i]
            else:
                yield background.sample(training.onehot[i : i + 1], 1, rng)[0, 0]


def _summary(motifs: tuple[Motif, ...], designs: Designs, alone: Moments, targets: list[str]) -> dict[str, float]:
    summary = {}
    for (motif, reverse, _), means, errors in zip(designs.alone, alone.mean, alone.error, strict=True):
        for target, mean, error in zip(targets, means, errors, strict=True):
            what = f"{motifs[motif].id}{'-' if reverse else '+'} on {target}"
            summary[f"effect of {what}"] = float(mean)
            summary[f"standard error of the effect of {what}"] = float(error)
    return summary
