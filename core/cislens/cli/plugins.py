"""`cislens plugins`: what is installed, what an explainer's or trainer's settings are, and a start for a new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import rich_console, say, say_json

if TYPE_CHECKING:
    from cislens.explainer import Explainer
    from cislens.plugins.registry import Plugin, Registry
    from cislens.training import Trainer

app = typer.Typer(
    help="List plugins, show the settings of an explainer or trainer, or start a new plugin.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)


@app.callback()
def plugins(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """List explainers, architectures, trainers and plugins; a plugin that failed is shown with its reason."""
    if context.invoked_subcommand is not None:
        return
    from cislens.plugins import registry

    found = registry()
    if json:
        plugins = [asdict(p) for p in found.plugins]
        listed = {"explainers": _explainers, "architectures": _architectures, "trainers": _trainers}
        say_json({"plugins": plugins, **{kind: of(found) for kind, of in listed.items()}})
        return
    _print(found)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of an explainer or a trainer.")]) -> None:
    """Show what an explainer or a trainer does, what it needs, and its settings."""
    from cislens.plugins import registry

    for number, kind in enumerate(registry().called(name)):
        if number:
            say()
        _show(name, kind)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the new explainer, snake_case.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the package's folder is made.")] = Path("."),
) -> None:
    """Write a complete package for a new explainer: one module, its settings, its test."""
    from cislens.plugins.template import write

    written = write(name, folder)
    say(f"{written}\n\nnext   pip install -e {written} && cislens plugins && pytest {written}")


def _show(name: str, kind: type[Explainer] | type[Trainer]) -> None:
    import inspect

    from cislens.explainer import Explainer
    from cislens.settings import describe

    say(f"{name}\n\n{inspect.getdoc(kind)}")
    described = describe(kind)
    example = f"{name}:{described[0].name}={described[0].default}" if described else name
    use = f"train {example} DATA -o folder"
    if issubclass(kind, Explainer):
        use = f"explain MODEL SEQUENCES.fa -e {example} -o report.zarr"
        say(f"\nneeds  {', '.join(sorted(kind.needs))}\ngives  {', '.join(kind.emits)}\nscope  {kind.scope}")
    if described:
        say("\nsettings")
    for setting in described:
        say(f"  {setting.name}={setting.default}  ({setting.type})  {setting.help}")
    say(f"\nuse    cislens {use}")


def _explainers(found: Registry) -> list[dict[str, Any]]:
    from cislens.settings import describe

    return [
        {
            "name": name,
            "summary": kind.summary(),
            "needs": sorted(kind.needs),
            "emits": kind.emits,
            "scope": kind.scope,
            "references": kind.references,
            "settings": [asdict(setting) for setting in describe(kind)],
        }
        for name, kind in found.explainers.items()
    ]


def _architectures(found: Registry) -> list[dict[str, Any]]:
    return [
        {"name": name, "title": kind.title, "references": kind.references} for name, kind in found.architectures.items()
    ]


def _trainers(found: Registry) -> list[dict[str, Any]]:
    from cislens.settings import describe

    return [
        {
            "name": name,
            "summary": kind.summary(),
            "references": kind.references,
            "settings": [asdict(setting) for setting in describe(kind)],
        }
        for name, kind in found.trainers.items()
    ]


def _print(found: Registry) -> None:
    whole = [plugin for plugin in found.plugins if plugin.error is None]
    explainers = [(name, kind.summary(), ", ".join(sorted(kind.needs))) for name, kind in found.explainers.items()]
    _print_table("Explainers", ("name", "what it does", "needs"), explainers)
    networks = [(f"arch:{name}", architecture.title) for name, architecture in found.architectures.items()]
    _print_table("\nArchitectures", ("model", "what it is"), networks)
    trainers = [(name, kind.summary()) for name, kind in found.trainers.items()]
    _print_table("\nTrainers", ("name", "what it does"), trainers)
    plugins = [(p.name, f"{p.distribution} {p.version}", _adds(p)) for p in whole]
    _print_table("\nPlugins", ("plugin", "from", "adds"), plugins)
    for plugin in found.broken:
        say(f"not loaded: {plugin.name} of {plugin.distribution} {plugin.version}: {plugin.error}")
    say("\nmore       cislens plugins show NAME")


def _adds(plugin: Plugin) -> str:
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.adds.items())


def _print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    rich_console().print(table)
