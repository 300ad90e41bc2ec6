"""A file that somebody made to break or to take over whoever opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attempt:
    """What is given to `open_oracle`: a model and, where it is named apart, its weights."""

    model: str | Path
    weights: Path | None = None


@dataclass(frozen=True)
class Hostile:
    """One hostile file.

    Parameters
    ----------
    name
        What it is, in a few words that the documentation shows.
    write
        Writes it into a folder, given the path of a canary that it would create if it could; returns how it is opened.
    says
        A regular expression that the sentence of the refusal must match.
    needs
        Packages that writing or opening it needs.
    """

    name: str
    write: Callable[[Path, Path], Attempt]
    says: str
    needs: tuple[str, ...] = ()
