"""What mkdocs fills in from the code, so that it cannot go out of date: help texts and settings of explainers."""

from __future__ import annotations

import os
import re
from typing import Any

HELP = re.compile(r"^\{\{ help(?P<command>[\w ]*) \}\}$", re.MULTILINE)
EXPLAINERS = re.compile(r"^\{\{ explainers \}\}$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace `{{ help COMMAND }}` by the command's help, and `{{ explainers }}` by all explainers' settings."""
    markdown = HELP.sub(lambda found: help_of(found["command"].split()), markdown)
    return EXPLAINERS.sub(lambda _: explainers(), markdown)


def help_of(command: list[str]) -> str:
    """Return what `cislens COMMAND --help` prints, as a code block."""
    from typer.testing import CliRunner

    from cislens.cli.app import app

    os.environ["COLUMNS"] = "110"
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="cislens", env={"NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    lines = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
    return f"```text\n{lines}\n```"


def explainers() -> str:
    """Return a section for each explainer that is bundled: what it does, what it needs, its settings."""
    import inspect

    from cislens.plugins import registry
    from cislens.settings import describe

    sections = []
    for name, kind in registry().explainers.items():
        if not kind.__module__.startswith("cislens_"):
            continue
        needs = ", ".join(f"`{need}`" for need in sorted(kind.needs))
        text = inspect.getdoc(kind) or ""
        idea, _, references = text.partition("\nReferences\n----------\n")
        lines = [f"## {name}", "", idea.strip(), "", f"Needs {needs}. Gives {', '.join(kind.emits)}."]
        if references:
            lines += ["", f"*{' '.join(references.split())}*"]
        settings = describe(kind)
        if settings:
            lines += ["", "| setting | default | values | what |", "|---|---|---|---|"]
            lines += [row(s.name, s.default, s.type, s.help) for s in settings]
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def row(name: str, default: object, kind: str, help: str) -> str:
    """Return one line of a table."""
    return f"| `{name}` | `{default}` | {kind.replace('|', 'or')} | {help} |"
