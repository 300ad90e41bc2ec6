"""Put the commands together, and turn errors into sentences."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

import cislens
from cislens.cli import demo, derive, doctor, explain, import_, inspect, plugins, report, simulate, train, variants
from cislens.cli.console import complain, note
from cislens.cli.export_options import WithExporters
from cislens.errors import CislensError

app = typer.Typer(
    name="cislens",
    help="Ask a trained genomic sequence model what it has learned.\n\n"
    "Start with `cislens demo`; then `cislens inspect MODEL` and `cislens explain MODEL SEQUENCES -e ism`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("inspect")(inspect.inspect)
app.command("explain")(explain.explain)
app.command("derive")(derive.derive)
app.command("variants")(variants.variants)
app.command("report", cls=WithExporters)(report.report)
app.command("import")(import_.import_)
app.command("simulate")(simulate.simulate)
app.command("train")(train.train)
app.add_typer(plugins.app, name="plugins")
app.command("doctor")(doctor.doctor)

USER_ERROR, BUG, INTERRUPTED = 1, 70, 130


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"cislens {cislens.__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options that stand before every command."""


class Interrupted(BaseException):
    """Ctrl-C; a class of its own, since typer would take a KeyboardInterrupt and say nothing of what is kept."""


@contextmanager
def _interruptible() -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run() -> None:
    """Run the command line; a user's mistake is one sentence, and its traceback is shown by --debug alone."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    warnings.showwarning = lambda message, *_, **__: note(str(message))
    try:
        with _interruptible():
            app()
    except CislensError as error:
        if debug:
            raise
        complain(str(error))
        sys.exit(USER_ERROR)
    except Interrupted:
        complain("interrupted: what was finished is kept, and the same command goes on from there")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        complain(f"unexpected {type(error).__name__}: {error} (run it again with --debug for the traceback)")
        sys.exit(BUG)
