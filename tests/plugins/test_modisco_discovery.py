"""What TF-MoDISco finds where the answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from modiscolite.tfmodisco import TFMoDISco

import cislens
from cislens import MotifReport
from cislens.databases.finding import found
from cislens.derivation import derive
from cislens.oracle import Oracle
from cislens.report import Attributions
from cislens.sequences import Sequences
from cislens.simulation import Simulator, load_grammar
from cislens.simulation.grammar import Grammar
from cislens.testing.toys import MOTIF, PARTNER, LogicToy, MotifToy, SymmetricToy, Toy
from cislens.testing.toys.scanner import BothStrands
from cislens.truth import Truth, recovery
from cislens_modisco import Modisco
from cislens_modisco.found import Map
from cislens_modisco.patterns import called, patterns

pytestmark = pytest.mark.slow  # modisco is compiled when first called
LOGIC: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cooperative": lambda a, b: a + b + 2 * a * b,
    "redundant": lambda a, b: a + b - a * b / 2,
    "repressive": lambda a, b: a - 0.7 * a * b - 0.3 * b,
}
LENGTH = 120
TOYS = [
    MotifToy(MOTIF, LENGTH, midpoint=8.0, slope=0.5),
    MotifToy(MOTIF, LENGTH, pool="sum", response="tanh", midpoint=8.0, slope=0.2),
    SymmetricToy(PARTNER, LENGTH, pool="sum", midpoint=8.0, slope=0.3),
    LogicToy((MOTIF, PARTNER), LENGTH, "and"),
    LogicToy((MOTIF, PARTNER), LENGTH, "or"),
    LogicToy((MOTIF, PARTNER), LENGTH, "and not"),
]


def knowing(grammar: Grammar, logic: str) -> Oracle:
    """An oracle that knows a grammar: how well each motif's best window matches, joined by the grammar's logic."""
    scanners = [BothStrands(motif.probabilities(), "max") for motif in grammar.motifs]
    best = [motif.probabilities().max(1).sum() for motif in grammar.motifs]

    def answer(x: np.ndarray) -> np.ndarray:
        scores = [scanner.score(np.asarray(x, float)) / most for scanner, most in zip(scanners, best, strict=True)]
        return LOGIC[logic](*(1 / (1 + np.exp(-40 * (score - 0.85))) for score in scores))

    return cislens.open_oracle(answer, length=150)


def explained(logic: str, n: int = 200) -> tuple[MotifReport, Truth]:
    grammar = load_grammar(f"mem_{logic}_strong", length=150)
    truth = Simulator(grammar).simulate(n, seed=1)
    return cislens.explain(knowing(grammar, logic), truth.sequences, "ism"), truth


@pytest.mark.parametrize("logic", LOGIC)
def test_motifs_of_a_grammar_are_found_by_their_best_match_and_nothing_else(logic: str) -> None:
    report, truth = explained(logic)
    report = derive(report, "modisco")
    by_database = found(report.motifs, truth.motifs, q_max=1e-3)
    assert by_database.relevant["matched"].tolist() == [1, 1]
    assert by_database.extraneous == ()
    measures = recovery(report, truth).measures
    assert [measures[f"motifs_{wrong}"] for wrong in ("missed", "redundant", "extraneous")] == [0, 0, 0]
    assert report.instances is not None
    assert report.instances["motif"].value_counts().to_dict() == {motif.id: motif.sites for motif in report.motifs}
    # A motif of the model lies where modisco found a seqlet of it; the model's threshold is not the grammar's.
    assert measures["instance_precision"] > 0.85


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_motifs_of_toys_are_found_and_nothing_else(toy: Toy) -> None:
    """Where all sites of a motif are the same, as no two of a real model are, modisco may split it: not asked about."""
    rng = np.random.default_rng(3)
    sequences = toy.examples(200, rng)
    maps = cislens.explain(toy, sequences, "ism")
    assert maps.attributions is not None
    # Maps that are exact, and the same at each site, have no neighbours to rank, and no null can be fitted to zeros.
    values = maps.attributions.values
    values = values + 0.1 * values.std() * rng.normal(size=values.shape)
    report = derive(replace(maps, attributions=replace(maps.attributions, values=values)), Modisco(leiden_runs=5))
    measures = recovery(report, toy.truth(sequences)).measures
    assert measures["motifs_missed"] == 0
    assert measures["motifs_extraneous"] == 0
    assert measures["instance_precision"] > 0.95


def test_noise_gives_no_motif() -> None:
    rng = np.random.default_rng(0)
    sequences = Sequences.from_onehot(np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (200, 150))])
    report = derive(MotifReport(sequences, attributions=Attributions(rng.normal(size=(1, 200, 150, 4)))), "modisco")
    assert report.motifs == ()
    assert "modisco found no motif in 200 sequences of 150 bp" in report.validity.warnings[0]


def test_a_run_changes_no_global_state_and_gives_the_same_again_from_any_seed() -> None:
    report, _ = explained("redundant")
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is asked about
    one, other = derive(report, "modisco", seed=0), derive(report, "modisco", seed=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert [motif.matrix.tolist() for motif in one.motifs] == [motif.matrix.tolist() for motif in other.motifs]
    assert one.instances is not None
    assert other.instances is not None
    assert one.instances.equals(other.instances)


@pytest.mark.parametrize("sign", [1, -1])
def test_patterns_are_those_of_modisco_itself_where_no_seqlet_lies_near_an_end(sign: int) -> None:
    rng = np.random.default_rng(2)
    onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (150, 300))]
    values = rng.normal(0, 0.02, onehot.shape)
    site = np.eye(4, dtype=np.uint8)[[3, 2, 0, 1, 3, 1, 0, 2, 2, 1]]
    for i, start in enumerate(rng.integers(120, 170, 150)):
        onehot[i, start : start + 10] = site
        values[i, start : start + 10] += sign * rng.uniform(0.5, 1.5) * (site - 0.25)
    asked = Modisco(leiden_runs=3)
    read = Map.of(Attributions(values[None]), onehot, 0)
    ours = patterns(read, called(read.contributions, asked).of_sign(sign), sign, asked)
    theirs = TFMoDISco(
        onehot.astype(np.float32), read.hypothetical.astype(np.float32), min_metacluster_size=20, n_leiden_runs=3
    )[0 if sign > 0 else 1]
    assert len(ours) == len(theirs) > 0
    for mine, pattern in zip(ours, theirs, strict=True):
        places = {(s.example_idx, s.start, s.is_revcomp) for s in pattern.seqlets}
        assert set(zip(mine.row.tolist(), mine.start.tolist(), mine.reverse.tolist(), strict=True)) == places
        assert mine.width == len(pattern)
