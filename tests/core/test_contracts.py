"""Each promise of the contracts is broken once, to see that the contract notices and says so in one sentence."""

from __future__ import annotations

import dataclasses
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from cislens import (
    Attributions,
    Explainer,
    Fitted,
    FunctionOracle,
    Masks,
    MotifReport,
    OracleOptions,
    SetExplainer,
    Validity,
    setting,
)
from cislens.testing import (
    ContractViolation,
    ConvPoolToy,
    ExplainerContract,
    LinearToy,
    MotifToy,
    OracleContract,
    Restricted,
    bundled_toys,
)
from cislens_gradients import Saliency
from cislens_ism import Ism

RNG = np.random.default_rng(8)
TOY = ConvPoolToy(40)
EXAMPLES = TOY.examples(9, RNG)


def violations(contract) -> dict[str, str]:
    """The promises that a contract finds broken, each with its sentence."""
    broken = {}
    for check in contract.checks():
        try:
            check()
        except ContractViolation as violation:
            broken[check.name] = str(violation)
    return broken


def assert_one_broken(contract, promise: str, sentence: str) -> None:
    broken = violations(contract)
    found = [text for name, text in broken.items() if promise in name]
    assert len(found) == 1, broken
    assert sentence in found[0]
    assert "\n" not in found[0]


# ---- oracles ------------------------------------------------------------------------------------------------


class LinearFrom(LinearToy):
    """A linear toy whose parts are replaced, to break it."""

    def __init__(self, **kwargs) -> None:
        super().__init__(np.random.default_rng(0).normal(size=(12, 4)), **kwargs)


class WrongSign(LinearFrom):
    def _linearize(self, x):
        outputs, pullback = super()._linearize(x)
        return outputs, lambda cotangent: -pullback(cotangent)


class WrongBases(LinearFrom):
    def _linearize(self, x):
        outputs, pullback = super()._linearize(x)
        return outputs, lambda cotangent: pullback(cotangent)[..., ::-1]


class WrongSubstitutions(LinearFrom):
    def _substitutions(self, x, sites):
        wild = (x * self.matrix).sum()
        return {"value": wild + self.matrix[sites[:, 0], sites[:, 1]]}  # the base that was there is not taken away


class SpentPullback(LinearFrom):
    def _linearize(self, x):
        outputs, pullback = super()._linearize(x)
        calls = []

        def once(cotangent):
            calls.append(1)
            return pullback(cotangent) * (len(calls) == 1)

        return outputs, once


class OtherAnswers(LinearFrom):
    def _linearize(self, x):
        outputs, pullback = super()._linearize(x)
        return {"value": outputs["value"] + 0.1}, pullback


class BatchNormalised(LinearFrom):
    def _predict(self, x):
        value = super()._predict(x)["value"]
        return {"value": value - value.mean()}


class OnlyIntegers(LinearFrom):
    def _predict(self, x):
        whole = (x == x.round()).all()
        return {"value": super()._predict(x)["value"] if whole else np.full(len(x), np.nan)}


class Training(LinearFrom):
    """Changes a little with every use, as a model left in training mode does."""

    def _predict(self, x):
        self.matrix = self.matrix * (1 + 1e-3)
        return super()._predict(x)


class Silent(LinearFrom):
    unavailable = " "


class Lying(LinearFrom):
    def layers(self):
        return ()


def linear_contract(oracle) -> OracleContract:
    return OracleContract(oracle, LinearFrom().examples(9, np.random.default_rng(1)))


