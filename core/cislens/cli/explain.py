"""`cislens explain`: maps of what drives a model's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import note, progress_bar, say, say_json
from cislens.cli.model_options import ModelOptions, with_model_options
from cislens.cli.sequence_options import SequenceOptions, with_sequence_options
from cislens.errors import CislensError
from cislens.files import ELSEWHERE, writing

if TYPE_CHECKING:
    from cislens.explainer import LabelledExplainer
    from cislens.oracle import Oracle
    from cislens.report import MotifReport
    from cislens.sequences import Sequences


@with_model_options
@with_sequence_options
def explain(
    model: Annotated[str, typer.Argument(help="A file, file.py:factory, file.py:function or module:function.")],
    sequences: Annotated[str, typer.Argument(help="FASTA, BED with --genome, or one-hot .npy, .npz, .h5.")],
    opened: ModelOptions,
    read: SequenceOptions,
    explainer: Annotated[
        list[str],
        typer.Option("-e", "--explainer", help="NAME, NAME:setting=value,... or label=NAME:...; may be repeated."),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option("-t", "--target", help="HEAD, OUTPUT or HEAD/OUTPUT, then :mean, :logit, ...; may be repeated."),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .zarr store to write to.")] = Path("report.zarr"),
    page: Annotated[Path | None, typer.Option("--page", help="Also write an HTML page.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random stream.", min=0)] = 0,
    budget: Annotated[
        int | None, typer.Option("--budget", help="Predictions and pullbacks a sequence that may be asked.", min=1)
    ] = None,
    train_on: Annotated[
        str | None, typer.Option("--train-on", help="Sequences on which explainers that learn are fitted.")
    ] = None,
    block: Annotated[
        int | None,
        typer.Option("--block", help="Sequences explained and kept at a time; by default the explainer's.", min=1),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace reports of other runs.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Explain a model's predictions on sequences, with one or more explainers.

    The same command started again after a kill goes on where it stopped.

    Example: cislens explain model.py:build --weights w.pth peaks.fa -e ism -e saliency -t Dev -o report.zarr
    """
    from cislens.driver import Run
    from cislens.explainer import parse_explainer

    chosen = [parse_explainer(text) for text in explainer]
    _refuse_repeated_labels(chosen)
    if output.suffix != ".zarr":
        raise CislensError(f"the output must be a folder named *.zarr, got {output}: pages are written by --page")
    oracle = opened.open(model)
    data = read.read(sequences, oracle.length)
    _tell_of(data)
    training = read.read(train_on, oracle.length) if train_on else None
    run = Run(store=output, overwrite=overwrite, block=block, budget=budget, training=training)
    reports = {}
    for item in chosen:
        reports[item.label] = _explain(oracle, data, item, target, seed, run)
    if page is not None:
        from cislens.page import write_page

        with writing(page, ELSEWHERE):
            write_page(reports, page)
    if json:
        say_json({label: _facts(report, output, label, page) for label, report in reports.items()})
        return
    for label, report in reports.items():
        _summarise(label, report)
    say(f"reports in {output}")
    say(f"page in {page}" if page is not None else f"\nnext      cislens report {output} -o report.html")


def _explain(
    oracle: Oracle, data: Sequences, item: LabelledExplainer, target: list[str] | None, seed: int, run: Any
) -> MotifReport:
    from dataclasses import replace

    from cislens import driver

    with progress_bar(item.label) as progress:
        wanted: Any = list(target) if target else None
        return driver.explain(
            oracle, data, item.explainer, wanted, seed, replace(run, label=item.label, progress=progress)
        )


def _refuse_repeated_labels(chosen: list[LabelledExplainer]) -> None:
    labels = [item.label for item in chosen]
    for label in labels:
        if labels.count(label) > 1:
            raise CislensError(f"two explainers have the label {label!r}: name one, as in -e other={label}:...")


def _tell_of(data: Sequences) -> None:
    for remark in data.notes:
        note(remark)
    if data.dropped:
        first = data.dropped[0]
        note(f"{len(data.dropped)} sequences were left out, the first {first.id}: {first.reason}")


def _facts(report: MotifReport, output: Path, label: str, page: Path | None) -> dict[str, Any]:
    return {
        "store": str(output),
        "label": label,
        "page": None if page is None else str(page),
        "sequences": len(report.sequences),
        "dropped": [drop._asdict() for drop in report.dropped],
        "emits": report.emits,
        "warnings": report.validity.warnings,
        "provenance": report.provenance.to_json(),
    }


def _summarise(label: str, report: MotifReport) -> None:
    cost = report.provenance.cost
    targets = ", ".join(report.targets)
    say(
        f"{label}: {len(report.sequences)} sequences, target {targets}, {cost.seconds:.1f} s, "
        f"{cost.predictions} predictions, {cost.pullbacks} pullbacks"
    )
    for sentence in report.validity.warnings:
        note(sentence)
    failed = len(report.dropped)
    if failed:
        note(f"{failed} sequences are missing from it; the page and the store list them with their reasons")
