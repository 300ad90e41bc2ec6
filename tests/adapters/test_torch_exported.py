"""Exported programs (.pt2): the answers and layers of the module that they were made from, and none of its dangers."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from tests.adapters import malicious  # noqa: E402
from tests.adapters import torch_models as models  # noqa: E402
from tests.adapters.torch_exports import MODELS, assert_same, channels_first, edited, export  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions, open_oracle  # noqa: E402
from cislens.errors import OracleError, UntrustedError  # noqa: E402
from cislens.oracle import ExtraInput  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_torch import TorchOracle  # noqa: E402

pytestmark = pytest.mark.torch


# The core operators write a recurrent layer out step by step, which takes long to export.
@pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, form)
        for name in MODELS
        for form in ("static", "dynamic", "core")
        if (name, form) != ("recurrent", "core")
    ],
)
def test_an_exported_program_answers_as_its_module_does(name: str, form: str, tmp_path: Path) -> None:
    make, inputs = MODELS[name]
    path = export(make(), (inputs(3),), tmp_path / "m.pt2", free=() if form == "static" else (0,), core=form == "core")
    oracle = open_oracle(path)
    # The states of a recurrent layer are made for the batch; other operators take any.
    assert oracle.fixed_batch == (3 if (name, form) == ("recurrent", "static") else None)
    assert oracle.length == models.LENGTH
    assert_same(oracle, make().eval())


@pytest.mark.parametrize("name", ["plain", "residual", "pooled", "units", "image"])
def test_an_exported_program_shows_the_layers_of_its_module(name: str, tmp_path: Path) -> None:
    make, inputs = MODELS[name]
    oracle, reference = open_oracle(export(make(), (inputs(2),), tmp_path / "m.pt2")), TorchOracle(make().eval())
    assert oracle.layers() == reference.layers()
    x = models.sequences(3)
    for layer in reference.layers():
        for pre in (True, False):
            found, wanted = (one.activations(x, layer.name, pre=pre) for one in (oracle, reference))
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        found, wanted = (one.weights(layer.name) for one in (oracle, reference))
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


def test_an_exported_program_is_cut_held_and_randomised_like_its_module(tmp_path: Path) -> None:
    oracle = open_oracle(export(models.plain(), (channels_first(),), tmp_path / "m.pt2", free=(0,)))
    reference = TorchOracle(models.plain().eval())
    x = models.sequences(5)
    layer = "4"
    field = reference.layer(layer).receptive_field
    ours, theirs = (one.subnetwork(layer).predict(x[:, :field])["units"] for one in (oracle, reference))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    ours, theirs = (one.intervene({layer: {2: 0.5}}).predict(x)["output"] for one in (oracle, reference))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    ours, theirs = (one.randomised(layer, np.random.default_rng(3)).predict(x)["output"] for one in (oracle, reference))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_final_sigmoid_of_an_exported_program_is_left_out_for_logits(tmp_path: Path) -> None:
    oracle = open_oracle(export(models.image(), (channels_first()[:, None],), tmp_path / "m.pt2"))
    assert [head.scale for head in oracle.heads] == ["probability"]
    x = models.sequences(4)
    probability = oracle.predict(x)["output"]
    logit = oracle.logits(["output"]).predict(x)["output"]
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), probability, atol=1e-6)


class OfItsBatch(nn.Module):
    """A model whose code names the batch: exported with two sequences, it takes two."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 6, 5)
        self.last = nn.Linear(6 * 60, 2)

    def forward(self, x: Any) -> Any:
        return self.last(torch.relu(self.first(x)).view(x.size(0), -1))


def test_programs_of_the_same_weights_have_fingerprints_of_their_own(tmp_path: Path) -> None:
    def make(function: nn.Module) -> nn.Module:
        return models.seeded(nn.Sequential(nn.Conv1d(4, 3, 5), function, nn.Flatten(), nn.Linear(180, 1)))

    paths = [export(make(f), (channels_first(),), tmp_path / f"{i}.pt2") for i, f in enumerate((nn.ELU(0.5), nn.ELU()))]
    first, second = (open_oracle(path).fingerprint for path in paths)
    assert first != second
    assert open_oracle(paths[0]).fingerprint == first


