"""The one driver of every explainer: check, cut into blocks, run, measure, record."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cislens.blocks import Appliers, run_block
from cislens.context import Context, Progress, silent, stream
from cislens.errors import CapabilityError, CislensError, SequenceError
from cislens.explainer import Explainer, Fitted, SetExplainer, parse_explainer
from cislens.oracle.answers import checked_input
from cislens.oracle.base import Array, Oracle
from cislens.provenance import describe_model, describe_targets, versions
from cislens.report import Cost, MotifReport, Provenance, join
from cislens.sequences import Sequences
from cislens.target import Target
from cislens.targeted import Targeted

if TYPE_CHECKING:
    from cislens.report.store import ReportWriter

MUTATION_RATE = 0.1  # of the mutants on which a principal component is fitted, as in SQUID's libraries
COMPONENT_LIBRARY = 500  # sequences, half of them at most, and mutants on which it is fitted
SATURATED = 0.01  # a probability nearer than this to 0 or 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """Say how to run an explainer; none of it changes what is found.

    Parameters
    ----------
    store
        A .zarr folder in which finished blocks are kept: the same run started again goes on where it stopped.
    label
        Names the report in the store; the explainer's name by default.
    overwrite
        Replace a report of that label that came from another run.
    block
        Sequences that are explained and stored at a time; by default as many as the explainer says.
    budget
        Predictions and pullbacks a sequence that the explainer may ask; it shrinks its settings to it, or refuses.
    training
        Sequences on which a set explainer is fitted; by default those explained.
    progress
        Called with (done, total) in sequences.
    """

    store: str | Path | None = None
    label: str | None = None
    overwrite: bool = False
    block: int | None = None
    budget: int | None = None
    training: Sequences | None = None
    progress: Progress = silent


def explain(
    oracle: Oracle,
    sequences: Sequences,
    explainer: Explainer | str,
    target: str | Target | list[str | Target] | None = None,
    seed: int = 0,
    run: Run | None = None,
) -> MotifReport:
    """Ask an oracle what it has learned, with one explainer.

    The explainer's needs are checked against the oracle's capabilities first. The work is cut into blocks; where
    a store is given, each is kept as soon as it is done. A sequence that fails is listed in the report's `dropped`
    and stops nothing.

    Parameters
    ----------
    oracle
        The model, as `open_oracle` returns it.
    sequences
        What to explain; their length must fit the model.
    explainer
        An explainer, or its text form such as "integrated_gradients:steps=100".
    target
        Which scalars to explain; may be left out where the oracle has but one.
    seed
        Seed of every random stream.
    run
        Store, block size, budget, progress.

    Returns
    -------
    MotifReport
        With predictions, validity, provenance and cost filled in.

    Raises
    ------
    CapabilityError
        If the oracle cannot do what the explainer needs; the sentence says why, and which explainers would work.
    TargetError
        If the target does not name one scalar; the sentence lists the choices.
    """
    run = run or Run()
    chosen = parse_explainer(explainer).explainer if isinstance(explainer, str) else explainer
    check_needs(chosen, oracle)
    if chosen.scope == "model":
        sequences = Sequences(np.zeros((0, oracle.length or 0, 4), np.uint8), ())
    elif not len(sequences):
        raise SequenceError(f"{chosen.name} needs at least one sequence, got none: check what was dropped and why")
    checked_input(sequences, oracle.name, oracle.length)
    targeted = with_components(oracle.select(target), sequences, seed)
    chosen = _within_budget(chosen, run.budget, sequences.length, len(targeted.targets))
    provenance = Provenance(
        explainer=chosen.name,
        settings=chosen.settings(),
        targets=describe_targets(targeted, sequences, seed),
        seed=seed,
        model=describe_model(oracle),
        training=_training(chosen, run.training),
        references=chosen.references,
        versions=versions(),
    )
    return _Driver(targeted, sequences, chosen, provenance, run).report()


def _training(explainer: Explainer, training: Sequences | None) -> str:
    if explainer.scope != "set":
        return ""
    if training is None:
        return "the sequences explained"
    digest = hashlib.blake2b("".join(training.hashes()).encode(), digest_size=8).hexdigest()
    return f"{len(training)} sequences of their own ({digest})"


def check_needs(explainer: Explainer | type[Explainer], oracle: Oracle) -> None:
    """Raise unless the oracle offers what an explainer needs, naming those that would work."""
    missing = sorted(explainer.needs - oracle.capabilities)
    if not missing:
        return
    from cislens.plugins import registry

    fitting = [name for name, kind in registry().explainers.items() if kind.needs <= oracle.capabilities]
    reasons = "; ".join(f"{need}: {oracle.why_not(need)}" for need in missing)
    raise CapabilityError(
        f"{explainer.name} needs what {oracle.name} cannot offer ({reasons}): "
        f"choose one of {', '.join(fitting) or 'none of those installed'}"
    )


def _within_budget(explainer: Explainer, budget: int | None, length: int, targets: int) -> Explainer:
    if budget is None:
        return explainer
    rounds, at_once = (1, targets) if explainer.many_targets else (targets, 1)
    cost = asked = sum(explainer.cost(1, length, at_once)) * rounds
    smaller, allowed = explainer, budget // rounds
    while asked > budget:
        found = smaller.within(allowed)
        if found is None or allowed < 1:
            raise CislensError(
                f"{explainer.name} asks {cost} predictions and pullbacks a sequence of {length} bp and cannot do with "
                f"{budget}: raise the budget or choose another explainer"
            )
        smaller = found
        asked = sum(smaller.cost(1, length, at_once)) * rounds
        # `within` does not know of several targets at once, which may ask more than it reckons.
        allowed = min(allowed * budget // max(asked, 1), allowed - 1)
    return smaller


def with_components(targeted: Targeted, sequences: Sequences, seed: int) -> Targeted:
    """Return the same with its principal components fitted on some of the sequences and on mutants of them."""
    if not any(t.unfitted for t in targeted.targets):
        return targeted
    rng = stream(seed, "pc1")
    chosen = rng.permutation(len(sequences))[: COMPONENT_LIBRARY // 2]
    wild = sequences.onehot[np.sort(chosen)]
    copies = max(1, COMPONENT_LIBRARY // max(len(wild), 1) - 1)
    return targeted.fitted(
        np.concatenate([wild, *(mutated(wild, MUTATION_RATE, rng) for _ in range(copies))]), len(wild)
    )


def mutated(x: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return sequences (n, length, 4) with each base, N apart, replaced by another one with a probability."""
    hit = (rng.random(x.shape[:2]) < rate) & x.any(-1)
    shifted = (x.argmax(-1) + rng.integers(1, 4, x.shape[:2])) % 4
    return np.where(hit[..., None], np.eye(4, dtype=x.dtype)[shifted], x)


