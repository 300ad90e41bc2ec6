"""Which scalar of the oracle is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens.errors import TargetError
from cislens.oracle.head import Head

REDUCTIONS = ("sum", "mean", "max", "pc1", "contribution", "counts")
TRANSFORMS = ("logit", "log")
GRAMMAR = (
    "HEAD, OUTPUT or HEAD/OUTPUT, then for a profile window=START-END, position=P or bp=B and one of "
    f"{' '.join(REDUCTIONS)}, then {' or '.join(TRANSFORMS)}, joined by colons, "
    "such as Dev, profile/0:window=400-600:mean or prob:logit"
)


@dataclass(frozen=True)
class Target:
    """Name one scalar of an oracle: a head, an output, a reduction over positions and a transform.

    Parameters
    ----------
    head
        Name of the head; may be left out where `output` says enough or there is only one.
    output
        Name or index along the head's output axis; may be left out where there is only one.
    window
        Positions of a profile that count, half-open, in the head's own bins from 0.
    reduction
        How a profile becomes one number, over positions and strands: "sum", "mean", "max"; "counts", the total
        (of a head on log scale, the log of the total); "pc1", the score on the first principal component over a
        set of sequences, signed so that these score above average; "contribution", BPNet's profile contribution
        score, the mean over strands of the sum of softmax(y) y with the softmax held fixed in the gradient
        (Avsec et al. 2021, 10.1038/s41588-021-00782-6).
    transform
        "logit" of a probability or "log" of a positive value; None for the value itself.
    bp
        A base pair of the input, 0 the first: the position of a profile that covers it, which becomes the `window`.
    component
        The fitted direction and centre of "pc1", (2, k); filled in by `fitted`.

    Examples
    --------
    >>> Target.parse("profile/plus:window=400-600:mean:log")
    Target('profile/plus:window=400-600:mean:log')
    """

    head: str | None = None
    output: str | int | None = None
    window: tuple[int, int] | None = None
    reduction: str | None = None
    transform: str | None = None
    bp: int | None = None
    component: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def __post_init__(self) -> None:
        if self.reduction is not None and self.reduction not in REDUCTIONS:
            raise TargetError(f"a reduction must be one of {', '.join(REDUCTIONS)}, got {self.reduction!r}")
        if self.transform is not None and self.transform not in TRANSFORMS:
            raise TargetError(f"a transform must be one of {', '.join(TRANSFORMS)}, got {self.transform!r}")
        if self.window is not None and self.bp is not None:
            raise TargetError(f"a target names a window, a position or a bp, got {self.window} and bp {self.bp}")
        if self.window is not None and not 0 <= self.window[0] < self.window[1]:
            raise TargetError(f"a window must be START-END with 0 <= START < END, got {self.window}")

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read the text form.

        Raises
        ------
        TargetError
            If a step is not of the grammar; the sentence shows it.
        """
        selection, *steps = text.split(":")
        head, _, output = selection.rpartition("/")
        target = cls(head=head or None, output=output or None)
        for step in steps:
            target = target._with_step(step, text)
        return target

    def _with_step(self, step: str, text: str) -> Target:
        key, _, value = step.partition("=")
        try:
            if key == "window":
                start, end = value.split("-")
                return replace(self, window=(int(start), int(end)))
            if key == "position":
                return replace(self, window=(int(value), int(value) + 1))
            if key == "bp":
                return replace(self, bp=int(value))
        except ValueError:
            raise TargetError(f"target {text!r} has a step {step!r} without whole numbers: write {GRAMMAR}") from None
        if step in REDUCTIONS and self.reduction is None:
            return replace(self, reduction=step)
        if step in TRANSFORMS and self.transform is None:
            return replace(self, transform=step)
        raise TargetError(f"target {text!r} has a step {step!r} that is unknown or one too many: write {GRAMMAR}")

    def __str__(self) -> str:
        selection = "/".join(str(part) for part in (self.head, self.output) if part is not None)
        window = f"window={self.window[0]}-{self.window[1]}" if self.window else None
        bp = None if self.bp is None else f"bp={self.bp}"
        return ":".join(part for part in (selection, window, bp, self.reduction, self.transform) if part is not None)

    def __repr__(self) -> str:
        return f"Target({str(self)!r})"

    def resolve(self, heads: Sequence[Head]) -> Target:
        """Return the target with head and output filled in, checked against an oracle's heads.

        Raises
        ------
        TargetError
            If it names nothing, or more than one scalar; the sentence lists the choices.
        """
        head, output = self._locate(heads)
        index = _output_index(head, output)
        named: str | int | None = None
        if head.width > 1:
            named = head.outputs[index] if head.outputs else index
        resolved = replace(self, head=head.name, output=named)
        if head.is_profile:
            return resolved._over_positions(head)
        if self.window or self.bp is not None or self.reduction in ("pc1", "contribution"):
            raise TargetError(f"head {head.name!r} is no profile: leave out {str(self).partition(':')[2]!r}")
        return resolved

    def _over_positions(self, head: Head) -> Target:
        """Return the target of a profile with its window and reduction filled in."""
        target = self if self.bp is None else replace(self, bp=None, window=_covering(head, self.bp))
        window, positions = target.window, head.positions
        if window and positions is not None and window[1] > positions:
            raise TargetError(f"head {head.name!r} has positions 0 to {positions}, got a window {window}")
        if target.reduction is not None:
            return target
        if window is None:
            many = f" of {positions} positions" if positions else ""
            raise TargetError(
                f"head {head.name!r} is a profile{many}, so a target must say which number of it: append one of "
                f"{', '.join(':' + r for r in REDUCTIONS)}, :window=START-END, :position=P or :bp=B, as in "
                f"{head.name}:mean"
            )
        single = window[1] - window[0] == 1
        return replace(target, reduction=None if single and "strand" not in head.axes else "mean")

    def _locate(self, heads: Sequence[Head]) -> tuple[Head, str | int | None]:
        by_name = {head.name: head for head in heads}
        if self.head is not None:
            if self.head not in by_name:
                raise TargetError(f"no head is named {self.head!r}: choose one of {', '.join(choices(heads))}")
            return by_name[self.head], self.output
        if self.output is None:
            if len(heads) == 1:
                return heads[0], None
        elif self.output in by_name:
            return by_name[str(self.output)], None
        else:
            holders = [head for head in heads if self.output in head.outputs]
            if len(holders) == 1:
                return holders[0], self.output
            if len(heads) == 1:
                return heads[0], self.output
        asked = "is missing" if self.output is None else f"{self.output!r} names nothing, or several things"
        raise TargetError(f"the target {asked}: choose one with -t (target=) of {', '.join(choices(heads))}")

    @property
    def unfitted(self) -> bool:
        """Whether it is a principal component that is still to be fitted."""
        return self.reduction == "pc1" and self.component is None

    def fitted(self, profiles: npt.NDArray[Any], references: int) -> Target:
        """Return the target with its principal component fitted on reduced profiles.

        Parameters
        ----------
        profiles
            (n, k), flattened as `profile` gives them; the first `references` rows are the sequences of interest, the
            rest their mutants.
        """
        centre = profiles.mean(0)
        _, scale, directions = np.linalg.svd(profiles - centre, full_matrices=False)
        if len(profiles) < 3 or not scale[0] > 0:
            raise TargetError("a principal component needs at least 3 sequences whose profiles differ: give more")
        direction = directions[0]
        scores = (profiles - centre) @ direction
        if scores[:references].mean() < scores.mean():
            direction = -direction
        return replace(self, component=(tuple(map(float, direction)), tuple(map(float, centre))))


