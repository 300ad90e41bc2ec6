"""Find the layout and the length of a model's input where nobody states them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

import torch
from torch import nn

from cislens.errors import OracleError
from cislens.oracle.encoding import BASES, LAYOUTS
from cislens.oracle.function import PROBE_LENGTHS
from cislens.oracle.options import OracleOptions
from cislens_torch.tensors import Placement
from cislens_torch.trial import BATCH, Subject, Trial, weightless

PLAIN = ("4,length", "length,4")
SHORT = tuple(length for length in PROBE_LENGTHS if length < 5_000)
LONG = tuple(length for length in PROBE_LENGTHS if length >= 5_000)
LONGEST = 2**22
FREE = 2.5  # a model that takes lengths this many times apart takes any
# Parameters up to which a few forward passes take less than the second in which torch loads its meta device.
SMALL = 10_000_000
ROUND = (1000, 500, 200, 100, 50, 20, 10, 8, 4, 2, 1)


class Effort(Enum):
    """How many lengths are tried: the usual ones, also where a dense layer points to, or all."""

    USUAL = 0
    DIRECTED = 1
    ALL = 2


@dataclass(frozen=True)
class Form:
    """The input that a model takes.

    Parameters
    ----------
    layout
        Its axes after the batch.
    length
        In bp; None where any will do.
    tried
        A length that it was seen to take.
    """

    layout: str
    length: int | None
    tried: int


def find_form(module: nn.Module, placement: Placement, options: OracleOptions, fixed_batch: int | None = None) -> Form:
    """Return the layout and length of a model's input.

    A small model is tried as it is with the usual lengths. Otherwise shapes alone are computed, on torch's meta device,
    where thousands of lengths cost a moment. A dense layer that gets too few or too many features tells which way to
    search. Of several lengths that a model takes only
    because its pools round down, one of a published model is preferred, then the roundest.

    Raises
    ------
    OracleError
        If no layout fits, or several do; the sentence says what was tried.
    """
    errors: list[str] = []
    for subject, effort in _subjects(module, placement, options, fixed_batch or BATCH):
        forms: list[tuple[Form, Trial]] = []
        for layouts in _layouts(options):
            for layout in layouts:
                form = _fitting(subject, layout, options.length, effort, errors)
                if form is not None:
                    forms.append((form, subject.attempt(layout, form.tried)))
            if forms:
                return _only(forms)
    shown = "; ".join(dict.fromkeys(errors[:1] + errors[len(errors) // 2 :][:1]))
    raise OracleError(
        f"the model must take one-hot sequences, but failed at each layout and length tried ({shown}): state its "
        "length with --input-length, its layout with --layout, or further inputs"
    )


def _subjects(
    module: nn.Module, placement: Placement, options: OracleOptions, rows: int
) -> Iterable[tuple[Subject, Effort]]:
    itself = Subject(module, placement, options, rows)
    if sum(parameter.numel() for parameter in module.parameters()) <= SMALL:
        yield itself, Effort.USUAL
    try:
        # A copy of a TorchScript program keeps its weights.
        copied = None if isinstance(module, torch.jit.ScriptModule) else weightless(module)
    except Exception:  # a model that cannot be copied is tried as it is
        copied = None
    if copied is not None:
        yield Subject(copied, Placement(torch.device("meta"), placement.dtype), options, rows), Effort.ALL
    yield itself, Effort.DIRECTED


def _layouts(options: OracleOptions) -> tuple[tuple[str, ...], ...]:
    if options.layout != "auto":
        return ((options.layout.replace(" ", ""),),)
    return PLAIN, tuple(layout for layout in LAYOUTS if layout not in PLAIN)


def _fitting(subject: Subject, layout: str, length: int | None, effort: Effort, errors: list[str]) -> Form | None:
    if length is not None:
        trial = subject.attempt(layout, length)
        errors += [trial.error] if trial.error else []
        return None if trial.error else Form(layout, length, length)
    trials = {size: subject.attempt(layout, size) for size in SHORT}
    fitting = [size for size, trial in trials.items() if trial.error is None]
    errors += [trial.error for trial in trials.values() if trial.error]
    if fitting and max(fitting) / min(fitting) >= FREE:
        return Form(layout, None, min(fitting))
    if not fitting and effort is not Effort.USUAL:
        fitting = _searched(subject, layout, trials, effort)
    if not fitting:
        return None
    best = roundest(fitting)
    return Form(layout, best, best)


def _searched(subject: Subject, layout: str, trials: dict[int, Trial], effort: Effort) -> list[int]:
    """Return lengths that a model takes, none of which is among the usual ones."""
    came_far = max(trials.values(), key=lambda trial: trial.weighted)
    if any(trial.mismatch for trial in trials.values()):
        return _by_features(subject, layout)
    if came_far.weighted == 0 or effort is not Effort.ALL:
        return []  # its first layer refuses this layout at any length, or trying them all would take long
    for candidates in (LONG, range(5, 1_201), range(1_250, 10_001, 50), [2**i for i in range(11, 20)]):
        found = [size for size in candidates if subject.attempt(layout, size).error is None]
        if found:
            return found
    return []


def _by_features(subject: Subject, layout: str) -> list[int]:
    """Search for the lengths that give a dense layer as many features as it wants; they grow with the length."""

    def compared(length: int) -> int:
        trial = subject.attempt(layout, length)
        if trial.mismatch is None:
            return 0 if trial.error is None else -1  # too short for what comes before it
        return (trial.mismatch[0] > trial.mismatch[1]) - (trial.mismatch[0] < trial.mismatch[1])

    upper = 1
    while compared(upper) < 0 and upper < LONGEST:
        upper *= 2
    first = _first(lambda length: compared(length) >= 0, upper)
    while upper < LONGEST and compared(upper) <= 0:
        upper *= 2
    end = _first(lambda length: compared(length) > 0, upper)
    span = range(max(first, 5), end)  # a layout that only fits 4 bp is the wrong one
    return [size for size in (span if len(span) <= 4_096 else span[:1]) if subject.attempt(layout, size).error is None]


def _first(holds: Callable[[int], bool], upper: int) -> int:
    lower = 0
    while upper - lower > 1:
        middle = (lower + upper) // 2
        if holds(middle):
            upper = middle
        else:
            lower = middle
    return upper


def roundest(lengths: list[int]) -> int:
    """Return the first length that is a multiple of the largest round number; published lengths come first."""
    published = [length for length in lengths if length in PROBE_LENGTHS]
    candidates = published or lengths
    return next(length for unit in ROUND for length in candidates if length % unit == 0)


def _only(forms: list[tuple[Form, Trial]]) -> Form:
    if len(forms) > 1:
        told = [form for form, trial in forms if _reads_bases(form.layout, trial)]
        if len(told) != 1:
            fits = " and ".join(repr(form.layout) for form, _ in forms)
            raise OracleError(f"the model takes its input as {fits} alike: state which with --layout")
        return told[0]
    return forms[0][0]


def _reads_bases(layout: str, trial: Trial) -> bool:
    """Tell whether the first layer with weights takes all four bases at once, as channels or through its window."""
    if trial.first is None:
        return False
    shape, weight = trial.first
    axes = layout.split(",")
    base = 1 + axes.index("4")
    if len(weight) == 2:
        return weight[1] == len(BASES) and base == len(axes)
    same_form = len(shape) == 1 + len(axes) == len(weight)
    return same_form and weight[base] == len(BASES)
