"""`cislens report` with files for other tools, and `cislens import`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pandas as pd
import pytest

from cislens.cli.app import USER_ERROR, run
from cislens.exchange import Exported, Exporter
from cislens.motif import Motif
from cislens.plugins import registry
from cislens.report import Attributions, MotifReport, Provenance
from cislens.report.store import ReportStore
from cislens.sequences import Region, Sequences
from cislens.settings import setting

RNG = np.random.default_rng(1)
ONEHOT = np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (3, 30))]


@pytest.fixture
def cislens(monkeypatch, capsys, tmp_path):
    """Run the command line in this process and a folder of its own; return exit status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cislens", *arguments])
        with pytest.raises(SystemExit) as ended:
            sys.exit(run())
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def store(tmp_path) -> Path:
    """A store with one report that holds all that is exported."""
    regions = tuple(Region("chr1", 100 * i, 100 * i + 30) for i in range(3))
    sequences = replace(Sequences.from_onehot(ONEHOT), regions=regions)
    rows = [("m1", "seq1", 3, 8, "+", 2.0)]
    MotifReport(
        sequences,
        predictions=np.zeros((1, 3)),
        attributions=Attributions(RNG.normal(size=(1, 3, 30, 4)).astype(np.float32)),
        motifs=(Motif.from_windows("m1", ONEHOT[:, :5]),),
        instances=pd.DataFrame(rows, columns=["motif", "sequence", "start", "end", "strand", "score"]),
        provenance=Provenance("ism", targets=({"target": "t"},)),
    ).save(tmp_path / "r.zarr", "ism")
    return tmp_path / "r.zarr"


def test_one_command_writes_every_file_that_is_asked_for_and_no_page(cislens, store, tmp_path) -> None:
    pytest.importorskip("pyBigWig")
    names = {"meme": "m.meme", "jaspar": "m.jaspar", "bed": "i.bed", "tsv": "i.tsv", "bigwig": "m.bw", "fasta": "s.fa"}
    asked = [word for name, file in names.items() for word in (f"--{name}", file)]
    status, out, err = cislens("report", str(store), *asked, "--modisco", "m.npz")
    assert status == 0
    written = [*names.values(), "m.ohe.npz", "m.attr.npz"]
    assert set(out.split()) == set(written)
    assert all((tmp_path / name).exists() for name in written)
    assert not (tmp_path / "report.html").exists()
    assert "note: chromosomes end where the last sequence does" in err
    assert (tmp_path / "i.bed").read_text().splitlines()[1] == "chr1\t103\t108\tm1\t1000\t+\tseq1\t2.0"


def test_a_page_is_written_too_where_it_is_named(cislens, store, tmp_path) -> None:
    assert cislens("report", str(store), "--fasta", "s.fa", "-o", "page.html")[0] == 0
    assert (tmp_path / "page.html").exists()


def test_settings_of_a_file_are_options_of_their_own(cislens, store, tmp_path) -> None:
    (tmp_path / "g.sizes").write_text("chr1\t1000\n")
    pytest.importorskip("pyBigWig")
    assert cislens("report", str(store), "--bigwig", "m.bw", "--bigwig-genome", "g.sizes")[2] == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--bigwig-genome", "g.sizes"), "--bigwig-genome says how a file is written, so it needs --bigwig FILE"),
        (
            ("--tsv", "t.tsv", "--tsv-table", "motifs"),
            "tsv's table must be interactions | curves | instances | syntax | matches",
        ),
        (("--tsv", "t.csv"), "tsv is written to a file named *.tsv, got t.csv"),
    ],
)
def test_options_that_make_no_sense_are_one_sentence(cislens, store, arguments, reason) -> None:
    status, _, err = cislens("report", str(store), *arguments)
    assert status == USER_ERROR
    assert reason in err


def test_of_several_reports_one_is_to_be_named(cislens, store) -> None:
    MotifReport.load(store).save(store, "again")
    status, _, err = cislens("report", str(store), "--fasta", "s.fa")
    assert status == USER_ERROR
    assert "holds one report, and" in err
    assert cislens("report", str(store), "--fasta", "s.fa", "--label", "again")[0] == 0


