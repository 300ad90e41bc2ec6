"""Configurations that Keras 1 and 2 wrote, as Keras 3 writes them.

Keras 3 reads most of what Keras 2 wrote, but not all of it, and one thing it reads wrongly: the hard sigmoid, the gate
of recurrent layers at the time, has had another slope since Keras 3.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from cislens.errors import OracleError
from cislens_keras.runtime import keras

Config = dict[str, Any]

CLASSES = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution1D": "SeparableConv1D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
}
MODELS = {"Model": "Functional", "Functional": "Functional", "Sequential": "Sequential"}
MERGES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate"}
# What Keras 1 and 2 called settings that have another name now.
RENAMED = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample_length": "strides",
    "subsample": "strides",
    "pool_length": "pool_size",
    "stride": "strides",
    "border_mode": "padding",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "p": "rate",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
# What only training or the shape needed, or is said elsewhere now.
DROPPED = (
    "batch_input_shape",
    "input_dtype",
    "input_dim",
    "input_length",
    "init",
    "inner_init",
    "forget_bias_init",
    "W_regularizer",
    "U_regularizer",
    "b_regularizer",
    "W_constraint",
    "U_constraint",
    "b_constraint",
    "gamma_regularizer",
    "beta_regularizer",
    "mode",
    "consume_less",
    "beta_init",
    "gamma_init",
    "weights",
    "sparse",
    "ragged",
    "time_major",
    "implementation",
    "input_spec",
    "batch_size",
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
    "virtual_batch_size",
    "fused",
    "adjustment",
)
DATA_FORMATS = {"th": "channels_first", "tf": "channels_last"}
HARD_SIGMOID = {
    "module": "builtins",
    "class_name": "function",
    "config": "cislens>hard_sigmoid_of_keras_2",
    "registered_name": "function",
}


class LackingError(OracleError):
    """A model of Keras 1 or 2 with a layer that Keras 3 does not have."""


def without_modules(config: Any) -> Any:
    """Return a configuration that the last versions of Keras 2 wrote without the modules of Keras's own classes.

    They name them as Keras 3 does, but mean the settings of Keras 2.
    """
    if isinstance(config, list):
        return [without_modules(part) for part in config]
    if not isinstance(config, Mapping):
        return config
    own = str(config.get("module")).split(".")[0] in ("keras", "tf_keras", "tensorflow")
    dropped = ("module", "registered_name", "build_config") if own else ()
    return {key: without_modules(value) for key, value in config.items() if key not in dropped}


def plain_models(config: Any) -> Any:
    """Return a configuration in which models of somebody's own class are the functional ones that they list.

    Such a class adds how the model is trained; what it answers is in its layers, and its code is not needed. What a
    model was compiled with is left out.
    """
    if isinstance(config, list):
        return [plain_models(part) for part in config]
    if not isinstance(config, Mapping):
        return config
    new = {key: plain_models(value) for key, value in config.items() if key != "compile_config"}
    inner = new.get("config")
    listed = isinstance(inner, Mapping) and inner.keys() >= {"layers", "input_layers", "output_layers"}
    if listed and new.get("class_name") not in MODELS:
        new["class_name"] = "Functional"
        if "module" in new:
            new |= {"module": "keras.src.models.functional", "registered_name": None}
    return new


def is_legacy(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration was written before Keras 3, which names the module of every object."""
    return "module" not in config


def translated(config: Mapping[str, Any]) -> Config:
    """Return a model's or layer's configuration in the form of Keras 3; the one given is left as it is.

    Raises
    ------
    LackingError
        If it is of a kind that Keras 3 does not have.
    """
    if not is_legacy(config):  # Keras 3 writes layers in its own form inside an HDF5 file of the old one
        return dict(config)
    kind = config.get("class_name")
    settings = config.get("config")
    if kind in MODELS:
        return _model(str(kind), settings, config)
    if not isinstance(kind, str) or not isinstance(settings, Mapping):
        raise OracleError(f"a Keras configuration must hold class_name and config for each layer, got {config!r:.100}")
    kind, inner = _layer(CLASSES.get(kind, kind), dict(settings))
    name = inner.get("name", config.get("name"))
    known = getattr(keras.layers, kind, None)
    if module := _module_of_operation(kind, config, known is not None):
        nodes = {"name": name, "inbound_nodes": config["inbound_nodes"]}
        return {"module": module, "class_name": kind, "config": inner, "registered_name": kind, **nodes}
    registered = keras.saving.get_registered_object(kind)
    if known is None and registered is None:
        raise LackingError(
            f"layer {name!r} is a {kind}, which Keras 3 does not have: build the model in a Python file and open it as "
            "file.py:factory with --weights"
        )
    place = {"module": "keras.layers", "registered_name": None}
    if known is None:
        place = {"module": registered.__module__, "registered_name": kind}
    new: Config = {"class_name": kind, "config": inner, **place}
    if "inbound_nodes" in config:
        new |= {"name": name, "inbound_nodes": config["inbound_nodes"]}
    return new


def _module_of_operation(kind: str, config: Mapping[str, Any], is_layer: bool) -> str | None:
    """Return where the operation of an expression such as x + y is defined, None of a layer.

    Keras 3 writes them into HDF5 files without saying so; layers that are called alike take a list of tensors.
    """
    nodes = [node for node in config.get("inbound_nodes", ()) if isinstance(node, Mapping)]
    if not nodes or (is_layer and all(isinstance(node["args"][0], list) or len(node["args"]) < 2 for node in nodes)):
        return None
    modules = [f"keras.src.ops.{part}" for part in ("numpy", "nn", "core")]
    return next((module for module in modules if hasattr(importlib.import_module(module), kind)), None)


