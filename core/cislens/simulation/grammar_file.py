"""Read a grammar from a TOML file, or one of the bundled ones by its name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.motif_files import read_motifs
from cislens.simulation.grammar import Arrangement, Grammar
from cislens.simulation.layout import parse_layout
from cislens.truth.logic import Rule

FOLDER = Path(__file__).parent / "grammars"
MATRICES = FOLDER / "jaspar2020.jaspar"
CHOICES = (
    "title",
    "references",
    "length",
    "centre",
    "background",
    "instances",
    "spurious",
    "threshold",
    "both_strands",
)
PARTS = ("motifs", "rules", "arrangements")
MOTIF_KEYS = ("matrix", "file", "consensus", "columns", "trim", "core")


def bundled_grammars() -> tuple[str, ...]:
    """Return the names of the grammars that come with cislens."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_grammar(name: str | Path, *, trim: float | None = None, **changes: Any) -> Grammar:
    """Read a grammar.

    Parameters
    ----------
    name
        A bundled grammar's name, or a .toml file.
    trim
        Bits below which the flanks of all its motifs are cut off, in place of what the file says.
    changes
        Other values for top-level keys of the file, such as length=200 or instances="best".

    Raises
    ------
    CislensError
        If there is no such grammar, or the file does not say one; the sentence names the key.

    Examples
    --------
    >>> grammar = load_grammar("argminn_spi1")
    >>> grammar.length, grammar.motifs[0].name
    (500, 'SPI1')
    """
    path = FOLDER / f"{name}.toml"
    if not path.exists():
        path = Path(name)
    if path.suffix != ".toml" or not path.exists():
        raise CislensError(
            f"a grammar must be a .toml file or one of {', '.join(bundled_grammars())}, got {str(name)!r}"
        )
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CislensError(f"{path.name} must be TOML, but {error}") from error
    return grammar_from(path.stem, {**stated, **changes}, path.parent, trim)


def grammar_from(name: str, stated: Mapping[str, Any], folder: Path, trim: float | None = None) -> Grammar:
    """Return the grammar that a file's values state; its motif files are looked for in `folder`."""
    _refuse_unknown(f"grammar {name!r}", stated, CHOICES + PARTS)
    for key in PARTS:
        if not stated.get(key):
            raise CislensError(f"grammar {name!r} must have {key}, got none")
    motifs = tuple(_motif(key, value, folder, trim) for key, value in stated["motifs"].items())
    rules = {key: Rule(str(text)) for key, text in stated["rules"].items()}
    arrangements = tuple(map(_arrangement, stated["arrangements"]))
    given = {key: value for key, value in stated.items() if key not in PARTS}
    given["references"] = tuple(given.get("references", ()))
    return Grammar(name, motifs, arrangements, rules, **given)


def _arrangement(stated: Mapping[str, Any]) -> Arrangement:
    _refuse_unknown("an arrangement", stated, ("name", "layout", "weight"))
    layout = stated.get("layout", "")
    texts = [layout] if isinstance(layout, str) else list(layout)
    if "name" not in stated or not texts:
        raise CislensError(f"an arrangement must have a name and a layout, got {dict(stated)}")
    return Arrangement(stated["name"], tuple(map(parse_layout, texts)), float(stated.get("weight", 1)))


def _motif(name: str, stated: Mapping[str, Any], folder: Path, trim: float | None) -> Motif:
    _refuse_unknown(f"motif {name!r}", stated, MOTIF_KEYS)
    motif = _from_consensus(name, stated["consensus"]) if "consensus" in stated else _from_file(name, stated, folder)
    if "columns" in stated:
        first, last = stated["columns"]
        motif = motif.window(first - 1, last)
    bits = trim if trim is not None else stated.get("trim")
    if bits is not None:
        motif = motif.trimmed(bits)
    return motif.core(stated["core"]) if "core" in stated else motif


def _from_file(name: str, stated: Mapping[str, Any], folder: Path) -> Motif:
    path = folder / stated["file"] if "file" in stated else MATRICES
    motifs = {motif.id: motif for motif in read_motifs(path)}
    wanted = stated.get("matrix", next(iter(motifs)) if len(motifs) == 1 else None)
    if wanted not in motifs:
        raise CislensError(f"motif {name!r} must name a matrix of {path.name} ({', '.join(motifs)}), got {wanted!r}")
    found = motifs[wanted]
    return Motif(name, found.probabilities(), background=found.background, name=found.name)


def _from_consensus(name: str, text: str) -> Motif:
    from cislens.sequences.alphabet import encode

    matrix = encode(text).astype(np.float64)
    matrix[matrix.sum(1) == 0] = 0.25
    return Motif(name, matrix)


def _refuse_unknown(what: str, stated: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(stated) - set(known)):
        raise CislensError(f"{what} may have the keys {', '.join(known)}, got {unknown[0]!r}")
