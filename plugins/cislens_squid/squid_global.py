"""The explainer `squid_global`: surrogates of elements in backgrounds that hold nothing in particular."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

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
from cislens_squid.global_library import Design, Element
from cislens_squid.surrogate_settings import FEWEST, SurrogateSettings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class FittedSquidGlobal(Fitted):
    """What the surrogates say: they speak of the model, and are the same for any sequences.

    Parameters
    ----------
    motifs
        What each base of each element contributes.
    tables
        By name, those of the report's tables that there are.
    validity
        Held-out quality of each surrogate.
    """

    motifs: tuple[Motif, ...]
    tables: Mapping[str, pd.DataFrame]
    validity: Validity

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Return the motifs and the tables."""
        return MotifReport(sequences, motifs=self.motifs, validity=self.validity, **self.tables)  # type: ignore[arg-type]

    def save(self, folder: Path) -> None:
        """Write itself into a folder, as JSON."""
        kept = {
            "motifs": [[motif.id, motif.matrix.tolist(), motif.name] for motif in self.motifs],
            "tables": {name: table.to_dict("list") for name, table in self.tables.items()},
            "summary": dict(self.validity.summary),
            "warnings": list(self.validity.warnings),
        }
        (folder / "surrogates.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FittedSquidGlobal:
        """Read what `save` wrote."""
        import numpy as np
        import pandas as pd

        kept = json.loads((folder / "surrogates.json").read_text(encoding="utf-8"))
        motifs = tuple(Motif(key, np.array(matrix), "contributions", name=name) for key, matrix, name in kept["motifs"])
        tables = {name: pd.DataFrame(columns) for name, columns in kept["tables"].items()}
        return cls(motifs, tables, Validity({}, kept["summary"], tuple(kept["warnings"])))


@dataclass(frozen=True)
class SquidGlobal(SurrogateSettings, SetExplainer):
    """Fit surrogates to what a motif, or two at each distance, do in random backgrounds, and read them.

    A library holds partially mutagenised copies of the elements, each in a background of its own, so that a surrogate
    speaks of the elements and of nothing that goes with them in real sequences; what the backgrounds do is scatter. One
    surrogate is fitted for each distance, to the same substitutions in the same backgrounds. Its single terms are the
    motifs (contributions, averaged over the distances), its pair terms the interactions.

    The syntax table has a row for each distance. `interaction` is the mean epistasis of two critical substitutions, one
    in either element: what both do to the latent phenotype beyond the sum of what each does alone; `within_1` and
    `within_2` are the same of two in one element. Critical positions are those whose contributions vary most over the
    bases. An interaction is one of the latent phenotype: what the nonlinearity takes up, such as an AND of two elements
    whose logarithms add up, is none there; with nonlinearity=linear it is one. The logic is named from the answers, by
    whether the critical positions of either motif, both or none are left as they were.

    `background=frequencies` keeps the share of each base, and so the GC content, of the sequences given; `uniform`
    needs their length alone.

    References
    ----------
    Seitz et al., Interpreting cis-regulatory mechanisms from genomic deep neural networks using surrogate models, 2024,
    10.1038/s42256-024-00851-5, Figure 7; Koo et al. 2021, 10.1371/journal.pcbi.1008925 (global importance analysis). We
    measure interactions in no gauge and give their standard errors.
    """

    name: ClassVar[str] = "squid_global"
    references: ClassVar[tuple[str, ...]] = ("10.1038/s42256-024-00851-5", "10.1371/journal.pcbi.1008925")
    emits: ClassVar[tuple[str, ...]] = ("motifs", "interactions", "curves", "syntax")
    many_targets: ClassVar[bool] = True
    fitted: ClassVar[type[Fitted]] = FittedSquidGlobal

    motifs: tuple[str, ...] = setting(("TGACTCA", "GATAAG"), "one or two IUPAC words; N is left to the background")
    background: str = setting("dinucleotide", "what they are, made of the sequences: as for other explainers")
    library: int = setting(20_000, "variants of each design, the wild type among them")
    rate: float = setting(0.2, "share of the motifs' bases that change")
    least: int = setting(5, "smallest spacing of two motifs, in bp")
    most: int = setting(5, "largest spacing of two motifs, in bp; a library is made for each spacing")
    step: int = setting(1, "bp from one spacing to the next")
    order: Literal["1-2", "2-1"] = setting("1-2", "1-2: the second motif stands after the first; 2-1: before it")
    orientation: Literal["++", "+-"] = setting("++", "+-: the second motif reads on the other strand")
    start: int | None = setting(None, "where the first motif begins, in bp from 0; none: in the middle")
    critical: int = setting(6, "positions of each motif that interactions are summarised over")
    _: KW_ONLY
    gp_map: str = setting("pairwise", "additive, neighbour, pairwise, or FILE.py:FACTORY of a torch module")
    gauge: Literal["uniform", "empirical", "wild-type"] = setting(
        "empirical", "at each position zero on average over: the four bases, the library's bases, the own base"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(library=50, least=0, most=self.least, step=1, critical=1)
        if not 0 < self.rate <= 1:
            raise CislensError(f"squid_global's rate must lie above 0 and at most at 1, got {self.rate}")
        if len(self.motifs) not in (1, 2):
            raise CislensError(
                f"squid_global takes one motif or two, as in motifs=TGACTCA+GATAAG, got {len(self.motifs)}"
            )
        _ = self.elements

    @property
    def elements(self) -> tuple[Element, ...]:
        """The motifs as they are put into backgrounds."""
        return tuple(
            Element(word, reverse=which == 1 and self.orientation == "+-") for which, word in enumerate(self.motifs)
        )

    @property
    def fills(self) -> tuple[str, ...]:
        """Pair terms come of maps that have them, and syntax of two motifs whose every two bases have one."""
        if not self.has_pairs:
            return ("motifs", "curves")
        return self.emits if len(self.motifs) == 2 and self.gp_map == "pairwise" else self.emits[:-1]

    @property
    def spacings(self) -> range:
        """The distances that are asked about, in bp."""
        return range(self.least, self.most + 1, self.step)

    def designs(self, length: int) -> tuple[Design, ...]:
        """Return what is put into frames of a length in bp: one motif, or two at each spacing that fits."""
        if len(self.motifs) == 1:
            asked = [Design.of_one(self.elements[0], length, self.start)]
        else:
            one, two = self.elements
            asked = [Design.of_two((one, two), length, bp, self.order, self.start) for bp in self.spacings]
        return tuple(design for design in asked if design.fits(length))

    def fit(self, oracle: Targeted, training: Sequences, context: Context) -> FittedSquidGlobal:
        """Fit a surrogate for each design and target, in backgrounds that are made of the training sequences."""
        self.require_backend()
        from cislens_squid.global_running import fitted_global

        return fitted_global(self, oracle, training, context)

    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return one prediction for each variant of each design, however many sequences and targets."""
        return len(self.designs(length)) * self.library, 0

    def within(self, predictions: int) -> Self | None:
        """Return itself with smaller libraries; None where they would be below a thousand variants."""
        designs = len(self.spacings) if len(self.motifs) == 2 else 1
        smaller = min(self.library - 1, predictions // designs)
        return replace(self, library=smaller) if smaller >= FEWEST else None
