"""`cislens simulate`: sequences whose answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import note, print_table, progress_bar, say, say_json
from cislens.errors import CislensError

if TYPE_CHECKING:
    from cislens.sequences import Sequences
    from cislens.simulation import Grammar

GRAMMAR = "How sequences are made, where other than the grammar says"


def simulate(
    grammar: Annotated[
        str | None, typer.Argument(help="A bundled grammar's name or a .toml file; without one, those are listed.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")] = Path("simulated"),
    number: Annotated[int, typer.Option("-n", "--number", help="How many sequences.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="The same one gives the same sequences.", min=0)] = 0,
    length: Annotated[
        int | None, typer.Option("--length", help="Of each sequence, in bp.", rich_help_panel=GRAMMAR)
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option(
            "--instances",
            help="sampled, best, or the share of the best match that each must reach.",
            rich_help_panel=GRAMMAR,
        ),
    ] = None,
    trim: Annotated[
        float | None, typer.Option("--trim", help="Bits below which flanks are cut off.", rich_help_panel=GRAMMAR)
    ] = None,
    spurious: Annotated[
        str | None,
        typer.Option(
            "--spurious", help="Chance matches removed: relative, mean_probability or kept.", rich_help_panel=GRAMMAR
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            help="uniform, frequencies:A/C/G/T, kmer:ORDER, dinucleotide or sequences.",
            rich_help_panel=GRAMMAR,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Real sequences that backgrounds are made of.", rich_help_panel=GRAMMAR),
    ] = None,
    bayes: Annotated[
        int, typer.Option("--bayes", help="Sequences on which the Bayes limit is measured; 0 for none.", min=0)
    ] = 10_000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a set that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Sample sequences from a motif grammar, with the truth beside them.

    The folder gets sequences.fa, labels.tsv, instances.bed, motifs.meme, syntax.tsv and dataset.json.

    dataset.json holds the Bayes limit: how well any model can do on such sequences.

    Example: cislens simulate argminn_spi1 -n 2000 -o spi1
    """
    from cislens.simulation import load_grammar

    if grammar is None:
        _list()
        return
    changes: dict[str, Any] = {
        "length": length,
        "instances": _strength(instances),
        "spurious": spurious,
        "background": background,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    chosen = load_grammar(grammar, trim=trim, **changes)
    _make_room(output, overwrite)
    real = _read(source, chosen)
    facts: dict[str, Any] = {
        "grammar": grammar,
        "changes": {**changes, **({} if trim is None else {"trim": trim})},
        "source": source,
        "seed": seed,
    }
    facts |= _limit(chosen, bayes)
    _write(chosen, number, seed, real, output, facts)
    _tell(output, json)


def _write(
    grammar: Grammar, number: int, seed: int, source: Sequences | None, output: Path, facts: dict[str, Any]
) -> None:
    from cislens.provenance import versions
    from cislens.simulation import Simulator
    from cislens.simulation.dataset import write_dataset

    with progress_bar("simulate") as progress:
        blocks = Simulator(grammar, source).truths(number, seed, progress)
        write_dataset(blocks, output, {**facts, "versions": versions()})


def _limit(grammar: Grammar, sequences: int) -> dict[str, Any]:
    """Return what dataset.json says of the Bayes limit."""
    if not sequences:
        return {}
    from cislens.simulation.bayes import bayes_limit, summable

    if reason := summable(grammar):
        note(f"no Bayes limit: {reason}")
        return {"bayes_limit": None, "no_bayes_limit": reason}
    with progress_bar("Bayes limit") as progress:
        return {"bayes_limit": bayes_limit(grammar, sequences, progress=progress).to_json()}


def _strength(text: str | None) -> str | float | None:
    if text is None or text in ("sampled", "best"):
        return text
    try:
        return float(text)
    except ValueError:
        raise CislensError(f"--instances must be sampled, best or a fraction such as 0.9, got {text!r}") from None


def _read(source: str | None, grammar: Grammar) -> Sequences | None:
    from cislens.sequences import read_sequences

    return None if source is None else read_sequences(source, length=grammar.length, fit="crop-center")


def _make_room(output: Path, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        raise CislensError(f"{output} must be a folder, or become one, and is a file: choose another name")
    if output.exists() and not overwrite and any(output.iterdir()):
        raise CislensError(f"{output} must be new or empty, and holds files: choose another folder, or say --overwrite")
    # It is written last, and tells that a set is whole: without it, none that is cut short passes for one.
    (output / "dataset.json").unlink(missing_ok=True)


def _list() -> None:
    from cislens.simulation import bundled_grammars, load_grammar

    print_table(("grammar", "what it is"), ((name, load_grammar(name).title) for name in bundled_grammars()))
    say("\nuse    cislens simulate NAME -n 10000 -o folder")


def _tell(output: Path, json: bool) -> None:
    import json as reader

    facts = reader.loads((output / "dataset.json").read_text(encoding="utf-8"))
    if json:
        say_json({"folder": str(output), **facts})
        return
    say(f"{facts['sequences']:,} sequences in {output}, {facts['positives']:,} of them positive")
    if limit := facts.get("bayes_limit"):
        say(
            f"Bayes limit: accuracy {limit['accuracy']:.3f} ± {limit['accuracy_error']:.3f}, "
            f"AUROC {limit['auroc']:.3f} ± {limit['auroc_error']:.3f}"
        )
    as_stated = not facts["changes"] and facts["source"] is None
    say(f"\nnext      cislens train standard_cnn {facts['grammar'] if as_stated else output} -o model")
