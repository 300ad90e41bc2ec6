"""The motifs that are asked about: IUPAC words, or files of motifs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cislens import CislensError, Motif
from cislens.motif import IUPAC
from cislens.motif_files import read_motifs

Array = npt.NDArray[Any]
PSEUDOCOUNT = 0.5


def asked_motifs(texts: Sequence[str]) -> tuple[Motif, ...]:
    """Return the motifs of words such as TGASTCA and of MEME, JASPAR or TRANSFAC files, as probabilities.

    Raises
    ------
    CislensError
        If a text is neither, if two motifs share an id, or if there is none.
    """
    motifs = [motif for text in texts for motif in _motifs(text)]
    ids = [motif.id for motif in motifs]
    if not motifs:
        raise CislensError(
            "global_importance must be asked about a motif at least, got none: say motifs=TGACTCA+GATAAG"
        )
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise CislensError(f"motifs must have ids of their own, {twice!r} came twice: leave one out")
    return tuple(motifs)


def _motifs(text: str) -> list[Motif]:
    word = text.upper().replace("U", "T")
    if word and set(word) <= set(IUPAC[1:]):
        held = np.array([[bool(IUPAC.index(letter) & 1 << base) for base in range(4)] for letter in word], float)
        return [Motif(word, held / held.sum(1, keepdims=True))]
    if not Path(text).is_file():
        raise CislensError(
            f"motifs must be words in IUPAC letters or files of motifs, got {text!r}: check the path, or spell the "
            "motif, as in motifs=TGASTCA"
        )
    return [
        Motif(motif.id, motif.probabilities(PSEUDOCOUNT), background=motif.background, name=motif.name)
        for motif in read_motifs(text)
    ]


def best_site(motif: Motif) -> Array:
    """Return the likeliest base of each position, one-hot (width, 4), the first of equal ones."""
    return np.asarray(np.eye(4, dtype=np.uint8)[motif.matrix.argmax(1)])


def drawn_site(motif: Motif, rng: np.random.Generator) -> Array:
    """Draw a site from a motif's probabilities, one-hot (width, 4)."""
    passed = motif.matrix.cumsum(1)[:, :3] <= rng.random((len(motif), 1)) * motif.matrix.sum(1, keepdims=True)
    return np.asarray(np.eye(4, dtype=np.uint8)[passed.sum(1)])
