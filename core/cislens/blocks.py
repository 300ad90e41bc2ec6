"""Run an explainer on one block of sequences, and go on where a sequence fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cislens.context import Context
from cislens.errors import PluginError
from cislens.explainer import Explainer, Fitted
from cislens.oracle.base import Array
from cislens.report import MotifReport, join, stack
from cislens.sequences import Dropped, Sequences
from cislens.targeted import Targeted

# Makes the context of a block from its sequences and their predictions.
Contexts = Callable[[Sequences, Array], Context]
# What explains, each with the targets it explains.
Appliers = Sequence[tuple[Targeted, Explainer | Fitted]]


def run_block(
    targeted: Targeted,
    block: Sequences,
    apply: Appliers,
    explainer: Explainer,
    contexts: Contexts,
    tolerant: bool,
) -> MotifReport:
    """Return the report of a block.

    Where the block fails as a whole, each of its sequences is run alone, and those that fail are listed in `dropped`
    with the reason. If all fail, a tolerant run gives a report of no sequences; else the error is raised.
    """
    try:
        return _run(targeted, block, apply, explainer, contexts)
    except Exception as error:  # of the model or of a plugin: whatever it is, the other sequences go on
        if len(block) <= 1 and not tolerant:
            raise
        first = error
    reports, dropped = [], []
    for i in range(len(block)):
        one = block.take(slice(i, i + 1))
        try:
            reports.append(_run(targeted, one, apply, explainer, contexts))
        except Exception as error:  # listed with its reason
            dropped.append(Dropped(one.ids[0], f"{type(error).__name__}: {error}"))
    if not reports and not tolerant:
        raise first
    whole = join(reports) if reports else MotifReport(block.take(slice(0, 0)))
    return replace(whole, dropped=(*whole.dropped, *dropped))


def _run(
    targeted: Targeted, block: Sequences, apply: Appliers, explainer: Explainer, contexts: Contexts
) -> MotifReport:
    predictions = targeted.predict(block.onehot)
    if len(apply) == 1:
        report = apply[0][1].run(targeted, block, contexts(block, predictions))
    else:
        report = stack(
            [one.run(only, block, contexts(block, predictions[:, t : t + 1])) for t, (only, one) in enumerate(apply)]
        )
    _check(report, block, explainer, len(targeted.targets))
    return replace(report, sequences=block, predictions=predictions.T.copy())


def _check(report: MotifReport, block: Sequences, explainer: Explainer, targets: int) -> None:
    if report.sequences.ids != block.ids:
        raise PluginError(f"{explainer.name} must return the sequences it was given, in their order, but did not")
    for part in (report.attributions, report.masks):
        if part is not None and len(part.values) != targets:
            raise PluginError(
                f"{explainer.name} must explain {targets} targets, got {len(part.values)} maps a sequence"
            )
    if undeclared := sorted(set(report.emits) - set(explainer.emits)):
        raise PluginError(f"{explainer.name} gives {', '.join(undeclared)}, which its `emits` does not declare")
