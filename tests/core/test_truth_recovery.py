"""A whole report against a truth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cislens.errors import CislensError
from cislens.metric import Metric, mean
from cislens.motif import Motif
from cislens.report import TABLES, Attributions, Masks, MotifReport
from cislens.sequences import Sequences
from cislens.simulation import bundled_grammars, simulate
from cislens.truth import Comparison, Rule, Truth, recovery
from cislens.truth.motif_recovery import motif_recovery
from cislens.truth.truth_metrics import TRUTH_METRICS

LENGTH = 60
SPACING = 3
RNG = np.random.default_rng(5)
BEST = {
    metric.name: 0.0 if metric.direction == "lower" else 2.0 if metric.unit == "motifs" else 1.0
    for metric in TRUTH_METRICS
}


def motif(name: str, text: str) -> Motif:
    hot = np.eye(4)[["ACGT".index(base) for base in text]]
    return Motif(name, hot * 0.91 + (1 - hot) * 0.03)


MOTIFS = (motif("spi1", "GGAAGTGAAC"), motif("ctcf", "CCACTAGGTGGC"), motif("decoy", "TATTTATAAT"))


def known() -> Truth:
    """Four positives with spi1 and, 3 bp on, ctcf; a negative with spi1 alone; one with the decoy; one with nothing."""
    rows = []
    for i in range(5):
        rows.append(("spi1", f"seq{i}", 5 + i, 15 + i, "+", 1.0))
        if i < 4:
            rows.append(("ctcf", f"seq{i}", 15 + i + SPACING, 27 + i + SPACING, "+", 1.0))
    rows.append(("decoy", "seq5", 30, 40, "+", 1.0))
    instances = pd.DataFrame(rows, columns=list(TABLES["instances"]))
    syntax = pd.DataFrame([("spi1", "ctcf", "1-2", "++", SPACING, "and", 1.0)], columns=list(TABLES["syntax"]))
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (7, LENGTH))])
    labels = np.arange(7) < 4
    return Truth(sequences, labels, instances, MOTIFS, {"both": Rule("spi1 and ctcf")}, syntax=syntax)


TRUTH = known()
RIGHT = TRUTH.instances[TRUTH.instances["motif"] != "decoy"].reset_index(drop=True)


def perfect(**changes) -> MotifReport:
    """A report that says the truth, under names of its own."""
    names = {"spi1": "pattern_0", "ctcf": "pattern_1"}
    masks = np.zeros((1, len(TRUTH), LENGTH))
    for i in range(len(TRUTH)):
        masks[0, i] = TRUTH.masks(i, "sufficient")[0]
    values = np.repeat((TRUTH.covered() * TRUTH.labels[:, None])[None, ..., None], 4, axis=-1) / 4
    parts = {
        "sequences": TRUTH.sequences,
        "motifs": tuple(replace(m, id=names[m.id]) for m in MOTIFS[:2]),
        "instances": RIGHT.assign(motif=RIGHT["motif"].map(names)),
        "syntax": TRUTH.syntax.assign(motif_1="pattern_0", motif_2="pattern_1"),
        "masks": Masks(masks, "sufficient"),
        "attributions": Attributions(values, hypothetical=False),
    }
    return MotifReport(**{**parts, **changes})


def moved(report: MotifReport, **settings) -> dict[str, float]:
    """The measures that are not those of the perfect report."""
    result = recovery(report, TRUTH, **settings)
    assert not result.skipped
    return {name: value for name, value in result.measures.items() if value != pytest.approx(BEST[name])}


def test_a_perfect_report_is_perfect_by_every_metric() -> None:
    assert moved(perfect()) == {}
    assert moved(perfect(), same_motif=True, minimum_overlap=10) == {}


def test_an_empty_report_is_measured_by_nothing_and_says_so_for_each_metric() -> None:
    result = recovery(MotifReport(TRUTH.sequences), TRUTH)
    assert result.measures == {}
    assert set(result.skipped) == {metric.name for metric in TRUTH_METRICS}
    assert result.skipped["mask_iou"] == "the report holds no masks"


def test_a_report_that_was_expected_to_find_something_and_found_nothing_missed_it() -> None:
    result = recovery(MotifReport(TRUTH.sequences), TRUTH, expected=("motifs", "instances", "syntax", "masks"))
    assert result.measures == {
        **{"motif_similarity": 0, "motifs_found": 0, "motifs_missed": 2, "motifs_redundant": 0, "motifs_extraneous": 0},
        **{"instance_recall": 0, "instance_recall_at_top": 0, "syntax_rule_recall": 0},
        **{f"syntax_{aspect}": 0 for aspect in ("order", "orientation", "spacing", "arrangement")},
    }
    assert result.skipped["instance_precision"] == "there is nothing to measure it on"
    assert result.skipped["mask_iou"] == "the report holds no masks"


def test_what_is_none_of_the_truths_is_an_extraneous_motif_and_a_wrong_instance() -> None:
    report = perfect()
    noise = RIGHT.iloc[-1:].assign(motif="noise", sequence="seq6", score=0.1)
    motifs = (*report.motifs, motif("noise", "TCGATACGCA"))
    report = replace(report, motifs=motifs, instances=pd.concat([report.instances, noise]))
    assert moved(report) == {"motifs_extraneous": 1, "instance_precision": pytest.approx(9 / 10)}


def test_a_motif_that_no_rule_speaks_of_is_right_where_it_is_found_and_not_missed_where_it_is_not() -> None:
    report = perfect()
    decoy = replace(report, motifs=(*report.motifs, MOTIFS[2]), instances=TRUTH.instances.assign(score=1.0))
    assert moved(decoy) == {}
    asked = recovery(report, TRUTH, relevant=("spi1", "ctcf", "decoy"))
    assert asked.measures["motifs_missed"] == 1
    assert asked.measures["instance_recall"] == pytest.approx(9 / 10)


def test_a_relevant_motif_must_be_one_of_the_truths() -> None:
    with pytest.raises(CislensError, match="relevant motifs must be among spi1, ctcf, decoy, got max"):
        recovery(perfect(), TRUTH, relevant=("max",))


def test_a_motif_found_twice_is_redundant() -> None:
    report = perfect()
    assert moved(replace(report, motifs=(*report.motifs, replace(MOTIFS[0], id="again")))) == {"motifs_redundant": 1}


def test_a_motif_and_its_sites_given_on_the_other_strand_are_right() -> None:
    report = perfect()
    turned = (report.motifs[0].reverse_complement(), report.motifs[1])
    assert moved(replace(report, motifs=turned, syntax=report.syntax.assign(orientation="-+"))) == {}
    assert set(moved(replace(report, motifs=turned))) == {"syntax_orientation", "syntax_order", "syntax_arrangement"}


def test_a_spacing_that_is_off_by_one_moves_what_speaks_of_spacing() -> None:
    report = perfect()
    assert moved(replace(report, syntax=report.syntax.assign(spacing=SPACING + 1))) == {
        "syntax_spacing": 0,
        "syntax_arrangement": 0,
    }


def test_instances_of_swapped_motifs_are_wrong_only_where_the_same_motif_is_asked() -> None:
    report = perfect()
    swapped = report.instances["motif"].map({"pattern_0": "pattern_1", "pattern_1": "pattern_0"})
    report = replace(report, instances=report.instances.assign(motif=swapped))
    assert moved(report) == {}
    assert moved(report, same_motif=True) == dict.fromkeys(
        ("instance_precision", "instance_recall", "instance_recall_at_top"), 0
    )


def test_maps_are_read_alike_in_every_gauge() -> None:
    values = RNG.normal(size=(1, len(TRUTH), LENGTH, 4))
    own = (values * TRUTH.sequences.onehot).sum(-1, keepdims=True)
    one, two = (Comparison(perfect(attributions=Attributions(v)), TRUTH).maps.iou for v in (values + 7.0, values - own))
    np.testing.assert_array_equal(one, two)


def test_a_report_of_some_sequences_in_another_order_is_compared_with_the_truth_of_these() -> None:
    report = perfect()
    rows = np.array([6, 2, 0])
    kept = report.instances[report.instances["sequence"].isin(["seq2", "seq0"])]
    report = replace(report.take(rows), motifs=report.motifs, instances=kept, syntax=report.syntax)
    assert moved(report) == {}
    assert recovery(report, TRUTH).counts["instances to be found"] == 4


def test_a_report_without_sequences_is_measured_by_its_motifs() -> None:
    # As of explainers of scope "model".
    result = recovery(replace(perfect().take([]), motifs=perfect().motifs, masks=None, attributions=None), TRUTH)
    assert result.measures["motifs_found"] == 2


def test_without_rules_every_motif_is_to_be_found() -> None:
    unruled = replace(TRUTH, rules={})
    assert recovery(perfect(), unruled).measures["motifs_missed"] == 1


def test_instances_named_by_the_truths_own_ids_need_no_motifs() -> None:
    # As of a scan with the true motifs.
    report = MotifReport(TRUTH.sequences, instances=RIGHT, syntax=TRUTH.syntax)
    result = recovery(report, TRUTH, same_motif=True)
    assert result.measures["instance_precision"] == result.measures["syntax_arrangement"] == 1


def test_a_motif_that_bears_a_true_id_but_is_another_is_not_that_one() -> None:
    report = MotifReport(TRUTH.sequences, motifs=(motif("spi1", "TCGATACGCA"), MOTIFS[1]), instances=RIGHT)
    assert recovery(report, TRUTH, same_motif=True).measures["instance_precision"] == pytest.approx(4 / 9)


def test_other_sequences_are_refused() -> None:
    strange = Sequences.from_onehot(TRUTH.sequences.onehot, [f"other{i}" for i in range(7)])
    with pytest.raises(CislensError, match="the truth must know each sequence of the report, got 'other0'"):
        recovery(MotifReport(strange), TRUTH)
    changed = Sequences.from_onehot(TRUTH.sequences.onehot[::-1])
    with pytest.raises(CislensError, match="sequences of one id must be the same in report and truth"):
        recovery(MotifReport(changed), TRUTH)


def test_maps_and_masks_that_are_not_there_are_asked_for_in_a_sentence() -> None:
    comparison = Comparison(MotifReport(TRUTH.sequences), TRUTH)
    with pytest.raises(CislensError, match="the report must hold masks"):
        _ = comparison.masks
    with pytest.raises(CislensError, match="the report must hold attributions"):
        _ = comparison.maps


# ---- the summary and the metrics -----------------------------------------------------------------------------


def test_the_summary_is_printed_with_units_and_what_was_skipped() -> None:
    text = str(recovery(replace(perfect(), masks=None), TRUTH))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0].startswith("7 sequences, 2 relevant motifs, 2 motifs found, 9 calls, 9 instances to be found")
    assert "motifs_found 2 motifs, higher is better" in lines
    assert "instance_precision 1.000 share of calls, higher is better" in lines
    assert "mask_iou - the report holds no masks" in lines


def test_the_summary_is_json() -> None:
    result = recovery(perfect(), TRUTH)
    read = json.loads(result.json())
    assert read["measures"] == dict(result.measures)
    assert read["counts"]["sequences left out of masks"] == read["counts"]["sequences left out of maps"] == 3
    json.loads(recovery(MotifReport(TRUTH.sequences), TRUTH).json())


@pytest.mark.parametrize("metric", TRUTH_METRICS, ids=lambda metric: metric.name)
def test_each_metric_measures_by_itself_what_the_summary_says(metric) -> None:
    value = metric.measure(perfect(), TRUTH)
    assert np.shape(value) in ((), (1, len(TRUTH)))
    assert mean(value) == pytest.approx(BEST[metric.name])


def test_a_metric_against_something_else_is_refused() -> None:
    with pytest.raises(CislensError, match="metric 'motif_similarity' measures against a Truth, got str"):
        TRUTH_METRICS[0].measure(perfect(), "the truth")


def test_a_metric_must_say_which_direction_is_better() -> None:
    with pytest.raises(CislensError, match="the direction of metric 'm' must be 'higher' or 'lower', got 'up'"):
        type("Any", (Metric,), {"measure": lambda self, report, against: 0.0})("m", "bp", "up", ())


def test_the_mean_of_a_metric_leaves_out_what_has_no_number() -> None:
    assert mean(np.array([[1.0, np.nan, 3.0]])) == 2
    assert np.isnan(mean(np.full((1, 2), np.nan)))
    assert mean(4.0) == 4


# ---- grammars ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grammar", bundled_grammars())
def test_the_motifs_of_a_grammar_are_told_apart_and_its_truth_recovers_itself(grammar: str) -> None:
    truth = simulate(grammar, n=40, seed=1)
    matched = motif_recovery(truth.motifs, truth.motifs).matches
    assert {name: match.motif for name, match in matched.items()} == {m.id: m.id for m in truth.motifs}
    explaining = np.array([truth.masks(i, "sufficient")[0] for i in range(len(truth))])
    report = MotifReport(
        truth.sequences,
        motifs=truth.motifs,
        instances=truth.instances,
        syntax=truth.syntax,
        masks=Masks(explaining[None].astype(float), "sufficient"),
    )
    result = recovery(report, truth, same_motif=True)
    best = {**BEST, "motifs_found": len(truth.relevant)}
    assert result.measures == pytest.approx({name: best[name] for name in result.measures})
    assert not {"motif_similarity", "instance_recall_at_top", "mask_iou"} - set(result.measures)