def _model(kind: str, settings: Any, config: Mapping[str, Any]) -> Config:
    if isinstance(settings, list):  # a Sequential model of Keras 1 and early 2 is a bare list
        settings = {"name": config.get("name", "sequential"), "layers": settings}
    if not isinstance(settings, Mapping) or not isinstance(settings.get("layers"), list):
        raise OracleError("a Keras architecture must list its layers, got none")
    kind = MODELS[kind]
    layers = settings["layers"]
    inner: Config = {"name": settings.get("name") or kind.lower(), "layers": [translated(part) for part in layers]}
    if kind == "Functional":
        # A list of one would make Keras 3 want, and give, lists.
        inner |= {key: _alone(settings[key]) for key in ("input_layers", "output_layers")}
        _count_calls_from_0(inner)
        new: Config = {"module": "keras.src.models.functional", "class_name": kind, "config": inner}
    else:
        shape = _first_shape(layers)
        if shape is not None and layers[0].get("class_name") != "InputLayer":
            start = {"batch_shape": shape, "dtype": "float32", "name": f"{inner['name']}_input"}
            start_layer = {"module": "keras.layers", "class_name": "InputLayer", "config": start}
            inner["layers"].insert(0, {**start_layer, "registered_name": None})
        new = {"module": "keras", "class_name": kind, "config": inner}
    new["registered_name"] = None
    if "inbound_nodes" in config:
        new |= {"name": inner["name"], "inbound_nodes": config["inbound_nodes"]}
    return new


def _count_calls_from_0(model: Config) -> None:
    """Count the calls of models inside a model as Keras 3 does when it builds one.

    Keras 1 and 2 count them from 1, since a model's own making was its call 0. Of the model's outputs, Keras 3 expects
    the old count of functional models, but not of sequential ones.
    """
    kinds = {part.get("name"): part["class_name"] for part in model["layers"] if part["class_name"] in MODELS}

    def earlier(source: Any) -> Any:
        return [source[0], source[1] - 1, *source[2:]] if source[0] in kinds else source

    for part in model["layers"]:
        nodes = part.get("inbound_nodes", ())
        part["inbound_nodes"] = [[earlier(x) for x in node] if isinstance(node, list) else node for node in nodes]
    for key in ("input_layers", "output_layers"):
        listed = model[key]
        alone = listed and isinstance(listed[0], str)
        found = [earlier(x) if kinds.get(x[0]) == "Sequential" else x for x in ([listed] if alone else listed)]
        model[key] = found[0] if alone else found


def _alone(listed: list[Any]) -> list[Any]:
    return list(listed[0]) if len(listed) == 1 and isinstance(listed[0], list) else listed


def _first_shape(layers: list[Any]) -> list[int | None] | None:
    first = layers[0] if layers else {}
    settings = first.get("config", {})
    if isinstance(settings, Mapping):
        if settings.get("batch_input_shape"):
            return list(settings["batch_input_shape"])
        if isinstance(settings.get("layers"), list):
            return _first_shape(settings["layers"])
        if isinstance(settings.get("layer"), Mapping):
            return _first_shape([settings["layer"]])
    return _first_shape(settings) if isinstance(settings, list) else None


def _layer(kind: str, old: Config) -> tuple[str, Config]:
    """Return a layer's class and settings under their names of today."""
    if kind == "Merge":
        return _merge(old)
    new = {RENAMED.get(key, key): value for key, value in old.items() if key not in DROPPED}
    if kind == "InputLayer":
        return kind, {"batch_shape": list(old["batch_input_shape"])} | new if "batch_input_shape" in old else new
    if kind == "Embedding" and "input_dim" in old:
        new["input_dim"] = old["input_dim"]
    elif kind != "Embedding" and "output_dim" in new:
        new["units"] = new.pop("output_dim")
    if "nb_row" in new:
        new["kernel_size"] = [new.pop("nb_row"), new.pop("nb_col")]
    if "dim_ordering" in new:
        new["data_format"] = DATA_FORMATS.get(new.pop("dim_ordering"), None)
    for key, value in new.items():
        new[key] = _value(key, value)
    if kind == "LeakyReLU" and "alpha" in new:
        new["negative_slope"] = new.pop("alpha")
    if kind == "GRU" and "reset_after" not in new:
        new["reset_after"] = False
    return kind, new


def _merge(old: Config) -> tuple[str, Config]:
    mode = old.get("mode")
    if mode not in MERGES:
        raise OracleError(f"a Merge layer of Keras 1 must be one of {', '.join(MERGES)}, got {mode!r}")
    new: Config = {"name": old.get("name")}
    if mode == "concat":
        new["axis"] = old.get("concat_axis", -1)
    return MERGES[mode], new


def _value(key: str, value: Any) -> Any:
    if value == "hard_sigmoid" and key.endswith("activation"):
        return dict(HARD_SIGMOID)
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if key in ("layer", "backward_layer", "forward_layer") and isinstance(value, Mapping):
        return translated(value)
    if key.endswith(("_regularizer", "_constraint")):
        return None  # they act in training alone, and may be functions that nobody has any more
    if key.endswith("_initializer"):
        return "zeros"  # the file holds the weights
    if key == "dtype" and isinstance(value, Mapping):
        return value["config"]["name"]
    return value
