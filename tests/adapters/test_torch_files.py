"""Files that hold more than weights: tensors are taken out of them, and nothing of them runs."""

from __future__ import annotations

import contextlib
import pickle
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from tests.adapters import malicious  # noqa: E402
from tests.adapters import torch_models as models  # noqa: E402
from torch import nn  # noqa: E402

from cislens import OracleOptions  # noqa: E402
from cislens.errors import OracleError, UntrustedError  # noqa: E402
from cislens.oracle.adapter import ModelSource  # noqa: E402
from cislens_torch.adapter import TorchAdapter  # noqa: E402
from cislens_torch.checkpoint import read_checkpoint, read_tensors  # noqa: E402

pytestmark = pytest.mark.torch
ATTACKS = tuple(malicious.bodies(Path("canary")))
FORMATS = ("zip", "old", "plain")


class Whole(nn.Module):
    """What state dicts are made of: shared modules, buffers that are saved and not, a parameter that is a view."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = models.plain()
        self.register_buffer("kept", torch.arange(3, dtype=torch.bfloat16))
        self.register_buffer("left_out", torch.ones(3), persistent=False)
        self.register_buffer("absent", None)
        self.transposed = nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
        self.again = self.trunk
        self.none = None
        self.late = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.LSTM(3, 2)})

    def forward(self, x: Any) -> Any:
        return self.trunk(x)


def save(held: Any, path: Path, form: str) -> None:
    torch.save(held, path, _use_new_zipfile_serialization=form == "zip")


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return list(found) == list(wanted) and all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in wanted.items()
    )


@pytest.mark.parametrize("form", FORMATS[:2])
@pytest.mark.parametrize(
    "nest",
    [
        lambda m: m,
        lambda m: {"model": m, "epoch": 3},
        lambda m: {"state_dict": m.state_dict(), "hyper_parameters": {"trunk": m}},
        lambda m: {**m.state_dict(), "optimizer": m.late},
        nn.DataParallel,
    ],
    ids=["whole", "nested", "lightning", "mixed", "parallel"],
)
def test_tensors_beside_objects_are_those_of_the_state_dict_in_its_order(nest, form: str, tmp_path: Path) -> None:
    whole = Whole()
    save(nest(whole), tmp_path / "whole.pt", form)
    assert same(read_tensors(tmp_path / "whole.pt"), whole.state_dict())


@pytest.mark.parametrize("protocol", range(2, 6))
def test_every_protocol_of_pickle_is_read(protocol: int, tmp_path: Path) -> None:
    whole = Whole()
    torch.save(whole, tmp_path / "whole.pt", pickle_protocol=protocol)
    assert same(read_tensors(tmp_path / "whole.pt"), whole.state_dict())


def test_a_factory_takes_the_tensors_of_a_whole_module(tmp_path: Path) -> None:
    trained = models.seeded(models.plain(), 7).eval()
    torch.save(trained, tmp_path / "whole.pt")
    source = ModelSource("model", model=models.plain(), weights=tmp_path / "whole.pt")
    x = models.sequences()
    with torch.no_grad():
        wanted = trained(torch.from_numpy(x.swapaxes(1, 2).astype(np.float32))).numpy()
    found = TorchAdapter().open(source, OracleOptions()).predict(x)["output"]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_whole_module_alone_is_refused_with_the_ways_to_open_it(tmp_path: Path) -> None:
    torch.save(Whole(), tmp_path / "whole.pt")
    told = r"would import .*Whole.*arch:NAME --weights whole\.pt or model\.py:factory --weights whole\.pt.*--trust"
    with pytest.raises(UntrustedError, match=told):
        read_checkpoint(tmp_path / "whole.pt")
    assert isinstance(read_checkpoint(tmp_path / "whole.pt", trust=True), Whole)


@pytest.mark.peers
def test_the_tensors_of_a_pickled_bpnet_are_its_state_dict(tmp_path: Path) -> None:
    from bpnetlite import BPNet

    model = BPNet(n_filters=8, n_layers=2, trimming=20)
    torch.save(model, tmp_path / "bpnet.torch")
    assert same(read_tensors(tmp_path / "bpnet.torch"), model.state_dict())


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_writes_its_file_where_it_runs(attack: str, tmp_path: Path) -> None:
    # Else the tests below would show nothing.
    canary = tmp_path / "canary"
    pickle.loads(malicious.pickled(malicious.bodies(canary)[attack]))
    assert appears(canary)


def appears(canary: Path) -> bool:
    deadline = time.monotonic() + 5  # a process that an attack starts runs on its own
    while not canary.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return canary.exists()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_alone_is_refused_and_does_not_run(attack: str, form: str, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "weights.pt"
    content = malicious.pickled(malicious.bodies(canary)[attack])
    writers = {"zip": malicious.write_zip, "old": malicious.write_old, "plain": Path.write_bytes}
    writers[form](path, content)
    for read in (read_checkpoint, read_tensors):
        with pytest.raises(UntrustedError, match=r"would import .* could run any code.*--trust"):
            read(path)
    assert not canary.exists()


@pytest.mark.parametrize("form", ["zip", "old"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_beside_good_tensors_does_not_run(attack: str, form: str, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "weights.pt"
    save({"state_dict": models.plain().state_dict()}, path, form)
    poison(path, malicious.bodies(canary)[attack])
    with pytest.raises(UntrustedError, match="would import"):
        read_checkpoint(path)
    assert outcome(path) in ("read", "no model needs that")
    assert not canary.exists()


def outcome(path: Path) -> str:
    """Say what became of a file that holds good tensors."""
    try:
        found = read_tensors(path)
    except UntrustedError as refusal:
        return "no model needs that" if "no model needs that" in str(refusal) else str(refusal)
    return "read" if same(found, models.plain().state_dict()) else "read otherwise"


def poison(path: Path, body: bytes) -> None:
    """Make the pickle of a file that torch.save wrote run the body first."""
    if not zipfile.is_zipfile(path):
        content = path.read_bytes()
        start = 0
        for _ in range(3):
            start = content.index(b".", start) + 1
        assert content[start : start + 2] == b"\x80\x02"
        path.write_bytes(content[:start] + malicious.beside(body, content[start:]))
        return
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, malicious.beside(body, content) if name.endswith("data.pkl") else content)


def test_code_that_unusual_objects_bring_along_is_named_and_left_alone(tmp_path: Path) -> None:
    # Such classes are no sign of harm, unlike os.system: the tensors are read.
    canary, path = tmp_path / "canary", tmp_path / "weights.pt"
    torch.save({"state_dict": models.plain().state_dict()}, path)
    poison(path, malicious.bodies(canary)["BUILD with __setstate__"])
    assert same(read_tensors(path), models.plain().state_dict())
    assert not canary.exists()
    with pytest.raises(UntrustedError, match=r"would import tests\.adapters\.malicious\.Setter"):
        read_checkpoint(path)


def tensor_of(count: int, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """Return the pickle of a module's tensor over storage 0, which is stated to hold `count` numbers."""

    def number(value: int) -> bytes:
        return b"\x8a\x08" + struct.pack("<q", value)

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    kind = b"ctorch\nFloatStorage\n"
    storage = b"(" + malicious.text("storage") + kind + malicious.text("0") + malicious.text("cpu") + number(count)
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"tQ" + number(offset) + numbers(size)
    tensor = rebuilt + numbers(stride) + b"\x89ccollections\nOrderedDict\n)RtR"
    foreign = b"csomewhere\nElse\n)R"
    return b"\x80\x02}(" + malicious.text("weight") + tensor + malicious.text("other") + foreign + b"u."


