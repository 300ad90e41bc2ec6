"""Hostile files for the keras adapter: each would write the canary, read what is not its own, or is broken."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tests.hostile.hostile import Attempt, Hostile
from tests.hostile.tensorflow_files import SAVED_MODELS

NEEDS = ("keras", "tensorflow")
Layer = dict[str, Any]


def sequential(*layers: Layer) -> dict[str, Any]:
    """Return the configuration of a model with a hostile part, as Keras 3 writes it."""
    start = layer("InputLayer", batch_shape=[None, 40, 4], dtype="float32", name="dna")
    ends = (layer("Flatten", name="flat"), layer("Dense", units=1, name="out"))
    settings = {"name": "model", "layers": [start, *layers, *ends], "build_input_shape": [None, 40, 4]}
    return {"module": "keras", "class_name": "Sequential", "config": settings, "registered_name": None}


def layer(kind: str, module: str = "keras.layers", registered: str | None = None, **settings: Any) -> Layer:
    return {"module": module, "class_name": kind, "config": settings, "registered_name": registered}


def hdf5(content: dict[str, Any], **arrays: Any) -> bytes:
    """Return an HDF5 file with these attributes and arrays."""
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        for name, value in content.items():
            opened.attrs[name] = value
        for name, array in arrays.items():
            opened[name] = array
    return file.getvalue()


def archive(path: Path, config: Any, *others: tuple[str | zipfile.ZipInfo, bytes]) -> Attempt:
    """Write a .keras archive; what comes after the configuration is written as it is given."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        warnings.filterwarnings("ignore", "Duplicate name")
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.0"}))
        file.writestr("config.json", json.dumps(config))
        for name, content in others or (("model.weights.h5", hdf5({}, w=np.zeros(3))),):
            file.writestr(name, content)
    return Attempt(path)


def code(canary: Path) -> dict[str, Any]:
    """Return a function that would write the canary, as Keras stores functions: as bytecode."""
    import base64
    import marshal

    compiled = compile(f"lambda x: (open({str(canary)!r}, 'w').close(), x)[1]", "<model>", "eval").co_consts[0]
    text = base64.b64encode(marshal.dumps(compiled)).decode()
    return {"class_name": "__lambda__", "config": {"value": {"code": text, "defaults": None, "closure": None}}}


def in_archive(build: Callable[[Path], Layer], folder: Path, canary: Path) -> Attempt:
    return archive(folder / "model.keras", sequential(build(canary)))


def in_hdf5(build: Callable[[Path], Layer], folder: Path, canary: Path) -> Attempt:
    config = json.dumps(sequential(build(canary)))
    (folder / "model.h5").write_bytes(hdf5({"model_config": config, "keras_version": "3.15.0"}))
    return Attempt(folder / "model.h5")


def of_lambda(canary: Path) -> Layer:
    return layer("Lambda", name="sneaky", function=code(canary), output_shape=[40, 4])


def of_custom_object(canary: Path) -> Layer:
    (canary.parent / "inside" / "sneaky_layers.py").write_text(f"open({str(canary)!r}, 'w').close()")
    return layer("Sneaky", "sneaky_layers", "Custom>Sneaky", name="own")


def of_download(canary: Path) -> Layer:
    settings = {"fname": str(canary), "origin": "file:///secret"}
    regulariser = {"module": "keras.utils", "class_name": "get_file", "config": settings, "registered_name": None}
    return layer("Dense", name="dense", units=2, kernel_regularizer=regulariser)


def of_unsafe_mode(canary: Path) -> Layer:
    switch = {"class_name": "function", "config": "enable_unsafe_deserialization", "module": "keras.config"}
    return layer("Dense", name="dense", units=2, activation={**switch, "registered_name": "function"})


def of_torch_module(canary: Path) -> Layer:
    inner = layer("TorchModuleWrapper", name="inner", module="AAAA")
    return layer("TimeDistributed", name="outer", layer=inner)


