"""`cislens train`: a model of known making, on data of known or unknown truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cislens.cli.console import note, print_table, progress_bar, say, say_json
from cislens.cli.training_options import TrainingDataOptions, with_training_options
from cislens.errors import CislensError

if TYPE_CHECKING:
    from cislens.training import TrainingData

GRAMMAR = "How much is drawn from a grammar"


@with_training_options
def train(
    read: TrainingDataOptions,
    name: Annotated[
        str | None, typer.Argument(help="NAME or NAME:setting=value,...; without one, trainers are listed.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(
            help="A grammar (a bundled one's name or .toml), a folder of cislens simulate, FASTA or BED of positives, "
            "or sequences with values (.csv, .tsv, .npz, .h5)."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")] = Path("trained"),
    seed: Annotated[int, typer.Option("--seed", help="Of weights, order and dropout.", min=0)] = 0,
    epoch_size: Annotated[
        int, typer.Option("--epoch-size", help="Sequences an epoch.", min=1, rich_help_panel=GRAMMAR)
    ] = 12_800,
    validation_size: Annotated[
        int, typer.Option("--validation-size", help="Sequences held out.", min=2, rich_help_panel=GRAMMAR)
    ] = 2_560,
    test_size: Annotated[
        int, typer.Option("--test-size", help="Sequences of the last test.", min=2, rich_help_panel=GRAMMAR)
    ] = 10_240,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another run that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Train a model, and keep the epoch that is best on the validation set.

    The folder gets model.safetensors, which every other command opens, and training.json.

    training.json holds the settings, the history and the scores.

    The same command started again after a kill goes on where it stopped.

    Example: cislens train standard_cnn:epochs=10 argminn_spi1 -o spi1
    """
    from cislens.training import TrainingContext
    from cislens.training.trainer import parse_trainer

    if name is None:
        _list()
        return
    if data is None:
        raise typer.BadParameter("say what to train on: a grammar, or a file", param_hint="DATA")
    trainer = parse_trainer(name)
    training = _data(data, (epoch_size, validation_size, test_size), read)
    with progress_bar(trainer.name) as progress:
        checkpoint = trainer.train(training, output, TrainingContext(seed, progress, note, overwrite))
    _tell(checkpoint, json)


def _data(data: str, sizes: tuple[int, int, int], read: TrainingDataOptions) -> TrainingData:
    from cislens.simulation import bundled_grammars, load_grammar
    from cislens.training.grammar_data import GrammarData, Sizes

    if data in bundled_grammars() or data.endswith(".toml"):
        if read.changed:
            raise CislensError(f"a grammar is drawn, not read and split: leave out {', '.join(read.changed)}")
        return GrammarData(load_grammar(data), Sizes(*sizes), seed=read.given["data_seed"])
    if Sizes(*sizes) != Sizes():
        raise CislensError(
            f"{data} holds as many sequences as it does: leave out --epoch-size, --validation-size and --test-size, "
            "which are for grammars"
        )
    return read.read(data)


def _list() -> None:
    from cislens.plugins import registry

    print_table(("trainer", "what it does"), ((name, kind.summary()) for name, kind in registry().trainers.items()))
    say("\nsettings  cislens plugins show NAME\nuse       cislens train NAME DATA -o folder")


def _tell(checkpoint: Path, json: bool) -> None:
    import json as reader

    from cislens.training.scoring import told

    facts: dict[str, Any] = reader.loads((checkpoint.parent / "training.json").read_text(encoding="utf-8"))
    if json:
        say_json({"checkpoint": str(checkpoint), **facts})
        return
    for split, found in facts["scores"].items():
        say(f"{split} ({facts['sizes'][split]:,} sequences): {told(found)}")
    if facts["failed"]:
        say("failed: no better than chance on the validation set")
    say(f"epoch {facts['best_epoch']} of {facts['epochs']} was the best; checkpoint in {checkpoint}")
    say(f"\nnext      cislens inspect {checkpoint}")
