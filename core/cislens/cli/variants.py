"""`cislens variants`: what variants of a genome do to a model's predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import note, print_table, progress_bar, say, say_json
from cislens.cli.model_options import ModelOptions, with_model_options
from cislens.errors import CislensError

if TYPE_CHECKING:
    import pandas as pd

    from cislens.variants import Summary

EVALUATION = "How effects are evaluated"
PREFIX = "INFO/"
LISTED = 30  # rows of an evaluation on the screen


@with_model_options
def variants(
    model: Annotated[str, typer.Argument(help="A file, file.py:factory, file.py:function or module:function.")],
    vcf: Annotated[Path, typer.Argument(help="The variants: VCF, plain, gzipped or bgzipped.")],
    genome: Annotated[Path, typer.Option("--genome", help="FASTA of the genome, plain or bgzipped.")],
    opened: ModelOptions,
    target: Annotated[
        list[str] | None,
        typer.Option("-t", "--target", help="HEAD, OUTPUT or HEAD/OUTPUT, then :mean, :logit, ...; may be repeated."),
    ] = None,
    explainer: Annotated[
        list[str] | None,
        typer.Option("-e", "--explainer", help="Also read effects from its maps; as in explain, may be repeated."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write: *.tsv, or the VCF with effects, *.vcf, *.vcf.gz.")
    ] = Path("variants.tsv"),
    length: Annotated[
        str, typer.Option("--length", help="A window that passes its contig's end: drop (list it) or pad-n.")
    ] = "drop",
    measured: Annotated[
        str | None,
        typer.Option("--measured", help="INFO/KEY of measured effects to compare with.", rich_help_panel=EVALUATION),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="INFO/KEY of labels, 0 or 1, to tell apart.", rich_help_panel=EVALUATION),
    ] = None,
    absolute: Annotated[
        bool,
        typer.Option("--absolute", help="Labels speak of effects of either sign.", rich_help_panel=EVALUATION),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random stream.", min=0)] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output, or parts of other runs.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Predict the effects of variants: the alternative's prediction minus the reference's.

    Every record is listed in its order, those that cannot be scored with the reason.

    The same command started again after a kill goes on where it stopped.

    Example: cislens variants model.py:build --weights w.pth variants.vcf --genome hg38.fa -t Dev -o effects.vcf.gz
    """
    from cislens.variants import VariantRun, write_variants

    if absolute and labels is None:
        raise CislensError("--absolute says how labels are told apart, so it needs --labels INFO/KEY")
    info = tuple(dict.fromkeys(_key(text) for text in (measured, labels) if text is not None))
    oracle = opened.open(model)
    with progress_bar("variants") as progress:
        chosen: Any = length
        run = VariantRun(
            explainers=tuple(explainer or ()),
            length=None if oracle.length else opened.given["input_length"],
            fit=chosen,
            info=info,
            labels=None if labels is None else _key(labels),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
        summary = write_variants(oracle, vcf, genome, output, list(target) if target else None, run)
    evaluated = _evaluated(summary, measured, labels, absolute)
    if json:
        say_json(_facts(summary, output, evaluated))
        return
    _summarise(summary)
    for name, table in evaluated.items():
        _show(name, table)
    say(f"effects in {output}")


def _key(text: str) -> str:
    if not text.startswith(PREFIX) or text == PREFIX:
        raise CislensError(f"--measured and --labels name an entry of INFO, as in INFO/EFFECT, got {text!r}")
    return text.removeprefix(PREFIX)


def _evaluated(summary: Summary, measured: str | None, labels: str | None, absolute: bool) -> dict[str, pd.DataFrame]:
    from cislens.variants.evaluation import agreement, discrimination

    found = {}
    if measured is not None:
        found[f"agreement with {measured}"] = agreement(summary.kept, measured)
    if labels is not None:
        found[f"telling {labels} apart"] = discrimination(summary.kept, labels, absolute)
    return found


def _facts(summary: Summary, output: Path, evaluated: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "output": str(output),
        "records": summary.records,
        "alleles": summary.alleles,
        "statuses": dict(summary.statuses),
        "first": summary.first,
        "fitted": summary.table.fitted,
        "evaluation": {name: table.to_dict("records") for name, table in evaluated.items()},
    }


def _summarise(summary: Summary) -> None:
    alleles = "" if summary.alleles == summary.records else f", {summary.alleles:,} alternative alleles"
    say(f"{summary.records:,} records{alleles}: {summary.statuses['scored']:,} scored")
    for status, first in summary.first.items():
        note(f"{summary.statuses[status]:,} {status}, the first {first}")
    if summary.table.fitted:
        note(f"fitted: {summary.table.fitted}")


def _show(title: str, table: pd.DataFrame) -> None:
    rows = ([_cell(value) for value in row] for row in table.head(LISTED).itertuples(index=False))
    print_table(list(table.columns), rows, title)
    if len(table) > LISTED:
        note(f"{len(table) - LISTED} more rows are given by --json")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
