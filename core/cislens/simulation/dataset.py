"""A simulated set on disk: plain files that any tool reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cislens.errors import CislensError
from cislens.files import write_text
from cislens.json_text import json_text
from cislens.motif_files import read_motifs, write_motifs
from cislens.report.report import join_sequences
from cislens.sequences import Sequences, read_sequences
from cislens.sequences.codes import codes_of, letters_of
from cislens.truth import Rule, Truth

if TYPE_CHECKING:
    import pandas as pd

BED = ("sequence", "start", "end", "motif", "score", "strand")
FILES = ("sequences.fa", "labels.tsv", "instances.bed", "motifs.meme", "syntax.tsv", "dataset.json")
NONE = "a simulated set must hold one sequence at least"


def write_dataset(truths: Iterator[Truth], folder: Path, facts: Mapping[str, Any]) -> None:
    """Write a truth that comes in blocks.

    Parameters
    ----------
    truths
        Blocks of one set; at least one.
    folder
        Gets sequences.fa; labels.tsv (id, label, rule, arrangement); instances.bed (sequence, start, end, motif, score,
        strand); motifs.meme; syntax.tsv; and dataset.json, which comes last.
    facts
        What dataset.json also holds: the grammar, the seed, the Bayes limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = positives = 0
    truth: Truth | None = None
    opened = [(folder / name).open("w", encoding="ascii", newline="\n") for name in FILES[:3]]
    fasta, labels, bed = opened
    try:
        labels.write("id\tlabel\trule\tarrangement\n")
        for truth in truths:
            fasta.write(_fasta(truth.sequences))
            labels.write(_labels(truth))
            truth.instances[list(BED)].to_csv(bed, sep="\t", header=False, index=False, float_format="%.4f")
            total, positives = total + len(truth), positives + int(truth.labels.sum())
    finally:
        for file in opened:
            file.close()
    if truth is None:
        raise CislensError(NONE)
    write_motifs(truth.motifs, folder / "motifs.meme")
    if truth.syntax is not None:
        truth.syntax.to_csv(folder / "syntax.tsv", sep="\t", index=False, float_format="%.6g")
    rules = {name: rule.text for name, rule in truth.rules.items()}
    held = {"sequences": total, "positives": positives, "rules": rules, **facts}
    write_text(folder / "dataset.json", json_text(held))


def read_truth(folder: str | Path) -> Truth:
    """Return the truth of a set that `cislens simulate` wrote.

    Raises
    ------
    CislensError
        If a file is missing, such as where writing was cut short.
    """
    import pandas as pd

    folder = Path(folder)
    if missing := [name for name in FILES if not (folder / name).exists()]:
        raise CislensError(f"{folder} must hold a set that cislens simulate wrote, but {missing[0]} is missing")
    facts = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    labels = pd.read_csv(folder / "labels.tsv", sep="\t", keep_default_na=False, dtype={"id": str, "arrangement": str})
    names = {"sequence": str, "motif": str}
    instances = pd.read_csv(folder / "instances.bed", sep="\t", names=list(BED), keep_default_na=False, dtype=names)
    return Truth(
        read_sequences(folder / "sequences.fa"),
        labels["label"].to_numpy() == 1,
        instances[["motif", "sequence", "start", "end", "strand", "score"]],
        read_motifs(folder / "motifs.meme"),
        {name: Rule(text) for name, text in facts["rules"].items()},
        tuple(labels["arrangement"]),
        _read_syntax(folder / "syntax.tsv"),
    )


def _read_syntax(path: Path) -> pd.DataFrame:
    import pandas as pd

    # A motif may be called NA; only a spacing can be missing.
    kinds = {"motif_1": str, "motif_2": str, "spacing": float, "support": float}
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values={"spacing": [""]}, dtype=kinds)


def joined(truths: Sequence[Truth]) -> Truth:
    """Return the blocks of one set as one truth."""
    import pandas as pd

    if not truths:
        raise CislensError(NONE)
    first = truths[0]
    return Truth(
        join_sequences([truth.sequences for truth in truths]),
        np.concatenate([truth.labels for truth in truths]),
        pd.concat([truth.instances for truth in truths], ignore_index=True),
        first.motifs,
        first.rules,
        tuple(name for truth in truths for name in truth.arrangements),
        first.syntax,
    )


def _fasta(sequences: Sequences) -> str:
    letters = letters_of(codes_of(sequences.onehot))
    rows = (row.tobytes().decode("ascii") for row in letters)
    return "".join(f">{name}\n{row}\n" for name, row in zip(sequences.ids, rows, strict=True))


def _labels(truth: Truth) -> str:
    rules = _rules_by_arrangement(truth)
    return "".join(
        f"{name}\t{int(label)}\t{rules[arrangement]}\t{arrangement}\n"
        for name, label, arrangement in zip(truth.sequences.ids, truth.labels, truth.arrangements, strict=True)
    )


def _rules_by_arrangement(truth: Truth) -> dict[str, str]:
    first: dict[str, int] = {}
    for i, arrangement in enumerate(truth.arrangements):
        first.setdefault(arrangement, i)
    return {arrangement: truth.rule(i) for arrangement, i in first.items()}
