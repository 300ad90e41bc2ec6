"""TF-MoDISco as a derivation: which distribution runs, what it reads, what becomes of its patterns."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import cislens_modisco.patterns
from cislens import MotifReport
from cislens.derivation import DeriveContext, derive, parse_derivation
from cislens.errors import CislensError, ReportError
from cislens.motif import Motif
from cislens.report import Attributions, Masks, Provenance
from cislens.sequences import Sequences
from cislens_modisco import Modisco
from cislens_modisco.distribution import distribution
from cislens_modisco.found import Map
from cislens_modisco.patterns import Pattern, called
from cislens_modisco.sites import located

SITE = np.eye(4, dtype=np.uint8)[[3, 2, 0, 1, 3, 1, 0, 2]]
COLUMNS = ["motif", "sequence", "start", "end", "strand", "score"]
COLUMNS += ["p_value", "contribution", "similarity", "target"]


def planted(n: int = 60, length: int = 120, effect: float = 1.0) -> tuple[MotifReport, np.ndarray, np.ndarray]:
    """Sequences that each hold the site once, on either strand, and the map that says so.

    Returns the report, where the sites start and whether they are on the reverse strand.
    """
    rng = np.random.default_rng(4)
    onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))]
    values = rng.normal(0, 0.02, (n, length, 4))
    start, reverse = rng.integers(15, length - 30, n), rng.random(n) < 0.5
    for i in range(n):
        site = SITE[::-1, ::-1] if reverse[i] else SITE
        onehot[i, start[i] : start[i] + 8] = site
        values[i, start[i] : start[i] + 8] += effect * rng.uniform(0.5, 1.5) * (site - 0.25)
    return MotifReport(Sequences.from_onehot(onehot), attributions=Attributions(values[None])), start, reverse


def without_clustering(monkeypatch: pytest.MonkeyPatch, start: np.ndarray, reverse: np.ndarray) -> None:
    """Let modisco find one pattern, in which the known sites lie 6 bp from either end, of any seqlets."""

    def found(read: Map, seqlets: object, sign: int, asked: Modisco) -> list[Pattern]:
        return [Pattern(np.arange(len(start)), start - 6, reverse, 20)]

    monkeypatch.setattr(cislens_modisco.patterns, "patterns", found)


# ---- which distribution ---------------------------------------------------------------------------------------------


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str, package: str = "modiscolite") -> None:
    """Let nothing be installed but distributions of these names, which ship a package."""
    for name in names:
        told = folder / f"{name}-9.9.dist-info"
        told.mkdir()
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 9.9\n")
        (told / "RECORD").write_text(f"{package}/__init__.py,,\n")
    monkeypatch.setattr(sys, "path", [str(folder)])


@pytest.mark.parametrize("name", ["modisco", "modisco_lite"])
def test_the_distribution_that_is_there_is_named_with_its_version(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, name)
    assert Modisco().versions() == {name.replace("_", "-"): "9.9"}


def test_two_distributions_of_one_package_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, "modisco", "modisco_lite")
    with pytest.raises(CislensError, match="modisco and modisco-lite own the same files") as refused:
        derive(planted(3)[0], Modisco())
    assert "pip uninstall modisco modisco-lite, then pip install 'cislens[motifs]'" in str(refused.value)


def test_without_a_distribution_the_line_that_installs_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch)
    with pytest.raises(CislensError, match=r"which is not installed: pip install 'cislens\[motifs\]'"):
        derive(planted(3)[0], Modisco())


def test_a_modisco_before_modiscolite_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "modisco", package="modisco")
    with pytest.raises(CislensError, match="modisco needs modiscolite, which is not installed"):
        Modisco().versions()


def test_a_distribution_whose_files_went_with_the_other_is_to_be_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, "modisco_lite")
    for name in [name for name in sys.modules if name == "modiscolite" or name == "cislens_modisco.patterns"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "modiscolite.core", None)
    with pytest.raises(
        CislensError, match="modiscolite.* has no file left: pip install --force-reinstall modisco-lite"
    ):
        Modisco().run(planted(3)[0], DeriveContext())


def test_the_step_records_distribution_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    report, start, reverse = planted()
    without_clustering(monkeypatch, start, reverse)
    step = derive(report, "modisco").provenance.derivations[-1]
    installed = distribution()
    assert step["versions"][installed.name] == metadata.version(installed.name)
    assert step["references"] == ["10.48550/arXiv.1811.00416"]


# ---- what is read ---------------------------------------------------------------------------------------------------


def test_maps_are_read_alike_in_any_gauge() -> None:
    report, _, _ = planted(10)
    assert report.attributions is not None
    values, onehot = report.attributions.values, report.sequences.onehot
    wild_type = values - (values * onehot).sum(-1, keepdims=True)
    one, other = (Map.of(Attributions(v), onehot, 0) for v in (values, wild_type))
    np.testing.assert_allclose(one.hypothetical, other.hypothetical, atol=1e-12)
    np.testing.assert_allclose(one.hypothetical.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(one.contributions, report.contributions()[0])


def test_of_maps_of_the_observed_bases_no_other_base_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    report, start, reverse = planted(30)
    onehot = report.sequences.onehot
    observed = Attributions(report.contributions()[..., None] * onehot, hypothetical=False)
    read = Map.of(observed, onehot, 0)
    assert not read.hypothetical[onehot == 0].any()
    np.testing.assert_allclose(read.contributions, report.contributions()[0])
    without_clustering(monkeypatch, start, reverse)
    warnings = derive(replace(report, attributions=observed), "modisco").validity.warnings
    assert any("these maps tell it of the observed bases alone" in sentence for sentence in warnings)


def test_n_contributes_nothing() -> None:
    report, _, _ = planted(4)
    assert report.attributions is not None
    onehot = report.sequences.onehot.copy()
    onehot[:, 3] = 0
    read = Map.of(report.attributions, onehot, 0)
    assert not read.hypothetical[:, 3].any()
    assert not read.contributions[:, 3].any()


def test_masks_are_refused() -> None:
    report, _, _ = planted(4)
    masks = MotifReport(report.sequences, masks=Masks(np.zeros((1, 4, 120)), "sufficient"))
    with pytest.raises(ReportError, match="modisco is derived from attributions, but the report holds only masks"):
        derive(masks, "modisco")
    with pytest.raises(ReportError, match="but the report holds none"):
        Modisco().run(masks, DeriveContext())


# ---- seqlets --------------------------------------------------------------------------------------------------------


def test_seqlets_are_windows_over_the_sites_the_largest_first() -> None:
    report, start, _ = planted()
    found = called(report.contributions()[0], Modisco()).of_sign(1)
    assert len(set(found.row.tolist())) > 55
    inside = (found.start <= start[found.row]) & (start[found.row] + 8 <= found.start + 21)
    assert inside.mean() > 0.95
    assert (np.diff(found.total) <= 0).all()
    assert found.total.min() > found.threshold
    for row, first, total in zip(found.row, found.start, found.total, strict=True):
        assert total == pytest.approx(report.contributions()[0, row, first : first + 21].sum())


def test_what_lowers_the_target_is_called_apart() -> None:
    report, _, _ = planted(effect=-1.0)
    found = called(report.contributions()[0], Modisco())
    assert len(found.of_sign(1)) == 0
    assert len(found.of_sign(-1)) > 55


@pytest.mark.parametrize("central", [100, 99, 500])
def test_seqlets_are_called_in_the_middle_alone_where_that_is_asked_for(central: int) -> None:
    report, _, _ = planted()
    found = called(report.contributions()[0], Modisco(central=central))
    first = max(120 - central, 0) // 2
    inner = called(report.contributions()[0, :, first : first + central], Modisco())
    np.testing.assert_array_equal(found.start, inner.start + first)
    np.testing.assert_allclose(found.total, inner.total)


def test_no_more_windows_pass_than_may() -> None:
    contributions = planted()[0].contributions()[0]
    few, more = (called(contributions, Modisco(passing=share)) for share in (0.05, 0.2))
    sums = np.lib.stride_tricks.sliding_window_view(contributions, 21, axis=1).sum(-1)
    assert np.abs(few.total).min() >= np.quantile(np.abs(sums), 0.95)
    assert len(few.of_sign(1)) < len(more.of_sign(1))


@pytest.mark.parametrize("values", [np.zeros((20, 80)), np.ones((20, 80)), np.eye(80)[:20]])
def test_a_map_to_which_no_null_fits_has_no_seqlets_and_says_so(values: np.ndarray) -> None:
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (20, 80))])
    maps = Attributions(values[None, :, :, None] * sequences.onehot, hypothetical=False)
    report = derive(MotifReport(sequences, attributions=maps), "modisco")
    assert report.motifs == ()
    assert report.instances is not None
    assert list(report.instances.columns) == COLUMNS
    assert "20 sequences of 80 bp: with a window of 21 bp, flanks of 10 bp" in report.validity.warnings[0]
    assert "modisco cannot fit its null to the map" in report.validity.warnings[0]


def test_few_seqlets_explain_themselves() -> None:
    report = derive(planted(15)[0], "modisco")
    assert report.motifs == ()
    number = int(report.validity.summary["positive seqlets"])
    assert 0 < number < 20
    threshold = report.validity.summary["positive seqlet threshold"]
    assert f"{number} positive seqlets (sums above {threshold:.2g})" in report.validity.warnings[0]
    assert "a motif needs 20 sites" in report.validity.warnings[0]


def test_short_sequences_explain_themselves() -> None:
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (30, 25))])
    maps = Attributions(np.random.default_rng(1).normal(size=(1, 30, 25, 4)))
    assert "30 sequences of 25 bp" in derive(MotifReport(sequences, attributions=maps), "modisco").validity.warnings[0]


# ---- patterns -------------------------------------------------------------------------------------------------------


def test_a_pattern_is_trimmed_to_what_contributes_and_counted() -> None:
    report, start, reverse = planted()
    assert report.attributions is not None
    read = Map.of(report.attributions, report.sequences.onehot, 0)
    found = located(Pattern(np.arange(60), start - 6, reverse, 20), read, 0.3)
    assert found is not None
    np.testing.assert_array_equal(found.motif.matrix, 60 * SITE)
    assert (found.motif.kind, found.motif.sites) == ("counts", 60)
    np.testing.assert_array_equal(found.sites.centre - 4, start)


def test_sites_beyond_an_end_or_over_n_are_left_out() -> None:
    report, start, reverse = planted()
    assert report.attributions is not None
    onehot = report.sequences.onehot.copy()
    onehot[3, start[3] + 2] = 0
    start[4:6] = [-2, 115]
    found = located(Pattern(np.arange(60), start - 6, reverse, 20), Map.of(report.attributions, onehot, 0), 0.3)
    assert found is not None
    assert found.sites.row.tolist() == [i for i in range(60) if i not in (3, 4, 5)]
    np.testing.assert_array_equal(found.motif.matrix, 57 * SITE)


def test_a_pattern_that_lies_nowhere_within_a_sequence_is_no_motif() -> None:
    report, start, reverse = planted()
    assert report.attributions is not None
    onehot = report.sequences.onehot.copy()
    onehot[np.arange(60), start + 3] = 0
    read = Map.of(report.attributions, onehot, 0)
    assert located(Pattern(np.arange(60), start - 6, reverse, 20), read, 0.3) is None


def test_instances_are_the_seqlets_in_the_order_of_the_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    report, start, reverse = planted()
    order = np.random.default_rng(0).permutation(60)
    monkeypatch.setattr(
        cislens_modisco.patterns, "patterns", lambda *_: [Pattern(order, start[order] - 6, reverse[order], 20)]
    )
    derived = derive(report, Modisco(sign="positive"))
    table = derived.instances
    assert table is not None
    assert list(table.columns) == COLUMNS
    assert [motif.id for motif in derived.motifs] == ["positive_0"]
    assert set(table["motif"]) == {"positive_0"}
    assert table["sequence"].tolist() == list(report.sequences.ids)
    assert table["start"].tolist() == start.tolist()
    assert (table["end"] - table["start"] == 8).all()
    assert (table["strand"] == "-").tolist() == reverse.tolist()
    sums = [report.contributions()[0, i, start[i] : start[i] + 8].sum() for i in range(60)]
    np.testing.assert_allclose(table["contribution"], sums)
    assert table["similarity"].min() > 0.95
    assert table["p_value"].max() < 1e-3
    assert table["score"].min() > 8


def test_ids_say_the_target_and_motifs_come_by_their_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    report, start, reverse = planted()
    assert report.attributions is not None
    values = report.attributions.values
    two = replace(
        report,
        attributions=Attributions(np.concatenate([values, -values])),
        provenance=Provenance(targets=({"target": "Dev 1"}, {"target": "Hk"})),
    )
    parts = [np.arange(20), np.arange(20, 60)]
    monkeypatch.setattr(
        cislens_modisco.patterns,
        "patterns",
        lambda *_: [Pattern(part, start[part] - 6, reverse[part], 20) for part in parts],
    )
    told: list[tuple[float, float]] = []
    derived = derive(two, "modisco", progress=lambda done, total: told.append((done, total)))
    ids = ["Dev_1.positive_0", "Dev_1.positive_1", "Hk.negative_0", "Hk.negative_1"]
    assert [motif.id for motif in derived.motifs] == ids
    assert [motif.sites for motif in derived.motifs] == [40, 20, 40, 20]
    assert derived.instances is not None
    assert derived.instances["target"].drop_duplicates().tolist() == ["Dev 1", "Hk"]
    assert told == [(done, 6) for done in range(1, 7)]


def test_no_more_seqlets_than_asked_for_are_clustered_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    report, _, _ = planted()
    taken = []
    monkeypatch.setattr(cislens_modisco.patterns, "patterns", lambda read, seqlets, *_: taken.append(seqlets) or [])
    derived = derive(report, Modisco(seqlets=30, sign="positive"))
    everything = called(report.contributions()[0], Modisco()).of_sign(1)
    np.testing.assert_array_equal(taken[0].total, everything.total[:30])
    assert f"of {len(everything)} positive seqlets the 30 largest were clustered" in derived.validity.warnings[1]


def test_motifs_and_instances_survive_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, start, reverse = planted()
    empty = derive(planted(5)[0], "modisco")
    without_clustering(monkeypatch, start, reverse)
    for label, derived in (("found", derive(report, "modisco")), ("empty", empty)):
        derived.save(tmp_path / "store.zarr", label)
        again = MotifReport.load(tmp_path / "store.zarr", label)
        assert [m.matrix.tolist() for m in again.motifs] == [m.matrix.tolist() for m in derived.motifs]
        assert again.instances is not None
        assert again.instances.to_dict("list") == derived.instances.to_dict("list")  # type: ignore[union-attr]


# ---- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"window": 0}, "a window of 1 at least, got 0"),
        ({"flank": 0}, "a flank of 1 at least, got 0"),
        ({"central": 0}, "a central of 1 at least, got 0"),
        ({"sites": 1}, "sites of 2 at least, got 1"),
        ({"leiden_runs": 0}, "leiden_runs of 1 at least, got 0"),
        ({"rate": 1.0}, "rate, passing and trim between 0 and 1, got 1.0, 0.2 and 0.3"),
        ({"passing": 0.01}, "passing of 0.03 at least, got 0.01"),
        ({"trim": 1.5}, "rate, passing and trim between 0 and 1, got 0.2, 0.2 and 1.5"),
        ({"core": 80}, "no wider than a seqlet with its flanks and margins, 61 bp, got 80"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float], told: str) -> None:
    with pytest.raises(CislensError, match=told):
        Modisco(**settings)  # type: ignore[arg-type]


def test_the_command_line_reads_its_settings() -> None:
    assert parse_derivation("modisco:sign=negative,central=400,sites=30") == Modisco("negative", 400, sites=30)


def test_a_motif_of_a_pattern_joins_the_step_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    report, start, reverse = planted()
    without_clustering(monkeypatch, start, reverse)
    derived = derive(report, Modisco(sign="positive"), "instances")
    assert derived.instances is not None
    assert isinstance(derived.motifs[0], Motif)
    assert set(derived.instances["motif"]) == {"positive_0"}
    assert derived.instances["start"].tolist() == start.tolist()
