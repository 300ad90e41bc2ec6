"""Files of torch weights: every form that people save, and a refusal of every file that does not fit whole."""

from __future__ import annotations

import copy
import pickle
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import torch_models as models  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions  # noqa: E402
from cislens.errors import OracleError, UntrustedError  # noqa: E402
from cislens.oracle.adapter import ModelSource  # noqa: E402
from cislens_torch.adapter import TorchAdapter  # noqa: E402

pytestmark = pytest.mark.torch
TRAINED = 7  # the seed of the weights in the files; the factory's are of another


def trained() -> nn.Module:
    return models.seeded(models.plain(), TRAINED)


def reopened(path: Path, module: nn.Module | None = None, **options):
    source = ModelSource("model", model=module or models.plain(), weights=path)
    return TorchAdapter().open(source, OracleOptions(**options))


def assert_trained(oracle) -> None:
    x = models.sequences()
    with torch.no_grad():
        wanted = trained().eval()(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()
    np.testing.assert_allclose(oracle.predict(x)["output"], wanted, atol=1e-5)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
@pytest.mark.parametrize(
    "nest",
    [
        lambda w: w,
        lambda w: {"state_dict": w, "epoch": 3, "best": torch.tensor(0.2)},
        lambda w: {"model": w, "optimizer": {"state": {}}},
        lambda w: {"model_state_dict": w},
        lambda w: {"net": w, "args": {"lr": 0.1}},
        lambda w: OrderedDict((f"module.{name}", t) for name, t in w.items()),
        lambda w: {"state_dict": {f"_orig_mod.module.{name}": t for name, t in w.items()}},
        lambda w: {"state_dict": {f"model.{name}": t for name, t in w.items()}, "hyper_parameters": {}},
        lambda w: {name: t for name, t in w.items() if "num_batches" not in name},
    ],
    ids=["plain", "lightning", "model", "model_state_dict", "net", "parallel", "compiled", "wrapped", "older"],
)
def test_weights_are_found_wherever_they_are_nested(nest, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save(nest(trained().state_dict()), path)
    assert_trained(reopened(path))


def test_weights_in_the_old_format_and_in_half_precision_open(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(trained().state_dict(), path, _use_new_zipfile_serialization=False)
    assert_trained(reopened(path))
    torch.save(trained().double().state_dict(), path)
    assert_trained(reopened(path))


def test_safetensors_open(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(trained().state_dict(), tmp_path / "weights.safetensors")
    assert_trained(reopened(tmp_path / "weights.safetensors"))


def test_safetensors_under_other_names_are_refused_because_the_file_holds_no_order(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({f"x{name}": t for name, t in trained().state_dict().items()}, tmp_path / "weights.safetensors")
    with pytest.raises(OracleError, match="must fit the model"):
        reopened(tmp_path / "weights.safetensors")


class Renamed(nn.Module):
    """The same network with other names."""

    def __init__(self) -> None:
        super().__init__()
        inner = models.plain()
        self.motifs, self.scale, self.mix, self.out = inner[0], inner[1], inner[4], inner[8]

    def forward(self, x):
        x = torch.relu(self.scale(self.motifs(x)))
        return self.out(torch.relu(self.mix(nn.functional.max_pool1d(x, 3))).flatten(1))


def test_weights_under_other_names_are_matched_by_order_and_shape(tmp_path: Path) -> None:
    torch.save(trained().state_dict(), tmp_path / "weights.pth")
    assert_trained(reopened(tmp_path / "weights.pth", Renamed()))


def test_weights_of_one_shape_whose_names_tell_them_apart_are_not_swapped(tmp_path: Path) -> None:
    weights = {f"x.{name}": tensor for name, tensor in trained().state_dict().items()}
    items = list(weights.items())
    first, second = (i for i, (name, _) in enumerate(items) if name in ("x.1.weight", "x.1.bias"))
    items[first], items[second] = items[second], items[first]
    torch.save(OrderedDict((f"{name.replace('x.', 'y')}", t) for name, t in items), tmp_path / "weights.pth")
    with pytest.raises(OracleError, match="must fit the model"):
        reopened(tmp_path / "weights.pth", Renamed())


def test_a_mismatch_lists_both_sides(tmp_path: Path) -> None:
    weights = trained().state_dict()
    weights["4.weight"] = torch.zeros(6, 9, 3)
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(OracleError) as caught:
        reopened(tmp_path / "weights.pth")
    assert re.search(r"4\.weight: 6x8x3 +4\.weight: 6x9x3 +<-", str(caught.value))
    assert "0.weight: 8x4x7" in str(caught.value)


@pytest.mark.parametrize("change", ["fewer", "more"])
def test_weights_that_are_missing_or_left_over_are_refused(change: str, tmp_path: Path) -> None:
    weights = trained().state_dict()
    if change == "fewer":
        del weights["8.bias"]
    else:
        weights["9.weight"] = torch.zeros(3)
    torch.save(weights, tmp_path / "weights.pth")
    module = models.plain()
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(OracleError, match=r"the model wants 10 tensors and the file holds (9|11)"):
        reopened(tmp_path / "weights.pth", module)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_long_lists_are_shortened_around_the_first_difference(tmp_path: Path) -> None:
    deep = nn.Sequential(*[nn.Conv1d(4, 4, 3, padding=1) for _ in range(40)])
    weights = deep.state_dict()
    weights["30.weight"] = torch.zeros(5, 4, 3)
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(OracleError) as caught:
        reopened(tmp_path / "weights.pth", deep)
    lines = str(caught.value).splitlines()
    assert len(lines) < 18
    assert any("30.weight: 5x4x3   <-" in line for line in lines)
    assert "... 58 more" in lines[1]


def test_loading_weights_leaves_the_module_in_hand_as_it_was(tmp_path: Path) -> None:
    torch.save(trained().state_dict(), tmp_path / "weights.pth")
    module = models.plain()
    before = copy.deepcopy(module.state_dict())
    assert_trained(reopened(tmp_path / "weights.pth", module))
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_pickled_model_is_opened_only_when_trusted(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(trained(), path)
    with pytest.raises(UntrustedError, match=r"would import .*torch\.nn\.modules.*--trust"):
        TorchAdapter().open(ModelSource("model", path=path), OracleOptions())
    assert_trained(TorchAdapter().open(ModelSource("model", path=path), OracleOptions(trust=True)))
    assert_trained(reopened(path, trust=True))


class Dangerous:
    """What a hostile file would hold."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old"])
def test_a_file_that_would_run_code_is_refused_without_running_it(new: bool, tmp_path: Path, capsys) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": trained().state_dict(), "x": Dangerous()}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(UntrustedError, match="print.*--trust"):
        reopened(path)
    assert capsys.readouterr().out == ""
    assert_trained(reopened(path, trust=True))
    assert capsys.readouterr().out == "run\n"


def test_weights_without_a_model_ask_for_a_factory(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(trained().state_dict(), path)
    with pytest.raises(OracleError, match=r"model\.py:factory --weights weights\.pth"):
        TorchAdapter().open(ModelSource("model", path=path), OracleOptions())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b"\x89HDF\r\n\x1a\n0000", "an HDF5 file"),
        (b"some words", "cannot be read"),
        (pickle.dumps([1, 2, 3]), "must be a whole file|must hold a state dict"),
    ],
    ids=["empty", "html", "lfs", "hdf5", "text", "list"],
)
def test_files_that_are_no_weights_are_told_in_a_sentence(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(OracleError, match=told):
        reopened(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_download_that_was_cut_off_is_told_in_a_sentence(suffix: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(trained().state_dict(), path)
    else:
        save_file(trained().state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(OracleError, match="whole.*download it again"):
        reopened(path)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_torchscript_file_predicts_and_says_why_it_shows_no_layers(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.jit.script(trained().eval()).save(path)
    oracle = TorchAdapter().open(ModelSource("model", path=path), OracleOptions())
    assert_trained(oracle)
    assert oracle.why_not("layers") == "a TorchScript file shows no layers"
    assert {"predict", "linearize"} <= oracle.capabilities


def test_the_adapter_recognises_modules_and_files_of_torch_only(tmp_path: Path) -> None:
    adapter = TorchAdapter()
    for name in ("a.pth", "a.pt", "a.ckpt", "a.safetensors", "a.h5", "a.fa"):
        (tmp_path / name).touch()
    assert [adapter.recognises(ModelSource("", path=tmp_path / f"a.{s}")) for s in ("pth", "pt", "ckpt", "safetensors")]
    assert not adapter.recognises(ModelSource("", path=tmp_path / "a.h5"))
    assert not adapter.recognises(ModelSource("", path=tmp_path / "missing.pth"))
    assert adapter.recognises(ModelSource("", model=models.plain()))
    assert not adapter.recognises(ModelSource("", model=np.zeros(3)))
