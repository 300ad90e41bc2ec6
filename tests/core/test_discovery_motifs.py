"""Motifs from maps and masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from cislens import MotifReport
from cislens.derivation import DeriveContext, derive
from cislens.discovery import Instances, Motifs
from cislens.discovery.plugin import register_derivations
from cislens.errors import CislensError, ReportError
from cislens.motif import Motif
from cislens.motif_files import read_motifs, write_motifs
from cislens.report import Attributions, Masks, Provenance
from cislens.sequences import Sequences
from cislens.simulation import Simulator, load_grammar
from cislens.simulation.grammar import Grammar
from cislens.testing.toys import Toy, bundled_toys
from cislens.testing.toys.scanner import BothStrands
from cislens.truth import Truth, recovery
from cislens.truth.motif_similarity import similarities, similarity

LOGIC = {
    "cooperative": lambda a, b: a + b + 2 * a * b,
    "redundant": lambda a, b: a + b - a * b / 2,
    "repressive": lambda a, b: a - 0.7 * a * b - 0.3 * b,
}
# Motifs of these toys touch one another, so that no map can tell where the one ends.
TOUCHING = ("convolution-pool toy", "network of a soft spacing")
TOYS = [toy for toy in bundled_toys() if toy.knowledge is not None and toy.name not in TOUCHING]


def mem(logic: str, length: int = 150) -> Grammar:
    return load_grammar(f"mem_{logic}_strong", length=length)


def exact_map(grammar: Grammar, logic: str, sequences: Sequences) -> Attributions:
    """The effect of each substitution on an oracle that knows the grammar: presences of motifs, joined by its logic."""
    before, after = [], []
    x = sequences.onehot.astype(float)
    for motif in grammar.motifs:
        scanner, best = BothStrands(motif.probabilities(), "max"), motif.probabilities().max(1).sum()
        before.append(1 / (1 + np.exp(-40 * (scanner.score(x) / best - 0.85))))
        after.append(1 / (1 + np.exp(-40 * (scanner.substituted(x) / best - 0.85))))
    effects = LOGIC[logic](*after) - LOGIC[logic](*before)[:, None, None]
    return Attributions(effects[None], gauge="wild-type")


def known(logic: str, n: int) -> tuple[MotifReport, Truth]:
    grammar = mem(logic)
    truth = Simulator(grammar).simulate(n, seed=1)
    return MotifReport(truth.sequences, attributions=exact_map(grammar, logic, truth.sequences)), truth


def masked(truth: Truth, values: np.ndarray) -> MotifReport:
    return MotifReport(truth.sequences, masks=Masks(values[None], "sufficient"))


def found(report: MotifReport, seed: int = 0, **settings) -> MotifReport:
    return derive(report, Motifs(**settings), seed=seed)


def wrong(report: MotifReport, truth: Truth) -> dict[str, float]:
    measures = recovery(report, truth, expected=("motifs", "instances")).measures
    return {name: measures[f"motifs_{name}"] for name in ("missed", "redundant", "extraneous")}


NOTHING_WRONG = {"missed": 0, "redundant": 0, "extraneous": 0}
TRUTH = Simulator(mem("cooperative")).simulate(200, seed=1)


# ---- what is planted is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_motifs_of_toys_are_found_and_nothing_else(toy: Toy, n: int) -> None:
    sequences = toy.examples(n, np.random.default_rng(3))
    report = MotifReport(sequences, attributions=Attributions(toy.attribution(sequences), gauge="wild-type"))
    assert wrong(found(report), toy.truth(sequences)) == NOTHING_WRONG


@pytest.mark.parametrize("logic", LOGIC)
def test_motifs_and_instances_of_a_grammar_are_found_and_nothing_else(logic: str) -> None:
    report, truth = known(logic, 200)
    report = derive(report, Motifs(), Instances())
    assert wrong(report, truth) == NOTHING_WRONG
    measures = recovery(report, truth).measures
    assert measures["instance_precision"] > 0.95
    assert measures["instance_recall"] > 0.95


def test_twenty_sequences_are_enough() -> None:
    report, truth = known("cooperative", 20)
    assert wrong(found(report), truth) == NOTHING_WRONG


def test_masks_give_the_motifs_they_cover_however_soft() -> None:
    covered = TRUTH.covered().astype(float)
    assert wrong(found(masked(TRUTH, covered)), TRUTH) == NOTHING_WRONG
    soft = 0.8 * covered + np.random.default_rng(2).uniform(0, 0.2, covered.shape)
    assert wrong(found(masked(TRUTH, soft)), TRUTH) == NOTHING_WRONG


def test_what_lowers_the_target_is_kept_apart_and_named() -> None:
    report, truth = known("repressive", 200)
    ids = [motif.id for motif in found(report).motifs]
    assert ids == ["positive_0", "negative_0"]
    a, b = (motif for motif in truth.motifs)
    derived = {motif.id: motif for motif in found(report).motifs}
    assert similarity(derived["positive_0"], a) > 0.95
    assert similarity(derived["negative_0"], b) > 0.95


def test_ids_say_the_target_and_fit_into_files(tmp_path) -> None:
    report, _ = known("repressive", 60)
    values = report.attributions.values
    targets = tuple({"target": name} for name in ("Dev:0 x", "Hk"))
    two = replace(
        report,
        attributions=replace(report.attributions, values=np.concatenate([values, -values])),
        provenance=Provenance(targets=targets),
    )
    motifs = found(two).motifs
    ids = ["Dev:0_x.positive_0", "Dev:0_x.negative_0", "Hk.positive_0", "Hk.negative_0"]
    assert [motif.id for motif in motifs] == ids
    assert similarity(motifs[0], motifs[3]) > 0.99
    write_motifs(motifs, tmp_path / "motifs.meme")
    assert [motif.id for motif in read_motifs(tmp_path / "motifs.meme")] == ids


def test_motifs_are_counts_of_their_sites_in_order_of_support() -> None:
    motifs = found(masked(TRUTH, TRUTH.covered().astype(float))).motifs
    assert [motif.kind for motif in motifs] == ["counts"] * 2
    for motif in motifs:
        np.testing.assert_allclose(motif.matrix.sum(1), motif.sites)
    assert motifs[0].sites >= motifs[1].sites
    planted = TRUTH.instances["motif"].value_counts()
    assert sum(motif.sites for motif in motifs) > 0.9 * planted.sum()


# ---- what is not there is not found ---------------------------------------------------------------------------


def test_noise_gives_no_motif_and_says_why() -> None:
    rng = np.random.default_rng(0)
    for seed in range(3):
        report = MotifReport(TRUTH.sequences, attributions=Attributions(rng.normal(size=(1, 200, 150, 4))))
        report = found(report, seed)
        assert report.motifs == ()
        assert "200 sequences of 150 bp: with a window of 15 bp" in report.validity.warnings[0]


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_level_map_gives_no_motif(level: float) -> None:
    report = found(masked(TRUTH, np.full((200, 150), level)))
    assert report.motifs == ()
    assert "there were no positive seqlets" in report.validity.warnings[0]


def test_smooth_maps_of_random_sequences_give_no_motif() -> None:
    """A smooth map has seqlets everywhere, and of many random windows some are alike."""
    rng = np.random.default_rng(4)
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (200, 150))])
    smooth = np.clip(0.5 + gaussian_filter1d(rng.normal(size=(1, 200, 150)), 4, axis=2), 0, 1)
    report = found(MotifReport(sequences, masks=Masks(smooth, "sufficient")))
    assert report.validity.summary["positive seqlets"] > 300
    assert report.motifs == ()
    assert "clusters of positive seqlets were left out" in report.validity.warnings[1]


def test_a_map_of_one_motif_says_nothing_of_the_others_in_the_sequence() -> None:
    values = np.zeros((200, 150))
    a = TRUTH.motifs[0]
    for row in TRUTH.instances[TRUTH.instances["motif"] == a.id].itertuples():
        values[TRUTH.sequences.ids.index(row.sequence), row.start : row.end] = 1
    motifs = found(masked(TRUTH, values)).motifs
    assert len(motifs) == 1
    assert similarity(motifs[0], a) > 0.95


# ---- corners ----------------------------------------------------------------------------------------------


def test_n_counts_as_the_background() -> None:
    onehot = TRUTH.sequences.onehot.copy()
    onehot[:, :20] = 0
    onehot[::3, 70:90] = 0
    sequences = Sequences.from_onehot(onehot, TRUTH.sequences.ids)
    report = found(MotifReport(sequences, masks=Masks(TRUTH.covered()[None].astype(float), "sufficient")))
    assert similarities(TRUTH.motifs, report.motifs).correlation.max(1).min() > 0.95
    for motif in report.motifs:
        np.testing.assert_allclose(motif.matrix.sum(1), motif.sites)


@pytest.mark.parametrize(("n", "length"), [(30, 9), (1, 40), (3, 1)])
def test_short_and_few_sequences_explain_themselves(n: int, length: int) -> None:
    rng = np.random.default_rng(6)
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))])
    report = found(MotifReport(sequences, masks=Masks(rng.random((1, n, length)), "sufficient")))
    assert report.motifs == ()
    assert f"{n} sequences of {length} bp" in report.validity.warnings[0]


def test_sequences_without_a_base_give_no_motif() -> None:
    sequences = Sequences.from_onehot(np.zeros((5, 50, 4), np.uint8))
    assert found(MotifReport(sequences, masks=Masks(np.ones((1, 5, 50)), "sufficient"))).motifs == ()


def test_the_same_seed_gives_the_same_motifs_and_scale_does_not_matter() -> None:
    report, _ = known("cooperative", 60)
    one, again = found(report), found(report)
    larger = found(replace(report, attributions=replace(report.attributions, values=8 * report.attributions.values)))
    for other in (again, larger):
        assert [motif.id for motif in other.motifs] == [motif.id for motif in one.motifs]
        for motif, same in zip(one.motifs, other.motifs, strict=True):
            np.testing.assert_array_equal(motif.matrix, same.matrix)


def test_reverse_complements_give_the_same_motifs() -> None:
    report, _ = known("cooperative", 100)
    turned = MotifReport(
        Sequences.from_onehot(report.sequences.onehot[:, ::-1, ::-1], report.sequences.ids),
        attributions=replace(report.attributions, values=report.attributions.values[:, :, ::-1, ::-1]),
    )
    one, other = found(report).motifs, found(turned).motifs
    assert len(one) == len(other) == 2
    assert similarities(one, other).correlation.max(1).min() > 0.99


def test_maps_of_the_observed_base_alone_give_the_same_motifs() -> None:
    report, truth = known("cooperative", 100)
    centred = report.attributions.values - report.attributions.values.mean(-1, keepdims=True)
    observed = replace(
        report, attributions=Attributions(centred * truth.sequences.onehot, hypothetical=False, gauge="uniform")
    )
    one, other = found(report).motifs, found(observed).motifs
    assert similarities(one, other).correlation.max(1).min() == pytest.approx(1)


def test_a_report_without_maps_is_refused() -> None:
    report = MotifReport(TRUTH.sequences, motifs=TRUTH.motifs)
    with pytest.raises(ReportError, match="motifs is derived from attributions or masks"):
        derive(report, Motifs())
    with pytest.raises(ReportError, match="neither: explain first"):
        Motifs().run(report, DeriveContext())


@pytest.mark.parametrize(
    "settings", [{"window": 0}, {"flank": -1}, {"rate": 0.0}, {"rate": 1.0}, {"similarity": 1.5}, {"alike": 0.0}]
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(CislensError, match="motifs needs"):
        Motifs(**settings)


def test_both_steps_are_registered() -> None:
    assert [kind.name for kind in register_derivations()] == ["motifs", "instances"]


def test_windows_become_counts() -> None:
    windows = np.eye(4)[[[0, 1], [0, 2], [3, 2]]]
    windows[2, 1] = 0
    motif = Motif.from_windows("m", windows, (0.1, 0.4, 0.4, 0.1))
    np.testing.assert_allclose(motif.matrix, [[2, 0, 0, 1], [0.1, 1.4, 1.4, 0.1]])
    assert (motif.kind, motif.sites) == ("counts", 3)