def of_vocabulary(canary: Path) -> Layer:
    return layer("StringLookup", name="words", vocabulary=str(canary.with_name("secret")))


def of_tensorflow_function(folder: Path, canary: Path) -> Attempt:
    """Keras 2 kept calls of TensorFlow's functions by name."""
    start = layer("InputLayer", name="dna", batch_input_shape=[None, 40, 4])
    write = layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", name="write", function="io.write_file")
    flat, out = layer("Flatten", name="flat"), layer("Dense", name="out", units=1)
    calls = {"dna": [], "flat": [[["dna", 0, 0, {}]]], "out": [[["flat", 0, 0, {}]]]}
    calls["write"] = [[str(canary), -1, -1, {"contents": "ran"}]]
    layers = [{**part, "name": (n := part["config"]["name"]), "inbound_nodes": calls[n]} for part in (start, write)]
    layers += [{**part, "name": (n := part["config"]["name"]), "inbound_nodes": calls[n]} for part in (flat, out)]
    settings = {"name": "m", "layers": layers, "input_layers": [["dna", 0, 0]], "output_layers": [["out", 0, 0]]}
    config = json.dumps({"class_name": "Functional", "config": settings})
    (folder / "model.h5").write_bytes(hdf5({"model_config": config, "keras_version": "2.15.0"}))
    return Attempt(folder / "model.h5")


def zip_bomb(folder: Path, canary: Path) -> Attempt:
    return archive(folder / "model.keras", sequential(), ("model.weights.h5", bytes(200_000_000)))


def memory_bomb(folder: Path, canary: Path) -> Attempt:
    """An array of a petabyte that takes no room in its file."""
    import h5py

    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(sequential())
        file.create_dataset("model_weights/out/kernel", (2**25, 2**25), "f4", chunks=(1024, 1024))
    return Attempt(folder / "model.h5")


def traversal(name: str, folder: Path, canary: Path) -> Attempt:
    weights = ("model.weights.h5", hdf5({}, w=np.zeros(3)))
    return archive(folder / "model.keras", sequential(), weights, (name.format(canary=canary), b"ran"))


def link_in_archive(folder: Path, canary: Path) -> Attempt:
    link = zipfile.ZipInfo("assets")
    link.external_attr = 0o120777 << 16
    weights = ("model.weights.h5", hdf5({}, w=np.zeros(3)))
    return archive(folder / "model.keras", sequential(), weights, (link, str(canary.parent).encode()))


def cut_short(folder: Path, canary: Path) -> Attempt:
    archive(folder / "whole.keras", sequential())
    path = folder / "model.keras"
    path.write_bytes((folder / "whole.keras").read_bytes()[:600])
    return Attempt(path)


def written(name: str, content: bytes, folder: Path, canary: Path) -> Attempt:
    (folder / name).write_bytes(content)
    return Attempt(folder / name)


def with_weights_elsewhere(how: str, folder: Path, canary: Path) -> Attempt:
    """Weights that are another file's: of a link, or the bytes of any file of the disk."""
    import h5py

    secret = str(canary.with_name("secret"))
    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(sequential())
        file.attrs["layer_names"] = np.array([b"out"])
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"out"])
        if how == "link":
            group["out"] = h5py.ExternalLink(secret, "/keys")
        elif how == "storage":
            group.create_dataset("out/kernel", (160, 1), "f4", external=[(secret, 0, h5py.h5f.UNLIMITED)])
        else:
            layout = h5py.VirtualLayout((160, 1), "f4")
            layout[:] = h5py.VirtualSource(secret, "keys", (160, 1))
            group.create_group("out").create_virtual_dataset("kernel", layout)
    return Attempt(folder / "model.h5")


