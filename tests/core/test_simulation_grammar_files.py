"""Grammar files: what they can say, what is told of mistakes in them, and the bundled ones against their papers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cislens.errors import CislensError
from cislens.motif import Motif
from cislens.motif_files import write_motifs
from cislens.simulation import Arrangement, Grammar, bundled_grammars, load_grammar, simulate
from cislens.simulation.layout import parse_layout
from cislens.truth import Rule

MOTIF = 'a = { consensus = "ACGTN" }'
BASE = f"""
[motifs]
{MOTIF}
[rules]
found = "a"
[[arrangements]]
name = "one"
layout = "a"
[[arrangements]]
name = "none"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_a_few_lines_is_a_grammar(tmp_path: Path) -> None:
    grammar = load_grammar(written(tmp_path, BASE))
    assert grammar.name == "own"
    assert grammar.labels == (True, False)
    np.testing.assert_array_equal(grammar.motifs[0].matrix[:4], np.eye(4))
    np.testing.assert_array_equal(grammar.motifs[0].matrix[4], [0.25] * 4)
    assert (grammar.length, grammar.centre, grammar.spurious, grammar.threshold) == (500, None, "relative", 0.9)


def test_motifs_of_a_file_beside_the_grammar_are_cut_as_it_says(tmp_path: Path) -> None:
    wide = Motif("wide", np.array([[1, 1, 1, 1], [9, 0, 1, 0], [0, 9, 1, 0], [4, 0, 6, 0], [1, 1, 1, 1]]), "counts")
    write_motifs([wide, Motif("other", np.eye(4) * 7, "counts")], tmp_path / "motifs.jaspar")
    p = wide.probabilities()
    for keys, expected in [
        ("", p),
        (", columns = [2, 3]", p[1:3]),
        (", trim = 0.2", p[1:4]),
        (", trim = 1.2", p[1:3]),
        (", columns = [3, 5], trim = 0.2", p[2:4]),
        (", core = 2", p[1:3]),
        (", core = 9", p),
    ]:
        said = f'a = {{ file = "motifs.jaspar", matrix = "wide"{keys} }}'
        (motif,) = load_grammar(written(tmp_path, BASE.replace(MOTIF, said))).motifs
        np.testing.assert_allclose(motif.probabilities(), expected)
        assert (motif.id, motif.name) == ("a", "wide")


def test_a_file_of_one_motif_needs_no_matrix_named(tmp_path: Path) -> None:
    write_motifs([Motif("only", np.eye(4))], tmp_path / "one.meme")
    (motif,) = load_grammar(written(tmp_path, BASE.replace(MOTIF, 'a = { file = "one.meme" }'))).motifs
    np.testing.assert_allclose(motif.probabilities(), np.eye(4))


def test_changes_take_the_place_of_what_the_file_says() -> None:
    changed = load_grammar("argminn_spi1", length=200, instances="best", spurious="kept", both_strands=False)
    assert (changed.length, changed.instances, changed.spurious, changed.both_strands) == (200, "best", "kept", False)
    truth = simulate("argminn_spi1", n=20, length=200, instances=0.9, spurious="kept")
    assert truth.sequences.length == 200
    assert truth.instances["score"].min() >= 0.9


def test_trim_cuts_the_flanks_of_all_motifs_at_its_bits() -> None:
    widths = {
        bits: [len(motif) for motif in load_grammar("argminn_jund_tead", trim=bits).motifs] for bits in (0, 0.5, 1)
    }
    assert widths[0] == [13, 15, 12]
    assert all(wide > narrow for wide, narrow in zip(widths[0], widths[1], strict=True))
    for bits in (0.5, 1.0):
        for motif in load_grammar("argminn_jund_tead", trim=bits).motifs:
            assert motif.information()[[0, -1]].min() >= bits