def test_an_exporter_of_a_plugin_is_an_option_like_those_of_the_house(cislens, store, tmp_path, monkeypatch) -> None:
    @dataclass(frozen=True)
    class Count(Exporter):
        """How many sequences there are."""

        name: ClassVar[str] = "how_many"
        suffixes: ClassVar[tuple[str, ...]] = (".count",)
        add_one: bool = setting(False, "Whether to add one.")

        def write(self, report, path):
            path.write_text(str(len(report.found.sequences) + self.add_one))
            return Exported((path,))

    monkeypatch.setitem(registry().entries["exporters"], "how_many", Count)
    assert "--how-many-add-one" in cislens("report", "--help")[1]
    assert "use    cislens report report.zarr --how-many FILE" in cislens("plugins", "show", "how_many")[1]
    assert cislens("report", str(store), "--how-many", "n.count", "--how-many-add-one", "yes")[0] == 0
    assert (tmp_path / "n.count").read_text() == "4"
    lacking = "--how-many-add-one says how a file is written, so it needs --how-many FILE"
    assert lacking in cislens("report", str(store), "--how-many-add-one", "yes")[2]


def test_what_is_imported_is_derived_from_and_shown_like_any_report(cislens, tmp_path) -> None:
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["raw/seq"] = ONEHOT.swapaxes(1, 2)
        file["shap/seq"] = RNG.normal(size=(3, 4, 30)).astype(np.float16)
    status, out, _ = cislens("import", "c.h5", "-o", "i.zarr", "--label", "theirs")
    assert status == 0
    assert "theirs: 3 sequences of 30 bp with attributions, in i.zarr" in out
    assert "cislens derive i.zarr --label theirs motifs &&" in out
    assert cislens("derive", "i.zarr", "motifs")[0] == 0
    assert cislens("report", "i.zarr", "-o", "i.html")[0] == 0
    assert "imported as chrombpnet" in (tmp_path / "i.html").read_text()
    status, _, err = cislens("import", "c.h5", "-o", "i.zarr", "--label", "theirs")
    assert status == USER_ERROR
    assert "holds a report 'theirs' already" in err
    assert "--overwrite" in err
    assert cislens("import", "c.h5", "-o", "i.zarr", "--label", "theirs", "--overwrite")[0] == 0


def test_without_a_file_the_kinds_are_listed(cislens) -> None:
    _, out, _ = cislens("import")
    assert all(name in out for name in registry().importers)


def test_deriving_from_nothing_is_an_error_and_makes_no_store(cislens, store, tmp_path) -> None:
    status, _, said = cislens("derive", "missing.zarr", "motifs")
    assert (status, (tmp_path / "missing.zarr").exists()) == (USER_ERROR, False)
    assert "there must be a store of reports at missing.zarr" in said
    ReportStore.open(tmp_path / "empty.zarr", "a")
    status, _, said = cislens("derive", "empty.zarr", "motifs")
    assert status == USER_ERROR
    assert "empty.zarr must hold a report to derive from" in said


def test_a_place_that_cannot_be_written_is_a_sentence_of_derive_and_report(cislens, store, monkeypatch) -> None:
    status, _, said = cislens("report", str(store), "-o", "nowhere/page.html")
    assert (status, "nowhere/page.html must be writable" in said) == (USER_ERROR, True)

    def refuse(*_) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cislens.lock.Lock.acquire", refuse)
    status, _, said = cislens("derive", str(store), "scan")
    assert (status, "r.zarr must be writable, got Permission denied" in said) == (USER_ERROR, True)


def test_of_several_reports_the_one_that_cannot_be_derived_from_is_named(cislens, store) -> None:
    MotifReport(Sequences.from_onehot(ONEHOT)).save(store, "plain")
    status, _, said = cislens("derive", str(store), "scan")
    assert status == USER_ERROR
    assert "report 'plain': scan is derived from motifs, but the report holds only its sequences" in said
    assert "what was derived of ism is kept" in said
    assert ReportStore.open(store).read("ism").provenance.derivations[-1]["derivation"] == "scan"
