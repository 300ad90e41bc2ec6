"""Global importance: effects of motifs in backgrounds are those that the toys have by construction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cislens import Motif, MotifReport, Run, Sequences, explain, open_oracle
from cislens.errors import CislensError
from cislens.motif_files import write_motifs
from cislens.testing import ExplainerContract, LinearToy, LogicToy, SpacingToy
from cislens.testing.toys import MOTIF, PARTNER, bundled_linear
from cislens.testing.toys.toy import Toy
from cislens.truth.motif_recovery import Match
from cislens.truth.syntax_recovery import syntax_recovery
from cislens_global_importance import GlobalImportance
from cislens_global_importance.asked import asked_motifs, drawn_site

RNG = np.random.default_rng(0)
FIRST, SECOND = "TGACTCAG", "GGAAGTGA"  # the best sites of the toys' motifs
BOTH = (FIRST, SECOND)


def importance(toy: Toy, explainer: GlobalImportance, n: int = 20, **options) -> MotifReport:
    return explain(toy, toy.examples(n, np.random.default_rng(1)), explainer, **options)


def table_of(report: MotifReport) -> pd.DataFrame:
    assert report.syntax is not None
    return report.syntax


def onehot(word: str) -> np.ndarray:
    return np.eye(4)[["ACGT".index(base) for base in word]]


@pytest.mark.parametrize("background", ["uniform", "dinucleotide", "sequences", "kmer:2"])
def test_it_keeps_the_contract_in_any_background(background: str) -> None:
    ExplainerContract(GlobalImportance(samples=4, most=3, background=background)).check()


def test_in_a_linear_oracle_an_effect_is_the_motifs_weights_less_the_backgrounds_and_nothing_interacts() -> None:
    toy = bundled_linear()
    examples = toy.examples(20, np.random.default_rng(1))
    report = explain(toy, examples, GlobalImportance(BOTH, samples=20, background="sequences"))
    start = (40 - 8) // 2
    weights = toy.matrix[start : start + 8]
    before = np.einsum("nlb,lb->n", examples.onehot[:, start : start + 8], weights)
    for strand, site in (("+", onehot(FIRST)), ("-", onehot(FIRST)[::-1, ::-1])):
        changes = (site * weights).sum() - before
        summary = report.validity.summary
        assert summary[f"effect of {FIRST}{strand} on value"] == pytest.approx(changes.mean())
        error = summary[f"standard error of the effect of {FIRST}{strand} on value"]
        assert error == pytest.approx(changes.std(ddof=1) / np.sqrt(20))
    table = table_of(report)
    assert (table["interaction"] == 0).all()
    assert (table["p_value"] == 1).all()
    assert set(table["logic"]) == {"beside"}
    assert not table["support"].any()
    assert table["effect"].to_numpy() == pytest.approx((table["effect_1"] + table["effect_2"]).to_numpy())


@pytest.mark.parametrize("logic", ["and", "or", "and not"])
def test_the_logic_of_two_motifs_is_named_and_its_effects_are_those_of_the_toy(logic) -> None:
    toy = LogicToy((MOTIF, PARTNER), 60, logic, midpoint=10.5, slope=3.0)
    report = importance(toy, GlobalImportance((SECOND, FIRST), background="uniform"))
    table = table_of(report)
    # Whatever order the motifs are asked about in, the first of "and not" is the one that gives.
    forward = table[(table["motif_1"] != table["motif_2"]) & (table["orientation"] == "++")]
    assert set(forward["logic"]) == {logic}
    if logic == "and not":
        assert set(forward["motif_1"]) == {FIRST}
    # With so steep a presence a site is there or not; what is left is what windows of the background score.
    first, second = forward["motif_1"].eq(FIRST), forward["motif_2"].eq(FIRST)
    of_first = forward["effect_1"].where(first, forward["effect_2"].where(second))
    of_second = forward["effect_2"].where(first, forward["effect_1"])
    expected = {"and": (0, 0, 1), "or": (1, 1, 1), "and not": (1, 0, 0)}[logic]
    assert np.array([of_first, of_second, forward["effect"]]).T == pytest.approx(
        np.broadcast_to(expected, (len(forward), 3)), abs=0.1
    )


def test_the_spacings_that_the_spacing_toy_answers_to_are_recovered_with_their_weights() -> None:
    toy = SpacingToy((MOTIF, PARTNER), 60, preferred=5, tolerance=1.0)
    report = importance(toy, GlobalImportance(BOTH, samples=30, background="uniform", most=12))
    table = table_of(report)
    pair = table[(table["motif_1"] == FIRST) & (table["motif_2"] == SECOND)]
    ahead = pair[(pair["order"] == "1-2") & (pair["orientation"] == "++")]
    assert ahead["spacing"].tolist() == list(range(13))
    assert ahead["interaction"].to_numpy() == pytest.approx(toy.response(ahead["spacing"].to_numpy()), abs=0.1)
    assert pair["support"].sum() == pytest.approx(1)
    assert np.abs(pair.drop(ahead.index)["effect"]).max() < 0.1
    truth = toy.truth(toy.examples(50, np.random.default_rng(2)))
    assert truth.syntax is not None
    matches = {FIRST: Match("first", False, 0, 0), SECOND: Match("second", False, 0, 0)}
    recovery = syntax_recovery(pair, truth.syntax, matches)
    assert recovery.rule_recall == recovery.rule_precision == 1
    assert [recovery.overlap("order"), recovery.overlap("orientation")] == pytest.approx([1, 1])
    assert recovery.overlap("spacing") > 0.8


@pytest.mark.parametrize("toy", [LogicToy((MOTIF, PARTNER), 60, "and"), SpacingToy((MOTIF, PARTNER), 60)], ids=repr)
def test_effects_are_the_means_over_sequences_into_which_the_motifs_were_written(toy: Toy) -> None:
    examples = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(4).integers(0, 4, (9, 60))])
    report = explain(toy, examples, GlobalImportance(BOTH, samples=9, background="sequences", most=6, step=3))

    def answers(*written: tuple[str, int]) -> np.ndarray:
        texts = []
        for text in examples.strings():
            for word, at in written:
                text = text[:at] + word + text[at + len(word) :]
            texts.append(text)
        return toy.predict(Sequences.from_strings(texts).onehot)["value"].ravel()

    table = table_of(report)
    pair = table[(table["motif_1"] == FIRST) & (table["motif_2"] == SECOND)]
    assert len(pair) == 4 * 3
    for row in pair.to_dict("records"):
        word = SECOND if row["orientation"] == "++" else SECOND[::-1].translate(str.maketrans("ACGT", "TGCA"))
        spacing = int(row["spacing"])
        one, two = (FIRST, 26), (word, 34 + spacing if row["order"] == "1-2" else 26 - spacing - 8)
        none, first, second, both = answers(), answers(one), answers(two), answers(one, two)
        interaction = both - first - second + none
        expected = [(first - none).mean(), (second - none).mean(), (both - none).mean(), interaction.mean()]
        assert [row[name] for name in ("effect_1", "effect_2", "effect", "interaction")] == pytest.approx(expected)
        assert row["standard_error"] == pytest.approx(interaction.std(ddof=1) / 3)


def test_an_interaction_of_a_small_target_is_seen_beside_a_large_one() -> None:
    toy = LogicToy((MOTIF, PARTNER), 40, "and")
    small = 1e-18

    def scaled(x: np.ndarray) -> np.ndarray:
        answer = toy.predict(x)["value"]
        return np.stack([small * answer, answer], 1)

    oracle = open_oracle(scaled, length=toy.length)
    report = explain(oracle, toy.examples(12, RNG), GlobalImportance(BOTH, samples=12, most=3), ["0", "1"])
    one, two = (part.reset_index(drop=True) for _, part in table_of(report).groupby("target"))
    assert (two["logic"] == "and").any()
    assert one["logic"].tolist() == two["logic"].tolist()
    assert one["interaction"].to_numpy() == pytest.approx(small * two["interaction"].to_numpy(), rel=1e-4, abs=0)


def test_several_targets_are_measured_at_once_and_named() -> None:
    oracle = open_oracle(lambda x: np.stack([x[:, :, 2].sum(1), 2 * x[:, :, 2].sum(1)], 1), length=30)
    examples = LinearToy(np.zeros((30, 4))).examples(4, RNG)
    report = explain(oracle, examples, GlobalImportance(("GGG", "AAC"), samples=4, most=1), ["0", "1"])
    table = table_of(report)
    one, two = (part.reset_index(drop=True) for _, part in table.groupby("target"))
    assert two["effect"].to_numpy() == pytest.approx(2 * one["effect"].to_numpy())


def test_motifs_come_from_words_and_files_and_anything_else_is_refused(tmp_path) -> None:
    path = tmp_path / "motifs.jaspar"
    write_motifs([Motif("M1", 10 * onehot("GATAAG"), "counts", name="GATA1")], path)
    word, motif = asked_motifs(["TGASTCA", str(path)])
    assert word.matrix[3].tolist() == [0, 0.5, 0.5, 0]
    assert (motif.id, motif.name, motif.consensus()) == ("M1", "GATA1", "GATAAG")
    with pytest.raises(CislensError, match="got 'nothing.meme': check the path"):
        asked_motifs(["nothing.meme"])
    with pytest.raises(CislensError, match="'GATA' came twice"):
        asked_motifs(["GATA", "gata"])
    with pytest.raises(CislensError, match="got none: say motifs=TGACTCA"):
        asked_motifs([])


def test_drawn_sites_have_the_motifs_probabilities() -> None:
    motif = Motif("m", np.array([[0.7, 0.1, 0.1, 0.1], [0.0, 0.0, 1.0, 0.0]]))
    rng = np.random.default_rng(3)
    drawn = np.mean([drawn_site(motif, rng) for _ in range(4000)], axis=0)
    assert drawn == pytest.approx(motif.matrix, abs=4 * 0.5 / np.sqrt(4000))


def test_motifs_that_do_not_fit_and_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(CislensError, match="must fit into the 40 bp of the sequences, got one of 50 bp: trim it"):
        importance(bundled_linear(), GlobalImportance(("A" * 50,), samples=2))
    with pytest.raises(CislensError, match="two samples at least"):
        GlobalImportance(samples=1)


def test_spacings_that_do_not_fit_are_left_out() -> None:
    report = importance(bundled_linear(40), GlobalImportance(BOTH, samples=2, most=30), run=Run(block=64))
    assert table_of(report)["spacing"].max() == 8  # 16 bp beside the first motif in the middle, less 8 of the second


def test_the_table_of_many_blocks_is_given_once() -> None:
    toy, explainer = bundled_linear(), GlobalImportance(BOTH, samples=3, most=3)
    one_block = importance(toy, explainer, 130, run=Run(block=130))
    pd.testing.assert_frame_equal(table_of(importance(toy, explainer, 130)), table_of(one_block))


def test_progress_is_told_in_the_sequences_explained_however_many_give_backgrounds() -> None:
    toy, told = bundled_linear(), []
    length = len(toy.matrix)
    many = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (40, length))])
    run = Run(training=many, progress=lambda done, total: told.append((done, total)))
    explain(toy, many.take(slice(0, 4)), GlobalImportance(("TGA",), samples=5, most=2), run=run)
    assert {total for _, total in told} == {4}
    assert [done for done, _ in told[:6]] == pytest.approx([0, 0.8, 1.6, 2.4, 3.2, 4.0])
    assert max(done for done, _ in told) == 4
