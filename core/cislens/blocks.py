"""Run an explainer on one block of sequences, and go on where a sequence fails."""

from __future__ import annotations

from collections.abc import Callable
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


def run_block(
    targeted: Targeted, block: Sequences, apply: Explainer | Fitted, explainer: Explainer, contexts: Contexts
) -> MotifReport:
    """Return the report of a block.

    Where the block fails as a whole, each of its sequences is run alone, and those that fail are listed in `dropped`
    with the reason. If all of several fail, or the only one does, nothing about the sequences is to blame: the error
    is raised.
    """
    try:
        return _run(targeted, block, apply, explainer, contexts)
    except Exception as error:  # of the model or of a plugin: whatever it is, the other sequences go on
        if len(block) <= 1:
            raise
        first = error
    reports, dropped = [], []
    for i in range(len(block)):
        one = block.take(slice(i, i + 1))
        try:
            reports.append(_run(targeted, one, apply, explainer, contexts))
        except Exception as error:  # listed with its reason
            dropped.append(Dropped(one.ids[0], f"{type(error).__name__}: {error}"))
    if not reports:
        raise first
    whole = join(reports)
    return replace(whole, dropped=(*whole.dropped, *dropped))


def _run(
    targeted: Targeted, block: Sequences, apply: Explainer | Fitted, explainer: Explainer, contexts: Contexts
) -> MotifReport:
    predictions = targeted.predict(block.onehot)
    if explainer.many_targets or len(targeted.targets) == 1:
        report = apply.run(targeted, block, contexts(block, predictions))
    else:
        report = stack(
            [
                apply.run(targeted.only(t), block, contexts(block, predictions[:, t : t + 1]))
                for t in range(len(targeted.targets))
            ]
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
