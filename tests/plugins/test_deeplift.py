from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tangermeme")

from torch import nn  # noqa: E402

from cislens import CislensError, Run, Sequences, explain, open_oracle  # noqa: E402
from cislens.backgrounds import parse_background  # noqa: E402
from cislens.context import stream  # noqa: E402
from cislens.testing import ConvPoolToy, ExplainerContract  # noqa: E402
from cislens_deeplift import DeepLiftShap, admission  # noqa: E402

pytestmark = pytest.mark.torch
LENGTH = 24
RNG = np.random.default_rng(7)


def random_sequences(n: int = 4, length: int = LENGTH) -> Sequences:
    return Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(2).integers(0, 4, (n, length))])


SEQUENCES = random_sequences()


def seeded(module: nn.Module) -> nn.Module:
    """Return a module with weights and batch statistics from a seed, torch's own generator left alone."""
    rng = np.random.default_rng(3)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point():
                values = rng.normal(scale=0.5, size=tuple(tensor.shape))
                tensor.copy_(torch.from_numpy(np.abs(values) + 0.5 if "running_var" in name else values))
    return module


def delta(report) -> float:
    return float(np.abs(report.validity.measures["convergence delta"]).max())


def references(x, number: int, seed: int = 0) -> np.ndarray:
    """Return the references that a run draws for one sequence (1, length, 4)."""
    rng = stream(seed, "deeplift_shap", Sequences.from_onehot(x).hashes()[0])
    return parse_background("dinucleotide").sample(x, number, rng)[0].astype(np.float64)


# ---- the contract ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ExplainerContract(DeepLiftShap(shuffles=6)).checks(), ids=str)
def test_deeplift_keeps_the_promises_of_an_explainer_on_a_toy_without_torch(check) -> None:
    check()


CONVOLUTIONAL = nn.Sequential(
    *(nn.Conv1d(4, 6, 5), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(60, 2))
)
CONTRACT = ExplainerContract(
    DeepLiftShap(shuffles=6), open_oracle(seeded(CONVOLUTIONAL), length=LENGTH), SEQUENCES, target="1"
)


@pytest.mark.parametrize("check", CONTRACT.checks(), ids=str)
def test_deeplift_keeps_the_promises_of_an_explainer_on_a_torch_module(check) -> None:
    check()


# ---- where the answer is known ---------------------------------------------------------------------------


def test_contributions_of_a_linear_model_are_its_weights_less_what_they_give_the_references() -> None:
    model = seeded(nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1)))
    report = explain(open_oracle(model, layout="4,length", length=LENGTH), SEQUENCES, DeepLiftShap())
    weights = model[1].weight.detach().numpy().reshape(4, LENGTH).T.astype(np.float64)
    for i, x in enumerate(SEQUENCES.onehot):
        mean = references(x[None], 20).mean(0)
        expected = weights - (mean * weights).sum(-1, keepdims=True)
        np.testing.assert_allclose(report.attributions.values[0, i], expected, atol=1e-6)
    assert delta(report) < 1e-5
    assert report.attributions.gauge == "reference"


def rescaled(x, reference, first, bias, second) -> np.ndarray:
    """Return the hypothetical contributions of second . relu(first x + bias) by the rescale rule, in float64.

    Where a unit's input is the same for both, its gradient stands in for the ratio of differences.
    """
    flat, flat_reference = (a.T.reshape(-1).astype(np.float64) for a in (x, reference))
    at, at_reference = first @ flat + bias, first @ flat_reference + bias
    change = at - at_reference
    same = np.abs(change) < 1e-6
    ratio = (np.maximum(at, 0) - np.maximum(at_reference, 0)) / np.where(same, 1, change)
    multipliers = (second * np.where(same, at > 0, ratio)) @ first
    slopes = multipliers.reshape(4, -1).T
    return slopes - (slopes * reference).sum(-1, keepdims=True)


