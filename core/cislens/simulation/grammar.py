"""A motif grammar: what is planted how often, and what makes a sequence positive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from cislens.errors import CislensError, require_choice
from cislens.motif import Motif
from cislens.simulation.layout import Layout
from cislens.truth.logic import Rule

Spurious = Literal["relative", "mean_probability", "kept"]
Instances = Literal["sampled", "best"] | float
MOST_VARIANTS = 20_000


@dataclass(frozen=True)
class Arrangement:
    """Name one way of planting motifs: its layouts, equally likely, and how often it is drawn against the others."""

    name: str
    layouts: tuple[Layout, ...]
    weight: float = 1.0

    @property
    def motifs(self) -> frozenset[str]:
        """Names of its motifs."""
        return frozenset(motif for layout in self.layouts for motif in layout.motifs)


@dataclass(frozen=True)
class Site:
    """Hold where a motif stands in a cluster: its number in the grammar, strand, and bp from the cluster's start."""

    motif: int
    reverse: bool
    offset: int


@dataclass(frozen=True)
class Variant:
    """Hold an arrangement with all chosen but the places: rigid clusters of sites.

    Parameters
    ----------
    arrangement
        Its number in the grammar.
    probability
        Of all the sequences of the grammar.
    clusters
        The sites of each.
    widths
        Of the clusters, in bp.
    ordered
        Whether they come in this order.
    """

    arrangement: int
    probability: float
    clusters: tuple[tuple[Site, ...], ...]
    widths: tuple[int, ...]
    ordered: bool


