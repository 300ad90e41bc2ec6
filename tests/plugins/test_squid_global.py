"""SQUID's global libraries and what is read off them: toys whose interactions are known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cislens import MotifReport, Sequences, explain, open_oracle
from cislens.errors import CislensError
from cislens.report import Attributions, Provenance
from cislens.sequences.codes import codes_of, codes_with_n
from cislens.testing import ExplainerContract, PairwiseToy, SpacingToy
from cislens.testing.toys import MOTIF, PARTNER
from cislens_squid import FittedSquidGlobal, Squid, SquidGlobal
from cislens_squid.analyses import Site, context_averaged, contrasts, interaction_over_distance
from cislens_squid.global_library import Design, Element, background_frames, global_library

pytestmark = pytest.mark.torch
LENGTH = 24
LETTERS = "ACGT"
PAIR = SquidGlobal(("TGAC", "GATA"), surrogate="ridge", background="uniform", library=3000, rate=0.4, least=3, most=3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_sequences(n: int, length: int, seed: int = 0) -> Sequences:
    return Sequences.from_onehot(np.eye(4, dtype=np.uint8)[rng(seed).integers(0, 4, (n, length))])


def report_of(function, explainer: SquidGlobal, length: int = LENGTH, seed: int = 0, **options) -> MotifReport:
    oracle = function if hasattr(function, "predict") else open_oracle(function, length=length)
    return explain(oracle, random_sequences(5, length), explainer, seed=seed, **options)


def only_row(report: MotifReport) -> dict:
    assert report.syntax is not None
    (row,) = report.syntax.to_dict("records")
    return row


def held(x: np.ndarray, word: str, start: int) -> np.ndarray:
    """Return whether a word stands at a place, 1 or 0, (n,)."""
    bases = [LETTERS.index(letter) for letter in word]
    return x[:, start + np.arange(len(word)), bases].prod(1).astype(float)


# ---- libraries --------------------------------------------------------------------------------------------


def test_unchanged_variants_hold_both_words_on_their_strands_and_n_is_the_backgrounds() -> None:
    design = Design.of_two((Element("TGNCA"), Element("gauaag", reverse=True)), 40, 4, "1-2")
    frames = background_frames("uniform", random_sequences(3, 40), 400, rng())
    library = global_library(design, frames, 0.3, rng())
    texts = Sequences.from_onehot(np.concatenate(list(library.blocks()))).strings()
    wild = np.flatnonzero(library.substitutions.counts == 0)
    assert wild[0] == 0
    assert len(wild) > 5
    backgrounds = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[frames]).strings()
    for row in wild:
        kept = backgrounds[row]
        expected = kept[:17] + "TG" + kept[19] + "CA" + kept[22:26] + "CTTATC" + kept[32:]
        assert texts[row] == expected
    assert {texts[row][19] for row in wild} == set(LETTERS)


def test_substitutions_are_poisson_distributed_and_touch_nothing_beside_the_elements() -> None:
    design = Design.of_one(Element("TGACTCA"), 30, start=2)
    frames = background_frames("frequencies:0.1/0.4/0.4/0.1", random_sequences(3, 30), 4000, rng())
    library = global_library(design, frames, 0.2, rng())
    codes = np.concatenate([codes_of(block) for block in library.blocks(1000)])
    assert np.array_equal(np.delete(codes, design.sites, 1), np.delete(frames, design.sites, 1))
    changed = (codes[:, design.sites] != library.wild).sum(1)
    assert changed.mean() == pytest.approx(0.2 * 7, abs=5 * np.sqrt(0.2 * 7 / 4000))
    assert np.isin(frames, [1, 2]).mean() == pytest.approx(0.8, abs=0.01)
    assert frames.dtype == np.uint8


def test_each_background_keeps_the_dinucleotides_of_one_of_the_sequences() -> None:
    def dinucleotides(codes: np.ndarray) -> tuple[int, ...]:
        return tuple(np.bincount(4 * codes[:-1].astype(int) + codes[1:], minlength=16))

    given = random_sequences(3, 50)
    frames = background_frames("dinucleotide", given, 30, rng())
    seen = [dinucleotides(row) for row in frames]
    kept = [dinucleotides(codes_of(row)) for row in given.onehot]
    assert sorted(seen) == sorted(kept * 10)
    assert len({row.tobytes() for row in frames}) == 30


def test_real_sequences_serve_each_before_any_serves_again() -> None:
    given = random_sequences(4, 20)
    frames = background_frames("sequences", given, 8, rng())
    assert sorted(map(bytes, frames)) == sorted(2 * [bytes(row) for row in codes_with_n(given.onehot)])


def test_designs_of_the_same_elements_differ_by_nothing_but_the_distance() -> None:
    frames = background_frames("uniform", random_sequences(1, 40), 500, rng())
    elements = Element("TGAC"), Element("GATA")
    near, far = (global_library(Design.of_two(elements, 40, bp, "1-2"), frames, 0.3, rng(7)) for bp in (1, 9))
    every = np.arange(500)
    assert np.array_equal(near.element(every), far.element(every))


@pytest.mark.parametrize("word", ["", "NNN", "TGXC"])
def test_a_word_that_is_no_element_is_refused(word: str) -> None:
    with pytest.raises(CislensError, match="a word of IUPAC letters"):
        Element(word)


# ---- surrogates of them -----------------------------------------------------------------------------------


def toy_of_pairs(places: np.ndarray, seed: int = 1) -> PairwiseToy:
    """Return a toy of random single and pair terms at these places, and of nothing elsewhere."""
    inside = np.isin(np.arange(LENGTH), places).astype(float)
    terms = rng(seed).normal(size=(LENGTH, 4, LENGTH, 4)) * inside[:, None, None, None] * inside[:, None]
    terms[np.arange(LENGTH), :, np.arange(LENGTH)] = 0
    return PairwiseToy(rng(seed).normal(size=(LENGTH, 4)) * inside[:, None], terms + terms.transpose(2, 3, 0, 1))


@pytest.mark.parametrize(("order", "orientation"), [("1-2", "++"), ("2-1", "+-")])
def test_the_terms_of_a_pairwise_oracle_are_recovered(order, orientation) -> None:
    explainer = replace(PAIR, order=order, orientation=orientation, gauge="uniform", critical=4)
    (design,) = explainer.designs(LENGTH)
    toy = toy_of_pairs(design.sites)
    report = report_of(toy, explainer)
    first, second = (slice(start, start + 4) for start in design.starts)
    expected = [toy.additive[first], toy.additive[second][:: -1 if orientation == "+-" else 1]]
    if orientation == "+-":
        expected[1] = expected[1][:, ::-1]
    assert [motif.id for motif in report.motifs] == ["TGAC", "GATA"]
    assert all(motif.kind == "contributions" for motif in report.motifs)
    assert np.array([m.matrix for m in report.motifs]) == pytest.approx(np.array(expected), abs=0.01)
    assert report.interactions is not None
    assert len(report.interactions) == 28 * 16
    for row in report.interactions.to_dict("records"):
        one, two = (row[f"position_{end}"] + design.span[0] for end in "12")
        assert row["value"] == pytest.approx(
            toy.pairwise[one, LETTERS.index(row["base_1"]), two, LETTERS.index(row["base_2"])], abs=0.02
        )
    # What two substitutions do beyond the sum, over all of both elements, is a contrast of the pair terms.
    change = np.zeros((LENGTH, 4))
    change[design.sites] = contrasts(design.wild)
    epistasis = np.einsum("ia,iajb,jb->ij", change, toy.pairwise, change)
    row = only_row(report)
    assert (row["order"], row["orientation"], row["spacing"]) == (order, orientation, 3)
    assert row["interaction"] == pytest.approx(epistasis[first, second].mean(), abs=0.01)
    above = np.triu_indices(4, 1)
    assert row["within_1"] == pytest.approx(epistasis[first, first][above].mean(), abs=0.01)
    assert row["within_2"] == pytest.approx(epistasis[second, second][above].mean(), abs=0.01)
    quality = report.validity.summary[f"r2_mode of {design} on value"]
    assert quality == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("rule", "interaction", "logic"),
    [
        (lambda a, b: a * b, 1, "and"),
        (lambda a, b: a + b - a * b, -1, "or"),
        (lambda a, b: a * (1 - b), -1, "and not"),
        (lambda a, b: b * (1 - a), -1, "and not"),
        (lambda a, b: a + b, 0, "beside"),
    ],
    ids=["and", "or", "first and not second", "second and not first", "sum"],
)
def test_the_interaction_and_logic_of_two_bases_are_those_of_the_rule(rule, interaction, logic) -> None:
    explainer = replace(PAIR, critical=1)
    (design,) = explainer.designs(LENGTH)
    one, two = design.starts
    report = report_of(lambda x: rule(x[:, one + 1, 2].astype(float), x[:, two + 2, 3].astype(float)), explainer)
    row = only_row(report)
    assert row["interaction"] == pytest.approx(interaction, abs=0.02)
    assert row["logic"] == logic
    assert row["support"] == (logic != "beside")
    turned = rule(0, 1) > rule(1, 0)
    assert (row["motif_1"], row["order"]) == (("GATA", "2-1") if turned and logic == "and not" else ("TGAC", "1-2"))
    assert np.isnan(row["within_1"])


def test_critical_positions_are_those_of_the_word_on_either_strand() -> None:
    explainer = replace(PAIR, critical=1, orientation="+-")
    one, two = explainer.designs(LENGTH)[0].starts  # the second reads TATC on the plus strand
    row = only_row(report_of(lambda x: x[:, one, 3].astype(float) * x[:, two + 3, 1], explainer))
    assert row["interaction"] == pytest.approx(1, abs=0.02)


def test_what_hangs_on_the_first_element_alone_is_said_alike_at_every_distance() -> None:
    explainer = replace(PAIR, least=0, most=2)
    start = explainer.designs(LENGTH)[0].starts[0]
    scan = interaction_over_distance(report_of(lambda x: held(x, "TGAC", start) + 0.1 * x[:, 0, 0], explainer))
    assert (
        scan["within_1"].nunique() == scan["between"].nunique() == 1
    )  # the same substitutions in the same backgrounds


@pytest.mark.parametrize(
    ("rule", "between", "logic"),
    [(np.multiply, 1, "and"), (np.maximum, -1, "or"), (np.add, 0, "beside")],
    ids=["and", "or", "sum"],
)
def test_sites_that_one_substitution_breaks_interact_within_and_by_their_logic_between(rule, between, logic) -> None:
    explainer = replace(PAIR, rate=0.15, critical=4)
    one, two = explainer.designs(LENGTH)[0].starts
    row = only_row(report_of(lambda x: rule(held(x, "TGAC", one), held(x, "GATA", two)), explainer))
    assert min(row["within_1"], row["within_2"]) > 0.15
    if between:
        assert row["interaction"] * between > 0.15
    else:
        assert abs(row["interaction"]) < 0.05
    assert row["logic"] == logic
    expected = [rule(1.0, 0.0), rule(0.0, 1.0), rule(1.0, 1.0)]  # chance makes a site of a broken one hardly ever
    assert [row["effect_1"], row["effect_2"], row["effect"]] == pytest.approx(expected, abs=0.02)


def test_the_standard_error_of_an_interaction_is_that_over_seeds() -> None:
    explainer = replace(PAIR, library=1500, critical=4)
    (design,) = explainer.designs(LENGTH)
    toy = toy_of_pairs(design.sites)
    change = np.zeros((LENGTH, 4))
    change[design.sites] = contrasts(design.wild)
    first, second = (slice(start, start + 4) for start in design.starts)
    truth = np.einsum("ia,iajb,jb->ij", change, toy.pairwise, change)[first, second].mean()

    def scattered(x: np.ndarray) -> np.ndarray:
        return toy.predict(x)["value"] + 2 * (x[:, 0] @ [1.5, -1, 0.5, -1])  # by a base of the background

    rows = [only_row(report_of(scattered, explainer, seed=seed)) for seed in range(12)]
    score = np.array([(row["interaction"] - truth) / row["standard_error"] for row in rows])
    assert 0.5 < np.sqrt((score**2).mean()) < 1.6  # 99.9% of chi-squared with 12 degrees of freedom


def test_a_spacing_that_the_oracle_prefers_shows_in_the_scan_and_in_no_other_order() -> None:
    toy = SpacingToy((1.3 * MOTIF[:5], 1.3 * PARTNER[:5]), 36, preferred=4, tolerance=0.5)
    explainer = SquidGlobal(("TGACT", "GGAAG"), surrogate="ridge", background="uniform", library=2000)
    scan = interaction_over_distance(report_of(toy, replace(explainer, least=1, most=10, step=3), 36))
    assert scan["spacing"].tolist() == [1, 4, 7, 10]
    others = scan["between"].to_numpy()[[0, 2, 3]]
    assert scan["between"][1] > 0.03
    assert np.abs(others).max() < scan["between"][1] / 10
    turned = interaction_over_distance(report_of(toy, replace(explainer, least=4, most=4, order="2-1"), 36))
    assert abs(turned["between"][0]) < scan["between"][1] / 10


def test_a_nonlinearity_takes_up_what_only_looks_like_an_interaction() -> None:
    (design,) = PAIR.designs(LENGTH)
    one, two = design.starts
    weights = np.where(np.eye(4)[[LETTERS.index(base) for base in "TGACGATA"]] > 0, 0.0, -1.0)

    def saturating(x: np.ndarray) -> np.ndarray:
        score = (x[:, [*range(one, one + 4), *range(two, two + 4)]] * weights).sum((1, 2))
        return 1 / (1 + np.exp(-2 * (score + 1.5)))

    latent = replace(PAIR, surrogate="latent", noise="gaussian", noise_order=0)
    linear = only_row(report_of(saturating, replace(latent, nonlinearity="linear")))
    curved = only_row(report_of(saturating, replace(latent, nodes=10)))
    assert linear["interaction"] > 0.05
    assert abs(curved["interaction"]) < linear["interaction"] / 5


# ---- the report -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("explainer", "gives"),
    [
        (SquidGlobal(("TGASTCA",), gp_map="additive", start=3), ("motifs", "curves")),
        (SquidGlobal(("TGAS",), background="kmer:2"), ("motifs", "interactions", "curves")),
        (SquidGlobal(("TGA", "CA"), gp_map="neighbour", orientation="+-"), ("motifs", "interactions", "curves")),
        (SquidGlobal(("TG", "TG"), most=6), ("motifs", "interactions", "curves", "syntax")),
    ],
    ids=["one, additive", "one, pairwise", "two, neighbours", "two of one word"],
)
def test_it_gives_what_its_settings_have_and_no_more(explainer: SquidGlobal, gives) -> None:
    explainer = replace(explainer, surrogate="ridge", library=300)
    assert explainer.fills == gives
    contract = ExplainerContract(explainer)
    contract.check_emits()
    contract.check_save()
    contract.check_fitted()


def test_several_targets_are_fitted_at_once_and_their_motifs_told_apart() -> None:
    explainer = replace(PAIR, critical=1, most=4)
    one, two = explainer.designs(LENGTH)[0].starts

    def both(x: np.ndarray) -> np.ndarray:
        a, b = x[:, one, 3].astype(float), x[:, two, 2].astype(float)
        return np.stack([a * b, -2 * a * b], 1)

    report = report_of(both, explainer, target=["0", "1"])
    assert [motif.id for motif in report.motifs] == [f"{word} on output/{t}" for t in "01" for word in ("TGAC", "GATA")]
    found = [interaction_over_distance(report, f"output/{t}")["between"] for t in "01"]
    assert found[0].to_numpy() == pytest.approx([1, 0], abs=0.05)  # the second base has moved at 4 bp
    assert found[1].to_numpy() == pytest.approx(-2 * found[0].to_numpy(), abs=1e-6)
    with pytest.raises(CislensError, match="one of the report's, output/0, output/1, got None"):
        interaction_over_distance(report)


def test_the_answer_of_the_wild_type_is_its_mean_over_backgrounds() -> None:
    report = report_of(lambda x: x[:, 0, 0] + 3.0 * held(x, "TGAC", 8), replace(PAIR, start=8))
    assert report.curves is not None
    (row,) = report.curves[report.curves["kind"] == "wild type"].to_dict("records")
    assert row["value"] == pytest.approx(3.25, abs=0.25)


def test_a_model_that_makes_nothing_of_the_motifs_is_told_of() -> None:
    report = report_of(lambda x: x[:, 0, 0] + x[:, 1, 1] * 2.0, PAIR)
    assert "below a tenth for 1 of 1 designs (TGAC+ 3 bp GATA+ on output)" in report.validity.warnings[0]


def test_pair_terms_that_a_small_library_does_not_show_are_said_to_be_no_estimate() -> None:
    explainer = replace(PAIR, surrogate="latent", nonlinearity="linear", noise="gaussian", noise_order=0, library=150)
    start = explainer.designs(LENGTH)[0].starts[0]
    report = report_of(lambda x: x[:, start, 3] + x[:, 0] @ [3.0, -1, 0, 1], explainer)
    row = only_row(report)
    assert row["interaction"] == 0
    assert np.isnan(row["standard_error"])
    assert "no better on validation variants for 1 of 1 designs" in report.validity.warnings[-1]


def test_what_does_not_fit_is_left_out_and_where_nothing_fits_it_is_refused() -> None:
    assert [design.spacing for design in SquidGlobal(most=100).designs(40)] == [5, 6, 7, 8, 9, 10, 11]
    with pytest.raises(CislensError, match="must fit into the 24 bp of the sequences, which they do at no spacing"):
        report_of(lambda x: x[:, 0, 0], replace(PAIR, least=30, most=30))
    with pytest.raises(CislensError, match="one motif or two, as in motifs=TGACTCA"):
        SquidGlobal(("TGA", "TGAC", "GATA"))
    with pytest.raises(CislensError, match="squid_global's most must be at least 5, got 4"):
        SquidGlobal(most=4)


def test_a_budget_shrinks_the_libraries() -> None:
    smaller = SquidGlobal(most=9).within(10_000)
    assert smaller is not None
    assert smaller.cost(1, 200, 1) == (10_000, 0)
    assert SquidGlobal(most=9).within(1_000) is None


def test_what_was_fitted_comes_back_with_its_tables(tmp_path) -> None:
    table = pd.DataFrame({name: [1.0, np.nan] for name in ("latent", "value", "lower", "upper")})
    table = table.assign(target="t", sequence="s", kind="surrogate")
    fitted = FittedSquidGlobal((), {"curves": table}, report_of(lambda x: x[:, 9, 0], PAIR).validity)
    fitted.save(tmp_path)
    back = FittedSquidGlobal.load(tmp_path)
    pd.testing.assert_frame_equal(back.tables["curves"], table)
    assert back.validity.summary == fitted.validity.summary


# ---- averages over contexts -------------------------------------------------------------------------------


def random_report(n: int, length: int) -> tuple[MotifReport, np.ndarray, np.ndarray]:
    """Return a report of random maps (n, length, 4) and pair terms (n, length, 4, length, 4), and these."""
    maps, terms = rng(1).normal(size=(n, length, 4)), rng(2).normal(size=(n, length, 4, length, 4))
    sequences = random_sequences(n, length)
    rows = [
        ("t", sequences.ids[s], i, LETTERS[a], j, LETTERS[b], terms[s, i, a, j, b])
        for s in range(n)
        for i in range(length)
        for j in range(i + 1, length)
        for a in range(4)
        for b in range(4)
    ]
    columns = ["target", "sequence", "position_1", "base_1", "position_2", "base_2", "value"]
    report = MotifReport(
        sequences,
        attributions=Attributions(maps[None], gauge="empirical"),
        interactions=pd.DataFrame(rng(3).permutation(np.array(rows, object)), columns=columns).infer_objects(),
        provenance=Provenance(targets=({"target": "t"},)),
    )
    return report, maps, terms


def test_the_average_is_that_of_the_cropped_and_turned_terms() -> None:
    report, maps, terms = random_report(2, 12)
    sites = [(Site(1), Site(7, reverse=True)), (Site(8), Site(2))]  # in the second A stands behind B
    found = context_averaged(report, dict(zip(report.sequences.ids, sites, strict=True)), (3, 4))
    turned = np.arange(10, 6, -1)
    assert found.sequences == 2
    assert found.additive[1] == pytest.approx((maps[0][turned, ::-1] + maps[1][2:6]) / 2)
    assert found.additive[0] == pytest.approx((maps[0][1:4] + maps[1][8:11]) / 2)
    between = terms[0][1:4][:, :, turned, ::-1] + terms[1][2:6, :, 8:11].transpose(2, 3, 0, 1)
    assert found.between == pytest.approx(between / 2)
    for i in range(4):
        for j in range(i + 1, 4):
            one = terms[0][turned[j], ::-1, turned[i]][:, ::-1]  # the second base is the first on the plus strand
            expected = (one.T + terms[1][2 + i, :, 2 + j]) / 2
            assert found.within[1][i, :, j] == pytest.approx(expected)
            assert found.within[1][j, :, i] == pytest.approx(expected.T)


def test_two_sites_of_which_either_is_enough_have_positive_blocks_within_and_a_negative_one_between() -> None:
    onehot = random_sequences(3, 30, seed=4).onehot.copy()
    places = [(4, 9), (5, 10), (4, 10)]
    for row, starts in zip(onehot, places, strict=True):
        for word, start in zip(("TGAC", "GATA"), starts, strict=True):
            row[start : start + 4] = np.eye(4)[[LETTERS.index(base) for base in word]]
    sequences = Sequences.from_onehot(onehot)

    def either(x: np.ndarray) -> np.ndarray:
        found = [np.max([held(x, word, at) for at in range(27)], axis=0) for word in ("TGAC", "GATA")]
        return np.maximum(*found) + 0.1 * x[:, 0, 0]

    explainer = Squid(surrogate="ridge", gp_map="pairwise", window="4-14", library=2000, rate=0.2, gauge="empirical")
    report = explain(open_oracle(either, length=30), sequences, explainer)
    sites = {name: (Site(a), Site(b)) for name, (a, b) in zip(sequences.ids, places, strict=True)}
    found = context_averaged(report, sites, (4, 4)).epistasis(critical=4)
    assert found["between"] < -0.15
    assert min(found["within A"], found["within B"]) > 0.15


def test_sites_that_a_report_does_not_cover_are_refused() -> None:
    report, _, _ = random_report(1, 12)
    (name,) = report.sequences.ids
    with pytest.raises(CislensError, match="must not overlap and must lie in the 12 bp"):
        context_averaged(report, {name: (Site(1), Site(3))}, (3, 4))
    with pytest.raises(CislensError, match="must not overlap and must lie in the 12 bp"):
        context_averaged(report, {name: (Site(1), Site(10))}, (3, 4))
    with pytest.raises(CislensError, match="whose pair terms the report holds, got another"):
        context_averaged(report, {"another": (Site(1), Site(6))}, (3, 4))
    with pytest.raises(CislensError, match="explain with squid:gp_map=pairwise"):
        context_averaged(replace(report, interactions=None), {name: (Site(1), Site(6))}, (3, 4))
    with pytest.raises(CislensError, match="two motifs and a pairwise map"):
        interaction_over_distance(report)
