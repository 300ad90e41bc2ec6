"""The options of `cislens report` that write files for other tools: one for each exporter that is installed."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from cislens import settings

if TYPE_CHECKING:
    from cislens.exchange import Exporter

PANEL = "Files for other tools"
KEPT = "cislens exports"  # where a context keeps what was asked for


class Asked(NamedTuple):
    """An exporter with its settings, and the file it is to write."""

    exporter: Exporter
    path: str


class WithExporters(TyperCommand):
    """A command with an option for each exporter, and one for each setting of it.

    Plugins are asked for their exporters when this command is, so that no other one waits for them.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own parameters, then those of the exporters."""
        return [*super().get_params(ctx), *_options()]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; `asked_for` gives it what the exporters' options say."""
        ctx.meta[KEPT] = {option.name: ctx.params.pop(option.name) for option in _options()}
        return super().invoke(ctx)


def asked_for(context: typer.Context) -> list[Asked]:
    """Return the exporters of which a file was asked for.

    Raises
    ------
    CislensError
        If a setting is not of its type, or belongs to an exporter of which no file was asked for.
    """
    from cislens.errors import CislensError
    from cislens.plugins import registry

    values, asked = context.meta[KEPT], []
    for name, kind in registry().exporters.items():
        fields = [setting.name for setting in settings.describe(kind)]
        given = {field: values[_key(name, field)] for field in fields if values[_key(name, field)] is not None}
        if values[_key(name)] is not None:
            asked.append(Asked(settings.build(kind, given), values[_key(name)]))
        elif given:
            flag = _flag(name, next(iter(given)))
            raise CislensError(f"{flag} says how a file is written, so it needs {_flag(name)} FILE")
    return asked


def _options() -> list[Any]:
    """Return the options as typer makes them of a function's parameters."""
    from cislens.plugins import registry

    def declared(**_: Any) -> None: ...

    parameters = []
    for name, kind in registry().exporters.items():
        summary = f"{kind.summary()} (*{', *'.join(kind.suffixes)})"
        parameters.append(_parameter(_key(name), _flag(name), "FILE", summary))
        for setting in settings.describe(kind):
            told = f"{setting.help} Default: {setting.default}."
            parameters.append(_parameter(_key(name, setting.name), _flag(name, setting.name), setting.type, told))
    declared.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    declared.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(declared)
    return list(typer.main.get_command(app).params)


def _parameter(name: str, flag: str, metavar: str, help: str) -> inspect.Parameter:
    option = typer.Option(flag, metavar=metavar, help=help, rich_help_panel=PANEL)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[str | None, option])


def _flag(*names: str) -> str:
    """Return how an exporter, or a setting of it, is asked for."""
    return f"--{'-'.join(names)}".replace("_", "-")


def _key(name: str, field: str = "") -> str:
    """Return the name of a parameter, which must be a Python word whatever an exporter is called."""
    return re.sub(r"\W", "_", f"export_{name}_{field}")
