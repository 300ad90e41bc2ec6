"""The command line: one module a command, each of which parses, calls and writes."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from cislens.cli.app import run

    run()
