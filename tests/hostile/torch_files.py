"""Hostile files for the torch adapter."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.adapters import malicious
from tests.hostile.hostile import Attempt, Hostile

FACTORY = """from torch import nn

def factory():
    return nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1))
"""
LENGTH = 50
Write = Callable[[Path, Path], Attempt]


def with_factory(weights: Path) -> Attempt:
    """Give a file as weights to a harmless factory."""
    code = weights.with_name("model.py")
    code.write_text(FACTORY)
    return Attempt(f"{code}:factory", weights)


def model() -> Any:
    """Return the factory's model."""
    space: dict[str, Any] = {}
    exec(FACTORY, space)
    return space["factory"]().eval()


def saved(held: Any, path: Path, *, new: bool = True) -> Path:
    import torch

    torch.save(held, path, _use_new_zipfile_serialization=new)
    return path


def of_bytes(content: bytes, name: str = "weights.pth") -> Write:
    """Write these bytes, to be opened as weights."""

    def write(folder: Path, canary: Path) -> Attempt:
        path = folder / name
        path.write_bytes(content)
        return with_factory(path)

    return write


# ---- pickles ---------------------------------------------------------------------------------------------


def attack(kind: str, canary: Path) -> bytes:
    return malicious.bodies(canary)[kind]


def plain_pickle(folder: Path, canary: Path) -> Attempt:
    path = folder / "weights.pt"
    path.write_bytes(b"\x80\x02" + attack("posix.system", canary) + b".")
    return with_factory(path)


def old_format(folder: Path, canary: Path) -> Attempt:
    malicious.write_old(folder / "weights.pth", malicious.pickled(attack("INST", canary)))
    return with_factory(folder / "weights.pth")


def in_zip(folder: Path, canary: Path) -> Attempt:
    malicious.write_zip(folder / "weights.pt", malicious.pickled(attack("getattr of an import", canary)))
    return with_factory(folder / "weights.pt")


def opened_alone(folder: Path, canary: Path) -> Attempt:
    malicious.write_zip(folder / "model.pt", malicious.pickled(attack("a function that torch imports", canary)))
    return Attempt(folder / "model.pt")


def beside_weights(folder: Path, canary: Path) -> Attempt:
    path = saved({"state_dict": model().state_dict()}, folder / "weights.ckpt")
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            if name.endswith("data.pkl"):
                content = malicious.beside(attack("exec", canary), content)
            archive.writestr(name, content)
    return with_factory(path)


def whole_module(folder: Path, canary: Path) -> Attempt:
    held = model()
    held[0].note = malicious.Reduced(str(canary))
    return Attempt(saved(held, folder / "model.pth"))


def set_state(folder: Path, canary: Path) -> Attempt:
    path = folder / "model.torch"
    malicious.write_zip(path, malicious.pickled(attack("BUILD with __setstate__", canary)))
    return Attempt(path)


def arrays(folder: Path, canary: Path) -> Attempt:
    np.savez(folder / "weights.npz", weight=np.array([malicious.Reduced(str(canary))], dtype=object))
    return with_factory(folder / "weights.npz")


def array(folder: Path, canary: Path) -> Attempt:
    np.save(folder / "weights.npy", np.array([malicious.Reduced(str(canary))], dtype=object))
    return with_factory(folder / "weights.npy")


def lying_storage(folder: Path, canary: Path) -> Attempt:
    held = {"0.weight": model()[0].weight.detach()}
    path = saved(held, folder / "weights.pt")
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            # 160 numbers become 2**31 - 1, in the storage and in the shape.
            archive.writestr(
                name, content.replace(b"K\xa0", b"J\xff\xff\xff\x7f") if name.endswith(".pkl") else content
            )
    return with_factory(path)


def tar(folder: Path, canary: Path) -> Attempt:
    path = folder / "weights.pth.tar"
    content = malicious.pickled(attack("os.system", canary))
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return with_factory(path)


# ---- programs --------------------------------------------------------------------------------------------


def scripted(module: Any, path: Path) -> Path:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module.eval()).save(path)
    return path


def program_that_writes(folder: Path, canary: Path) -> Attempt:
    from tests.hostile.programs import Writing

    return Attempt(scripted(Writing(str(canary)), folder / "model.pt"))


def program_that_reads(folder: Path, canary: Path) -> Attempt:
    from tests.hostile.programs import Reading

    return Attempt(scripted(Reading(), folder / "model.pt"))


def program_that_hides(folder: Path, canary: Path) -> Attempt:
    """Write a program that calls an operator by a name that it puts together."""
    from tests.hostile.programs import Summing

    path = scripted(Summing(), folder / "model.pt")

    def change(entries: dict[str, bytes]) -> None:
        name = next(name for name in entries if name.endswith(".py"))
        call = f'    getattr(torch, "sa" "ve")(x, "{canary}")\n    return '
        entries[name] = entries[name].replace(b"    return ", call.encode())

    return Attempt(rewritten(path, change))


def program_of_images(folder: Path, canary: Path) -> Attempt:
    from torch import nn

    return Attempt(scripted(nn.Conv2d(3, 4, 3), folder / "model.pt"))


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def exported(folder: Path) -> Path:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model(), (torch.zeros(2, 4, LENGTH),))
        torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


def sample_inputs(folder: Path, canary: Path) -> Attempt:
    malicious.write_zip(folder / "inner.pt", malicious.pickled(attack("os.system", canary)))
    content = (folder / "inner.pt").read_bytes()
    return Attempt(
        rewritten(exported(folder), lambda entries: entries.update({"model/data/sample_inputs/model.pt": content}))
    )


