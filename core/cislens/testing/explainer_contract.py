"""What every explainer promises."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cislens.context import Context
from cislens.driver import Run, explain
from cislens.errors import CapabilityError
from cislens.explainer import Explainer, SetExplainer
from cislens.oracle.base import Oracle
from cislens.report import MotifReport
from cislens.sequences import Sequences
from cislens.testing.contract import Contract, ContractViolation, require, require_close
from cislens.testing.declaration import require_declaration, require_settings_come_back
from cislens.testing.restricted import Restricted
from cislens.testing.same_report import require_same_report
from cislens.testing.toys import ConvPoolToy, Toy, bundled_linear, bundled_motif
from cislens.testing.truth import require_linear_truth, require_motif_found

# An oracle, sequences for it and what to explain of it.
Asked = tuple[Oracle, Sequences, Any]
EXAMPLES = 6  # sequences
SEED = 3


class ExplainerContract(Contract):
    """Promises of every explainer, checked on oracles with known answers.

    Parameters
    ----------
    explainer
        The explainer with the settings to check; small ones make it quick.
    oracle
        Where it needs what no toy offers, such as a native model: an oracle that has it.
    examples
        Sequences for that oracle.
    target
        What to explain of it, where it has more than one output.

    Examples
    --------
    >>> from cislens.testing import ExplainerContract
    >>> from cislens_ism import Ism
    >>> ExplainerContract(Ism()).check()
    """

    def __init__(
        self,
        explainer: Explainer,
        oracle: Oracle | None = None,
        examples: Sequences | None = None,
        target: str | None = None,
    ) -> None:
        self.explainer = explainer
        rng = np.random.default_rng(5)
        toys: tuple[Toy, ...] = (bundled_linear(), bundled_motif(), ConvPoolToy(40))
        self.toys = [(toy, toy.examples(EXAMPLES, rng)) for toy in toys if explainer.needs <= toy.capabilities]
        self.target = target
        if oracle is None:
            require(
                bool(self.toys),
                f"{self.subject} needs what no toy offers ({', '.join(sorted(explainer.needs))}): "
                "give the contract an oracle and examples",
            )
            # The one with most inside, so that what an explainer asks of the inside is asked for.
            oracle, examples = self.toys[-1]
            self.target = "either" if isinstance(oracle, ConvPoolToy) else None
        assert examples is not None
        self.oracle, self.examples = oracle, examples

    @property
    def subject(self) -> str:
        """The explainer's name."""
        return str(getattr(self.explainer, "name", type(self.explainer).__name__))

    def promises(self) -> list[Callable[[], None]]:
        """Return the checks that apply to such an explainer."""
        checks: list[Callable[[], None]] = [
            self.check_declaration,
            self.check_settings,
            self.check_refusal,
            self.check_needs,
            self.check_emits,
            self.check_cost,
            self.check_seed,
            self.check_input_left_alone,
            self.check_unknown_bases,
            self.check_save,
        ]
        if self.explainer.scope == "sequence":
            checks += [self.check_order, self.check_neighbours]
        if isinstance(self.explainer, SetExplainer):
            checks.append(self.check_fitted)
        if any(isinstance(toy, ConvPoolToy) for toy, _ in self.toys) and "attributions" in self.explainer.emits:
            checks.append(self.check_several_targets)
        if self.toys and self.explainer.scope != "model" and {"attributions", "masks"} & set(self.explainer.emits):
            checks.append(self.check_truth)
        return checks

    def run(self, oracle: Oracle | None = None, examples: Sequences | None = None, **options: Any) -> MotifReport:
        """Return the explainer's report on an oracle, the contract's own by default, as the driver makes it."""
        target = options.pop("target", self.target if oracle is None or oracle.heads == self.oracle.heads else None)
        return explain(
            oracle or self.oracle,
            examples if examples is not None else self.examples,
            self.explainer,
            target,
            options.pop("seed", SEED),
            Run(**options),
        )

    def check_declaration(self) -> None:
        """Check that it is a frozen dataclass that says what it is, with help for each setting."""
        require_declaration(self.explainer)

    def check_settings(self) -> None:
        """Check that its settings come back from text and from JSON."""
        require_settings_come_back(self.explainer)

    # ---- what it asks for --------------------------------------------------------------------------------

    def check_refusal(self) -> None:
        """Check that an oracle without a capability that it needs is refused by its name."""
        for need in sorted(self.explainer.needs - {"predict"}):
            lacking = Restricted(self.oracle, self.explainer.needs - {need})
            try:
                self.run(lacking)
            except CapabilityError as error:
                require(need in str(error), f"{self.subject}: expected {need!r} named in the refusal, got: {error}")
                continue
            raise ContractViolation(f"{self.subject}: expected a refusal of {lacking.name} without {need!r}, got none")

    def check_needs(self) -> None:
        """Check that it does with the capabilities that it declares."""
        require_same_report(
            self.run(Restricted(self.oracle, self.explainer.needs)),
            self.run(),
            f"{self.subject} on {self.oracle.name} with nothing but what it needs",
        )

    def check_cost(self) -> None:
        """Check that the cost it states is the cost that is counted."""
        for oracle, examples, targets in self._asked():
            report = self.run(oracle, examples, target=targets)
            n, t = len(report.sequences), 1 if isinstance(targets, str) or targets is None else len(targets)
            at_once = self.explainer.many_targets
            rounds = 1 if at_once else t
            predictions, pullbacks = self.explainer.cost(n, examples.length, t if at_once else 1)
            expected = (predictions * rounds, pullbacks * rounds)
            came = (report.provenance.cost.predictions - n, report.provenance.cost.pullbacks)
            require(
                came == expected,
                f"{self.subject} on {oracle.name}: stated a cost of {expected} predictions and pullbacks for {n} "
                f"sequences of {examples.length} bp and {t} target{'s' if t > 1 else ''}, but asked {came}",
            )

    def _asked(self) -> list[Asked]:
        listed: list[Asked] = [(self.oracle, self.examples, self.target)]
        for toy, examples in self.toys:
            listed.append((toy, examples, ["together", "either"] if isinstance(toy, ConvPoolToy) else None))
        return listed

    # ---- what comes --------------------------------------------------------------------------------------

    def check_emits(self) -> None:
        """Check that it gives what it declares, finite throughout."""
        came: set[str] = set()
        for oracle, examples, target in self._asked():
            report = self.run(oracle, examples, target=target)
            came |= set(report.emits)
            require(
                not report.dropped,
                f"{self.subject} on {oracle.name}: expected a report of every sequence, got "
                f"{report.dropped[0].reason if report.dropped else ''}",
            )
            for part in (report.attributions, report.masks):
                require(
                    part is None or bool(np.isfinite(part.values).all()),
                    f"{self.subject} on {oracle.name}: expected finite maps, got NaN or infinity",
                )
        require(
            came == set(self.explainer.fills),
            f"{self.subject}: expected {', '.join(self.explainer.fills)} as declared, got {', '.join(sorted(came))}",
        )

    def check_seed(self) -> None:
        """Check that the same seed gives the same report."""
        require_same_report(self.run(), self.run(), f"{self.subject} on {self.oracle.name} run again", exactly=True)

    def check_order(self) -> None:
        """Check that the order of the sequences does not change their maps."""
        shuffled = np.random.default_rng(1).permutation(len(self.examples))
        every = slice(None)  # tables and motifs, which keep their own order, are left out of both
        require_same_report(
            self.run(examples=self.examples.take(shuffled)).take(every),
            self.run().take(shuffled),
            f"{self.subject} on {self.oracle.name} with its sequences in another order",
        )

    def check_neighbours(self) -> None:
        """Check that neither neighbours nor the size of blocks change a map."""
        whole = self.run()
        alone = self.run(examples=self.examples.take(slice(1, 2)))
        every = slice(None)  # tables and motifs of blocks are left out, as of the whole
        what = f"{self.subject} on {self.oracle.name}"
        require_same_report(alone.take(every), whole.take(slice(1, 2)), f"{what} with one sequence alone")
        require_same_report(self.run(block=2).take(every), whole.take(every), f"{what} in blocks of two")

    def check_input_left_alone(self) -> None:
        """Check that sequences, model and global random state are left as they were."""
        onehot, fingerprint = self.examples.onehot.copy(), self.oracle._fingerprint()
        state = global_random_state()
        report = self.run()
        what = f"{self.subject} on {self.oracle.name}"
        # The driver hands out copies, which the report holds.
        explained = onehot if self.explainer.scope == "model" else report.sequences.onehot
        same = np.array_equal(self.examples.onehot, onehot) and np.array_equal(explained, onehot)
        require(same, f"{what}: expected the sequences left as they were, got them changed")
        require(
            self.oracle._fingerprint() == fingerprint,
            f"{what}: expected the model left as it was, got another fingerprint",
        )
        require(
            global_random_state() == state,
            f"{what}: expected random numbers from context.rng alone, got a global generator moved",
        )

    def check_unknown_bases(self) -> None:
        """Check that N is explained with nothing, and stops nothing."""
        onehot = self.examples.onehot.copy()
        onehot[:, :3] = 0
        report = self.run(examples=Sequences.from_onehot(onehot))
        what = f"{self.subject} on {self.oracle.name} with N in its sequences"
        failed = report.dropped[0].reason if report.dropped else ""
        require(not report.dropped, f"{what}: expected a report, got {failed}")
        if report.attributions is not None and self.explainer.scope != "model":
            at_unknown = np.abs(report.projected()[:, :, :3])
            require(
                not at_unknown.any(),
                f"{what}: expected projected maps of 0 where N stands, got up to {at_unknown.max():.3g}",
            )

    def check_several_targets(self) -> None:
        """Check that several targets are explained as each is alone."""
        toy, examples = next((toy, examples) for toy, examples in self.toys if isinstance(toy, ConvPoolToy))
        both = self.run(toy, examples, target=["together", "either"])
        for t, target in enumerate(("together", "either")):
            alone = self.run(toy, examples, target=target)
            if both.attributions is None or alone.attributions is None:
                raise ContractViolation(f"{self.subject} on {toy.name}: expected maps of two targets, got none")
            require_close(
                both.attributions.values[t : t + 1],
                alone.attributions.values,
                f"{self.subject} on {toy.name}, map of {target} explained as one of two",
            )

    # ---- what is kept ------------------------------------------------------------------------------------

    def check_save(self) -> None:
        """Check that its report comes back from a file."""
        report = self.run()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "report.zarr"
            report.save(path)
            back = MotifReport.load(path)
        require_same_report(back, report, f"{self.subject}'s report read back", exactly=True)
        came, expected = (json.dumps(r.provenance.to_json(), sort_keys=True) for r in (back, report))
        require(came == expected, f"{self.subject}: expected the provenance {expected} back from a file, got {came}")

    def check_fitted(self) -> None:
        """Check that what it learned comes back from a folder and explains as before."""
        assert isinstance(self.explainer, SetExplainer)
        oracle = self.oracle.select(self.target or [])
        context = Context(SEED, self.subject, self.examples.hashes(), oracle.predict(self.examples.onehot))
        fitted = self.explainer.fit(oracle, self.examples, context)
        with TemporaryDirectory() as folder:
            fitted.save(Path(folder))
            files = [path.suffix for path in Path(folder).rglob("*") if path.is_file()]
            require(
                set(files) <= {".safetensors", ".json"},
                f"{self.subject}: expected what it learned as safetensors and JSON, got {sorted(set(files))}",
            )
            back = self.explainer.fitted.load(Path(folder))
        require_same_report(
            back.run(oracle, self.examples, context),
            fitted.run(oracle, self.examples, context),
            f"{self.subject} with what it learned read back",
        )

    # ---- whether it is right -----------------------------------------------------------------------------

    def check_truth(self) -> None:
        """Check that maps have the right sign on the linear toy and lie on the motif of the motif toy."""
        linear, motif = bundled_linear(), bundled_motif()
        for toy, examples in self.toys:
            if isinstance(toy, ConvPoolToy):
                continue
            report = self.run(toy, examples, target=None)
            if toy.name == linear.name and report.attributions is not None:
                require_linear_truth(report, linear, self.subject)
            if toy.name == motif.name:
                require_motif_found(report, motif, self.subject)


def global_random_state() -> tuple[object, ...]:
    """Return the state of the global generators of Python and numpy, which nobody should touch."""
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return (random.getstate(), state["key"].tobytes(), state["pos"])
