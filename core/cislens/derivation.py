"""From maps to motifs, instances, syntax and matches: steps that any report can take."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from cislens.context import Progress, Tell, hush, silent, stream
from cislens.errors import ReportError
from cislens.provenance import versions
from cislens.report import MotifReport
from cislens.settings import Configured, named

# What is made of a part, which no longer fits when the part is made anew.
MADE_OF = {"motifs": ("instances", "syntax", "matches"), "instances": ("syntax",)}


@dataclass(frozen=True)
class DeriveContext:
    """Give a derivation its random stream, and ways to say how far it is.

    Parameters
    ----------
    seed
        Of every random stream.
    progress
        Call it with (done, total), in any unit.
    tell
        Call it with a sentence for the user, before what takes long and cannot say how far it is.
    """

    seed: int = 0
    progress: Progress = silent
    tell: Tell = hush

    def rng(self, name: str) -> np.random.Generator:
        """Return the random stream of a derivation, from its start at each call."""
        return stream(self.seed, "derive", name)


@dataclass(frozen=True)
class Derivation(Configured, ABC):
    """Make one part of a report of others.

    A derivation is a frozen dataclass whose fields are its settings, as an explainer is; a plugin registers its class
    with the hook `register_derivations`.

    Attributes
    ----------
    name
        What the command line calls it.
    takes
        Parts of which the report must hold one at least.
    gives
        Parts that it fills in.
    references
        DOIs.
    """

    name: ClassVar[str]
    takes: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[str, ...]]
    references: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def run(self, report: MotifReport, context: DeriveContext) -> MotifReport:
        """Return the report with the parts that the derivation gives.

        A part of which nothing was found is given empty, with a warning in the validity that says what was looked for.
        """

    def versions(self) -> Mapping[str, str]:
        """Return the versions of what it computes with, beside those that every step records."""
        return {}


def derive(
    report: MotifReport, *steps: Derivation | str, seed: int = 0, progress: Progress = silent, tell: Tell = hush
) -> MotifReport:
    """Return a report with what the steps make of it, in their order.

    Parameters
    ----------
    report
        As an explainer returned it.
    steps
        Derivations, or their text form: "NAME" or "NAME:setting=value,...".
    seed
        Of every random stream.
    progress
        Called with (done, total) by each step.
    tell
        Called with a sentence before what takes long.

    Returns
    -------
    MotifReport
        Each step is appended to its provenance. What was derived of a part that is made anew is left out.

    Raises
    ------
    ReportError
        If the report lacks what a step takes.
    """
    given: set[str] = set()
    for step in steps:
        derivation = parse_derivation(step) if isinstance(step, str) else step
        # A part that a step before gave empty is there too: nothing is then made of it, and the report says why.
        if not set(derivation.takes) & {*report.emits, *given}:
            raise ReportError(
                f"{derivation.name} is derived from {' or '.join(derivation.takes)}, but the report holds only "
                f"{', '.join(report.emits) or 'its sequences'}: get them first; where a step found nothing, the page "
                "says why"
            )
        report = _taken(report, derivation, DeriveContext(seed, progress, tell))
        given |= set(derivation.gives)
    return report


def parse_derivation(text: str) -> Derivation:
    """Read `NAME` or `NAME:setting=value,...`.

    Raises
    ------
    PluginError
        If no derivation has that name.
    CislensError
        If a setting is unknown or of the wrong type.
    """
    from cislens.plugins import registry

    return named(text, registry().derivation)


def _taken(report: MotifReport, derivation: Derivation, context: DeriveContext) -> MotifReport:
    began = time.perf_counter()
    stale = {part for given in derivation.gives for part in MADE_OF.get(given, ())} - set(derivation.gives)
    remade = {*derivation.gives, *stale}
    report = _without(report, stale, _undone(report.provenance.derivations, remade))
    derived = derivation.run(report, context)
    before, after = report.validity, derived.validity
    step = {
        "derivation": derivation.name,
        "settings": derivation.settings(),
        "gives": list(derivation.gives),
        "seed": context.seed,
        "references": list(derivation.references),
        "versions": {**versions(), **derivation.versions()},
        "warnings": [sentence for sentence in after.warnings if sentence not in before.warnings],
        "summary": [name for name in after.summary if before.summary.get(name) != after.summary[name]],
        "seconds": round(time.perf_counter() - began, 3),
    }
    steps = (*derived.provenance.derivations, step)
    return replace(derived, provenance=replace(derived.provenance, derivations=steps))


def _undone(steps: Sequence[Mapping[str, Any]], remade: set[str]) -> list[Mapping[str, Any]]:
    """Return the steps of which nothing is left."""
    return [step for step in steps if set(step["gives"]) <= remade]


def _without(report: MotifReport, parts: set[str], undone: Sequence[Mapping[str, Any]]) -> MotifReport:
    """Return the report without parts, and without what steps that are undone said."""
    empty: dict[str, Any] = {part: () if part == "motifs" else None for part in parts}
    said = {sentence for step in undone for sentence in step["warnings"]}
    measured = {name for step in undone for name in step["summary"]}
    validity = replace(
        report.validity,
        summary={name: value for name, value in report.validity.summary.items() if name not in measured},
        warnings=tuple(sentence for sentence in report.validity.warnings if sentence not in said),
    )
    kept = tuple(step for step in report.provenance.derivations if step not in undone)
    return replace(report, validity=validity, provenance=replace(report.provenance, derivations=kept), **empty)