def pickled_constant(folder: Path, canary: Path) -> Attempt:
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}

    def change(entries: dict[str, bytes]) -> None:
        entries["model/data/constants/model_constants_config.json"] = json.dumps({"config": {"c": entry}}).encode()
        entries["model/data/constants/opaque_obj_0"] = malicious.pickled(attack("os.system", canary))

    return Attempt(rewritten(exported(folder), change))


def program_that_loads(folder: Path, canary: Path) -> Attempt:
    """Write a program whose first operator, as torch's own reader looks it up, fetches code and runs it."""

    def change(entries: dict[str, bytes]) -> None:
        whole = json.loads(entries["model/models/model.json"])
        whole["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"
        entries["model/models/model.json"] = json.dumps(whole).encode()

    return Attempt(rewritten(exported(folder), change))


def path_traversal(folder: Path, canary: Path) -> Attempt:
    return Attempt(rewritten(exported(folder), lambda entries: entries.update({"model/../../canary": b"written"})))


# ---- damage ----------------------------------------------------------------------------------------------


def bomb(folder: Path, canary: Path) -> Attempt:
    with zipfile.ZipFile(folder / "weights.pt", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("weights/data.pkl", pickle.dumps({}, 2))
        archive.writestr("weights/data/0", bytes(200_000_000))
    return with_factory(folder / "weights.pt")


def cut_off(folder: Path, canary: Path) -> Attempt:
    path = saved(model().state_dict(), folder / "weights.pt")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return with_factory(path)


def cut_off_old(folder: Path, canary: Path) -> Attempt:
    path = saved(model().state_dict(), folder / "weights.pt", new=False)
    path.write_bytes(path.read_bytes()[:-100])
    return with_factory(path)


def cut_off_safetensors(folder: Path, canary: Path) -> Attempt:
    from safetensors.torch import save_file

    path = folder / "weights.safetensors"
    save_file(model().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-64])
    return with_factory(path)


def lying_safetensors(folder: Path, canary: Path) -> Attempt:
    head = json.dumps({"0.weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / "weights.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(64))
    return with_factory(folder / "weights.safetensors")


def not_numbers(folder: Path, canary: Path) -> Attempt:
    weights = model().state_dict()
    weights["4.weight"][0, 3] = float("nan")
    return with_factory(saved(weights, folder / "weights.pth"))


def hdf5(folder: Path, canary: Path) -> Attempt:
    import h5py

    with h5py.File(folder / "weights.pth", "w") as file:
        file["weight"] = np.zeros(3)
    return with_factory(folder / "weights.pth")


WOULD_RUN = r"would import .*could run any code"
FILES: list[Hostile] = [
    Hostile("a pickle that runs a command", plain_pickle, WOULD_RUN, ("torch",)),
    Hostile("the same in torch's format before zip", old_format, WOULD_RUN, ("torch",)),
    Hostile("the same in torch's zip, by getattr", in_zip, WOULD_RUN, ("torch",)),
    Hostile("the same, reached through a module that torch imports", opened_alone, WOULD_RUN, ("torch",)),
    Hostile("a command beside a good state dict", beside_weights, WOULD_RUN, ("torch",)),
    Hostile("a pickled module with an object that writes a file", whole_module, r"arch:NAME --weights", ("torch",)),
    Hostile("an object that writes a file as its state is set", set_state, WOULD_RUN, ("torch",)),
    Hostile("a pickle in .npz", arrays, "an archive of NumPy arrays", ("torch",)),
    Hostile("a pickle in .npy", array, "a NumPy array", ("torch",)),
    Hostile("a pickle in a .tar of old torch", tar, "a tar archive", ("torch",)),
    Hostile("a tensor of more numbers than are stored", lying_storage, "must be a whole file", ("torch",)),
    Hostile("TorchScript that writes a file", program_that_writes, "aten::save, which writes a file", ("torch",)),
    Hostile("TorchScript that reads a file", program_that_reads, "aten::from_file, which reads a file", ("torch",)),
    Hostile("TorchScript that hides what it calls", program_that_hides, "a name that it puts together", ("torch",)),
    Hostile("TorchScript of a model of images", program_of_images, "must take one-hot sequences", ("torch",)),
    Hostile("a .pt2 whose sample inputs run a command", sample_inputs, WOULD_RUN, ("torch",)),
    Hostile("a .pt2 with a pickle among its constants", pickled_constant, "is a pickle", ("torch",)),
    Hostile("a .pt2 that calls torch.hub.load", program_that_loads, "operators that compute", ("torch",)),
    Hostile("a .pt2 of paths outside itself", path_traversal, "names one outside itself", ("torch",)),
    Hostile("a zip bomb named .pt", bomb, "as a zip bomb does", ("torch",)),
    Hostile("a .pt that was cut off", cut_off, "download it again", ("torch",)),
    Hostile("an old .pt that was cut off", cut_off_old, "download it again", ("torch",)),
    Hostile("safetensors that were cut off", cut_off_safetensors, "download it again", ("torch", "safetensors")),
    Hostile("safetensors with a lying header", lying_safetensors, "download it again", ("torch", "safetensors")),
    Hostile("an empty file", of_bytes(b""), "it is empty", ("torch",)),
    Hostile("a web page named .pth", of_bytes(b"<!DOCTYPE html><html>Not found</html>"), "a web page", ("torch",)),
    Hostile("a pointer of Git LFS", of_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS", ("torch",)),
    Hostile("HDF5 named .pth", hdf5, "an HDF5 file", ("torch", "h5py")),
    Hostile("weights that are NaN", not_numbers, r"its tensor '4\.weight' holds NaN", ("torch",)),
]