def test_contributions_of_a_perceptron_are_those_of_the_rescale_rule_by_hand() -> None:
    model = seeded(nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 16), nn.ReLU(), nn.Linear(16, 1)))
    with torch.no_grad():
        # Units that read the first position alone: a shuffle keeps the first base, so their inputs do not change.
        model[1].weight[:4].view(4, 4, LENGTH)[..., 1:] = 0
        model[1].bias[:4] = torch.tensor([3.0, -3.0, 3.0, -3.0])
    first, bias, second = (p.detach().numpy().astype(np.float64) for p in list(model.parameters())[:3])
    report = explain(open_oracle(model, layout="4,length", length=LENGTH), SEQUENCES, DeepLiftShap())
    for i, x in enumerate(SEQUENCES.onehot):
        drawn = references(x[None], 20)
        assert (drawn[:, 0] == x[0]).all()
        expected = np.mean([rescaled(x, r, first, bias, second[0]) for r in drawn], 0)
        np.testing.assert_allclose(report.attributions.values[0, i], expected, atol=2e-5)
    assert delta(report) < 1e-4


def test_a_unit_that_a_reference_shuts_gets_credit_in_proportion_to_what_moved_it() -> None:
    # relu(a - 1) with a the number of A: from 3 A down to 0 the output falls by 2, so each A is worth 2/3.
    model = nn.Sequential(nn.Conv1d(4, 1, 4), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1).expand(1, 4, 4))
        model[0].bias.fill_(-1)
    onehot = np.eye(4, dtype=np.uint8)[[[0, 0, 0, 1]]]
    oracle = open_oracle(model, layout="4,length", length=4)
    report = explain(oracle, Sequences.from_onehot(onehot), DeepLiftShap(background="frequencies:0/0/0/1"))
    np.testing.assert_allclose(report.projected()[0, 0], [2 / 3, 2 / 3, 2 / 3, 0], atol=1e-6)


def test_the_twin_of_a_numpy_network_explains_it_completely() -> None:
    toy = ConvPoolToy(40)
    report = explain(toy, toy.examples(4, RNG), DeepLiftShap(shuffles=10), ["together", "either"])
    assert delta(report) < 1e-4
    assert report.validity.summary == {"torch twin": 1}


# ---- settings and validity -------------------------------------------------------------------------------


def test_the_batch_changes_nothing_but_rounding_and_the_observed_part_is_a_projection() -> None:
    oracle = CONTRACT.oracle
    whole = explain(oracle, SEQUENCES, DeepLiftShap(), "0")
    small = explain(oracle, SEQUENCES, DeepLiftShap(batch=3), "0")
    observed = explain(oracle, SEQUENCES, DeepLiftShap(hypothetical=False), "0")
    np.testing.assert_allclose(small.attributions.values, whole.attributions.values, atol=1e-6)
    np.testing.assert_array_equal(observed.projected(), whole.projected())
    assert not observed.attributions.hypothetical


def test_references_that_answer_as_the_sequence_does_give_a_map_of_zeros_and_no_warning() -> None:
    model = nn.Sequential(nn.Conv1d(4, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * (LENGTH - 2), 1))
    same = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.zeros((1, LENGTH), int)])
    report = explain(open_oracle(seeded(model), length=LENGTH), same, DeepLiftShap())
    assert not report.projected().any()
    assert delta(report) < 1e-6
    assert not report.validity.warnings


def test_a_smaller_budget_takes_fewer_references() -> None:
    report = explain(CONTRACT.oracle, SEQUENCES, DeepLiftShap(), "0", run=Run(budget=40))
    assert report.provenance.settings["shuffles"] == 10
    with pytest.raises(CislensError, match="raise the budget"):
        explain(CONTRACT.oracle, SEQUENCES, DeepLiftShap(), "0", run=Run(budget=10))


@pytest.mark.parametrize(
    "wrong", [{"shuffles": 0}, {"batch": 0}, {"preflight": "hope"}, {"background": "nothing"}], ids=str
)
def test_a_setting_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(CislensError, match=r"must be|needs"):
        DeepLiftShap(**wrong)


# ---- targets ---------------------------------------------------------------------------------------------


