"""A simulated set on disk: read back it is what was drawn, and any tool can read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.simulation import Arrangement, Grammar, Simulator, load_grammar, simulate
from cislens.simulation.dataset import FILES, joined, read_truth, write_dataset
from cislens.simulation.layout import parse_layout
from cislens.truth import Rule, Truth


def written(truths: Iterator[Truth], folder: Path) -> Path:
    write_dataset(truths, folder / "set", {"seed": 7})
    return folder / "set"


def assert_equal(one: Truth, two: Truth) -> None:
    """Scores are written to four decimals, probabilities and supports to six."""
    np.testing.assert_array_equal(one.sequences.onehot, two.sequences.onehot)
    assert one.sequences.ids == two.sequences.ids
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.arrangements == two.arrangements
    assert dict(one.rules) == dict(two.rules)
    pd.testing.assert_frame_equal(one.instances, two.instances, check_dtype=False, atol=5e-5, rtol=0)
    assert one.syntax is not None
    assert two.syntax is not None
    pd.testing.assert_frame_equal(one.syntax, two.syntax, check_dtype=False, atol=1e-6)
    assert [motif.id for motif in one.motifs] == [motif.id for motif in two.motifs]
    for first, second in zip(one.motifs, two.motifs, strict=True):
        np.testing.assert_allclose(first.probabilities(), second.probabilities(), atol=1e-6)


def odd(names: tuple[str, str], arrangements: tuple[str, str], layout: str, called: str = "odd") -> Grammar:
    motifs = tuple(Motif(name, np.eye(4)) for name in names)
    planted = (Arrangement(arrangements[0], (parse_layout(layout),)), Arrangement(arrangements[1], (parse_layout(""),)))
    return Grammar(called, motifs, planted, {"rule": Rule(names[0])}, 30, spurious="kept")


@pytest.mark.parametrize("name", ["argminn_e2f6_max", "mem_repressive_strong", "argminn_spi1"])
def test_a_set_reads_back_as_it_was_drawn(name: str, tmp_path: Path) -> None:
    folder = written(Simulator(load_grammar(name)).truths(1300, 7), tmp_path)
    assert_equal(read_truth(folder), simulate(name, n=1300, seed=7))


def test_a_set_read_back_gives_the_same_explanations(tmp_path: Path) -> None:
    drawn = simulate("argminn_spi1_ctcf", n=60, seed=7)
    back = read_truth(written(iter([drawn]), tmp_path))
    for i in range(60):
        assert back.explanations(i, "sufficient") == drawn.explanations(i, "sufficient")
        assert back.rule(i) == drawn.rule(i)


def test_ids_of_the_fasta_join_the_bed_and_the_labels(tmp_path: Path) -> None:
    folder = written(iter([simulate("argminn_rest", n=200, seed=7)]), tmp_path)
    lines = (folder / "sequences.fa").read_text().splitlines()
    ids, texts = [line[1:] for line in lines[::2]], lines[1::2]
    assert all(line.startswith(">") for line in lines[::2])
    assert {len(text) for text in texts} == {500}
    labels = pd.read_csv(folder / "labels.tsv", sep="\t", keep_default_na=False)
    assert list(labels.columns) == ["id", "label", "rule", "arrangement"]
    assert list(labels["id"]) == ids
    assert ((labels["rule"] == "bound") == (labels["label"] == 1)).all()
    assert ((labels["arrangement"] == "both") == (labels["label"] == 1)).all()
    bed = [line.split("\t") for line in (folder / "instances.bed").read_text().splitlines()]
    assert {row[0] for row in bed} <= set(ids)
    sequences = dict(zip(ids, texts, strict=True))
    best = {"left": "TTCAGCACC", "right": "GGACAGCGCC"}
    agree = {name: np.zeros(len(text)) for name, text in best.items()}
    for sequence, start, end, motif, score, strand in bed:
        window = sequences[sequence][int(start) : int(end)]
        if strand == "-":
            window = window[::-1].translate(str.maketrans("ACGT", "TGCA"))
        agree[motif] += [base == likeliest for base, likeliest in zip(window, best[motif], strict=True)]
        assert 0 < float(score) <= 1
    assert {row[5] for row in bed} == {"+", "-"}
    # Read on its strand an instance is mostly its motif's likeliest sequence; background would agree in a quarter.
    assert min((agree[name] / sum(row[3] == name for row in bed)).mean() for name in best) > 0.7


def test_the_facts_hold_counts_rules_and_what_was_handed_on(tmp_path: Path) -> None:
    drawn = simulate("argminn_spi1", n=100, seed=7)
    facts = json.loads((written(iter([drawn]), tmp_path) / "dataset.json").read_text())
    assert facts["sequences"] == 100
    assert facts["positives"] == int(drawn.labels.sum())
    assert facts["rules"] == {"bound": "spi1"}
    assert facts["seed"] == 7


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_told(name: str, tmp_path: Path) -> None:
    folder = written(iter([simulate("argminn_spi1", n=5)]), tmp_path)
    (folder / name).unlink()
    with pytest.raises(CislensError, match=f"but {name} is missing"):
        read_truth(folder)


def test_a_set_whose_writing_was_cut_short_is_not_taken_for_whole(tmp_path: Path) -> None:
    def cut() -> Iterator[Truth]:
        yield simulate("argminn_spi1", n=5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(cut(), tmp_path)
    with pytest.raises(CislensError, match="is missing"):
        read_truth(tmp_path / "set")


def test_names_that_look_like_missing_values_or_numbers_stay_names(tmp_path: Path) -> None:
    drawn = simulate(odd(("NA", "nan"), ("1", "2"), "NA [2] nan"), n=30)
    back = read_truth(written(iter([drawn]), tmp_path))
    assert_equal(back, drawn)
    assert set(back.arrangements) == {"1", "2"}
    assert set(back.instances["motif"]) == {"NA", "nan"}


def test_a_grammar_whose_name_holds_spaces_has_ids_of_one_word(tmp_path: Path) -> None:
    drawn = simulate(odd(("a", "b"), ("yes", "no"), "a & b", called="two words"), n=30)
    assert drawn.sequences.ids[:2] == ("two_words_0", "two_words_1")
    assert_equal(read_truth(written(iter([drawn]), tmp_path)), drawn)


def test_a_set_without_instances_reads_back(tmp_path: Path) -> None:
    grammar = odd(("a", "b"), ("yes", "no"), "a")
    bare = replace(grammar, arrangements=(replace(grammar.arrangements[0], weight=0), grammar.arrangements[1]))
    back = read_truth(written(iter([simulate(bare, n=10)]), tmp_path))
    assert len(back.instances) == 0
    assert len(back) == 10


def test_nothing_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(CislensError, match="one sequence at least"):
        write_dataset(iter([]), tmp_path, {})
    with pytest.raises(CislensError, match="one sequence at least"):
        joined([])
