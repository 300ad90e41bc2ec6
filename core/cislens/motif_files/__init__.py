"""Files of motifs: MEME and JASPAR, read and written, and TRANSFAC, read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cislens.errors import ReportError
from cislens.motif import Motif
from cislens.motif_files.jaspar import read_jaspar, write_jaspar
from cislens.motif_files.meme import read_meme, write_meme
from cislens.motif_files.transfac import is_transfac, read_transfac

__all__ = ["read_motifs", "write_motifs"]


def read_motifs(path: str | Path) -> tuple[Motif, ...]:
    """Read motifs from a file in MEME's minimal format, in JASPAR's or in TRANSFAC's; its first letters say which.

    Returns
    -------
    tuple of Motif
        Probabilities from MEME, counts from JASPAR and TRANSFAC.

    Raises
    ------
    ReportError
        If it cannot be read; the sentence names the line or the motif.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"motifs must be in a text file that can be read, got {path}: {error}") from error
    if text.lstrip().startswith("MEME version"):
        return read_meme(text, path.name)
    if text.lstrip().startswith(">"):
        return read_jaspar(text, path.name)
    if is_transfac(text):
        return read_transfac(text, path.name)
    raise ReportError(
        "a file of motifs must begin with 'MEME version' (MEME), '>' (JASPAR) or a two-letter key such as AC, with a "
        f"matrix below a line that begins with P0 (TRANSFAC), got {text.lstrip()[:20]!r} in {path}"
    )


def write_motifs(motifs: Sequence[Motif], path: str | Path) -> None:
    """Write motifs as MEME (.meme, .txt) or JASPAR (.jaspar, .pfm).

    Raises
    ------
    ReportError
        If the suffix is none of these, or a motif holds nothing that the format can say.
    """
    if spaced := [motif.id for motif in motifs if motif.id.split() != [motif.id]]:
        raise ReportError(f"ids of motifs in files must be one word, got {spaced[0]!r}: put it into the name")
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".meme", ".txt"):
        text = write_meme(motifs)
    elif suffix in (".jaspar", ".pfm"):
        text = write_jaspar(motifs)
    else:
        raise ReportError(f"motifs are written as .meme or .txt (MEME), .jaspar or .pfm (JASPAR), got {path.name}")
    path.write_text(text, encoding="utf-8")
