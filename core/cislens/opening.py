"""Open whatever holds a model: a file, a factory in a Python file, a function, or an object in hand."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from cislens.architecture.named import PREFIX, open_architecture
from cislens.errors import OracleError
from cislens.oracle import FunctionOracle, Oracle, OracleOptions
from cislens.oracle.adapter import ModelSource
from cislens.oracle.reverse_complement import ReverseComplementAverage
from cislens.plugins import registry

IN_FILE = re.compile(r"(?P<file>.+\.py):(?P<name>\w+)")
IN_MODULE = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<name>\w+)")


def open_oracle(model: Any, weights: str | Path | None = None, **options: Any) -> Oracle:
    """Open a model as an oracle.

    Parameters
    ----------
    model
        A file or folder; "file.py:factory", whose factory takes no arguments and returns a model; "file.py:function"
        or "module:function" of a function that takes one-hot sequences; "arch:NAME" of a published architecture; or a
        model or function in hand.
    weights
        A file of weights for a model that a factory built, for an architecture file, or for a published architecture.
    options
        Fields of `OracleOptions`: layout, base_order, n_value, length, heads, outputs, scales, batch_size, device, ...

    Returns
    -------
    Oracle
        The model as a function from sequences to named heads.

    Raises
    ------
    OracleError
        If it cannot be opened; the sentence says what would be.
    UntrustedError
        If opening it would run code that the file brings along, unless `trust=True`.

    Examples
    --------
    >>> oracle = open_oracle(lambda x: x[:, :, 2].sum(1), length=20)
    >>> oracle.heads[0].name
    'output'
    """
    known = [field.name for field in fields(OracleOptions)]
    if unknown := sorted(set(options) - set(known)):
        raise OracleError(f"a model is opened with the options {', '.join(known)}, got {unknown[0]!r}")
    if isinstance(model, Oracle):
        return model
    file = Path(weights) if weights is not None else None
    if file is not None and not file.exists():
        raise OracleError(f"the weights must be a file that exists, got {file}")
    if isinstance(model, str) and model.startswith(PREFIX):
        model, options = open_architecture(model, file, options)
    chosen = OracleOptions(**options)
    oracle = _opened(model, file, chosen)
    return ReverseComplementAverage(oracle) if chosen.reverse_complement else oracle


def _opened(model: Any, weights: Path | None, options: OracleOptions) -> Oracle:
    if isinstance(model, ModelSource):
        return _open_source(model, options)
    if isinstance(model, str | Path):
        return _open_named(str(model), weights, options)
    return _open_object(model, weights, options, getattr(model, "name", None) or type(model).__name__)


def _open_named(text: str, weights: Path | None, options: OracleOptions) -> Oracle:
    path = Path(text)
    if path.exists():
        return _open_source(ModelSource(path.name, path=path, weights=weights), options)
    if match := IN_FILE.fullmatch(text):
        source = Path(match["file"])
        if not source.exists():
            raise OracleError(f"{text} must name a function in a Python file that exists, got {source}")
        return _open_member(
            _load_file(source, match["name"]), match["name"], weights, options, f"{source.name}:{match['name']}"
        )
    if match := IN_MODULE.fullmatch(text):
        return _open_member(_load_module(match["module"], text), match["name"], weights, options, text)
    raise OracleError(
        "a model must be a file or folder that exists, file.py:factory, module:function or arch:NAME with weights, "
        f"got {text!r}"
    )


def _load_file(path: Path, wanted: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for adapter in registry().adapters.values():
        adapter.prepare(_what_runs(path.read_text(errors="replace"), wanted))
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)  # so that the file finds its neighbours
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise OracleError(f"{path} needs {error.name}, which is not installed: pip install {error.name}") from error
    except Exception as error:
        raise OracleError(f"{path} must run, but failed with {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    return module


def _what_runs(code: str, wanted: str) -> str:
    """Return a file's text without its other functions, which may be of frameworks that the wanted one does not use."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code  # told with its line when the file is run
    tree.body = [part for part in tree.body if not isinstance(part, ast.FunctionDef) or part.name == wanted]
    return ast.unparse(tree)


def _load_module(name: str, text: str) -> ModuleType:
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OracleError(
            f"{text!r} must name a file or an importable module, but {error}: check the path, or where you run this"
        ) from error
    finally:
        sys.path.remove("")


def _open_member(module: ModuleType, name: str, weights: Path | None, options: OracleOptions, label: str) -> Oracle:
    member = getattr(module, name, None)
    if member is None:
        offered = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise OracleError(f"{label} must exist, but the file defines only {', '.join(offered) or 'no function'}")
    if callable(member) and _required_arguments(member) == 0 and not _is_model(member):
        try:
            member = member()
        except Exception as error:
            raise OracleError(f"the factory {label} must return a model, but failed with {error!r}") from error
    if weights is not None:
        label = f"{label} with {weights.name}"
    return _open_object(member, weights, options, label)


def _required_arguments(member: Any) -> int:
    try:
        parameters = inspect.signature(member).parameters.values()
    except (TypeError, ValueError):
        return 1  # a builtin that shows no signature takes its argument
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)


def _is_model(member: Any) -> bool:
    source = ModelSource("", model=member)
    return not inspect.isroutine(member) and any(adapter.recognises(source) for adapter in registry().adapters.values())


def _open_object(model: Any, weights: Path | None, options: OracleOptions, name: str) -> Oracle:
    if isinstance(model, Oracle):
        return model
    source = ModelSource(name, model=model, weights=weights)
    if any(adapter.recognises(source) for adapter in registry().adapters.values()):
        return _open_source(source, options)
    if not callable(model):
        raise OracleError(f"{name} must be a model or a function of one-hot sequences, got {type(model).__name__}")
    if weights is not None:
        raise OracleError(f"{name} is a plain function, which has no place for weights: let it load {weights} itself")
    return FunctionOracle(model, options, None if name in ("function", "partial") else name)


def _open_source(source: ModelSource, options: OracleOptions) -> Oracle:
    adapters = registry().adapters
    for adapter in adapters.values():
        if adapter.recognises(source):
            try:
                return adapter.open(source, options)
            except ModuleNotFoundError as error:
                raise OracleError(
                    f"{source.name} needs {error.name}, which is not installed: {adapter.install}"
                ) from error
    formats = "; ".join(form for adapter in adapters.values() for form in adapter.formats)
    broken = "".join(f"; the plugin {p.name} could not be loaded: {p.error}" for p in registry().broken)
    raise OracleError(f"{source.name} is none of the kinds that are read ({formats}){broken}")