@pytest.mark.parametrize(
    ("oracle", "promise", "sentence"),
    [
        (WrongSign(), "finite differences", "expected a pullback within 0.0001 of finite differences, got"),
        (WrongBases(), "finite differences", "linear toy: expected a pullback"),
        (WrongSubstitutions(), "single substitutions", "head 'value' of single substitutions"),
        (SpentPullback(), "may be called again", "pullback called again"),
        (OtherAnswers(), "linearize answers as predict does", "head 'value' of linearize"),
        (BatchNormalised(), "batch sizes 1, 7 and 512", "head 'value' at batch size 1"),
        (OnlyIntegers(), "rows between bases", "must be finite"),
        (Training(), "left as it was found", "expected the same weights after it was used"),
        (Silent(), "refused with its reason", "expected a reason why 'layers' is missing, got none"),
        (Lying(), "refused with its reason", "expected a CapabilityError for 'layers', got an answer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LinearToy) else "",
)
def test_a_broken_oracle_is_told_what_it_broke(oracle, promise, sentence) -> None:
    assert_one_broken(linear_contract(oracle), promise, sentence)


def test_an_oracle_that_answers_unlike_its_native_model_is_told_so() -> None:
    native = LinearFrom()._predict
    right = OracleContract(LinearFrom(), LinearFrom().examples(4, RNG), lambda x: native(x.astype(float))["value"])
    assert violations(right) == {}
    wrong = OracleContract(LinearFrom(), LinearFrom().examples(4, RNG), lambda x: native(x)["value"] * 1.001)
    assert_one_broken(wrong, "the native model's", "of native, got")
    reshaped = OracleContract(LinearFrom(), LinearFrom().examples(4, RNG), lambda x: native(x)["value"][:, None])
    assert_one_broken(reshaped, "the native model's", "of the native shape (4, 1), got (4,)")


def test_an_oracle_that_does_not_count_is_told_so() -> None:
    class Uncounted(LinearFrom):
        def _predict(self, x):
            self.counts.predictions -= 1
            return super()._predict(x)

    assert_one_broken(linear_contract(Uncounted()), "counted once", "predictions and pullbacks counted, got")


class Unsorted(ConvPoolToy):
    def _layers(self):
        return super()._layers()[::-1]


class Misnamed(ConvPoolToy):
    def _layers(self):
        return tuple(dataclasses.replace(layer, units=7) for layer in super()._layers())


class NoRelu(ConvPoolToy):
    def _activations(self, x, layer, pre):
        return super()._activations(x, layer, True)


class KerasKernels(ConvPoolToy):
    def _weights(self, layer):
        return {name: array.T for name, array in super()._weights(layer).items()}


class WrongPart(ConvPoolToy):
    def _subnetwork(self, layer):
        part = super()._subnetwork(layer)
        part.whole = ConvPoolToy(40, {**TOY.arrays, "conv1": TOY.arrays["conv1"] | {"bias": np.zeros(2)}})
        return part


class Unheld(ConvPoolToy):
    def _intervene(self, edits):
        return ConvPoolToy(40)


class HeldForGood(ConvPoolToy):
    def _intervene(self, edits):
        self.edits = edits
        return ConvPoolToy(40, edits=edits)


class Redrawn(ConvPoolToy):
    def _randomised(self, layer, rng):
        return ConvPoolToy(40, {**self.arrays, layer.name: {"kernel": rng.normal(size=(2, 7, 4)), "bias": np.ones(2)}})


class Unshuffled(ConvPoolToy):
    def _randomised(self, layer, rng):
        return ConvPoolToy(40)


@pytest.mark.parametrize(
    ("kind", "promise", "sentence"),
    [
        (Unsorted, "topological order", "expected layer 'output' after its inputs, got 'top' later or never"),
        (Misnamed, "activations have a layer's units last", "expected 7 units last in 'sequence'"),
        (NoRelu, "activations have a layer's units last", "'conv1' after its ReLU"),
        (KerasKernels, "give kernels", "expected a kernel of 'conv1' that starts with (2, 7), got (4, 7, 2)"),
        (WrongPart, "subnetwork", "subnetwork of 'conv1'"),
        (Unheld, "intervention", "unit 0 of 'conv1' held at 0.75"),
        (HeldForGood, "intervention", "head 'expression' of the model after intervene"),
        (Redrawn, "randomising", "sorted kernel of 'conv1' after randomised"),
        (Unshuffled, "randomising", "expected another kernel of 'conv1' after randomised"),
    ],
)
def test_an_oracle_with_a_broken_inside_is_told_what_it_broke(kind, promise, sentence) -> None:
    assert_one_broken(OracleContract(kind(40), EXAMPLES), promise, sentence)


def test_logits_that_are_not_those_of_the_probability_are_told_so() -> None:
    class Halved(MotifToy):
        def _logits(self, heads):
            return MotifToy(self.pwm, 40, self.pool, "linear", self.midpoint, self.slope / 2)

    toy = Halved(bundled_toys()[1].pwm, 40, midpoint=8.0, slope=0.3)
    assert_one_broken(OracleContract(toy, toy.examples(4, RNG)), "sigmoid of its logits", "sigmoid of the logits of")


def test_a_plain_function_keeps_the_contract_with_its_predictions_alone() -> None:
    def gc(x):
        return x[:, :, 1:3].sum((1, 2))

    oracle = FunctionOracle(gc, OracleOptions(length=40), name="gc")
    assert violations(OracleContract(oracle, EXAMPLES, lambda x: gc(x.astype(np.float32)))) == {}


def test_a_restricted_oracle_offers_what_is_allowed_and_no_more() -> None:
    assert Restricted(TOY, {"linearize", "layers"}).capabilities == {"predict", "linearize", "layers"}
    assert Restricted(TOY, {"logits"}).capabilities == {"predict"}  # which the toy has not got
    assert violations(OracleContract(Restricted(TOY, TOY.capabilities), EXAMPLES)) == {}


def test_one_example_is_too_few_to_check_on() -> None:
    with pytest.raises(ContractViolation, match="at least 2 examples"):
        OracleContract(TOY, EXAMPLES.take(slice(0, 1)))


# ---- explainers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain(Explainer):
    """Take the gradient, corrected; a base for what is broken below."""

    name: ClassVar[str] = "plain"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})
    references: ClassVar[tuple[str, ...]] = ("10.1000/xyz",)
    many_targets: ClassVar[bool] = True
    rounds: int = setting(1, "how often")

    def values(self, oracle, sequences, context):
        _, gradient = oracle.gradient(sequences.onehot)
        return gradient - gradient.mean(-1, keepdims=True)

    def run(self, oracle, sequences, context):
        return MotifReport(sequences, attributions=Attributions(self.values(oracle, sequences, context)))

    def cost(self, n, length, targets):
        return n, n * targets