def test_changes_of_a_grammar_that_is_no_name_are_refused() -> None:
    with pytest.raises(CislensError, match="use dataclasses.replace"):
        simulate(load_grammar("argminn_spi1"), n=2, length=200)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('length = "long"', "length of grammar 'own' must be a whole number, got 'long'"),
        ("length = 2.5", "length of grammar 'own' must be a whole number"),
        ("length = 0", "at least 1 bp long"),
        ("length = 4", "must fit into 4 bp, got 5 bp"),
        ("centre = 4", "must fit into 4 bp, got 5 bp"),
        ("instances = true", "instances of grammar 'own' must be text or a number"),
        ("instances = 1.5", "must be sampled, best or a fraction"),
        ("instances = 0", "must be sampled, best or a fraction"),
        ('instances = "good"', "must be sampled, best or a fraction"),
        ('spurious = "some"', "spurious must be one of 'relative', 'mean_probability', 'kept', got 'some'"),
        ('threshold = "0.9"', "threshold of grammar 'own' must be a number"),
        ('both_strands = "yes"', "both_strands of grammar 'own' must be true or false"),
        ("references = 3", "references of grammar 'own' must be a list"),
        ("lenght = 200", "may have the keys title, references, .*, got 'lenght'"),
        ("length 200", "must be TOML"),
    ],
)
def test_a_mistake_in_a_key_of_the_grammar_is_told(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(CislensError, match=complaint):
        load_grammar(written(tmp_path, line + "\n" + BASE))


@pytest.mark.parametrize(
    ("motif", "complaint"),
    [
        ('"ACGT"', "motif 'a' must be a table of the keys"),
        ('{ consensus = "AXGT" }', "must be DNA"),
        ("{ consensus = 3 }", "consensus of motif 'a' must be text"),
        ('{ consensus = "" }', "must have shape"),
        ('{ consensus = "ACGT", columns = [1] }', "must be the first and the last"),
        ('{ consensus = "ACGT", columns = [0, 3] }', "must lie in 0 to 4"),
        ('{ consensus = "ACGT", core = 0 }', "one column wide at least"),
        ('{ consensus = "ACGT", width = 3 }', "got 'width'"),
        ('{ file = "absent.meme" }', "can be read"),
        ('{ matrix = "MA9999.1" }', "must name a matrix of jaspar2020.jaspar"),
        ("{ }", "must name a matrix of jaspar2020.jaspar"),
    ],
)
def test_a_mistake_in_a_motif_is_told(tmp_path: Path, motif: str, complaint: str) -> None:
    with pytest.raises(CislensError, match=complaint):
        load_grammar(written(tmp_path, BASE.replace(MOTIF, f"a = {motif}")))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('weight = "much"', "weight of an arrangement must be a number"),
        ("weight = -1", "must not be negative"),
        ("weight = nan", "must not be negative"),
        ("layout = 3", "layout of an arrangement must be text or a list"),
        ("layout = []", "must have a name and a layout"),
        ('layout = "b"', "must plant motifs of the grammar \\(a\\), got 'b'"),
        ('layout = "a a"', "a layout must hold"),
        ('layout = ["a", ""]', "all positive or all negative|must be positive or all negative"),
        ("colour = 1", "got 'colour'"),
    ],
)
def test_a_mistake_in_an_arrangement_is_told(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(CislensError, match=complaint):
        load_grammar(written(tmp_path, BASE + line + "\n"))


@pytest.mark.parametrize("part", ["motifs", "rules", "arrangements"])
def test_a_grammar_without_one_of_its_parts_is_told(tmp_path: Path, part: str) -> None:
    marks = {"motifs": "[motifs]\n" + MOTIF, "rules": '[rules]\nfound = "a"', "arrangements": BASE[BASE.index("[[") :]}
    with pytest.raises(CislensError, match=f"must have {part}, got none"):
        load_grammar(written(tmp_path, BASE.replace(marks[part], "")))


def test_a_rule_speaks_of_motifs_and_arrangements_alone(tmp_path: Path) -> None:
    with pytest.raises(CislensError, match="must speak of motifs and arrangements .*got 'b'"):
        load_grammar(written(tmp_path, BASE.replace('found = "a"', 'found = "a or b"')))
    assert load_grammar(written(tmp_path, BASE.replace('found = "a"', 'found = "none"'))).labels == (False, True)


@pytest.mark.parametrize("name", ["nothing", "nothing.toml", ""])
def test_an_unknown_grammar_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(CislensError, match="argminn_spi1"):
        load_grammar(name)


def test_no_two_motifs_or_arrangements_share_a_name() -> None:
    motif, rules = Motif("a", np.eye(4)), {"rule": Rule("a")}
    one = Arrangement("one", (parse_layout("a"),))
    with pytest.raises(CislensError, match="no two motifs"):
        Grammar("g", (motif, motif), (one,), rules)
    with pytest.raises(CislensError, match="no two arrangements"):
        Grammar("g", (motif,), (one, one), rules)


def test_too_many_choices_of_spacings_are_refused() -> None:
    motif = Motif("a", np.eye(4))
    wide = Arrangement("wide", (parse_layout("a [0..150] a [0..150] a"),))
    with pytest.raises(CislensError, match="at most 20,000 choices"):
        Grammar("g", (motif,), (wide,), {"rule": Rule("a")}, length=2000)


# ---- the bundled ones ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in bundled_grammars() if name.startswith("argminn")])
def test_argminn_s_sets_are_drawn_as_its_supplement_says(name: str) -> None:
    grammar = load_grammar(name)
    assert (grammar.length, grammar.centre, grammar.background) == (500, 100, "uniform")
    assert (grammar.spurious, grammar.threshold, grammar.instances) == ("mean_probability", 0.9, "sampled")
    assert grammar.both_strands
    assert grammar.positive_share == pytest.approx(0.5)
    for motif in grammar.motifs:
        assert motif.information()[[0, -1]].min() >= 0.2


@pytest.mark.parametrize(
    ("rule", "shares"),
    [("cooperative", (1, 1, 1, 3)), ("redundant", (3, 1, 1, 1)), ("repressive", (1, 3, 1, 1))],
)
def test_mem_s_sets_mix_none_a_b_and_both_in_two_strengths(rule: str, shares: tuple[int, ...]) -> None:
    strong, sampled = load_grammar(f"mem_{rule}_strong"), load_grammar(f"mem_{rule}_sampled")
    assert [arrangement.weight for arrangement in strong.arrangements] == list(shares)
    assert [len(motif) for motif in strong.motifs] == [10, 12]
    assert strong.positive_share == pytest.approx(0.5)
    assert (strong.instances, sampled.instances) == (0.9, "sampled")
    assert replace(strong, instances="sampled").variants == sampled.variants
    assert strong.labels == sampled.labels


def test_the_halves_of_rest_are_columns_of_one_matrix() -> None:
    left, right = load_grammar("argminn_rest", trim=0).motifs
    assert (len(left), len(right)) == (9, 10)
    assert (left.consensus(1.0), right.consensus(1.0)) == ("TTCAGCACC", "GGACAGCGCC")
