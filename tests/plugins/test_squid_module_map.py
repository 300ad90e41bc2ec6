"""A torch module as the map: what it gives, and that the user's own is left as it was."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.plugins.squid_toys import Asked, simulated

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from cislens import CislensError  # noqa: E402
from cislens_squid.describing import describe  # noqa: E402
from cislens_squid.fitting import Form, Penalties  # noqa: E402
from cislens_squid.genotype import LinearMap  # noqa: E402
from cislens_squid.module_map import AT_ONCE, ModuleMap, module_map  # noqa: E402
from cislens_squid.noise import Noise  # noqa: E402
from cislens_squid.nonlinearity import Nonlinearity  # noqa: E402
from cislens_squid.surrogate import fit_surrogate  # noqa: E402

pytestmark = pytest.mark.torch
FORM = Form(Nonlinearity("tanh", True, 10), Noise("gaussian", 0), Penalties(0.0))


class Additive(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4 * width, 1)

    def forward(self, x):
        return self.linear(x.flatten(1))[:, 0]


class Deep(nn.Module):
    """Two layers, with what a careless fit would change: statistics, dropout, a parameter that is held."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(4 * width, 6), nn.BatchNorm1d(6)
        self.dropout, self.last = nn.Dropout(0.5), nn.Linear(6, 1)
        self.held = nn.Parameter(torch.tensor([0.5]), requires_grad=False)

    def forward(self, x):
        return self.last(self.dropout(torch.tanh(self.norm(self.first(x.flatten(1))))))[:, 0] + self.held


def seeded(kind, width: int):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(width)


def test_a_linear_module_gives_what_the_additive_map_gives() -> None:
    known = simulated(Asked(8, 2000, 0.2, deviation=0.05))
    linear = fit_surrogate(LinearMap(8), known.library, known.y, FORM, known.order)
    module = fit_surrogate(ModuleMap(seeded(Additive, 8)), known.library, known.y, FORM, known.order)
    assert module.quality.r2_mode == pytest.approx(linear.quality.r2_mode, abs=0.005)
    ours, theirs = (describe(one, known.library, known.y, "uniform", 10) for one in (module, linear))
    assert np.corrcoef(ours.values.ravel(), theirs.values.ravel())[0, 1] > 0.999
    assert np.polyfit(theirs.values.ravel(), ours.values.ravel(), 1)[0] == pytest.approx(1, abs=0.03)
    assert np.isnan(ours.errors).all()
    assert len(ours.interactions) == 0
    assert len(ours.curve) == len(theirs.curve)


@pytest.mark.parametrize("training", [True, False])
def test_the_users_module_is_left_as_it_was(training: bool) -> None:
    known = simulated(Asked(6, 400, 0.3, deviation=0.05))
    module = seeded(Deep, 6).train(training)
    state, generator = deepcopy(module.state_dict()), torch.random.get_rng_state()
    fit_surrogate(ModuleMap(module), known.library, known.y, replace(FORM, patience=10), known.order)
    assert module.training == training
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == state[name].dtype
        assert torch.equal(tensor, state[name])
    assert torch.equal(torch.random.get_rng_state(), generator)


def test_a_deep_module_is_fitted_from_where_it_stands_with_what_is_held() -> None:
    known = simulated(Asked(6, 800, 0.3, "pairwise", deviation=0.05, pairs=0.6))
    genotype = ModuleMap(seeded(Deep, 6))
    held = sum(p.numel() for p in seeded(Deep, 6).parameters()) - 1
    assert genotype.size == held
    design = genotype.design(known.library)
    start = nn.utils.parameters_to_vector([p for p in seeded(Deep, 6).parameters() if p.requires_grad])
    with torch.no_grad():
        x = torch.from_numpy(np.eye(4)[known.library.element(np.arange(800))])
        expected = seeded(Deep, 6).double().eval()(x)
    np.testing.assert_allclose(design.score(start.detach().double().numpy()), expected.numpy(), atol=1e-6)
    surrogate = fit_surrogate(genotype, known.library, known.y, FORM, known.order)
    additive = fit_surrogate(LinearMap(6), known.library, known.y, FORM, known.order)
    assert surrogate.quality.r2_mode > additive.quality.r2_mode