@pytest.mark.parametrize("rows", [1, 2])
def test_a_program_of_a_fixed_batch_keeps_the_contract(rows: int, tmp_path: Path) -> None:
    module = models.seeded(OfItsBatch()).eval()
    oracle = open_oracle(export(module, (channels_first(rows),), tmp_path / "m.pt2"))
    assert oracle.fixed_batch == rows
    assert oracle.layer("first").receptive_field == 5

    def answer(x: Any) -> Any:
        with torch.no_grad():
            return module(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()

    OracleContract(oracle, models.sequences(5), answer).check()


def test_a_program_of_a_free_length_takes_any(tmp_path: Path) -> None:
    module = models.seeded(models.Residual())
    oracle = open_oracle(export(module, (channels_first(),), tmp_path / "m.pt2", free=(0, 2)))
    assert oracle.length is None
    for length in (48, 200):
        x = models.sequences(2, length)
        found, wanted = (one.predict(x) for one in (oracle, TorchOracle(module.eval())))
        for head in ("profile", "counts"):
            np.testing.assert_allclose(found[head], wanted[head], atol=1e-5)


def test_further_inputs_of_a_program_are_zeros_or_what_is_stated(tmp_path: Path) -> None:
    module = models.seeded(models.WithControl())
    path = export(module, (channels_first(), torch.zeros(3, 1)), tmp_path / "m.pt2", free=(0,))
    x = models.sequences(4)
    for value in (0.0, 2.5):
        held = {"control": ExtraInput((1,), value)}
        wanted = TorchOracle(module.eval(), OracleOptions(extra_inputs=held)).predict(x)["output"]
        np.testing.assert_allclose(open_oracle(path, extra_inputs=held).predict(x)["output"], wanted, atol=1e-5)
        if not value:
            np.testing.assert_allclose(open_oracle(path).predict(x)["output"], wanted, atol=1e-5)
    with pytest.raises(OracleError, match=r"must be one of the inputs x, control, got 'contrl'"):
        open_oracle(path, extra_inputs={"contrl": ExtraInput((1,))})


def test_a_program_runs_in_another_number_type_and_its_weights_open_for_a_factory(tmp_path: Path) -> None:
    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2", free=(0,))
    x = models.sequences(3)
    wanted = TorchOracle(models.plain().eval()).predict(x)["output"]
    assert open_oracle(path, precision="float64").predict(x)["output"].dtype == np.float64
    np.testing.assert_allclose(open_oracle(path, precision="float64").predict(x)["output"], wanted, atol=1e-5)
    np.testing.assert_allclose(
        open_oracle(models.seeded(models.plain(), 9), path).predict(x)["output"], wanted, atol=1e-5
    )


class Twice(nn.Module):
    """A layer used twice, a constant of the code, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv1d(4, 4, 3, padding=1)
        self.tied = nn.Conv1d(4, 4, 3, padding=1)
        self.tied.weight = self.shared.weight
        self.last = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        x = self.tied(self.shared(torch.relu(self.shared(x))))
        return self.last(x.mean(-1) * torch.tensor([1.0, 2.0, 3.0, 4.0])), torch.relu_(x.sum(1))


def test_shared_layers_constants_and_several_answers_are_kept(tmp_path: Path) -> None:
    module = models.seeded(Twice())
    oracle = open_oracle(export(module, (channels_first(),), tmp_path / "m.pt2", free=(0,)))
    assert_same(oracle, module)
    assert oracle.layers() == TorchOracle(module.eval()).layers()


def test_a_program_exported_in_training_is_refused(tmp_path: Path) -> None:
    module = models.plain().train()
    program = torch.export.export(module, (channels_first(),))
    torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(OracleError, match=r"call model\.eval\(\) and export it anew"):
        open_oracle(tmp_path / "m.pt2")


def test_a_program_of_other_inputs_is_told_what_it_takes(tmp_path: Path) -> None:
    path = export(nn.Linear(7, 2), (torch.zeros(2, 7),), tmp_path / "m.pt2")
    with pytest.raises(OracleError, match=r"must have an axis of the four bases, got input \(7\)"):
        open_oracle(path)


def test_another_length_than_the_program_was_exported_for_is_refused(tmp_path: Path) -> None:
    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2")
    with pytest.raises(OracleError, match="takes sequences of 64 bp, so that --input-length cannot be 100"):
        open_oracle(path, length=100)


def with_target(entries: dict[str, bytes], target: str) -> None:
    whole = json.loads(entries["models/model.json"])
    whole["graph_module"]["graph"]["nodes"][0]["target"] = target
    entries["models/model.json"] = json.dumps(whole).encode()


@pytest.mark.parametrize(
    "target",
    ["torch.hub.load", "torch.load", "_operator.methodcaller", "torch.ops.aten.from_file.default", "os.system",
     "torch.ops.aten.save.default", "torch.ops.mine.attack.default", "torch.ops.higher_order.cond", "math.comb"],
)  # fmt: skip
def test_a_program_of_operators_that_do_not_compute_is_refused(target: str, tmp_path: Path) -> None:
    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2")
    with pytest.raises(OracleError, match=r"made of torch's own operators .* got " + target.replace(".", r"\.")):
        open_oracle(edited(path, lambda entries: with_target(entries, target)))


def test_shape_expressions_of_a_program_are_not_evaluated(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2", free=(0,))
    attack = f"__import__('pathlib').Path({str(canary)!r}).touch()"

    def change(entries: dict[str, bytes]) -> None:
        whole = json.loads(entries["models/model.json"])
        for value in whole["graph_module"]["graph"]["tensor_values"].values():
            for size in value["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = attack
        entries["models/model.json"] = json.dumps(whole).encode()

    edited(path, change)
    assert open_oracle(path).fixed_batch is None
    assert not canary.exists()
    # torch's own reader runs it: the reason why it is not used.
    with warnings.catch_warnings(), contextlib.suppress(AttributeError):
        warnings.simplefilter("ignore")
        torch.export.load(path)
    assert canary.exists()


def test_malicious_sample_inputs_of_a_program_are_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2")
    malicious.write_zip(tmp_path / "inner.pt", malicious.pickled(malicious.bodies(canary)["os.system"]))
    content = (tmp_path / "inner.pt").read_bytes()
    edited(path, lambda entries: entries.update({"data/sample_inputs/model.pt": content}))
    with pytest.raises(UntrustedError, match=r"data/sample_inputs/model\.pt would import os\.system"):
        open_oracle(path)
    assert not canary.exists()
    open_oracle(path, trust=True)
    assert not canary.exists()  # they are not read at all


def test_weights_of_a_program_that_are_nan_pickled_or_missing_are_refused(tmp_path: Path) -> None:
    module = models.plain()
    with torch.no_grad():
        module[4].weight[0, 0, 0] = torch.nan
    with pytest.raises(OracleError, match=r"tensor '4\.weight' holds NaN"):
        open_oracle(export(module, (channels_first(),), tmp_path / "nan.pt2"))

    def pickled(entries: dict[str, bytes]) -> None:
        name = "data/weights/model_weights_config.json"
        config = json.loads(entries[name])
        config["config"]["0.weight"]["use_pickle"] = True
        entries[name] = json.dumps(config).encode()

    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2")
    with pytest.raises(OracleError, match=r"plain tensors, but '0\.weight' is a pickle"):
        open_oracle(edited(path, pickled))
    path = export(models.plain(), (channels_first(),), tmp_path / "m.pt2")
    with pytest.raises(OracleError, match=r"must be a whole file.*download it again"):
        open_oracle(edited(path, lambda entries: entries.pop("data/weights/weight_1")))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "m.pt2"
    return export(models.plain(), (channels_first(),), path)


def places_in(held: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the values of nested JSON lie."""
    keys: Any = held if isinstance(held, dict) else range(len(held)) if isinstance(held, list) else ()
    for key in keys:
        yield (*above, key)
        yield from places_in(held[key], (*above, key))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_program_answers_or_is_told_in_a_sentence(exported: Path, tmp_path: Path, data: Any) -> None:
    def change(entries: dict[str, bytes]) -> None:
        whole = json.loads(entries["models/model.json"])
        place = data.draw(st.sampled_from([place for place in places_in(whole) if "metadata" not in place]))
        holder = whole
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = data.draw(st.sampled_from([None, -1, 2**40, "x", [], {}, {"as_int": 3}, {"name": "x"}]))
        entries["models/model.json"] = json.dumps(whole).encode()

    path = tmp_path / "m.pt2"
    path.write_bytes(exported.read_bytes())
    with contextlib.suppress(OracleError):
        open_oracle(edited(path, change))
