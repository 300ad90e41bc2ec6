"""Read a grammar from a TOML file, or one of the bundled ones by its name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from numbers import Integral, Real
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
# The keys of a grammar, of a motif and of an arrangement, with the kinds of values that they take.
NAMES: dict[type, str] = {
    str: "text",
    list: "a list",
    Integral: "a whole number",
    Real: "a number",
    bool: "true or false",
    Mapping: "a table",
}
CHOICES: dict[str, tuple[type, ...]] = {
    "title": (str,),
    "references": (list, tuple),
    "length": (Integral,),
    "centre": (Integral, type(None)),
    "background": (str,),
    "instances": (str, Real),
    "spurious": (str,),
    "threshold": (Real,),
    "both_strands": (bool,),
}
PARTS: dict[str, tuple[type, ...]] = {"motifs": (Mapping,), "rules": (Mapping,), "arrangements": (list, tuple)}
MOTIF: dict[str, tuple[type, ...]] = {
    "matrix": (str,),
    "file": (str,),
    "consensus": (str,),
    "columns": (list, tuple),
    "trim": (Real,),
    "core": (Integral,),
}
ARRANGEMENT: dict[str, tuple[type, ...]] = {"name": (str,), "layout": (str, list, tuple), "weight": (Real,)}


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
    _check(f"grammar {name!r}", stated, CHOICES | PARTS)
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
    _check("an arrangement", stated, ARRANGEMENT)
    layout = stated.get("layout", "")
    texts = [layout] if isinstance(layout, str) else list(layout)
    if "name" not in stated or not texts:
        raise CislensError(f"an arrangement must have a name and a layout, got {dict(stated)}")
    return Arrangement(stated["name"], tuple(map(parse_layout, map(str, texts))), float(stated.get("weight", 1)))


def _motif(name: str, stated: Mapping[str, Any], folder: Path, trim: float | None) -> Motif:
    _check(f"motif {name!r}", stated, MOTIF)
    motif = _from_consensus(name, stated["consensus"]) if "consensus" in stated else _from_file(name, stated, folder)
    if "columns" in stated:
        if [type(column) for column in stated["columns"]] != [int, int]:
            raise CislensError(
                f"columns of motif {name!r} must be the first and the last, counted from 1, got {stated['columns']}"
            )
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


def _check(what: str, stated: object, known: Mapping[str, tuple[type, ...]]) -> None:
    """Refuse what is no table of known keys with values of their kinds."""
    if not isinstance(stated, Mapping):
        raise CislensError(f"{what} must be a table of the keys {', '.join(known)}, got {stated!r}")
    if unknown := sorted(set(stated) - set(known)):
        raise CislensError(f"{what} may have the keys {', '.join(known)}, got {unknown[0]!r}")
    for key, value in stated.items():
        # True and False are numbers to Python, but nobody means them as such.
        if not isinstance(value, known[key]) or (isinstance(value, bool) and bool not in known[key]):
            kinds = " or ".join(NAMES[kind] for kind in known[key] if kind in NAMES)
            raise CislensError(f"{key} of {what} must be {kinds}, got {value!r}")