def choices(heads: Sequence[Head], most: int = 40) -> list[str]:
    """List texts of targets that these heads allow, shortened after `most`."""
    listed = []
    for head in heads:
        stem = [head.name]
        if head.width > 1:
            names = head.outputs or tuple(str(i) for i in range(head.width))
            unique = head.outputs and len(heads) == 1
            stem = [name if unique else f"{head.name}/{name}" for name in names]
        listed += [f"{text}:mean" if head.is_profile else text for text in stem]
    return listed if len(listed) <= most else [*listed[:most], f"... ({len(listed) - most} more)"]


def _covering(head: Head, bp: int) -> tuple[int, int]:
    """Return the window of the one position of a profile that covers a bp of the input."""
    position = (bp - head.offset) // head.bin_width
    if position < 0 or (head.positions is not None and position >= head.positions):
        end = "" if head.positions is None else f" to {head.offset + head.positions * head.bin_width - 1}"
        raise TargetError(f"head {head.name!r} covers bp {head.offset}{end or ' and on'} of the input, got bp {bp}")
    return position, position + 1


def _output_index(head: Head, output: str | int | None) -> int:
    if output is None:
        if head.width == 1:
            return 0
        raise TargetError(
            f"head {head.name!r} has {head.width} outputs, so a target must say which: "
            f"choose one of {', '.join(choices([head]))}"
        )
    if output in head.outputs:
        return head.outputs.index(str(output))
    try:
        index = int(output)
    except ValueError:
        raise TargetError(
            f"head {head.name!r} has no output {output!r}: choose one of {', '.join(choices([head]))}"
        ) from None
    if not 0 <= index < head.width:
        raise TargetError(f"head {head.name!r} has outputs 0 to {head.width - 1}, got {index}")
    return index


def output_index(target: Target, head: Head) -> int:
    """Return the index along the head's output axis of a resolved target."""
    return _output_index(head, target.output)


def head_of(target: Target, heads: Sequence[Head]) -> Head:
    """Return the head that a resolved target reads."""
    return next(head for head in heads if head.name == target.head)


def parse_targets(targets: str | Target | Sequence[str | Target] | None) -> list[Target]:
    """Turn what a user gives into targets; nothing at all is the empty target, which needs a single scalar."""
    if targets is None:
        return [Target()]
    listed: Sequence[str | Target] = [targets] if isinstance(targets, str | Target) else targets
    return [Target.parse(t) if isinstance(t, str) else t for t in listed] or [Target()]


def target_settings(target: Target) -> Mapping[str, Any]:
    """Return what provenance records of a target: its text and what was fitted."""
    settings: dict[str, Any] = {"target": str(target)}
    if target.component is not None:
        settings["component"] = {"direction": list(target.component[0]), "centre": list(target.component[1])}
    return settings
