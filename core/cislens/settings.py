"""The settings of what plugins add: dataclass fields, and their form on the command line."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from cislens.errors import CislensError

T = TypeVar("T")
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def setting(default: Any, help: str) -> Any:
    """Declare a field with its default and one sentence that documentation and `cislens plugins` show."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Setting:
    """Describe one field: its name, type as text, default and help."""

    name: str
    type: str
    default: Any
    help: str


class Configured:
    """What explainers, derivations, trainers, exporters and importers share: a dataclass that is its own settings."""

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return values(self)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of its documentation."""
        return (cls.__doc__ or "").strip().partition("\n")[0]


def describe(kind: type[Any]) -> tuple[Setting, ...]:
    """List the settings of a dataclass."""
    hints = typing.get_type_hints(kind)
    return tuple(
        Setting(f.name, _type_text(hints[f.name]), f.default, f.metadata.get("help", ""))
        for f in dataclasses.fields(kind)
    )


def values(instance: Any) -> dict[str, Any]:
    """Return the settings of an instance as JSON values."""
    return {f.name: _plain(getattr(instance, f.name)) for f in dataclasses.fields(instance)}


def build(kind: type[T], given: Mapping[str, Any]) -> T:
    """Make an instance from texts or values by field name.

    Raises
    ------
    CislensError
        If a name is no setting, or a text is not of its type; the sentence lists what would be.
    """
    hints = typing.get_type_hints(kind)
    known = [setting.name for setting in describe(kind)]
    arguments = {}
    for name, value in given.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise CislensError(f"{_name(kind)} has no setting {name!r}: its settings are {listed}")
        arguments[name] = _convert(value, hints[name], f"{_name(kind)}'s {name}")
    return kind(**arguments)


def named(text: str, find: Callable[[str], type[T]]) -> T:
    """Make what `NAME` or `NAME:setting=value,...` says, with the class that `find` gives for the name."""
    name, _, rest = text.partition(":")
    return build(find(name), parse_settings(rest))


def text(instance: Any) -> str:
    """Return the settings of an instance as `parse_settings` reads them."""
    return ",".join(f"{f.name}={as_text(getattr(instance, f.name))}" for f in dataclasses.fields(instance))


def parse_settings(text: str) -> dict[str, str]:
    """Read "name=value,name=value"."""
    pairs = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise CislensError(f"settings are written name=value,name=value, got {part!r}")
        pairs[name.strip()] = value.strip()
    return pairs


def _convert(value: Any, hint: Any, what: str) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    # None first: every value can be read as a text.
    for option in sorted(options, key=lambda option: option is not type(None)):
        try:
            return _as_type(value, option)
        except (ValueError, TypeError, OverflowError):
            continue
    raise CislensError(f"{what} must be {_type_text(hint)}, got {value!r}")


def _as_type(value: Any, hint: Any) -> Any:
    if hint is type(None):
        if value is None or value in ("none", "None"):
            return None
        raise ValueError
    if get_origin(hint) is Literal:
        by_text = {str(choice): choice for choice in get_args(hint)}
        if str(value) not in by_text:
            raise ValueError
        return by_text[str(value)]
    if get_origin(hint) is tuple:
        parts = value.split("+") if isinstance(value, str) and value else list(value)
        return tuple(_as_type(part, get_args(hint)[0]) for part in parts)
    if hint is bool:
        text = str(value).lower()
        if text not in TRUE + FALSE:
            raise ValueError
        return text in TRUE
    if hint is int and isinstance(value, float) and not value.is_integer():
        raise ValueError
    converted = hint(value)
    if converted != converted:  # NaN, which no setting can mean
        raise ValueError
    return converted


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def as_text(value: Any) -> str:
    """Return a value of a setting as the command line takes it."""
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _name(kind: type[Any]) -> str:
    return str(getattr(kind, "name", kind.__name__))


def _type_text(hint: Any) -> str:
    if hint is type(None):
        return "none"
    if get_origin(hint) is Literal:
        return " | ".join(str(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(_type_text(option) for option in get_args(hint))
    if get_origin(hint) is tuple:
        return f"{_type_text(get_args(hint)[0])}+..."
    return str(getattr(hint, "__name__", hint))