def test_what_keeps_its_promises_passes() -> None:
    ExplainerContract(Plain()).check()


class Loose(Plain):
    """Not a dataclass of its own."""


@dataclass(frozen=True)
class CamelCase(Plain):
    """Have a wrong name."""

    name: ClassVar[str] = "CamelCase"


@dataclass(frozen=True)
class Undocumented(Plain):
    name: ClassVar[str] = "undocumented"


@dataclass(frozen=True)
class Unreferenced(Plain):
    """Name no paper."""

    references: ClassVar[tuple[str, ...]] = ("Smith et al.",)


@dataclass(frozen=True)
class Unhelpful(Plain):
    """Have a setting that nobody explains."""

    level: int = 3


@dataclass(frozen=True)
class Needy(Plain):
    """Need what there is not."""

    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize", "telepathy"})


@dataclass(frozen=True)
class Vague(Plain):
    """Emit what no report holds."""

    emits: ClassVar[tuple[str, ...]] = ("attributions", "feelings")


@pytest.mark.parametrize(
    ("explainer", "sentence"),
    [
        (Loose(), "Loose must be declared with @dataclass(frozen=True)"),
        (CamelCase(), "the name of CamelCase must be in snake_case, got 'CamelCase'"),
        (Undocumented(), "undocumented must have a docstring"),
        (Unreferenced(), "references as DOIs"),
        (Unhelpful(), "setting level must have help, got none"),
        (Vague(), "what plain emits must be among attributions, masks"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Explainer) else "",
)
def test_a_broken_declaration_is_told_what_is_missing(explainer, sentence) -> None:
    assert_one_broken(ExplainerContract(explainer), "frozen dataclass", sentence)


def test_a_need_that_nothing_offers_asks_for_an_oracle_and_is_told_unknown() -> None:
    with pytest.raises(ContractViolation, match=r"what no toy offers \(.*telepathy\): give the contract an oracle"):
        ExplainerContract(Needy())
    assert_one_broken(ExplainerContract(Needy(), TOY, EXAMPLES, "either"), "frozen dataclass", "got telepathy")


@dataclass(frozen=True)
class Forgetful(Plain):
    """Change a setting behind the user's back."""

    def __post_init__(self):
        object.__setattr__(self, "rounds", self.rounds + 1)


@dataclass(frozen=True)
class Sly(Plain):
    """Ask for gradients without saying so."""

    needs: ClassVar[frozenset[str]] = frozenset({"predict"})


@dataclass(frozen=True)
class Cheap(Plain):
    """State half the cost."""

    def cost(self, n, length, targets):
        return n, 0


@dataclass(frozen=True)
class Secretive(Plain):
    """Give masks that were not declared."""

    def run(self, oracle, sequences, context):
        report = super().run(oracle, sequences, context)
        return dataclasses.replace(report, masks=Masks(np.zeros((1, *sequences.onehot.shape[:2])), "necessary"))


@dataclass(frozen=True)
class Stingy(Plain):
    """Declare masks that never come."""

    emits: ClassVar[tuple[str, ...]] = ("attributions", "masks")


@dataclass(frozen=True)
class Infinite(Plain):
    """Divide by zero."""

    def values(self, oracle, sequences, context):
        return np.full_like(super().values(oracle, sequences, context), np.inf)


@dataclass(frozen=True)
class Fickle(Plain):
    """Draw from a generator that no seed set."""

    def values(self, oracle, sequences, context):
        return super().values(oracle, sequences, context) + np.random.default_rng().normal()


@dataclass(frozen=True)
class GlobalNoise(Plain):
    """Draw from the global generator."""

    def values(self, oracle, sequences, context):
        return super().values(oracle, sequences, context) + 0 * random.random()


@dataclass(frozen=True)
class OrderBound(Plain):
    """Draw from one stream for all sequences."""

    def values(self, oracle, sequences, context):
        values = super().values(oracle, sequences, context)
        return values + np.random.default_rng(context.seed).normal(0, 0.01, values.shape)


@dataclass(frozen=True)
class Neighbourly(Plain):
    """Scale by the loudest of the block."""

    def values(self, oracle, sequences, context):
        values = super().values(oracle, sequences, context)
        return values / (np.abs(values).max() + len(sequences))


@dataclass(frozen=True)
class Scribbler(Plain):
    """Write into the sequences."""

    def run(self, oracle, sequences, context):
        report = super().run(oracle, sequences, context)
        sequences.onehot[:] = sequences.onehot[..., ::-1]
        return report


@dataclass(frozen=True)
class Trainer(Plain):
    """Train the model a little more."""

    def values(self, oracle, sequences, context):
        whole = getattr(oracle.oracle, "oracle", oracle.oracle)
        if isinstance(whole, ConvPoolToy):
            whole.arrays["output"]["bias"] += 1e-9
        return super().values(oracle, sequences, context)


@dataclass(frozen=True)
class NameDropper(Plain):
    """Give N a share."""

    def run(self, oracle, sequences, context):
        values = self.values(oracle, sequences, context)
        return MotifReport(sequences, attributions=Attributions(values + 1, hypothetical=False))


@dataclass(frozen=True)
class Strict(Plain):
    """Fail on N."""

    def run(self, oracle, sequences, context):
        if not sequences.onehot.any(-1).all():
            raise ValueError("no N, please")
        return super().run(oracle, sequences, context)


@dataclass(frozen=True)
class FirstTarget(Plain):
    """Explain the first target for all."""

    def values(self, oracle, sequences, context):
        values = super().values(oracle, sequences, context)
        return np.broadcast_to(values[:1], values.shape)


@dataclass(frozen=True)
class UpsideDown(Plain):
    """Have the wrong sign."""

    def values(self, oracle, sequences, context):
        return -super().values(oracle, sequences, context)


@dataclass(frozen=True)
class Shifted(Plain):
    """Be off by half the sequence."""

    def values(self, oracle, sequences, context):
        return np.roll(super().values(oracle, sequences, context), sequences.length // 2, axis=2)


@dataclass(frozen=True)
class Everywhere(Plain):
    """Spread the map over the whole sequence."""

    def values(self, oracle, sequences, context):
        values = super().values(oracle, sequences, context)
        if oracle.name.startswith("linear"):
            return values
        return values + np.abs(values).max() * sequences.onehot


@pytest.mark.parametrize(
    ("explainer", "promise", "sentence"),
    [
        (Forgetful(), "settings come back", "back from the text 'rounds=2', got"),
        (Sly(), "capabilities that it declares", "must offer 'linearize'"),
        (Cheap(), "cost it states", "stated a cost of (6, 0) predictions and pullbacks for 6 sequences of 40 bp"),
        (Secretive(), "gives what it declares", "masks, which its `emits` does not declare"),
        (Stingy(), "gives what it declares", "expected attributions, masks as declared, got attributions"),
        (Infinite(), "gives what it declares", "expected finite maps"),
        (Fickle(), "same seed", "run again: expected the same attributions bit by bit"),
        (GlobalNoise(), "left as they were", "got a global generator moved"),
        (OrderBound(), "order of the sequences", "with its sequences in another order, attributions"),
        (Neighbourly(), "neither neighbours", "with one sequence alone, attributions"),
        (Scribbler(), "left as they were", "expected the sequences left as they were"),
        (Trainer(), "left as they were", "expected the model left as it was, got another fingerprint"),
        (NameDropper(), "N is explained with nothing", "projected maps of 0 where N stands"),
        (Strict(), "N is explained with nothing", "no N, please"),
        (FirstTarget(), "several targets", "map of either explained as one of two"),
        (UpsideDown(), "right sign", "plain on the linear toy: expected maps that correlate"),
        (Shifted(), "right sign", "linear toy"),
        (Everywhere(), "right sign", "plain on the motif toy (max, sigmoid): expected more than 0.5"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Explainer) else "",
)
def test_a_broken_explainer_is_told_what_it_broke(explainer, promise, sentence) -> None:
    assert_one_broken(ExplainerContract(explainer), promise, sentence)


@dataclass(frozen=True)
class Blocked(Plain):
    """Depend on how sequences are cut into blocks, though not on neighbours."""

    def values(self, oracle, sequences, context):
        values = super().values(oracle, sequences, context)
        return values * (1 + (len(sequences) == 2))


def test_an_explainer_that_depends_on_the_block_is_told_so() -> None:
    assert_one_broken(ExplainerContract(Blocked()), "neither neighbours", "in blocks of two")


@dataclass(frozen=True)
class BlankMask(Explainer):
    """Mask nothing, or everything but the motif."""

    name: ClassVar[str] = "blank_mask"
    emits: ClassVar[tuple[str, ...]] = ("masks",)
    references: ClassVar[tuple[str, ...]] = ("10.1000/xyz",)
    on_motif: bool = setting(True, "whether it does")

    def run(self, oracle, sequences, context):
        mask = np.zeros((1, *sequences.onehot.shape[:2]))
        if isinstance(oracle.oracle, MotifToy):
            for row, (start, end) in zip(mask[0], oracle.oracle.sites(sequences), strict=True):
                row[start:end] = 1
        return MotifReport(sequences, masks=Masks(mask if self.on_motif else 1 - mask, "sufficient"))

    def cost(self, n, length, targets):
        return 0, 0


def test_masks_must_lie_on_the_motif() -> None:
    assert violations(ExplainerContract(BlankMask())) == {}
    assert_one_broken(
        ExplainerContract(BlankMask(on_motif=False)), "right sign", "expected a mask larger on the planted"
    )


# ---- explainers that are fitted -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Means(Fitted):
    maps: np.ndarray

    def run(self, oracle, sequences, context):
        values = np.repeat(self.maps[:, None], len(sequences), axis=1)
        measures = {"share": np.ones(values.shape[:2])}
        return MotifReport(sequences, attributions=Attributions(values), validity=Validity(measures))

    def save(self, folder: Path) -> None:
        (folder / "means.json").write_text(json.dumps(self.maps.tolist()))

    @classmethod
    def load(cls, folder: Path) -> Means:
        return cls(np.array(json.loads((folder / "means.json").read_text())))


@dataclass(frozen=True)
class MeanGradient(SetExplainer):
    """Give every sequence the mean gradient of the training set."""

    name: ClassVar[str] = "mean_gradient"
    needs: ClassVar[frozenset[str]] = frozenset({"predict", "linearize"})
    references: ClassVar[tuple[str, ...]] = ("10.1000/xyz",)
    fitted: ClassVar[type[Fitted]] = Means

    def fit(self, oracle, training, context):
        _, gradient = oracle.gradient(training.onehot)
        return self.fitted(gradient.mean(1))

    def cost(self, n, length, targets):
        return n, n * targets


@dataclass(frozen=True)
class Pickled(Means):
    def save(self, folder: Path) -> None:
        (folder / "means.pkl").write_bytes(b"")


@dataclass(frozen=True)
class Lossy(Means):
    def save(self, folder: Path) -> None:
        (folder / "means.json").write_text(json.dumps((self.maps * 0).tolist()))


def test_a_fitted_explainer_is_checked_as_one() -> None:
    names = [check.name for check in ExplainerContract(MeanGradient()).checks()]
    assert "what it learned comes back from a folder and explains as before" in names
    assert not any("order of the sequences" in name for name in names)
    # A mean over a set knows nothing of where each motif lies: the only promise that it breaks.
    broken = violations(ExplainerContract(MeanGradient()))
    assert set(broken) <= {
        "maps have the right sign on the linear toy and lie on the motif of the motif toy",
    }, broken


@pytest.mark.parametrize(
    ("kind", "sentence"), [(Pickled, "as safetensors and JSON, got ['.pkl']"), (Lossy, "what it learned read back")]
)
def test_what_is_learned_must_come_back_without_pickle(kind, sentence) -> None:
    @dataclass(frozen=True)
    class Broken(MeanGradient):
        """Save badly."""

        fitted: ClassVar[type[Fitted]] = kind

    assert_one_broken(ExplainerContract(Broken()), "what it learned", sentence)


def test_what_fails_on_the_way_is_a_sentence_too() -> None:
    @dataclass(frozen=True)
    class Failing(Plain):
        """Fail."""

        def run(self, oracle, sequences, context):
            raise ZeroDivisionError("oh")

    assert_one_broken(ExplainerContract(Failing()), "same seed", "but it failed with ZeroDivisionError: oh")


@pytest.mark.parametrize("explainer", [Ism(), Saliency(correct=False)], ids=lambda e: e.name)
def test_the_claims_about_truth_hold_in_any_gauge(explainer) -> None:
    checks = {check.name: check for check in ExplainerContract(explainer).checks()}
    checks["maps have the right sign on the linear toy and lie on the motif of the motif toy"]()
