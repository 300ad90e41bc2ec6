"""Networks written down step by step, weights matched to them, and plugins that add architectures."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cislens.architecture.named
import cislens.opening
from cislens import open_oracle
from cislens.architecture import Architecture, FileLayer, Network, WeightsFile
from cislens.architecture.listing import side_by_side
from cislens.architecture.network import fitting
from cislens.errors import OracleError, PluginError
from cislens.plugins import Registry, registry

EMPTY = WeightsFile(Path("w.pt"), "torch", (), "channels", 1e-5)


def kernel(name: str, *shape: int) -> FileLayer:
    return FileLayer(name, {"kernel": np.zeros(shape, np.float32), "bias": np.zeros(shape[0], np.float32)})


def trunk(length: int) -> Network:
    net = Network(length, EMPTY)
    net.convolution("conv1", 6, 8)
    net.pool("pool1", 4)
    net.convolution("conv2", 5, 3, dilation=2, padding=1)
    return net


@given(st.integers(50, 5000))
def test_a_length_that_gives_the_features_that_the_weights_read_is_found(length: int) -> None:
    wanted = trunk(length).positions * 5
    found = fitting(trunk, wanted, None, 1000)
    assert found.positions * 5 == wanted
    assert abs(found.length - length) < 4  # pooling by 4 rounds down
    assert fitting(trunk, wanted, 777, 1000).length == 777


def test_the_published_length_comes_before_a_rounder_one_and_where_none_fits() -> None:
    assert fitting(trunk, trunk(999).positions * 5, None, 999).length == 999
    assert fitting(trunk, 3, None, 1234).length == 1234


@given(st.integers(1, 12), st.integers(1, 4), st.integers(20, 60))
def test_same_padding_keeps_the_number_of_positions(width: int, dilation: int, length: int) -> None:
    net = Network(length, EMPTY)
    net.convolution("conv", 3, width, dilation, "same")
    assert net.positions == length


@pytest.mark.parametrize("name", ["conv1", "a.b", "", "1st", "sequence"])
def test_a_step_needs_a_name_of_its_own(name: str) -> None:
    net = trunk(100)
    with pytest.raises(OracleError, match="a step must have a name of its own"):
        net.activation(name)


def test_rows_around_the_first_difference_are_shown() -> None:
    left = [(f"step{i}", "dense 3x3") for i in range(30)]
    right = [(f"{i}.w", "dense 3x3" if i != 20 else "dense 3x4") for i in range(25)]
    lines = side_by_side(left, right).splitlines()
    assert lines[0].strip() == "... 18 more"
    assert lines[3].split() == "step20: dense 3x3 20.w: dense 3x4 <-".split()
    assert [line.split()[-2:] for line in lines if line.endswith("<-")][1:] == [["-", "<-"]] * 5


def test_numbers_in_names_are_read_in_order_under_any_shared_prefix() -> None:
    file = WeightsFile(Path("w.pt"), "torch", tuple(kernel(f"net.{n}", 2, 3) for n in "bca"), "channels", 1e-5)
    assert [layer.name for layer in file.in_order_of("abc").layers] == ["net.a", "net.b", "net.c"]
    assert file.in_order_of("ab") is None
    assert file.in_order_of("abcd") is None


# ---- plugins -------------------------------------------------------------------------------------------

PLUGIN = '''
from typing import ClassVar
from cislens import hookimpl
from cislens.architecture import Architecture, Network


class Scanner(Architecture):
    """One convolution, its maximum, a sum."""

    name: ClassVar[str] = "scanner"
    title: ClassVar[str] = "one filter bank"

    def network(self, file, length):
        filters, outputs = file.sizes((8, 1))
        net = Network(length or 50, file)
        net.convolution("scan", filters, 6)
        net.global_pool("best", "max")
        net.dense("sum", outputs)
        net.head("bound", "logit", outputs=("A", "B"))
        return net


@hookimpl
def register_architectures():
    return [Scanner()]
'''


@pytest.fixture
def with_scanner(tmp_path, monkeypatch) -> Registry:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "scanner_under_test.py").write_text(PLUGIN)
    modules = {"torch": "cislens_torch", "keras": "cislens_keras", "scanner": "scanner_under_test"}
    found = Registry([EntryPoint(name, module, "cislens") for name, module in modules.items()])
    for module in (cislens.opening, cislens.architecture.named):
        monkeypatch.setattr(module, "registry", lambda: found)
    yield found
    sys.modules.pop("scanner_under_test", None)


@pytest.mark.torch
def test_an_architecture_of_a_third_party_opens(with_scanner, tmp_path) -> None:
    torch = pytest.importorskip("torch")
    convolution, dense = torch.nn.Conv1d(4, 3, 6), torch.nn.Linear(3, 2)
    torch.save(torch.nn.Sequential(convolution, dense).state_dict(), tmp_path / "w.pt")
    oracle = open_oracle("arch:scanner", tmp_path / "w.pt")
    assert (oracle.length, oracle.heads[0].outputs, oracle.heads[0].scale) == (50, ("A", "B"), "logit")
    x = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (5, 50))]
    with torch.no_grad():
        expected = dense(convolution(torch.from_numpy(x.swapaxes(1, 2)).float()).amax(2)).numpy()
    np.testing.assert_allclose(oracle.predict(x)["bound"], expected, atol=1e-6)


def test_a_hook_that_gives_no_architecture_is_quarantined(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "no_architecture.py").write_text(
        "from cislens import hookimpl\n\n@hookimpl\ndef register_architectures():\n    return [dict]\n"
    )
    (broken,) = Registry([EntryPoint("bad", "no_architecture", "cislens")]).broken
    assert "must return instances of cislens's Architecture" in broken.error


def test_every_architecture_says_what_it_is_and_where_it_comes_from() -> None:
    for name, architecture in registry().architectures.items():
        assert isinstance(architecture, Architecture)
        assert architecture.name == name
        assert architecture.title
        assert all(reference.startswith("10.") for reference in architecture.references)
        assert "References\n" in type(architecture).__doc__


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PluginError, match="no architecture is named 'x': choose one of basset, beluga, bpnet, chrom"):
        registry().architecture("x")


# ---- the command line ----------------------------------------------------------------------------------


@pytest.fixture
def cislens_command(monkeypatch, capsys):
    from cislens.cli.app import run

    def call(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cislens", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(run())
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out

    return call


def test_plugins_lists_the_architectures(cislens_command) -> None:
    listed = json.loads(cislens_command("plugins", "--json"))["architectures"]
    assert [entry["name"] for entry in listed] == list(registry().architectures)
    assert "arch:deepstarr" in cislens_command("plugins")


@pytest.mark.torch
@pytest.mark.parametrize("stated", [(), ("--base-order", "ACGT")])
def test_inspect_opens_an_architecture_in_its_own_base_order_unless_told(stated, cislens_command, tmp_path) -> None:
    torch = pytest.importorskip("torch")
    from tests.plugins.architectures_transcribed import deepsea, randomised

    torch.save(randomised(deepsea()).state_dict(), tmp_path / "w.pt")
    printed = cislens_command("inspect", "arch:deepsea", "--weights", str(tmp_path / "w.pt"), "--json", *stated)
    facts = json.loads(printed)
    order = stated[1] if stated else "AGCT"
    assert facts["fingerprint"] == open_oracle("arch:deepsea", tmp_path / "w.pt", base_order=order).fingerprint
    assert facts["heads"][0]["scale"] == "probability"
