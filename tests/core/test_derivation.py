from __future__ import annotations

from dataclasses import dataclass, replace
from shutil import rmtree as remove
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from cislens.derivation import Derivation, derive
from cislens.errors import CislensError, ReportError
from cislens.motif import Motif
from cislens.report import TABLES, Attributions, MotifReport
from cislens.report.store import ReportStore, RunKey
from cislens.sequences import Sequences


@dataclass(frozen=True)
class FindMotifs(Derivation):
    """Find as many motifs as asked."""

    name: ClassVar[str] = "find"
    takes: ClassVar[tuple[str, ...]] = ("attributions",)
    gives: ClassVar[tuple[str, ...]] = ("motifs",)
    number: int = 1

    def run(self, report, context):
        motifs = tuple(Motif(f"m{i}", np.eye(4)) for i in range(self.number))
        validity = replace(report.validity, summary={**report.validity.summary, "asked": float(self.number)})
        return replace(report, motifs=motifs, validity=validity.warned(f"{self.number} motifs were asked for"))


@dataclass(frozen=True)
class CallInstances(Derivation):
    """Call one instance of each motif."""

    name: ClassVar[str] = "call"
    takes: ClassVar[tuple[str, ...]] = ("motifs",)
    gives: ClassVar[tuple[str, ...]] = ("instances",)

    def run(self, report, context):
        rows = [(motif.id, report.sequences.ids[0], 0, 4, "+", 1.0) for motif in report.motifs]
        return replace(report, instances=pd.DataFrame(rows, columns=list(TABLES["instances"])))


@pytest.fixture
def report() -> MotifReport:
    sequences = Sequences.from_strings(["ACGTACGT", "TTTTACGT"])
    return MotifReport(sequences, attributions=Attributions(np.zeros((1, 2, 8, 4))))


def steps(report: MotifReport) -> list[str]:
    return [step["derivation"] for step in report.provenance.derivations]


def test_each_step_is_appended_to_the_provenance_with_its_settings(report) -> None:
    derived = derive(report, FindMotifs(2), CallInstances(), seed=3)
    assert steps(derived) == ["find", "call"]
    assert derived.provenance.derivations[0]["settings"] == {"number": 2}
    assert derived.provenance.derivations[0]["seed"] == 3
    assert len(derived.instances) == 2


def test_a_part_made_anew_takes_away_what_was_made_of_it(report) -> None:
    derived = derive(derive(report, FindMotifs(), CallInstances()), FindMotifs(3))
    assert derived.instances is None
    assert steps(derived) == ["find"]


def test_what_a_step_that_is_taken_again_said_before_is_gone(report) -> None:
    once = derive(replace(report, validity=report.validity.warned("of the explainer")), FindMotifs(1), CallInstances())
    again = derive(once, FindMotifs(3))
    assert again.validity.warnings == ("of the explainer", "3 motifs were asked for")
    assert again.validity.summary == {"asked": 3.0}


def test_a_report_that_lacks_what_a_step_takes_is_refused(report) -> None:
    with pytest.raises(ReportError, match="call is derived from motifs, but .* only attributions: get them first"):
        derive(report, CallInstances())


def test_a_part_that_was_given_empty_can_be_gone_on_from(report) -> None:
    assert len(derive(report, FindMotifs(0), CallInstances()).instances) == 0


def test_an_unknown_step_is_a_sentence(report) -> None:
    with pytest.raises(CislensError, match="no derivation is named 'nonsense'"):
        derive(report, "nonsense")


def test_what_was_derived_is_kept_beside_the_maps_and_replaced_whole(report, tmp_path) -> None:
    path = tmp_path / "report.zarr"
    report.save(path, "a")
    store = ReportStore.open(path, "a")
    store.keep_derived("a", derive(store.read("a"), FindMotifs(2), CallInstances()))
    read = ReportStore.open(path).read("a")
    assert [motif.id for motif in read.motifs] == ["m0", "m1"]
    assert len(read.instances) == 2
    assert read.validity.summary == {"asked": 2.0}
    assert read.validity.warnings == ("2 motifs were asked for",)
    assert steps(read) == ["find", "call"]
    np.testing.assert_array_equal(read.attributions.values, report.attributions.values)

    store.keep_derived("a", derive(read, FindMotifs(1)))
    again = ReportStore.open(path).read("a")
    assert len(again.motifs) == 1
    assert again.validity.warnings == ("1 motifs were asked for",)
    assert again.instances is None


def test_a_kill_while_what_was_derived_is_replaced_leaves_the_old_or_the_new(report, tmp_path, monkeypatch) -> None:
    path = tmp_path / "report.zarr"
    report.save(path, "a")
    store = ReportStore.open(path, "a")
    store.keep_derived("a", derive(report, FindMotifs(1)))
    for killed in ("rename", "rmtree"):
        with monkeypatch.context() as patched:
            for name in ("os.rename", "shutil.rmtree"):
                if killed in name:
                    patched.setattr(f"cislens.report.store_derived.{name}", die_if_derived)
            with pytest.raises(Killed):
                store.keep_derived("a", derive(report, FindMotifs(2)))
        assert len(ReportStore.open(path).read("a").motifs) == (1 if killed == "rename" else 2)
    store.keep_derived("a", derive(report, FindMotifs(3)))
    assert len(ReportStore.open(path).read("a").motifs) == 3
    assert len([*(path / "reports" / "a" / "derived").glob("0*")]) == 1


class Killed(BaseException):
    """Stands for a kill."""


def die_if_derived(path, *_, ignore_errors: bool = False) -> None:
    if not ignore_errors:
        raise Killed(path)
    remove(path, ignore_errors=True)  # what an earlier kill left


def test_a_store_opened_for_reading_keeps_nothing(report, tmp_path) -> None:
    report.save(tmp_path / "report.zarr", "a")
    store = ReportStore.open(tmp_path / "report.zarr")
    with pytest.raises(ReportError, match="opened for reading"):
        store.keep_derived("a", derive(store.read("a"), FindMotifs()))


def test_what_was_derived_of_a_part_of_a_run_is_gone_once_the_run_goes_on(report, tmp_path) -> None:
    store = ReportStore.open(tmp_path / "report.zarr", "a")
    key = RunKey("ism", {}, ("t",), 0, "print", report.sequences.hashes())
    with store.begin("a", key, report.sequences, block=1) as writer:
        writer.write(0, report.take(slice(0, 1)))
    store.keep_derived("a", derive(store.read("a"), FindMotifs(2)))
    assert len(store.read("a").motifs) == 2
    late = store.read("a")
    with store.begin("a", key, report.sequences) as writer:
        assert steps(store.read("a")) == []
        writer.write(1, report.take(slice(1, 2)))
        writer.finish(report.provenance)
    with pytest.raises(ReportError, match="has other sequences by now: derive it again"):
        store.keep_derived("a", late)
    assert (store.read("a").motifs, store.read("a").validity.warnings) == ((), ())

    store.keep_derived("a", derive(store.read("a"), FindMotifs(2)))
    store.begin("a", key, report.sequences).close()
    assert len(store.read("a").motifs) == 2
