"""The options that say how a model is opened, shared by every command that opens one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.shared_options import sharing
from cislens.errors import CislensError

if TYPE_CHECKING:
    from cislens.oracle import Oracle

PANEL = "How the model is opened"


def _option(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=PANEL)


def _declared(
    weights: Annotated[Path | None, _option("--weights", help="Weights for the factory or architecture file.")] = None,
    layout: Annotated[
        str, _option("--layout", help="Axes of the input: 'length,4', '4,length', '1,4,length', ... or auto.")
    ] = "auto",
    base_order: Annotated[
        str | None, _option("--base-order", help="The model's order of the bases, such as AGCT; ACGT by default.")
    ] = None,
    n_value: Annotated[float, _option("--n-value", help="The model's value of all four channels at an N.")] = 0.0,
    input_length: Annotated[
        int | None, _option("--input-length", help="Input length in bp, where the model does not say.")
    ] = None,
    extra_input: Annotated[
        list[str] | None,
        _option("--extra-input", help="A further input, NAME=SHAPE or NAME=SHAPE:VALUE, such as control=1000x2:0."),
    ] = None,
    heads: Annotated[str | None, _option("--heads", help="Names for the model's outputs, comma-separated.")] = None,
    outputs: Annotated[str | None, _option("--outputs", help="Names along a head's outputs, comma-separated.")] = None,
    scale: Annotated[
        list[str] | None,
        _option("--scale", help="HEAD=SCALE, with linear, logit, probability, log or counts."),
    ] = None,
    axes: Annotated[list[str] | None, _option("--axes", help="HEAD=AXES, such as profile=position,strand.")] = None,
    batch_size: Annotated[
        str, _option("--batch-size", help="Sequences a batch; auto measures the fastest once and remembers it.")
    ] = "auto",
    device: Annotated[str, _option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, _option("--precision", help="float32, float64, bfloat16 or float16.")] = "float32",
    reverse_complement: Annotated[
        bool, _option("--reverse-complement", help="Average the answers over both strands of each sequence.")
    ] = False,
    trust: Annotated[
        bool, _option("--trust", help="Run code that the file brings along. Only for files you trust.")
    ] = False,
) -> None:
    """Declare the options; their values reach the command as one `ModelOptions`."""


class ModelOptions:
    """What the user said of how the model is to be opened."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given

    def open(self, model: str) -> Oracle:
        """Open the model."""
        from cislens.opening import open_oracle

        given = self.given
        stated = {} if given["base_order"] is None else {"base_order": given["base_order"]}
        return open_oracle(
            model,
            given["weights"],
            **stated,
            layout=given["layout"],
            n_value=given["n_value"],
            length=given["input_length"],
            extra_inputs=dict(_extra_input(text) for text in given["extra_input"] or ()),
            heads=_names(given["heads"]),
            outputs=_names(given["outputs"]),
            scales=dict(_pair(text, "--scale") for text in given["scale"] or ()),
            axes={name: _names(value) for name, value in (_pair(t, "--axes") for t in given["axes"] or ())},
            batch_size=_batch_size(given["batch_size"]),
            device=given["device"],
            precision=given["precision"],
            reverse_complement=given["reverse_complement"],
            trust=given["trust"],
        )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise CislensError(f"{option} is written NAME=VALUE, got {text!r}")
    return name, value


def _extra_input(text: str) -> tuple[str, Any]:
    from cislens.oracle import ExtraInput

    name, value = _pair(text, "--extra-input")
    shape, _, held = value.partition(":")
    try:
        return name, ExtraInput(tuple(int(size) for size in shape.split("x")), float(held or 0))
    except ValueError:
        raise CislensError(f"--extra-input is written NAME=SHAPE or NAME=SHAPE:VALUE, got {text!r}") from None


def _batch_size(text: str) -> Any:
    if text == "auto" or not text.isdigit():
        return text
    return int(text)


with_model_options = sharing(_declared, "opened", ModelOptions)
