"""`cislens plugins`: what is installed, what one explainer's settings are, and a start for a new one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import rich_console, say, say_json

if TYPE_CHECKING:
    from cislens.plugins import Registry

app = typer.Typer(
    help="List plugins and explainers, show an explainer's settings, or start a new plugin.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)


@app.callback()
def plugins(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """List plugins, explainers and published architectures; a plugin that failed is shown with its reason."""
    if context.invoked_subcommand is not None:
        return
    from cislens.plugins import registry

    found = registry()
    if json:
        plugins = [asdict(p) for p in found.plugins]
        say_json({"plugins": plugins, "explainers": _explainers(found), "architectures": _architectures(found)})
        return
    _print(found)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of an explainer.")]) -> None:
    """Show what an explainer does, what it needs, and its settings."""
    import inspect

    from cislens.plugins import registry
    from cislens.settings import describe

    kind = registry().explainer(name)
    say(f"{name}\n\n{inspect.getdoc(kind)}\n")
    say(f"needs  {', '.join(sorted(kind.needs))}\ngives  {', '.join(kind.emits)}\nscope  {kind.scope}")
    described = describe(kind)
    if described:
        say("\nsettings")
    for setting in described:
        say(f"  {setting.name}={setting.default}  ({setting.type})  {setting.help}")
    example = f":{described[0].name}={described[0].default}" if described else ""
    say(f"\nuse    cislens explain MODEL SEQUENCES.fa -e {name}{example} -o report.zarr")


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the new explainer, snake_case.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the package's folder is made.")] = Path("."),
) -> None:
    """Write a complete package for a new explainer: one module, its settings, its test."""
    from cislens.plugins.template import write

    written = write(name, folder)
    say(f"{written}\n\nnext   pip install -e {written} && cislens plugins && pytest {written}")


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


def _print(found: Registry) -> None:
    from rich.table import Table

    table = Table(title="Explainers", title_justify="left", box=None, pad_edge=False)
    for column in ("name", "what it does", "needs"):
        table.add_column(column)
    for name, kind in found.explainers.items():
        table.add_row(name, kind.summary(), ", ".join(sorted(kind.needs)))
    console = rich_console()
    console.print(table)
    networks = Table(title="\nArchitectures", title_justify="left", box=None, pad_edge=False)
    for column in ("model", "what it is"):
        networks.add_column(column)
    for name, architecture in found.architectures.items():
        networks.add_row(f"arch:{name}", architecture.title)
    console.print(networks)
    listed = Table(title="\nPlugins", title_justify="left", box=None, pad_edge=False)
    for column in ("plugin", "from", "adds"):
        listed.add_column(column)
    for plugin in found.plugins:
        if plugin.error is None:
            adds = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.adds.items())
            listed.add_row(plugin.name, f"{plugin.distribution} {plugin.version}", adds)
    console.print(listed)
    for plugin in found.broken:
        say(f"not loaded: {plugin.name} of {plugin.distribution} {plugin.version}: {plugin.error}")
    say("\nmore       cislens plugins show NAME")