@pytest.mark.parametrize(
    ("count", "size", "stride", "offset"),
    [
        (2**60, (2**60,), (1,), 0),
        (4, (2**20, 2**20), (0, 0), 0),
        (4, (4,), (2**40,), 0),
        (4, (4,), (1,), 2**40),
        (4, (2,), (1,), -1),
        (4, (-1,), (1,), 0),
        (4, (4,), (1, 1), 0),
        (-4, (4,), (1,), 0),
    ],
    ids=["count", "repeated", "stride", "offset", "before", "negative", "axes", "negative count"],
)
def test_a_tensor_outside_of_what_is_stored_is_refused_before_room_is_made(
    count: int, size: tuple[int, ...], stride: tuple[int, ...], offset: int, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    malicious.write_zip(path, tensor_of(4, (2, 2), (2, 1)), **{"0": np.arange(4, dtype=np.float32).tobytes()})
    assert read_tensors(path)["weight"].tolist() == [[0, 1], [2, 3]]
    malicious.write_zip(path, tensor_of(count, size, stride, offset), **{"0": bytes(16)})
    with pytest.raises(OracleError, match=r"must be a whole file.*download it again"):
        read_tensors(path)


@pytest.mark.parametrize(
    "body",
    [
        b"Nr\xff\xff\xff\x00",  # keeps None at place 2**24 - 1
        b"\x8e\xff\xff\xff\xff\xff\xff\x00\x00",  # announces 2**48 bytes
        b"\x82\x01",  # an object by number
        b"csomewhere\nElse\nNb",  # the state of a class
        b"csomewhere\nElse\n(NNd\x81",  # an object made of a dictionary
    ],
    ids=["place", "length", "number", "class", "arguments"],
)
def test_a_pickle_that_is_made_to_break_its_reader_is_refused(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    for write in (malicious.write_zip, malicious.write_old):
        write(path, malicious.pickled(b"csomewhere\nElse\n0" + body))
        with pytest.raises(OracleError, match=r"must be a whole file"):
            read_tensors(path)


def test_modules_that_contain_each_other_are_refused(tmp_path: Path) -> None:
    module = Whole()
    module.late._modules["above"] = module.late
    torch.save(module, tmp_path / "whole.pt")
    with pytest.raises(OracleError, match="contain each other"):
        read_tensors(tmp_path / "whole.pt")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_pickle_gives_tensors_or_a_sentence(changes: list[tuple[int, int]], tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    content = bytearray(tensor_of(4, (2, 2), (2, 1)))
    for place, value in changes:
        content[place % len(content)] = value
    malicious.write_zip(path, bytes(content), **{"0": bytes(16)})
    with contextlib.suppress(OracleError):
        read_tensors(path)


@pytest.mark.parametrize("kind", ["state dict", "module", "safetensors"])
def test_weights_that_are_no_numbers_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    module = models.plain()
    with torch.no_grad():
        module[4].weight[1, 2, 0] = torch.nan
        module[0].bias[0] = torch.inf
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pt")
    if kind == "safetensors":
        save_file(module.state_dict(), path)
    else:
        torch.save(module if kind == "module" else module.state_dict(), path)
    with pytest.raises(OracleError, match=r"tensor '4\.weight' holds NaN \(1 of 144\)"):
        read_tensors(path)


def test_safetensors_of_another_name_are_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(models.plain().state_dict(), tmp_path / "weights.pt")
    assert len(read_tensors(tmp_path / "weights.pt")) == len(models.plain().state_dict())


def zipped(path: Path, **entries: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"model.weights.h5": b"x"}, "a Keras archive"),
        ({"x.npy": b"x", "y.npy": b"x"}, "an archive of NumPy arrays"),
        ({"serialized_exported_program.json": b"x"}, "exported by torch before 2.8"),
        ({"m/data/aotinductor/model/a.so": b"x"}, "a compiled program"),
        ({"readme.txt": b"x"}, "an archive of readme.txt"),
        ({"archive/data.pkl": b"\x80\x02}.", "archive/../../escape": b"x"}, "names one outside itself"),
        ({"archive/data.pkl": b"\x80\x02}.", "/etc/escape": b"x"}, "names one outside itself"),
        ({"archive/data.pkl": bytes(100_000_000)}, "as a zip bomb does"),
    ],
    ids=["keras", "npz", "older", "compiled", "other", "parent", "absolute", "bomb"],
)
def test_an_archive_of_something_else_is_told_in_a_sentence(
    entries: dict[str, bytes], told: str, tmp_path: Path
) -> None:
    zipped(tmp_path / "weights.pt", **entries)
    with pytest.raises(OracleError, match=told):
        read_tensors(tmp_path / "weights.pt")


def test_an_onnx_model_of_another_name_is_told_in_a_sentence(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:]))
    for producer in ("", "pytorch"):
        model.producer_name = producer
        onnx.save(model, str(tmp_path / "model.pt"))
        with pytest.raises(OracleError, match=r"an ONNX model \(name it \.onnx\)"):
            read_tensors(tmp_path / "model.pt")
