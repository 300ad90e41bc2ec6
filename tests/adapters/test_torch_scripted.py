"""TorchScript: the answers of the module that it was made from, and programs that reach beyond themselves refused."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.adapters import torch_models as models  # noqa: E402
from tests.adapters.torch_exports import MODELS, assert_same, channels_first, edited, positions_first, script  # noqa: E402
from tests.hostile.programs import Printing, Reading, Summing, Writing  # noqa: E402
from torch import nn  # noqa: E402

from cislens import open_oracle  # noqa: E402
from cislens.errors import OracleError, UntrustedError  # noqa: E402

pytestmark = pytest.mark.torch


# torch cannot trace its own attention.
@pytest.mark.parametrize(
    ("name", "how"),
    [(name, how) for name in MODELS for how in ("scripted", "traced") if (name, how) != ("recurrent", "traced")],
)
def test_torchscript_answers_as_its_module_does(name: str, how: str, tmp_path: Path) -> None:
    make, inputs = MODELS[name]
    oracle = open_oracle(script(make(), tmp_path / "m.pt", inputs(3) if how == "traced" else None))
    # TorchScript fuses what it has run a few times.
    assert_same(oracle, make().eval(), rounding=1e-5)
    for capability in ("layers", "activations", "weights", "subnetwork", "intervene", "randomised", "logits"):
        assert oracle.why_not(capability) == "a TorchScript file shows no layers"
        assert capability not in oracle.capabilities


def test_torchscript_programs_of_the_same_weights_have_fingerprints_of_their_own(tmp_path: Path) -> None:
    def make(function: nn.Module) -> nn.Module:
        return models.seeded(nn.Sequential(nn.Conv1d(4, 3, 5), function, nn.Flatten(), nn.Linear(180, 1)))

    first, second, again = (
        open_oracle(script(make(function), tmp_path / f"{i}.pt", channels_first(2))).fingerprint
        for i, function in enumerate((nn.ELU(0.5), nn.ELU(), nn.ELU(0.5)))
    )
    assert first != second
    assert again == first


class OfStates(nn.Module):
    """A recurrent model, which traced checks no shapes itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.LSTM(4, 6, batch_first=True, bidirectional=True)
        self.last = nn.Linear(12, 1)

    def forward(self, x: Any) -> Any:
        return self.last(self.inner(x)[0].mean(1))


def test_a_traced_recurrent_model_is_tried_with_the_right_shapes_alone(tmp_path: Path) -> None:
    module = models.seeded(OfStates())
    oracle = open_oracle(script(module, tmp_path / "m.pt", positions_first(1)))
    assert (oracle.encoding.layout, oracle.length) == ("length,4", None)
    assert_same(oracle, module.eval(), rounding=1e-5)


class OfOneRow(nn.Module):
    """A model whose code is of a batch of one, as some that were traced are."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 6, 5)
        self.last = nn.Linear(6 * 60, 2)

    def forward(self, x: Any) -> Any:
        return self.last(torch.relu(self.first(x)).view(1, 360))


def test_a_program_traced_for_one_sequence_answers_for_several(tmp_path: Path) -> None:
    module = models.seeded(OfOneRow())
    oracle = open_oracle(script(module, tmp_path / "m.pt", channels_first(1)))
    assert oracle.fixed_batch == 1
    assert oracle.length == models.LENGTH
    assert_same(oracle, nn.Sequential(module.first, nn.ReLU(), nn.Flatten(), module.last).eval(), rounding=1e-5)


def test_a_torchscript_program_of_other_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="must take one-hot sequences"):
        open_oracle(script(nn.Conv2d(3, 4, 3), tmp_path / "m.pt"))


def test_a_torchscript_program_that_writes_a_file_is_refused_before_it_runs(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = script(Writing(str(canary)), tmp_path / "m.pt")
    with pytest.raises(UntrustedError, match=r"aten::save, which writes a file.*--trust"):
        open_oracle(path)
    assert not canary.exists()
    open_oracle(path, trust=True, length=20, layout="4,length")
    assert canary.exists()


@pytest.mark.parametrize(("module", "told"), [(Reading(), "aten::from_file"), (Printing(), "prim::Print")])
def test_a_torchscript_program_that_reads_or_prints_is_refused(module: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedError, match=told):
        open_oracle(script(module, tmp_path / "m.pt"))


ATTACKS = {
    "another name": "t = torch\n    t.save(x, PATH)",
    "an operator's full name": "ops.aten.save(x, PATH)",
    "a name put together": 'getattr(torch, "sa" "ve")(x, PATH)',
    "an escaped name": 'getattr(torch, "\\x73ave")(x, PATH)',
    "another name of operators": "o = ops\n    o.c10d.barrier(x)",
    "another library": "ops.inductor.resize_storage_bytes_(x, 3)",
    "a class of a library": "c = __torch__.torch.classes.dist_rpc.WorkerInfo(PATH, 0)",
    "another name of classes": "t = __torch__.torch\n    c = t.classes.dist_rpc.WorkerInfo(PATH, 0)",
    "another name of the root": "t = __torch__\n    c = t.torch.classes.dist_rpc.WorkerInfo(PATH, 0)",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_torchscript_program_cannot_hide_what_it_reaches(attack: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    code = ATTACKS[attack].replace("PATH", f'"{canary}"')

    def change(entries: dict[str, bytes]) -> None:
        (name,) = (name for name in entries if name.endswith(".py"))
        entries[name] = entries[name].replace(b"    return ", f"    {code}\n    return ".encode())
        assert code.encode() in entries[name]

    with pytest.raises(UntrustedError, match="must compute alone, but its program refers to"):
        open_oracle(edited(script(Summing(), tmp_path / "m.pt"), change), length=20)
    assert not canary.exists()


def of_two_tables(harmless: bytes, harmful: bytes) -> bytes:
    """Return an archive that zipfile reads as one, by where its table ends, and torch as the other, by where it starts.

    Both tables must be as long.
    """
    (count, size, start), (own_count, own_size, own_start) = map(table, (harmful, harmless))
    assert (count, size) == (own_count, own_size)
    entries = bytearray(harmless[: own_start + own_size])
    place = own_start
    for _ in range(count):
        name, extra, comment = struct.unpack_from("<3H", entries, place + 28)
        (offset,) = struct.unpack_from("<L", entries, place + 42)
        struct.pack_into("<L", entries, place + 42, offset + start - own_start)
        place += 46 + name + extra + comment
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, start, 0)
    return harmful[: start + size] + bytes(entries) + end


def table(archive: bytes) -> tuple[int, int, int]:
    """Return the number of entries of an archive's table of contents, its size and start."""
    count, size, start = struct.unpack("<H2L", archive[-12:-2])
    return count, size, start


def test_what_was_checked_of_an_archive_of_two_tables_is_what_runs(tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "both.pt"
    bad = script(Writing(str(canary)), tmp_path / "bad.pt")
    good = script(Summing(), tmp_path / "good.pt")
    edited(good, lambda entries: None, folder="bad")
    path.write_bytes(of_two_tables(good.read_bytes(), bad.read_bytes()))
    x = models.sequences(2, 20)
    answer = open_oracle(path, length=20, layout="4,length").predict(x)["output"]
    np.testing.assert_allclose(answer, x.sum(1))
    assert not canary.exists()
    # torch's own reader sees the other one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(path)(torch.zeros(1, 4, 20))
    assert canary.exists()
