"""What makes two runs the same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cislens.report.store_json import plain


@dataclass(frozen=True, eq=False)
class RunKey:
    """Name a run by everything that its result depends on; equal keys resume one another.

    Parameters
    ----------
    explainer
        Name of the explainer.
    settings
        Its settings, every field, as JSON values.
    targets
        The text of each target.
    seed
        The seed of every random stream.
    fingerprint
        The model's.
    hashes
        Of the bases of each sequence, in order.
    training
        Of the bases of each sequence that a set explainer is fitted on, where these are others.
    """

    explainer: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    seed: int = 0
    fingerprint: str = ""
    hashes: tuple[str, ...] = ()
    training: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunKey) and not self.difference(other)

    def __hash__(self) -> int:
        return hash((self.explainer, self.seed, self.fingerprint, self.hashes, self.training))

    def difference(self, other: RunKey) -> str:
        """Return in words what differs, "there" being this key and "here" the other; empty where nothing does."""
        found = [
            f"{what} {mine} there and {theirs} here"
            for what, mine, theirs in (
                ("explainer", self.explainer, other.explainer),
                ("targets", " ".join(self.targets) or "none", " ".join(other.targets) or "none"),
                ("seed", self.seed, other.seed),
                ("model fingerprint", self.fingerprint or "none", other.fingerprint or "none"),
            )
            if mine != theirs
        ]
        there, here = plain(self.settings), plain(other.settings)
        for name in dict.fromkeys((*there, *here)):
            mine, theirs = there.get(name, "absent"), here.get(name, "absent")
            if type(mine) is not type(theirs) or mine != theirs:
                found.append(f"setting {name} {mine!r} there and {theirs!r} here")
        for what, mine, theirs in (
            ("sequences", self.hashes, other.hashes),
            ("training sequences", self.training, other.training),
        ):
            if len(mine) != len(theirs):
                found.append(f"{len(mine)} {what} there and {len(theirs)} here")
            elif others := sum(a != b for a, b in zip(mine, theirs, strict=True)):
                found.append(f"{others} of {len(mine)} {what} are others")
        return ", ".join(found)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, the hashes aside, which a store keeps as arrays."""
        return {
            "explainer": self.explainer,
            "settings": self.settings,
            "targets": self.targets,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
        }