@dataclass(frozen=True, eq=False)
class Grammar:
    """State how sequences are made, and when one is positive.

    Parameters
    ----------
    name
        What reports and files call it.
    motifs
        Probabilities; the ids are the names that layouts and rules use.
    arrangements
        What is planted; their weights are relative.
    rules
        By name; a sequence is positive where one holds. Their names are motifs' and arrangements'.
    length
        Of each sequence, in bp.
    centre
        Motifs are planted within so many bp in the middle; None for the whole sequence.
    background
        Text form of what lies around the motifs, as `parse_background` reads it.
    instances
        "sampled" from a motif's probabilities, "best" for its likeliest sequence, or a fraction: sampled again until
        the match score is at least that share of the best attainable one.
    spurious
        Which chance matches are removed from the background, of any motif on either strand. "relative": match score of
        at least `threshold` times the best attainable one; "mean_probability": match score above `threshold` itself, as
        in ARGMINN's supplement C.1, which no site of most motifs can reach; "kept": none. The match score of a window
        is the mean probability of its bases. Windows that overlap a planted instance are not judged.
    threshold
        See `spurious`.
    both_strands
        Whether a half of the sequences, drawn by chance, are turned to their other strand.
    title, references
        What it is, and DOIs.

    Raises
    ------
    CislensError
        If the parts do not fit together.
    """

    name: str
    motifs: tuple[Motif, ...]
    arrangements: tuple[Arrangement, ...]
    rules: Mapping[str, Rule]
    length: int = 500
    centre: int | None = None
    background: str = "uniform"
    instances: Instances = "sampled"
    spurious: Spurious = "relative"
    threshold: float = 0.9
    both_strands: bool = False
    title: str = ""
    references: tuple[str, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        self._check_names()
        self._check_choices()
        for variant in self.variants:
            if sum(variant.widths) > self.room:
                raise CislensError(
                    f"the motifs of arrangement {self.arrangements[variant.arrangement].name!r} must fit into "
                    f"{self.room} bp, got {sum(variant.widths)} bp: make the sequences or their centre longer"
                )
        _ = self.labels

    @property
    def room(self) -> int:
        """How many bp motifs may be planted in."""
        return self.length if self.centre is None else min(self.centre, self.length)

    @property
    def first(self) -> int:
        """Where these bp start, 0-based."""
        return (self.length - self.room) // 2

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """Every choice of arrangement, layout, strands and gaps, with its probability."""
        return tuple(self._variants())

    @cached_property
    def labels(self) -> tuple[bool, ...]:
        """Whether each arrangement makes a sequence positive.

        Raises
        ------
        CislensError
            If the layouts of one arrangement do not agree.
        """
        return tuple(map(self._label, self.arrangements))

    @property
    def positive_share(self) -> float:
        """The share of sequences that are positive."""
        return sum(v.probability for v in self.variants if self.labels[v.arrangement])

    def _label(self, arrangement: Arrangement) -> bool:
        found = {
            any(rule.holds(layout.motifs | {arrangement.name}) for rule in self.rules.values())
            for layout in arrangement.layouts
        }
        if len(found) > 1:
            raise CislensError(
                f"all layouts of arrangement {arrangement.name!r} must be positive or all negative, got both: "
                "make two arrangements of them"
            )
        return found.pop()

    def _variants(self) -> Iterator[Variant]:
        place = {motif.id: i for i, motif in enumerate(self.motifs)}
        total = sum(arrangement.weight for arrangement in self.arrangements)
        count = 0
        for number, arrangement in enumerate(self.arrangements):
            for layout in arrangement.layouts if arrangement.weight else ():
                choices = list(layout.concrete())
                count += len(choices)
                if count > MOST_VARIANTS:
                    raise CislensError(
                        f"a grammar must hold at most {MOST_VARIANTS:,} choices of strands and spacings, "
                        f"{self.name!r} has more: use fewer spacings"
                    )
                probability = arrangement.weight / total / len(arrangement.layouts) / len(choices)
                for choice in choices:
                    clusters, widths = [], []
                    for elements, gaps in choice:
                        sites, end = [], 0
                        for element, gap in zip(elements, (0, *gaps), strict=True):
                            motif = place[element.motif]
                            sites.append(Site(motif, element.strand == "-", end + gap))
                            end += gap + len(self.motifs[motif])
                        clusters.append(tuple(sites))
                        widths.append(end)
                    yield Variant(number, probability, tuple(clusters), tuple(widths), layout.ordered)

    def _check_names(self) -> None:
        motifs = {motif.id for motif in self.motifs}
        arrangements = {arrangement.name for arrangement in self.arrangements}
        if not self.arrangements or not self.rules:
            raise CislensError(f"grammar {self.name!r} must have an arrangement and a rule at least")
        for kind, names in (("arrangement", self.arrangements), ("motif", self.motifs)):
            if len({getattr(item, "id", None) or item.name for item in names}) < len(names):
                raise CislensError(f"no two {kind}s of grammar {self.name!r} may share a name")
        for arrangement in self.arrangements:
            if unknown := sorted(arrangement.motifs - motifs):
                raise CislensError(
                    f"arrangement {arrangement.name!r} must plant motifs of the grammar ({', '.join(sorted(motifs))}), "
                    f"got {unknown[0]!r}"
                )
        for name, rule in self.rules.items():
            if unknown := [word for word in rule.names if word not in motifs | arrangements]:
                raise CislensError(
                    f"rule {name!r} must speak of motifs and arrangements "
                    f"({', '.join(sorted(motifs | arrangements))}), got {unknown[0]!r}"
                )

    def _check_choices(self) -> None:
        require_choice("spurious", self.spurious, Spurious)
        if isinstance(self.instances, str) and self.instances not in ("sampled", "best"):
            raise CislensError(f"instances must be sampled, best or a fraction up to 1, got {self.instances!r}")
        if not isinstance(self.instances, str) and not 0 < self.instances <= 1:
            raise CislensError(f"instances must be sampled, best or a fraction up to 1, got {self.instances!r}")
        weights = [arrangement.weight for arrangement in self.arrangements]
        if not all(weight >= 0 for weight in weights) or not 0 < sum(weights) < float("inf"):
            raise CislensError(f"weights of arrangements must not be negative, nor all 0, got {weights}")
        if self.length < 1:
            raise CislensError(f"sequences must be at least 1 bp long, got {self.length}")
