"""What an explainer is: its own settings, and a way to ask an oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from cislens.context import Context
from cislens.errors import CislensError
from cislens.report import MotifReport
from cislens.sequences import Sequences
from cislens.settings import Configured, named
from cislens.targeted import Targeted

Scope = Literal["sequence", "set", "model"]


@dataclass(frozen=True)
class Explainer(Configured, ABC):
    """Ask an oracle and return a report.

    An explainer is a frozen dataclass whose fields are its settings: its repr, its JSON, its command-line options
    and its documentation come from them. Declare fields with `cislens.setting(default, help)`.

    Attributes
    ----------
    name
        What the command line calls it, snake_case.
    needs
        Capabilities it asks of the oracle, among predict, linearize, layers, activations, weights, subnetwork,
        intervene, randomised and native:CLASS.
    emits
        Parts of the report that it can fill in.
    scope
        "sequence": each sequence alone; "set": fitted on sequences, then applied (`SetExplainer`);
        "model": needs no sequences, and `run` is called once with none.
    references
        DOIs.
    at_once
        Sequences that are explained and stored at a time, which is what a kill costs; few where each takes long.
    many_targets
        Whether `run` explains all targets at once; where it does not, the driver runs it for each.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset({"predict"})
    emits: ClassVar[tuple[str, ...]] = ("attributions",)
    scope: ClassVar[Scope] = "sequence"
    references: ClassVar[tuple[str, ...]] = ()
    at_once: ClassVar[int] = 64
    many_targets: ClassVar[bool] = False

    @abstractmethod
    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain the sequences.

        Parameters
        ----------
        oracle
            The model as its targets, (n, t).
        sequences
            A block of the sequences to explain.
        context
            Random streams, predictions of these sequences, progress.

        Returns
        -------
        MotifReport
            With the same sequences; predictions and provenance are filled in by the driver.
        """

    @abstractmethod
    def cost(self, n: int, length: int, targets: int) -> tuple[int, int]:
        """Return (predictions, pullbacks) that `run` asks for n sequences of a length in bp, none of them holding N.

        An explainer that runs target by target is asked with `targets=1`.
        """

    def within(self, predictions: int) -> Self | None:
        """Return itself with smaller settings, so that it asks at most so many predictions and pullbacks a sequence.

        None where that cannot be done.
        """
        return None

    @property
    def fills(self) -> tuple[str, ...]:
        """Which parts of `emits` come with these settings: all, unless an explainer says otherwise."""
        return self.emits


class Fitted(ABC):
    """What a set explainer has learned; frozen, applied to any sequences, saved without pickle."""

    @abstractmethod
    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Explain sequences with what was fitted."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write itself into a folder, as safetensors and JSON."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


@dataclass(frozen=True)
class SetExplainer(Explainer):
    """An explainer that is fitted on sequences, then applied.

    Attributes
    ----------
    fitted
        The class of what `fit` returns, which loads it again.
    """

    scope: ClassVar[Scope] = "set"
    fitted: ClassVar[type[Fitted]]

    @abstractmethod
    def fit(self, oracle: Targeted, training: Sequences, context: Context) -> Fitted:
        """Learn from the training sequences; `context.set_rng()` draws a validation split where one is needed."""

    def run(self, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
        """Fit on the sequences themselves and explain them."""
        return self.fit(oracle, sequences, context).run(oracle, sequences, context)


@dataclass(frozen=True)
class LabelledExplainer:
    """An explainer with the label that names its report."""

    label: str
    explainer: Explainer


def parse_explainer(text: str) -> LabelledExplainer:
    """Read `NAME`, `NAME:setting=value,...` or `label=NAME:...`.

    Raises
    ------
    PluginError
        If no explainer has that name; the sentence lists those that do, and plugins that failed to load.
    CislensError
        If a setting is unknown or of the wrong type.
    """
    from cislens.plugins import registry

    head, _, rest = text.partition(":")
    label, equals, name = head.partition("=")
    if not equals:
        label = name = head
    if not label or "/" in label or label.startswith("."):
        raise CislensError(f"a label must be a plain name, got {label!r} in {text!r}")
    return LabelledExplainer(label, named(f"{name}:{rest}", registry().explainer))
