"""Filters to motifs, against windows that are counted one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens import FunctionOracle, Run, Sequences, explain
from cislens.errors import CapabilityError, CislensError
from cislens.oracle import Layer
from cislens.testing import ExplainerContract
from cislens.testing.toys import ConvPoolToy
from cislens_filters import Filters, nullified
from cislens_filters.units import Units, units_of

TARGETS = ["expression/together", "expression/either"]


def random_sequences(n: int, length: int = 40, seed: int = 0, unknown: float = 0.0) -> Sequences:
    rng = np.random.default_rng(seed)
    onehot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, length))]
    onehot[rng.random((n, length)) < unknown] = 0
    return Sequences.from_onehot(onehot)


def motifs_of(toy, sequences: Sequences, explainer: Filters):
    return explain(toy, sequences, explainer, TARGETS, run=Run(block=len(sequences)))


def windows_by_hand(toy, sequences: Sequences, explainer: Filters) -> dict[int, np.ndarray]:
    """Count by the definition, one window at a time."""
    layer = explainer.layer
    seen = next(one for one in toy.layers() if one.name == layer)
    values = toy.activations(sequences.onehot, layer, pre=False)
    counts: dict[int, np.ndarray] = {}
    for unit in range(values.shape[2]):
        found = []
        for row, onehot in enumerate(sequences.onehot):
            mine = []
            for position in range(values.shape[1]):
                start = seen.offset + position * seen.step
                window = onehot[start : start + seen.receptive_field] if start >= 0 else onehot[:0]
                if len(window) == seen.receptive_field and window.any(1).all():
                    mine.append((values[row, position, unit], window))
            found += [max(mine, key=lambda pair: pair[0])] if explainer.windows == "best" and mine else mine
        ordered = sorted((value for value, _ in found), reverse=True)
        least = explainer.share * ordered[0]
        if explainer.least:
            least = min(least, ordered[min(explainer.least, len(ordered)) - 1])
        taken = [window for value, window in found if value > 0 and value >= least]
        if taken:
            counts[unit] = np.sum(taken, axis=0, dtype=int)
    return counts


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2"])
@pytest.mark.parametrize(
    ("windows", "share", "least"),
    [("all", 0.5, 0), ("all", 0.5, 20), ("all", 1.0, 3), ("best", 0.0, 0), ("best", 1.0, 7), ("best", 1.0, 1000)],
)
def test_counts_are_those_of_windows_taken_one_by_one(layer: str, windows: str, share: float, least: int) -> None:
    toy, sequences = ConvPoolToy(40), random_sequences(150, unknown=0.02)
    explainer = Filters(layer=layer, windows=windows, share=share, least=least)
    report = motifs_of(toy, sequences, explainer)
    expected = windows_by_hand(toy, sequences, explainer)
    assert report.motifs
    for motif in report.motifs:
        unit = int(motif.id.removeprefix(f"{layer}."))
        np.testing.assert_array_equal(motif.matrix, expected.pop(unit))
        assert motif.matrix.sum(1).tolist() == [motif.sites] * len(motif)
    assert not expected
    units = next(one.units for one in toy.layers() if one.name == layer)
    assert report.validity.summary["dead filters"] == units - len(report.motifs)


def test_the_first_convolution_is_read_by_default() -> None:
    toy, sequences = ConvPoolToy(40), random_sequences(80)
    default, named = (motifs_of(toy, sequences, Filters(layer=layer)).motifs for layer in (None, "conv1"))
    for one, other in zip(default, named, strict=True):
        assert one.id == other.id
        np.testing.assert_array_equal(one.matrix, other.matrix)


def test_a_filter_shows_the_motif_that_it_was_made_of() -> None:
    toy = ConvPoolToy(40)
    kernel = toy.weights("conv1")["kernel"]
    report = motifs_of(toy, random_sequences(1500), Filters(share=0.9))
    for motif, weights in zip(report.motifs, kernel, strict=True):
        # What a filter answers most to is its largest weight at each place.
        assert (motif.matrix.argmax(1) == weights.argmax(1)).mean() > 0.8


def test_what_a_set_was_fitted_on_is_what_the_motifs_are_of() -> None:
    toy, few, many = ConvPoolToy(40), random_sequences(5, seed=1), random_sequences(100)
    here = explain(toy, few, Filters(), TARGETS, run=Run(training=many))
    there = motifs_of(toy, many, Filters())
    assert [m.matrix.tolist() for m in here.motifs] == [m.matrix.tolist() for m in there.motifs]


@given(st.integers(-30, 5), st.integers(1, 4), st.integers(1, 20), st.integers(1, 60), st.integers(0, 80))
@settings(deadline=None)
def test_positions_inside_are_those_whose_windows_are(
    offset: int, step: int, width: int, length: int, number: int
) -> None:
    units = Units("a", "a", width, step, offset)
    starts = [offset + position * step for position in range(number)]
    inside = [p for p, start in enumerate(starts) if start >= 0 and start + width <= length]
    assert list(units.inside(length, number)) == inside


# ---- which layer ---------------------------------------------------------------------------------------------


def chain(*layers: Layer) -> tuple[Layer, ...]:
    first = Layer("sequence", "input", units=4, receptive_field=1, step=1, offset=0)
    return (first, *layers)


def windowed(name: str, kind, after: str, activation: str | None = None) -> Layer:
    return Layer(name, kind, (after,), 3, activation=activation, receptive_field=7, step=1, offset=0)


def test_values_are_read_after_a_normalisation_and_its_nonlinearity() -> None:
    layers = chain(windowed("conv", "convolution", "sequence"), windowed("norm", "normalisation", "conv", "exp"))
    assert (units_of(layers, None).layer, units_of(layers, None).read) == ("conv", "norm")


def test_values_are_read_at_the_layer_itself_where_its_readers_are_several() -> None:
    layers = chain(
        windowed("conv", "convolution", "sequence"),
        windowed("norm", "normalisation", "conv", "relu"),
        windowed("skip", "add", "conv"),
    )
    assert units_of(layers, None).read == "conv"


@pytest.mark.parametrize("layer", ["top", "nowhere"])
def test_a_layer_that_sees_the_whole_sequence_is_refused_with_those_that_do_not(layer: str) -> None:
    with pytest.raises(CapabilityError, match=f"got {layer}: choose one of conv1, pool1, conv2"):
        motifs_of(ConvPoolToy(40), random_sequences(3), Filters(layer=layer))


def test_a_model_without_layers_is_refused() -> None:
    oracle = FunctionOracle(lambda x: x.sum((1, 2)))
    with pytest.raises(CapabilityError, match="filters needs what .* cannot offer"):
        explain(oracle, random_sequences(3), Filters())


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(CislensError, match="share in 0 to 1"):
        Filters(share=1.5)
    with pytest.raises(CislensError, match="0 or more, got -1"):
        Filters(least=-1)


# ---- dead filters, and what is lost without one --------------------------------------------------------------


def test_dead_filters_are_listed_and_have_no_motif() -> None:
    toy = ConvPoolToy(40)
    flat = Sequences.from_onehot(np.tile(np.eye(4, dtype=np.uint8)[0], (4, 40, 1)))  # poly-A, which no filter likes
    report = motifs_of(toy, flat, Filters())
    values = toy.activations(flat.onehot, "conv1", pre=False)
    assert not values.any()
    assert report.motifs == ()
    assert report.validity.summary["dead filters"] == values.shape[2]
    assert "2 of 2 filters of conv1 are dead on these sequences" in report.validity.warnings[0]


def test_nullified_filters_change_each_target_as_the_model_without_them_does() -> None:
    toy, sequences = ConvPoolToy(40), random_sequences(60)
    oracle = toy.select(TARGETS)
    table = nullified(oracle, sequences)
    assert table[["filter", "target"]].values.tolist() == [[unit, name] for unit in (0, 1) for name in TARGETS]
    for unit in (0, 1):
        change = toy.intervene({"conv1": {unit: 0.0}}).select(TARGETS).predict(sequences.onehot) - oracle.predict(
            sequences.onehot
        )
        rows = table[table["filter"] == unit]
        np.testing.assert_allclose(rows["mean_change"], change.mean(0), rtol=1e-6)
        np.testing.assert_allclose(rows["root_mean_square"], np.sqrt((change.astype(float) ** 2).mean(0)), rtol=1e-6)
        assert (rows["root_mean_square"] > 0).any()
    report = motifs_of(toy, sequences, Filters(nullify=(1,)))
    expected = table[table["filter"] == 1].set_index("target")["mean_change"]
    for name in TARGETS:
        assert report.validity.summary[f"mean change of {name} without conv1.1"] == pytest.approx(expected[name])


# ---- promises ------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ConvPoolToy(40)
    asked: list[int] = []
    original = type(toy)._activations
    monkeypatch.setattr(
        type(toy), "_activations", lambda self, x, *rest: asked.append(len(x)) or original(self, x, *rest)
    )
    motifs_of(toy, random_sequences(300), Filters())
    assert max(asked) <= 64


def test_progress_grows_to_the_end() -> None:
    seen: list[float] = []
    run = Run(block=200, progress=lambda done, total: seen.append(done / total))
    explain(ConvPoolToy(40), random_sequences(200), Filters(), TARGETS, run=run)
    assert all(earlier <= later for earlier, later in pairwise(seen[:-1]))
    assert seen[-1] == 1


@pytest.mark.parametrize("explainer", [Filters(), Filters(windows="best", share=0.0), Filters(nullify=(0,))], ids=repr)
def test_it_keeps_the_contract_of_explainers(explainer: Filters) -> None:
    if explainer.nullify:
        ExplainerContract(explainer).check_cost()
        ExplainerContract(explainer).check_fitted()
        return
    ExplainerContract(explainer).check()


def test_motifs_of_many_blocks_are_given_once(tmp_path) -> None:
    sequences = random_sequences(150)
    once = motifs_of(ConvPoolToy(40), sequences, Filters())
    kept = explain(ConvPoolToy(40), sequences, Filters(), TARGETS, run=Run(store=tmp_path / "report.zarr"))
    for report in (explain(ConvPoolToy(40), sequences, Filters(), TARGETS), kept):
        assert [motif.id for motif in report.motifs] == [motif.id for motif in once.motifs]