class Runs:
    """Unpickled, it would write the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.canary),)


def pickle_with_the_name_of_hdf5(folder: Path, canary: Path) -> Attempt:
    return written("model.h5", pickle.dumps(Runs(canary)), folder, canary)


def pickle_as_weights(folder: Path, canary: Path) -> Attempt:
    arrays = io.BytesIO()
    np.savez(arrays, w=np.array([Runs(canary)], object))
    return archive(folder / "model.keras", sequential(), ("model.weights.npz", arrays.getvalue()))


def whole(shape: tuple[int, ...], value: float, folder: Path, canary: Path) -> Attempt:
    """A model that is all right but for the shape of its input or its weights."""
    import h5py

    config = sequential()
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, *shape]
    config["config"]["build_input_shape"] = [None, *shape]
    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"out"])
        group.create_group("out").attrs["weight_names"] = np.array([b"kernel", b"bias"])
        group["out/kernel"] = np.full((math.prod(shape), 1), value)
        group["out/bias"] = np.zeros(1)
    return Attempt(folder / "model.h5")


FILES = [
    Hostile(name, write, says, (*NEEDS, "tf_keras") if write is of_tensorflow_function else NEEDS)
    for name, write, says in (
        ("Keras .keras with a Lambda", partial(in_archive, of_lambda), "'sneaky' is a Lambda, which runs"),
        ("Keras .h5 with a Lambda", partial(in_hdf5, of_lambda), "'sneaky' is a Lambda, which runs"),
        ("Keras .keras with a custom object", partial(in_archive, of_custom_object), "imports and runs sneaky_layers"),
        ("Keras .h5 with a custom object", partial(in_hdf5, of_custom_object), "imports and runs sneaky_layers"),
        ("Keras .keras that downloads a file", partial(in_archive, of_download), r"names keras\.utils\.get_file"),
        ("Keras .keras that turns safe mode off", partial(in_archive, of_unsafe_mode), "enable_unsafe_deserialization"),
        (
            "Keras .keras with a wrapped torch module",
            partial(in_archive, of_torch_module),
            "unpickles a PyTorch module",
        ),
        ("Keras .keras that reads a vocabulary", partial(in_archive, of_vocabulary), "reads a vocabulary from a file"),
        (
            "Keras 2 .h5 that calls tf.io.write_file",
            of_tensorflow_function,
            "calls TensorFlow's function 'io.write_file'",
        ),
        ("Keras .keras, a zip bomb", zip_bomb, "must unpack to what a model of its size can hold"),
        ("HDF5 array of a petabyte", memory_bomb, "must unpack to what a model of its size can hold"),
        ("Keras .keras with ../", partial(traversal, "../canary"), r"names '\.\./canary'"),
        ("Keras .keras with an absolute name", partial(traversal, "{canary}"), "must unpack into one folder"),
        ("Keras .keras with a file twice", partial(traversal, "config.json"), "holds 'config.json' twice"),
        ("Keras .keras with a link", link_in_archive, "'assets' is a link"),
        ("Keras .keras cut short", cut_short, "is none, or cut short"),
        ("Keras .keras with pickled weights", pickle_as_weights, r"holds no model\.weights\.h5"),
        ("Keras .h5, empty", partial(written, "model.h5", b""), "but it is empty"),
        ("Keras .h5 that is no HDF5", partial(written, "model.h5", b"\x00" * 999), "but it is none"),
        ("Keras .h5 that is a pickle", pickle_with_the_name_of_hdf5, "but it is none"),
        ("HDF5 with a link to another file", partial(with_weights_elsewhere, "link"), "another file, .*secret"),
        ("HDF5 with another file's bytes", partial(with_weights_elsewhere, "storage"), "another file, .*secret"),
        ("HDF5 pieced together", partial(with_weights_elsewhere, "pieces"), "another file, .*secret"),
        ("JSON that is no model", partial(written, "model.json", b'{"a": 1}'), "but it has no class_name"),
        ("Keras .h5 with NaN weights", partial(whole, (40, 4), np.nan), "out/kernel holds 160 that"),
        ("Keras model of images", partial(whole, (28, 28, 3), 1.0), "an axis of the four bases"),
    )
] + SAVED_MODELS
