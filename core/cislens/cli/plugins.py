"""`cislens plugins`: what is installed, what its settings are, and a start for a new one."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cislens.cli.console import print_table, say, say_json

if TYPE_CHECKING:
    from cislens.plugins.registry import Plugin, Registry


class Kind(NamedTuple):
    """How entries of a kind are shown: what is said of them beside their name, how one is used, and how it is typed."""

    detail: str
    use: str
    typed: str = "{name}"


# By the kinds of the registry; what is used by other commands alone has no use of its own.
KINDS = {
    "explainers": Kind("needs", "explain MODEL SEQUENCES.fa -e {example} -o report.zarr"),
    "derivations": Kind("takes", "derive report.zarr {example}"),
    "metrics": Kind("needs", ""),
    "exporters": Kind("suffixes", "report report.zarr --{option} FILE"),
    "importers": Kind("suffixes", "import FILE --as {example} -o report.zarr"),
    "architectures": Kind("", "inspect arch:{name} --weights FILE", "arch:{name}"),
    "trainers": Kind("", "train {example} DATA -o folder"),
    "adapters": Kind("formats", "inspect FILE"),
}
FACTS = ("needs", "takes", "emits", "gives", "scope", "unit", "direction", "suffixes", "formats", "references")

app = typer.Typer(
    help="List plugins, show the settings of what they add, or start a new plugin.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)


@app.callback()
def plugins(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """List everything that plugins add, and the plugins; one that failed is shown with its reason."""
    if context.invoked_subcommand is not None:
        return
    from cislens.plugins import registry

    found = registry()
    if json:
        listed = {kind: [_facts(name, item) for name, item in getattr(found, kind).items()] for kind in KINDS}
        say_json({"plugins": [asdict(p) for p in found.plugins], **listed})
        return
    _print(found)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of an explainer, derivation, trainer, ...")]) -> None:
    """Show what something does, what it needs, and its settings; where several kinds have one of the name, each."""
    from cislens.plugins import registry

    for number, (kind, item) in enumerate(registry().called(name).items()):
        if number:
            say()
        _show(kind, name, item)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the new explainer, snake_case.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the package's folder is made.")] = Path("."),
) -> None:
    """Write a complete package for a new explainer: one module, its settings, its test."""
    from cislens.plugins.template import write

    written = write(name, folder)
    say(f"{written}\n\nnext   pip install -e {written} && cislens plugins && pytest {written}")


def _show(kind: str, name: str, item: Any) -> None:
    import inspect

    from cislens.settings import as_text

    facts = _facts(name, item)
    # An instance speaks for itself, its class of all such.
    say(f"{name}\n\n{inspect.getdoc(item) if isinstance(item, type) else facts['summary']}\n")
    for fact in FACTS:
        if facts.get(fact):
            say(f"{fact:<11} {_joined(facts[fact])}")
    described = facts.get("settings", [])
    if described:
        say("\nsettings")
    for setting in described:
        say(f"  {setting['name']}={as_text(setting['default'])}  ({setting['type']})  {setting['help']}")
    example = f"{name}:{described[0]['name']}={as_text(described[0]['default'])}" if described else name
    if use := KINDS[kind].use:
        say(f"\nuse    cislens {use.format(name=name, example=example, option=name.replace('_', '-'))}")


def _facts(name: str, item: Any) -> dict[str, Any]:
    """Return what is known of an entry, as JSON values."""
    from cislens.settings import describe

    facts: dict[str, Any] = {"name": name, "summary": _summary(item)}
    for fact in FACTS:
        if hasattr(item, fact):
            value = getattr(item, fact)
            facts[fact] = sorted(value) if isinstance(value, frozenset) else value
    if isinstance(item, type) and is_dataclass(item):
        facts["settings"] = [asdict(setting) for setting in describe(item)]
    return facts


def _summary(item: Any) -> str:
    if isinstance(item, type):
        return str(item.summary())  # type: ignore[attr-defined]
    if hasattr(item, "unit"):
        return f"{item.unit}; {item.direction} is better"
    return str(getattr(item, "title", None) or (item.__doc__ or "").strip().partition("\n")[0])


def _print(found: Registry) -> None:
    for kind, (detail, _, typed) in KINDS.items():
        facts = [_facts(name, item) for name, item in getattr(found, kind).items()]
        columns = ("name", "what it does", *((detail,) if detail else ()))
        rows = [
            (typed.format(**each), each["summary"], *((_joined(each[detail]),) if detail else ())) for each in facts
        ]
        if rows:
            print_table(columns, rows, kind.capitalize())
            say()
    plugins = [(p.name, f"{p.distribution} {p.version}", _adds(p)) for p in found.plugins if p.error is None]
    print_table(("plugin", "from", "adds"), plugins, "Plugins")
    for plugin in found.broken:
        say(f"not loaded: {plugin.name} of {plugin.distribution} {plugin.version}: {plugin.error}")
    say("\nmore       cislens plugins show NAME")


def _joined(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _adds(plugin: Plugin) -> str:
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.adds.items())
