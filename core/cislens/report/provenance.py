"""Where a report comes from: all that is needed to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What a run took; the prediction of the sequences themselves is counted in."""

    seconds: float = 0.0
    predictions: int = 0
    pullbacks: int = 0

    def plus(self, other: Cost) -> Cost:
        """Return the sum of two costs."""
        return Cost(
            self.seconds + other.seconds, self.predictions + other.predictions, self.pullbacks + other.pullbacks
        )


@dataclass(frozen=True)
class Provenance:
    """Record how a report was made.

    Parameters
    ----------
    explainer
        Name of the explainer.
    settings
        Its settings, every field.
    targets
        For each target its text and what was fitted, with what it was fitted on.
    seed
        The seed of every random stream.
    model
        Name, fingerprint, length, heads and adapter options of the model.
    training
        On what an explainer that learns was fitted; empty for one that does not.
    references
        DOIs of the explainer.
    versions
        Of Python, cislens, numpy and the frameworks that were loaded.
    derivations
        The steps taken since, in order, with their settings.
    cost
        Seconds, predictions and pullbacks of the run.
    """

    explainer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[Mapping[str, Any], ...] = ()
    seed: int = 0
    model: Mapping[str, Any] = field(default_factory=dict)
    training: str = ""
    references: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    derivations: tuple[Mapping[str, Any], ...] = ()
    cost: Cost = field(default_factory=Cost)

    @property
    def target_names(self) -> tuple[str, ...]:
        """The text of each target."""
        return tuple(str(target["target"]) for target in self.targets)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Provenance:
        """Read what `to_json` gave."""
        fields = dict(values)
        fields["cost"] = Cost(**fields.get("cost", {}))
        for name in ("targets", "references", "derivations"):
            fields[name] = tuple(fields.get(name, ()))
        return cls(**fields)