class Profile(nn.Module):
    """A profile of two outputs, and a probability."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv1d(4, 6, 5), nn.ReLU())
        self.profile = nn.Conv1d(6, 2, 3)
        self.chance = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.trunk(x)
        return {"profile": self.profile(y), "chance": self.chance(y)}


TARGETS = ("profile/0:mean", "profile/1:sum", "profile/0:max", "profile/0:window=3-9:mean", "profile/0:position=4")


@pytest.mark.parametrize("target", [*TARGETS, "profile/1:counts", "chance", "chance:logit", "chance:log"])
@pytest.mark.parametrize("both_strands", [False, True])
def test_contributions_to_any_target_add_up(target: str, both_strands: bool) -> None:
    oracle = open_oracle(seeded(Profile()), length=LENGTH, scales={"profile": "log"}, reverse_complement=both_strands)
    report = explain(oracle, SEQUENCES, DeepLiftShap(), target)
    differences = report.projected().sum(-1)
    assert delta(report) < 1e-4 * max(1, np.abs(differences).max())
    assert np.abs(differences).max() > 1e-3


def test_a_contribution_score_with_its_softmax_held_fixed_is_told_not_to_add_up() -> None:
    report = explain(open_oracle(seeded(Profile()), length=LENGTH), SEQUENCES, DeepLiftShap(), "profile/0:contribution")
    assert any("contributions miss" in warning for warning in report.validity.warnings)


# ---- the model -------------------------------------------------------------------------------------------


def test_the_model_is_left_as_it_was_found() -> None:
    model = seeded(nn.Sequential(nn.Conv1d(4, 3, 5), nn.BatchNorm1d(3), nn.ReLU(), nn.Flatten(), nn.Linear(60, 1)))
    oracle = open_oracle(model, length=LENGTH)
    model.train()
    model[1].eval()
    before = [(module.training, dict(vars(module)).keys()) for module in model.modules()]
    grown = [parameter.requires_grad for parameter in model.parameters()]
    state = torch.random.get_rng_state()
    explain(oracle, SEQUENCES, DeepLiftShap(shuffles=3))
    assert [(module.training, dict(vars(module)).keys()) for module in model.modules()] == before
    assert [parameter.requires_grad for parameter in model.parameters()] == grown
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_options_of_the_input_are_followed() -> None:
    model = seeded(nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(60, 1)))
    turned = open_oracle(model, length=LENGTH, base_order="TGCA", n_value=0.25)
    onehot = SEQUENCES.onehot.copy()
    plain = explain(open_oracle(model, length=LENGTH), Sequences.from_onehot(onehot), DeepLiftShap())
    complement = Sequences.from_onehot(np.ascontiguousarray(onehot[..., ::-1]))
    report = explain(turned, complement, DeepLiftShap())
    np.testing.assert_allclose(report.predictions, plain.predictions, atol=1e-6)
    assert delta(report) < 1e-4
    onehot[:, 5:8] = 0
    with_unknown = explain(turned, Sequences.from_onehot(onehot), DeepLiftShap())
    assert delta(with_unknown) < 1e-4
    assert not with_unknown.projected()[..., 5:8].any()


# ---- a run of several blocks -----------------------------------------------------------------------------


def test_a_network_is_looked_at_once_for_each_target_of_a_run(monkeypatch) -> None:
    asked, admitted = [], admission.admitted

    def counted(targeted, length, preflight):
        asked.append(str(targeted.targets[0]))
        return admitted(targeted, length, preflight)

    monkeypatch.setattr(admission, "admitted", counted)
    explainer, oracle = DeepLiftShap(shuffles=2), open_oracle(seeded(CONVOLUTIONAL), outputs=("a", "b"), length=LENGTH)
    explain(oracle, random_sequences(6), explainer, ["a", "b"], run=Run(block=2))
    assert asked == ["output/a", "output/b"]
    explain(oracle, random_sequences(6), explainer, "a", run=Run(block=2))  # the model may be another by now
    assert asked == ["output/a", "output/b", "output/a"]


@pytest.mark.parametrize(("shuffles", "batch"), [(6, 32), (6, 6), (6, 4)])
def test_sequences_asked_together_are_given_what_each_is_given_alone(shuffles: int, batch: int) -> None:
    oracle, sequences = open_oracle(seeded(CONVOLUTIONAL), outputs=("a", "b"), length=LENGTH), random_sequences(11)
    explainer = DeepLiftShap(shuffles=shuffles, batch=batch)
    together = explain(oracle, sequences, explainer, "a")
    for i in range(len(sequences)):
        alone = explain(oracle, sequences.take(slice(i, i + 1)), explainer, "a")
        np.testing.assert_array_equal(together.attributions.values[:, i], alone.attributions.values[:, 0])
        np.testing.assert_array_equal(
            together.validity.measures["convergence delta"][:, i], alone.validity.measures["convergence delta"][:, 0]
        )