def test_pulling_back_is_the_gradient_also_in_parts(monkeypatch) -> None:
    monkeypatch.setattr("cislens_squid.module_map.AT_ONCE", 70)
    assert AT_ONCE > 70
    known = simulated(Asked(4, 200, 0.3))
    genotype = ModuleMap(seeded(Deep, 4))
    design = genotype.design(known.library)
    theta, cotangent = np.random.default_rng(1).normal(size=genotype.size), np.random.default_rng(0).normal(size=200)
    numeric, step = np.empty(genotype.size), 1e-6
    for i in range(genotype.size):
        moved = np.zeros(genotype.size)
        moved[i] = step
        numeric[i] = cotangent @ (design.score(theta + moved) - design.score(theta - moved)) / (2 * step)
    np.testing.assert_allclose(design.pull(theta, cotangent), numeric, atol=1e-6)
    rows = np.array([150, 3])
    np.testing.assert_allclose(design.take(rows).score(theta), design.score(theta)[rows])


def test_a_module_that_says_nothing_at_first_is_fitted() -> None:
    known = simulated(Asked(6, 400, 0.3, deviation=0.05))
    module = seeded(Additive, 6)
    nn.init.zeros_(module.linear.weight)
    surrogate = fit_surrogate(ModuleMap(module), known.library, known.y, FORM, known.order)
    assert np.isfinite(surrogate.latent(surrogate.genotype.design(known.library))).all()


def test_single_terms_of_a_module_in_backgrounds_of_its_own_are_those_in_one_frame() -> None:
    known = simulated(Asked(6, 400, 0.3, deviation=0.05))
    frames = np.random.default_rng(1).integers(0, 4, (400, 9)).astype(np.uint8)
    apart = replace(known.library, frames=frames, sites=np.arange(2, 8))
    surrogates = [
        fit_surrogate(ModuleMap(seeded(Additive, 6)), library, known.y, FORM, known.order)
        for library in (known.library, apart)
    ]
    one = describe(surrogates[0], known.library, known.y, "uniform", 0).values
    other = describe(surrogates[1], apart, known.y, "uniform", 0).values
    np.testing.assert_allclose(other[2:8], one)
    np.testing.assert_array_equal(other[[0, 1, 8]], 0)


FILE = """
from torch import nn
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(4 * width, 1)
    def forward(self, x):
        return self.linear(x.flatten(1))[:, 0]
def flat(width):
    net = nn.Sequential(nn.Flatten(), nn.Linear(4 * width, 1))
    return net
def number(width):
    return width
def fails(width):
    raise ValueError("not today")
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "maps.py").write_text(FILE)
    return str(tmp_path / "maps.py")


def test_a_map_of_a_file_begins_with_the_same_weights_and_leaves_torchs_generator_alone(file: str) -> None:
    before = torch.random.get_rng_state()
    one, other = module_map(f"{file}:Net", 5), module_map(f"{file}:Net", 5)
    for mine, theirs in zip(one.module.parameters(), other.module.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(before, torch.random.get_rng_state())
    assert one.size == 21


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "failed with AttributeError"),
        ("fails", "failed with ValueError: not today"),
        ("number", "must return a torch module, got int"),
    ],
)
def test_what_makes_no_module_is_told(file: str, name: str, sentence: str) -> None:
    with pytest.raises(CislensError, match=sentence):
        module_map(f"{file}:{name}", 5)


@pytest.mark.parametrize("text", ["nothere.py:Net", "maps.txt:Net", "additiv"])
def test_what_is_no_file_is_told_with_the_choices(text: str) -> None:
    with pytest.raises(CislensError, match="is additive, neighbour, pairwise or FILE.py:FACTORY"):
        module_map(text, 5)


def test_a_module_of_more_than_one_number_a_variant_is_told(file: str) -> None:
    known = simulated(Asked(5, 100, 0.3))
    with pytest.raises(CislensError, match=r"must give one number a variant, \(100,\), got \(100, 1\)"):
        module_map(f"{file}:flat", 5).design(known.library).score(np.zeros(21))
