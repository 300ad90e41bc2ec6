"""From hypothetical maps to motifs and the seqlets they were made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from cislens import MotifReport, setting
from cislens.derivation import Derivation, DeriveContext
from cislens.discovery.maps import target_labels
from cislens.errors import CislensError, ReportError
from cislens_modisco.distribution import distribution
from cislens_modisco.found import LEAST_PASSING, Found, Map

if TYPE_CHECKING:
    from cislens_modisco.patterns import Seqlets
    from cislens_modisco.sites import Located

SIGNS = {"positive": 1, "negative": -1}
LEAST = {
    "central": 1,
    "window": 1,
    "flank": 1,
    "passing": LEAST_PASSING,
    "seqlets": 1,
    "leiden_runs": 1,
    "sites": 2,
    "core": 6,  # over which modisco asks for information
    "margin": 0,
}


@dataclass(frozen=True)
class Modisco(Derivation):
    """Cluster seqlets to motifs with TF-MoDISco, by what each base would contribute.

    Seqlets are windows whose contributions sum to more than a Laplace null allows. Those that raise the target and
    those that lower it are each clustered: by gapped k-mers first, then by how alike their hypothetical contributions
    are, with Leiden; patterns that are alike become one. The seqlets of a pattern are its motif (counts) and the
    instances of it. Two motifs that stand within a seqlet of one another are one pattern, for each of their spacings
    one; and where all seqlets are the same, as in exact maps of a toy, modisco, which ranks them by how they differ,
    finds few patterns or none. Its code is compiled when first called, in some fifteen seconds, of which no progress is
    told.

    Maps of all four bases are read in the uniform gauge, in which a base contributes what it does more than the mean
    base: modisco takes the value at the own base for the base's contribution, which the wild-type gauge (ISM) holds at
    zero everywhere, and compares the other three with it. Where a report tells only what the observed bases
    contribute, that is compared alone. Masks tell nothing of bases and have but one sign: the step `motifs` takes them.

    Departures: seqlets are called in the whole sequence by default, where modisco's command line takes the central 400
    bp. Sequences are continued by N, so that a motif near an end is not lost; where there are more seqlets than
    `seqlets`, the largest are taken, not the first; a sign is clustered from `sites` seqlets on, where modisco wants
    more than 100. Random numbers come from modisco's own fixed seeds: the seed of
    the run changes nothing.

    References
    ----------
    Shrikumar et al., Technical Note on Transcription Factor Motif Discovery from Importance Scores (TF-MoDISco), 2018,
    10.48550/arXiv.1811.00416.
    """

    name: ClassVar[str] = "modisco"
    takes: ClassVar[tuple[str, ...]] = ("attributions",)
    gives: ClassVar[tuple[str, ...]] = ("motifs", "instances")
    references: ClassVar[tuple[str, ...]] = ("10.48550/arXiv.1811.00416",)

    sign: Literal["both", "positive", "negative"] = setting("both", "Whether what raises or lowers the target is read.")
    central: int | None = setting(
        None, "bp in the middle of the sequences in which seqlets are called; all by default."
    )
    window: int = setting(21, "bp over which contributions are summed to call a seqlet.")
    flank: int = setting(10, "bp that a seqlet has on either side of that window.")
    rate: float = setting(0.2, "False-discovery rate of seqlets, against a Laplace null for each sign.")
    passing: float = setting(
        0.2, "Share of all windows that may pass at most, whatever the rate says; raise it for short sequences."
    )
    seqlets: int = setting(20_000, "Seqlets of a sign that are clustered at most, the largest.")
    leiden_runs: int = setting(50, "Runs of Leiden clustering, each from another seed, of which the best is kept.")
    sites: int = setting(20, "Sites that a motif must have.")
    core: int = setting(30, "bp of most information on which a pattern is centred.")
    margin: int = setting(10, "bp that a pattern has on either side of its core.")
    trim: float = setting(0.3, "Share of the largest mean contribution that the ends of a motif must have, 0 to 1.")

    def __post_init__(self) -> None:
        for name, smallest in LEAST.items():
            if (given := getattr(self, name)) is not None and given < smallest:
                raise CislensError(f"modisco needs a {name} of {smallest} at least, got {given}")
        if not (0 < self.rate < 1 and self.passing < 1 and 0 <= self.trim <= 1):
            raise CislensError(
                f"modisco needs rate, passing and trim between 0 and 1, got {self.rate}, {self.passing} and {self.trim}"
            )
        if (width := self.window + 2 * (self.flank + self.margin)) < self.core:
            raise CislensError(
                f"modisco needs a core no wider than a seqlet with its flanks and margins, {width} bp, got {self.core}"
            )

    def versions(self) -> Mapping[str, str]:
        """Return which distribution of modiscolite is installed, and its version."""
        installed = distribution()
        return {installed.name: installed.version}

    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with motifs of counts, those of one target and sign by their number of sites.

        Their ids are the target (where there are several), positive or negative, and a number. Instances are the
        seqlets in the order of the sequences, with the columns that the step `instances` gives. The summary of the
        validity says for each target and sign how many seqlets were called, and above which sum over the window, in the
        unit of the map.

        Raises
        ------
        CislensError
            If modiscolite is not installed, or by two distributions, which own the same files.
        ReportError
            If the report holds no attributions.
        """
        installed = distribution()
        if report.attributions is None:
            raise ReportError("modisco is derived from attributions, but the report holds none: explain first")
        try:
            from cislens_modisco.patterns import called
        except ModuleNotFoundError as error:
            # So it is once the other distribution was uninstalled, and took the files of both along.
            raise CislensError(
                f"modisco needs {error.name}, of which {installed.name} has no file left: "
                f"pip install --force-reinstall {installed.name}"
            ) from error
        onehot, labels = report.sequences.onehot, target_labels(report, len(report.attributions.values))
        signs = [sign for sign in SIGNS if self.sign in ("both", sign)]
        steps, found = len(labels) * (1 + len(signs)), list[Found]()
        for t, label in enumerate(labels):
            target = report.targets[t] if len(report.targets) == len(labels) else label.rstrip(".")
            read = Map.of(report.attributions, onehot, t)
            seqlets = called(read.contributions, self)
            context.progress(len(found) + t + 1, steps)
            for sign in signs:
                of_sign = seqlets.of_sign(SIGNS[sign])
                motifs = self._located(read, of_sign, f"{label}{sign}", SIGNS[sign])
                found.append(Found(f"{label}{sign}", target, t, of_sign, motifs))
                context.progress(len(found) + t + 1, steps)
        return self._reported(report, found)

    def _located(self, read: Map, seqlets: Seqlets, name: str, sign: int) -> tuple[Located, ...]:
        """Return the motifs of seqlets of one target and sign, those of most sites first."""
        from cislens_modisco.patterns import patterns
        from cislens_modisco.sites import located

        taken = seqlets.take(slice(self.seqlets))
        # Fewer can be no pattern, and modisco does not stand very few.
        made = patterns(read, taken, sign, self) if len(taken) >= self.sites else []
        motifs = [located(pattern, read, self.trim) for pattern in made]
        enough = [motif for motif in motifs if motif is not None and len(motif.sites) >= self.sites]
        enough.sort(key=lambda motif: -len(motif.sites))
        return tuple(motif.named(f"{name}_{k}") for k, motif in enumerate(enough))

    def _reported(self, report: MotifReport, found: Sequence[Found]) -> MotifReport:
        """Return the report with what was found, and what is to be said of it."""
        from cislens_modisco.sites import instances

        motifs = tuple(each.motif for part in found for each in part.located)
        summary = dict(report.validity.summary)
        for part in found:
            summary |= part.numbers
        told = [] if motifs else [self._nothing(report, found)]
        told += [
            f"of {len(part.seqlets):,} {part.name} seqlets the {self.seqlets:,} largest were clustered: raise seqlets"
            for part in found
            if len(part.seqlets) > self.seqlets
        ]
        if report.attributions is not None and not report.attributions.hypothetical:
            told.append(
                "modisco compares what each base would contribute, but these maps tell it of the observed bases alone: "
                "its patterns are those of the sequence; prefer hypothetical maps"
            )
        validity = replace(report.validity, summary=summary).warned(*told)
        return replace(report, motifs=motifs, instances=instances(report, found), validity=validity)

    def _nothing(self, report: MotifReport, found: Sequence[Found]) -> str:
        n, length = len(report.sequences), report.sequences.length
        called = " and ".join(dict.fromkeys(part.seqlets_text for part in found))
        return (
            f"modisco found no motif in {n:,} sequences of {length} bp: with a window of {self.window} bp, flanks of "
            f"{self.flank} bp, a false-discovery rate of {self.rate:g} and at most {self.passing:.0%} of the windows "
            f"there were {called}, and a motif needs {self.sites} sites; explain more or longer sequences, raise rate "
            "or passing, lower window or sites, or take the step 'motifs', which needs fewer"
        )
