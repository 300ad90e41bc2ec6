"""`cislens inspect`: what a model is, and what can be asked of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import print_table, say, say_json
from cislens.cli.model_options import ModelOptions, with_model_options

if TYPE_CHECKING:
    from cislens.oracle import Oracle

FREE_LENGTH_PROBE = 1000  # bp, for models of any length


@with_model_options
def inspect(
    model: Annotated[
        str, typer.Argument(help="A file or folder, arch:NAME, file.py:factory, file.py:function or module:function.")
    ],
    opened: ModelOptions,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Show a model's heads, layers, receptive fields and capabilities, and which explainers fit it."""
    facts = describe(opened.open(model))
    if json:
        say_json(facts)
    else:
        weights = opened.given["weights"]
        _print(facts, model if weights is None else f"{model} --weights {weights}")


def describe(oracle: Oracle) -> dict[str, Any]:
    """Return what `cislens inspect` shows, as JSON values."""
    from cislens.oracle import HOOKS
    from cislens.oracle.scale import looks_like, probe
    from cislens.plugins import registry
    from cislens.provenance import describe_model
    from cislens.target import choices

    answers = probe(oracle, oracle.length or FREE_LENGTH_PROBE)
    heads = [{**asdict(head), "looks_like": looks_like(answers[head.name])} for head in oracle.heads]
    able = oracle.capabilities
    # The first that fits is suggested: what gives maps comes first, and of that what asks least of a model.
    kinds = sorted(
        registry().explainers.items(), key=lambda item: ("attributions" not in item[1].emits, len(item[1].needs))
    )
    return {
        **describe_model(oracle),
        "heads": heads,
        "targets": choices(oracle.heads),
        "layers": [asdict(layer) for layer in oracle.layers()] if "layers" in able else [],
        "capabilities": {name: None if name in able else oracle.why_not(name) for name in HOOKS},
        "explainers": {name: sorted(kind.needs - able) for name, kind in kinds},
    }


def _print(facts: dict[str, Any], model: str) -> None:
    length = f"{facts['length']} bp" if facts["length"] else "any length"
    say(f"{facts['name']}  ({facts['kind']}, input {length}, on {facts['device']}, {facts['fingerprint'][:12]})")
    print_table(("head", "shape", "axes", "covers", "outputs", "scale"), map(_head, facts["heads"]), "Heads")
    if facts["layers"]:
        columns = ("layer", "kind", "reads", "units", "window", "activation", "sees")
        print_table(columns, map(_layer, facts["layers"]), "Layers")
    able = [name for name, reason in facts["capabilities"].items() if reason is None]
    say(f"can       {', '.join(able)}")
    lacking: dict[str, list[str]] = {}
    for name, reason in facts["capabilities"].items():
        if reason is not None:
            lacking.setdefault(reason, []).append(name)
    for reason, names in lacking.items():
        say(f"cannot    {', '.join(names)}: {reason}")
    fitting = [name for name, missing in facts["explainers"].items() if not missing]
    say(f"explain   {', '.join(fitting) or 'no explainer fits'}")
    for name, missing in facts["explainers"].items():
        if missing:
            say(f"not with  {name}: it needs {', '.join(missing)}")
    targets = facts["targets"]
    say(f"targets   {', '.join(targets)}")
    if fitting:
        chosen = f" -t {targets[0]}" if len(targets) > 1 or ":" in targets[0] else ""
        say(f"\nnext      cislens explain {model} SEQUENCES.fa -e {fitting[0]}{chosen} -o report.zarr")


def _head(head: dict[str, Any]) -> tuple[str, ...]:
    names = head["outputs"]
    outputs = ", ".join(names[:6]) + (f", ... ({len(names)})" if len(names) > 6 else "")
    scale = head["scale"] if head["scale"] != "unknown" else f"not declared; looks like {head['looks_like']}"
    axes = ", ".join(head["axes"]) or "-"
    return head["name"], _shape(head["shape"]), axes, _covers(head), outputs or "-", scale


def _covers(head: dict[str, Any]) -> str:
    if "position" not in head["axes"]:
        return "-"
    width = head["bin_width"]
    return f"from bp {head['offset']}" + (f", {width} bp each" if width > 1 else "")


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("length" if size is None else str(size) for size in shape) + ")"


def _layer(layer: dict[str, Any]) -> tuple[str, ...]:
    window = "-"
    if layer["kernel"] > 1 or layer["stride"] > 1:
        window = str(layer["kernel"])
        window += f" step {layer['stride']}" if layer["stride"] > 1 else ""
        window += f" dilated {layer['dilation']}" if layer["dilation"] > 1 else ""
    field = layer["receptive_field"]
    return (
        layer["name"],
        layer["kind"],
        ", ".join(layer["inputs"]) or "-",
        "-" if layer["units"] is None else str(layer["units"]),
        window,
        layer["activation"] or "-",
        "the whole input" if field is None else f"{field} bp every {layer['step']}",
    )