class _Driver:
    """One run of one explainer."""

    def __init__(
        self, targeted: Targeted, sequences: Sequences, explainer: Explainer, provenance: Provenance, run: Run
    ) -> None:
        self.targeted = targeted
        self.sequences = sequences
        self.explainer = explainer
        self.provenance = provenance
        self.run = run
        self.done = 0
        self.explained = False  # any sequence at all
        self.spent_on_fit = Cost()

    def report(self) -> MotifReport:
        """Run what is left to do and return the whole."""
        self.run.progress(0, max(len(self.sequences), 1))
        if self.run.store is None:
            whole = self._in_memory()
        else:
            whole = self._in_store(Path(self.run.store))
        if len(self.sequences) and not len(whole.sequences):
            raise CislensError(f"no sequence could be explained; the first failed so: {whole.dropped[0].reason}")
        return whole

    @property
    def _at_once(self) -> int:
        return self.explainer.at_once if self.run.block is None else self.run.block

    def _in_memory(self) -> MotifReport:
        apply = self._fitted(None)
        blocks = list(self.sequences.blocks(self._at_once)) or [self.sequences]
        whole = join([self._block(block, apply, None) for block in blocks])
        return replace(
            whole,
            sequences=replace(whole.sequences, dropped=self.sequences.dropped, notes=self.sequences.notes),
            validity=whole.validity.warned(*self._warnings(whole)),
        )

    def _in_store(self, path: Path) -> MotifReport:
        from cislens.report.store import ReportStore, RunKey

        label = self.run.label or self.explainer.name
        training = self.run.training.hashes() if self.run.training is not None and self.provenance.training else ()
        key = RunKey(
            explainer=self.explainer.name,
            settings=self.provenance.settings,
            targets=self.provenance.target_names,
            seed=self.provenance.seed,
            fingerprint=str(self.provenance.model["fingerprint"]),
            hashes=self.sequences.hashes(),
            training=training,
        )
        store = ReportStore.open(path, "a")
        with store.begin(label, key, self.sequences, block=self._at_once, overwrite=self.run.overwrite) as writer:
            self._write_blocks(writer)
            writer.finish(self.provenance, self._warnings(store.read(label)))
        return store.read(label)

    def _write_blocks(self, writer: ReportWriter) -> None:
        pending = writer.pending
        self.explained = len(pending) < -(-len(self.sequences) // writer.block)
        apply = self._fitted(writer.scratch)
        for number in pending:
            rows = writer.rows(number)
            writer.write(number, self._block(self.sequences.take(rows), apply, writer.scratch))

    def _fitted(self, scratch: Path | None) -> Appliers:
        """Return what explains: one for all targets, or one each where the explainer takes them one by one."""
        rounds = [self.targeted]
        if not self.explainer.many_targets:
            rounds = [self.targeted.only(t) for t in range(len(self.targeted.targets))]
        if not isinstance(self.explainer, SetExplainer):
            return [(targeted, self.explainer) for targeted in rounds]
        began, before = time.perf_counter(), self.targeted.counts.snapshot()
        appliers = []
        for number, targeted in enumerate(rounds):
            folder = scratch / "fitted" / str(number) if scratch is not None else None
            appliers.append((targeted, self._fit(self.explainer, targeted, folder, scratch)))
        spent = self.targeted.counts.since(before)
        self.spent_on_fit = Cost(time.perf_counter() - began, spent.predictions, spent.pullbacks)
        return appliers

    def _fit(self, explainer: SetExplainer, targeted: Targeted, folder: Path | None, scratch: Path | None) -> Fitted:
        if folder is not None and (folder / "done").exists():
            return explainer.fitted.load(folder)
        training = self.run.training if self.run.training is not None else self.sequences
        fitted = explainer.fit(targeted, training, self._context(training, scratch))
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            fitted.save(folder)
            (folder / "done").touch()
        return fitted

    def _context(self, sequences: Sequences, scratch: Path | None, predictions: Array | None = None) -> Context:
        before = self.done
        whole = min(len(sequences), len(self.sequences))  # there may be more on which it is fitted

        def progress(done: float, total: float) -> None:
            share = whole * done / max(total, 1)
            self.run.progress(before + share, max(len(self.sequences), 1))

        return Context(
            seed=self.provenance.seed,
            explainer=self.explainer.name,
            hashes=sequences.hashes(),
            predictions=np.empty((0, 0)) if predictions is None else predictions,
            progress=progress,
            budget=self.run.budget,
            scratch=scratch,
        )

    def _block(self, block: Sequences, apply: Appliers, scratch: Path | None) -> MotifReport:
        began, before = time.perf_counter(), self.targeted.counts.snapshot()
        # Where nothing was explained yet and a whole block fails, the model or the explainer is to blame.
        tolerant = self.explained or len(block) == 1 < len(self.sequences)
        report = run_block(
            self.targeted, block, apply, self.explainer, lambda part, y: self._context(part, scratch, y), tolerant
        )
        spent = self.targeted.counts.since(before)
        cost = Cost(time.perf_counter() - began, spent.predictions, spent.pullbacks).plus(self.spent_on_fit)
        self.spent_on_fit = Cost()  # counted with the first block
        self.explained = self.explained or len(report.sequences) > 0
        self.done += len(block)
        self.run.progress(self.done, max(len(self.sequences), 1))
        return replace(report, provenance=replace(self.provenance, cost=cost))

    def _warnings(self, report: MotifReport) -> tuple[str, ...]:
        return tuple(saturation_warnings(self.targeted, report))


def saturation_warnings(targeted: Targeted, report: MotifReport) -> Iterator[str]:
    """Yield a sentence for each target that is a probability, is explained as such, and is mostly near 0 or 1."""
    if report.predictions is None or not report.predictions.size:
        return
    for values, target, head in zip(report.predictions, targeted.targets, targeted.heads, strict=True):
        if target.transform is not None or head.scale not in ("probability", "unknown"):
            continue
        if head.scale == "unknown" and not ((values >= 0) & (values <= 1)).all():
            continue
        flat = int(((values > 1 - SATURATED) | (values < SATURATED)).sum())
        if flat:
            yield (
                f"{flat} of {len(values)} predictions of {target} lie within {SATURATED} of 0 or 1, where a "
                f"probability hardly moves whatever the sequence: explain {target}:logit instead"
            )
