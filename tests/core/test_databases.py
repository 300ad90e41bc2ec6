"""The bundled databases, their families, and motifs that are compared with them."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from cislens import Motif, MotifReport, Sequences, simulate
from cislens.cli.app import run
from cislens.databases import BUNDLED, Database, Matches, Scan, compared, family_of, found, load
from cislens.databases.database import of_one_family
from cislens.derivation import Derivation, derive
from cislens.errors import CislensError, ReportError
from cislens.motif_files import write_motifs

CTCF, REST = "MA0139.2", "MA0138.3"


@pytest.fixture(scope="module")
def vertebrates() -> Database:
    return load("jaspar_vertebrates")


def motif_of(database: Database, name: str, new: str = "mine") -> Motif:
    motif = next(motif for motif in database.motifs if motif.id == name)
    return Motif(new, motif.matrix)


def report_of(*motifs: Motif) -> MotifReport:
    return MotifReport(Sequences(np.zeros((1, 30, 4), np.uint8), ("s",)), motifs=motifs)


def random_motifs(number: int, seed: int = 0) -> list[Motif]:
    rng = np.random.default_rng(seed)
    return [Motif(f"r{i}", rng.dirichlet(np.full(4, 0.3), size=rng.integers(6, 16))) for i in range(number)]


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_motif_has_a_family_and_sums_to_one(name: str) -> None:
    database = load(name)
    assert "JASPAR 2026" in database.title
    assert all(database.family_of(motif.id) for motif in database.motifs)
    assert all(np.abs(motif.matrix.sum(1) - 1).max() < 5e-4 for motif in database.motifs)


@pytest.mark.parametrize("name", BUNDLED)
def test_no_bundled_motif_has_a_spacer_that_any_weak_motif_would_match(name: str) -> None:
    for motif in load(name).motifs:
        flat = "".join("-" if bits < 0.2 else "+" for bits in motif.information())
        assert "-----" not in flat.strip("-"), motif.id


def test_any_version_of_a_matrix_is_of_one_family() -> None:
    assert family_of("MA0139.1") == family_of(CTCF) != ""
    assert family_of("mine") == ""


def test_zinc_fingers_that_bind_different_sites_are_no_family() -> None:
    assert family_of(CTCF) != family_of(REST)
    assert family_of(CTCF) == family_of("MA1102.3")  # CTCFL


def test_a_heterodimer_is_of_both_families() -> None:
    assert of_one_family("Ets::FOX", "FOX")
    assert not of_one_family("Ets", "FOX")
    assert not of_one_family("", "")


def test_motifs_of_a_truth_get_the_family_of_the_factor_they_are_named_after(vertebrates: Database) -> None:
    truth = simulate("mem_cooperative_strong", n=6, seed=1)
    joined = vertebrates.joined(truth.motifs)
    assert len(joined) == len(vertebrates) + 2
    assert joined.family_of("a") == family_of("MA0080.5") == "Ets"
    assert joined.family_of("b") == family_of(CTCF)
    assert joined.joined(truth.motifs).motifs == joined.motifs


def test_what_is_no_database_is_refused_with_the_choices() -> None:
    with pytest.raises(ReportError, match=r"jaspar_vertebrates, jaspar_insects or the path .* got 'jaspar'"):
        load("jaspar")


def test_ids_that_come_twice_are_refused() -> None:
    one = random_motifs(1)
    with pytest.raises(ReportError, match="'r0' came twice"):
        Database("mine", (*one, *one))


def test_a_q_value_is_the_smallest_rate_at_which_the_target_is_discovered(vertebrates: Database) -> None:
    result = compared(random_motifs(2), vertebrates)
    for values, q_values in zip(result.p_value, result.q_value, strict=True):
        # By the definition: with the threshold at any p-value at least as large, rate = m * threshold / discoveries.
        rates = len(values) * np.sort(values) / np.arange(1, len(values) + 1)
        expected = [min(1, rates[np.sort(values) >= one].min()) for one in values]
        np.testing.assert_allclose(q_values, expected, rtol=1e-12)


def test_comparisons_are_those_of_memelite_called_directly(vertebrates: Database) -> None:
    from memelite import tomtom

    queries = random_motifs(3)
    came = compared(queries, vertebrates, trim=0)
    p, _, offset, overlap, strand = tomtom([q.matrix.T for q in queries], [m.matrix.T for m in vertebrates.motifs])
    for part, expected in zip(
        (came.p_value, came.offset, came.overlap, came.reverse), (p, offset, overlap, strand), strict=True
    ):
        np.testing.assert_array_equal(part, expected)


def test_a_known_motif_and_its_q_value_are_told(vertebrates: Database) -> None:
    from memelite import tomtom

    mine = motif_of(vertebrates, CTCF)
    table = derive(report_of(mine), Matches()).matches
    p = np.sort(tomtom([mine.matrix.T], [m.matrix.T for m in vertebrates.motifs])[0][0])
    best = table.iloc[0]
    assert (best["target"], best["name"], best["strand"], best["offset"]) == (CTCF, "CTCF", "+", 0)
    assert best["overlap"] == len(mine)
    assert best["p_value"] == p[0]
    # Of the best target it is p m, unless a worse one has a smaller p m / rank.
    assert best["q_value"] == pytest.approx((p * len(p) / np.arange(1, len(p) + 1)).min(), rel=1e-12)
    assert best["q_value"] < 1e-9
    assert table["name"][1] == "CTCFL"
    assert set(table["database"]) == {"JASPAR 2026 CORE vertebrates"}


def test_uninformative_flanks_change_nothing_but_the_offset(vertebrates: Database) -> None:
    core = motif_of(vertebrates, CTCF).trimmed()
    wide = Motif("wide", np.concatenate([np.full((3, 4), 0.25), core.matrix, np.full((5, 4), 0.25)]))
    narrow, padded = compared([core], vertebrates), compared([wide], vertebrates)
    np.testing.assert_array_equal(padded.p_value, narrow.p_value)
    np.testing.assert_array_equal(padded.offset, narrow.offset - 3)


def test_of_a_very_wide_motif_its_most_informative_columns_are_compared(vertebrates: Database) -> None:
    ctcf = motif_of(vertebrates, CTCF).matrix
    weak = np.random.default_rng(0).dirichlet(np.full(4, 4), size=300)
    wide = Motif("wide", np.concatenate([weak[:120], ctcf, weak[120:]]))
    came = compared([wide], vertebrates, trim=0)
    place = [motif.id for motif in vertebrates.motifs].index(CTCF)
    assert came.q_value[0, place] < 1e-6
    assert came.offset[0, place] == -120


def test_q_values_do_not_depend_on_what_is_kept(vertebrates: Database) -> None:
    report = report_of(motif_of(vertebrates, CTCF), motif_of(vertebrates, REST, "other"))
    few, many = (derive(report, Matches(top=top, q_max=q)).matches for top, q in ((1, 1e-3), (50, 1.0)))
    assert len(few) == 2
    assert len(many) == 100
    merged = few.merge(many, on=["motif", "target"])
    assert (merged["q_value_x"] == merged["q_value_y"]).all()


@pytest.mark.parametrize(("start", "end"), [(0, 9), (3, 13)])
@pytest.mark.parametrize("turned", [False, True])
def test_offsets_count_columns_of_the_target_as_it_is_turned(
    vertebrates: Database, start: int, end: int, turned: bool
) -> None:
    whole = motif_of(vertebrates, CTCF)
    part = whole.window(start, end)
    part = part.reverse_complement() if turned else part
    table = derive(report_of(part), Matches(top=20)).matches
    row = table[table["target"] == CTCF].iloc[0]
    expected = len(whole) - end if turned else start
    assert (row["strand"], row["offset"], row["overlap"]) == ("-" if turned else "+", expected, end - start)


def test_what_matches_nothing_is_told_by_its_id() -> None:
    # Compared whole it would match the spacers of the database.
    flat = Motif("flat", np.full((6, 4), 0.25) + np.array([0.01, -0.01, 0, 0]))
    report = derive(report_of(flat), Matches(q_max=0.05))
    assert not len(report.matches)
    assert any(
        f"1 of 1 motifs match none of the {len(load('jaspar_vertebrates'))}" in w and "flat" in w
        for w in report.validity.warnings
    )


def test_of_no_motif_there_is_no_match(vertebrates: Database) -> None:
    assert compared([], vertebrates).q_value.shape == (0, len(vertebrates))
    report = derive(report_of(*random_motifs(1)), FindNothing(), "matches", "scan")
    assert (len(report.matches), len(report.instances), report.validity.warnings) == (0, 0, ())


class FindNothing(Derivation):
    """Find no motif."""

    name, takes, gives = "find_nothing", ("motifs",), ("motifs",)

    def run(self, report, context):
        return replace(report, motifs=())


def test_a_small_database_by_path_is_searched_with_a_warning(tmp_path) -> None:
    motifs = random_motifs(8)
    write_motifs(motifs, tmp_path / "mine.meme")
    report = derive(report_of(Motif("x", motifs[3].matrix)), Matches(database=str(tmp_path / "mine.meme"), top=1))
    assert report.matches["target"].tolist() == ["r3"]
    assert report.matches["database"].tolist() == ["mine.meme"]
    assert any("holds but 8" in warning for warning in report.validity.warnings)


def test_matches_are_kept_in_a_store(tmp_path, vertebrates: Database) -> None:
    for q_max in (0.5, 1e-300):
        report = derive(report_of(motif_of(vertebrates, CTCF)), Matches(q_max=q_max))
        path = tmp_path / f"{q_max}.zarr"
        report.save(path)
        back = MotifReport.load(path).matches
        assert back.to_dict("list") == report.matches.to_dict("list")


@pytest.mark.parametrize(("step", "computes"), [(Matches(), "matches.compared"), (Scan(), "scan.scanned")])
def test_what_may_compile_for_a_minute_is_told_before(step: Matches | Scan, computes: str, monkeypatch) -> None:
    told: list[str] = []

    def reached(*_: object) -> None:
        assert len(told) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(f"cislens.databases.{computes}", reached)
    with pytest.raises(KeyboardInterrupt):
        derive(report_of(*random_motifs(2)), step, tell=told.append)
    assert "memelite compiles" in told[0]


def test_the_command_line_tells_it(tmp_path, monkeypatch, capsys, vertebrates: Database) -> None:
    report_of(motif_of(vertebrates, CTCF)).save(tmp_path / "r.zarr")
    monkeypatch.setattr(sys, "argv", ["cislens", "derive", str(tmp_path / "r.zarr"), "matches"])
    with pytest.raises(SystemExit):
        run()
    assert "note: comparing with the 1,015 motifs of JASPAR" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"q_max": 0.0}, {"q_max": 1.5}, {"top": 0}])
def test_settings_that_keep_nothing_are_refused(wrong) -> None:
    with pytest.raises(CislensError, match="matches needs"):
        Matches(**wrong)


# ---- found, redundant, extraneous, missed ------------------------------------------------------------------------


def test_found_redundant_extraneous_and_missed_are_counted_by_the_best_hit(vertebrates: Database) -> None:
    relevant = [
        motif_of(vertebrates, CTCF, "ctcf"),
        motif_of(vertebrates, "MA0492.2", "jund"),
        motif_of(vertebrates, REST, "rest"),
    ]
    ctcf, other = relevant[0], motif_of(vertebrates, "MA0148.5", "fox")
    motifs = [
        Motif("1", ctcf.matrix),
        Motif("2", ctcf.matrix),
        Motif("3", ctcf.reverse_complement().matrix),
        Motif("4", other.matrix),
        Motif("5", np.full((8, 4), 0.25)),
    ]
    came = found(motifs, relevant, vertebrates)
    assert came.found == ("ctcf",)
    assert came.missed == ("jund", "rest")
    assert came.redundant == 1  # the two forward ones; the third reads the other way
    assert came.extraneous == ("4", "5")
    assert came.matches["3"].reverse
    assert not came.matches["1"].reverse


def test_a_best_hit_of_the_family_counts_as_the_motif(vertebrates: Database) -> None:
    relevant = [motif_of(vertebrates, "MA0148.5", "FOXA1")]
    kin = next(m for m in vertebrates.motifs if m.name == "FOXP3" and family_of(m.id) == "FOX")
    named = Motif("FOXA1", relevant[0].matrix, name="FOXA1")
    came = found([Motif("1", kin.matrix)], [named], vertebrates)
    assert came.found == ("FOXA1",)
    assert came.extraneous == ()


def test_a_palindrome_has_but_one_orientation(vertebrates: Database) -> None:
    matrix = np.full((6, 4), 0.02)
    matrix[np.arange(6), [1, 0, 1, 2, 3, 2]] = 0.94  # CACGTG
    came = found([Motif("1", matrix), Motif("2", matrix[::-1, ::-1])], [Motif("ebox", matrix)], vertebrates)
    assert came.redundant == 1


def test_nothing_found_misses_everything(vertebrates: Database) -> None:
    came = found([], [motif_of(vertebrates, CTCF, "ctcf")], vertebrates)
    assert came.missed == ("ctcf",)
    assert came.redundant == 0
    assert came.relevant["similarity"].tolist() == [0]


def test_ends_beyond_the_found_motif_are_those_of_the_true_one(vertebrates: Database) -> None:
    whole = motif_of(vertebrates, CTCF, "ctcf")
    part = whole.window(1, 12)
    for motif in (part, part.reverse_complement()):
        match = found([Motif("1", motif.matrix)], [whole], vertebrates).matches["1"]
        assert (match.before, match.after) == (1, len(whole) - 12)


@pytest.mark.parametrize("grammar", ["mem_cooperative_strong", "argminn_rest", "argminn_jund_tead", "argminn_tal_gata"])
def test_motifs_counted_at_a_truths_own_instances_are_all_found_and_nothing_else(
    vertebrates: Database, grammar: str
) -> None:
    truth = simulate(grammar, n=300, seed=1)
    rows = {name: row for row, name in enumerate(truth.sequences.ids)}
    motifs = []
    for name, table in truth.instances.groupby("motif"):
        counts = np.zeros((table["end"].iloc[0] - table["start"].iloc[0], 4), int)
        for site in table.itertuples():
            window = truth.sequences.onehot[rows[site.sequence], site.start : site.end]
            counts += window[::-1, ::-1] if site.strand == "-" else window
        motifs.append(Motif(f"counted {name}", counts, "counts"))
    came = found(motifs, truth.motifs, vertebrates, q_max=1e-3)
    assert (came.missed, came.extraneous, came.redundant) == ((), (), 0)
    assert {name: match.motif for name, match in came.matches.items()} == {
        f"counted {motif.id}": motif.id for motif in truth.motifs
    }
    assert not any(match.reverse for match in came.matches.values())
