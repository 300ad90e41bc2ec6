"""Convolution-pool networks: what their deep units see is what they were made to see."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cislens.errors import OracleError
from cislens.sequences import Sequences
from cislens.testing import ConvPoolToy, dead_unit, planted_motif, soft_spacing, synonymous_mixture
from cislens.testing.toys.toy import random_onehot
from cislens.testing.toys.wiring import together_or_either

RNG = np.random.default_rng(41)
MAKERS = (planted_motif, soft_spacing, synonymous_mixture, dead_unit)
NETWORKS = [ConvPoolToy(40), *(make() for make in MAKERS)]


def all_words(width: int) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[np.array(list(product(range(4), repeat=width)))]


def holding(text: str, start: int, length: int, filler: str = "A") -> Sequences:
    return Sequences.from_strings([filler * start + text + filler * (length - start - len(text))])


def answer(toy: ConvPoolToy, sequences: Sequences) -> float:
    return float(toy.predict(sequences)["expression"][0, 0])


@pytest.mark.parametrize("toy", NETWORKS, ids=lambda toy: toy.name)
def test_a_unit_of_the_first_layer_sees_the_words_at_which_it_is_active(toy) -> None:
    part = toy.subnetwork("conv1")
    words = all_words(part.length)
    active = part.predict(words)["units"] > 0
    for unit in range(active.shape[1]):
        (motif,) = toy.unit_motifs("conv1", unit)
        np.testing.assert_allclose(motif.matrix, words[active[:, unit]].mean(0), atol=1e-12)


def test_a_planted_motif_is_the_words_at_which_its_unit_is_active() -> None:
    toy = planted_motif()
    part = toy.subnetwork("conv2")
    words = all_words(part.length)
    active = part.predict(words)["units"][:, 0] > 0
    (motif,) = toy.unit_motifs("conv2", 0)
    np.testing.assert_allclose(motif.matrix, words[active].mean(0), atol=1e-12)
    assert motif.consensus() == "TGACTCAG"
    assert toy.unit_motifs("conv3", 0) == (motif,)


def test_a_planted_motif_is_seen_wherever_it_stands_and_only_whole() -> None:
    toy = planted_motif()
    assert all(answer(toy, holding("TGACTCAG", start, 39)) > 0.4 for start in range(32))
    for other in ("TCAGTGAC", "TGACATCAG", "TGACAAAA", "AAAATCAG", "TGACTACG"):
        assert all(answer(toy, holding(other, start, 39)) == 0 for start in range(30))
    assert max(len(motif) for unit in (0, 1) for motif in toy.unit_motifs("conv1", unit)) == 4


def test_the_deep_unit_sees_its_motif_at_any_of_twelve_places() -> None:
    toy = planted_motif()
    part = toy.subnetwork("conv3")
    assert part.length == 19  # 8 bp, at 12 places: three pools of 4 bp
    inside = [part.predict(holding("TGACTCAG", start, 19))["units"][0, 0] for start in range(12)]
    assert min(inside) > 0


@pytest.mark.parametrize("gap", range(9))
def test_a_soft_spacing_is_seen_from_as_many_places_as_stated(gap) -> None:
    toy = soft_spacing()
    text = "TGACTC" + "A" * gap + "GATAAG"
    seen = [answer(toy, holding(text, start, 41)) > 0 for start in range(12)]  # each phase of a pool of 6 bp twice
    assert sum(seen) == 2 * max(6 - gap, 0)
    stated = toy.truth(holding("A", 0, 41)).syntax["spacing"]
    assert (gap in set(stated)) == any(seen)


@pytest.mark.parametrize("text", ["TGACTC" * 4, "GATAAG" * 4, "GATAAGTGACTC", "TGACTA" + "GATAAG", "TGACTCGATAAC"])
def test_a_soft_spacing_needs_both_motifs_whole_and_in_order(text) -> None:
    toy = soft_spacing()
    assert all(answer(toy, holding(text, start, 41)) == 0 for start in range(12))


def test_a_mixture_fires_for_either_motif_alone() -> None:
    toy = synonymous_mixture()
    first, second = toy.unit_motifs("conv2", 0)
    assert (first.consensus(), second.consensus()) == ("TGACTCA", "GATAAGG")
    for motif in (first, second):
        assert all(answer(toy, holding(motif.name, start, 38, "C")) > 0.3 for start in range(32))
    assert answer(toy, holding("C", 0, 38, "C")) == 0


def test_a_dead_unit_is_never_active() -> None:
    toy = dead_unit()
    assert toy.unit_motifs("conv2", 1) == ()
    conv1, conv2 = toy.weights("conv1"), toy.weights("conv2")
    most = conv1["kernel"].max(2).sum(1) + conv1["bias"]  # one-hot rows choose one weight a position
    bound = (np.maximum(conv2["kernel"][1], 0) * most).sum() + conv2["bias"][1]
    assert bound < 0
    crowded = holding("TGACTCA" * 5, 0, 38)
    random = Sequences.from_onehot(random_onehot(500, 38, RNG))
    for sequences in (crowded, random):
        after = toy.activations(sequences, "conv2", pre=False)
        assert not after[..., 1].any()
    assert toy.activations(crowded, "conv2", pre=False)[..., 0].any()


@pytest.mark.parametrize("toy", NETWORKS, ids=lambda toy: toy.name)
def test_every_unit_of_every_convolution_is_known(toy) -> None:
    for layer in toy.layers():
        if layer.kind == "convolution":
            seen = [toy.unit_motifs(layer.name, unit) for unit in range(layer.units)]
            assert all(len({motif.id for motif in motifs}) == len(motifs) for motifs in seen)


@pytest.mark.parametrize(("layer", "unit"), [("pool1", 0), ("conv2", 3), ("conv2", -1), ("nowhere", 0)])
def test_what_is_not_known_of_units_is_refused(layer, unit) -> None:
    with pytest.raises(OracleError, match=r"is known of convolutions, conv1 \(2\), conv2 \(3\), got unit"):
        ConvPoolToy(40).unit_motifs(layer, unit)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_at_its_own_length_no_pool_leaves_a_position_out(make) -> None:
    layers = {layer.name: layer for layer in make().layers()}
    x = random_onehot(1, make().length, RNG)
    for layer in layers.values():
        if layer.kind == "pool":
            below = make().activations(x, layer.inputs[0])
            assert below.shape[1] % layer.kernel == 0


def test_the_receptive_field_grows_with_the_layers() -> None:
    fields = {layer.name: layer.receptive_field for layer in planted_motif().layers()}
    # 4 bp; two of them 4 bp apart; 4 of these side by side; 3 of those, 4 bp apart.
    assert [fields[name] for name in ("conv1", "conv2", "pool2", "conv3")] == [4, 8, 11, 19]
    assert together_or_either().graph == ("sequence", "conv1", "pool1", "conv2", "top", "output")


@pytest.mark.torch
@pytest.mark.parametrize("toy", [ConvPoolToy(43), *NETWORKS[1:]], ids=lambda toy: toy.name)
def test_a_network_is_the_one_that_torch_computes_from_its_weights(toy) -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    sequences = toy.examples(8, RNG)
    onehot = torch.tensor(sequences.onehot.astype(np.float64).swapaxes(1, 2), requires_grad=True)
    value, before = onehot, {}
    for layer in toy.layers():
        arrays = {name: torch.tensor(array) for name, array in toy.weights(layer.name).items()}
        if layer.kind == "convolution":
            before[layer.name] = functional.conv1d(value, arrays["kernel"].swapaxes(1, 2), arrays["bias"])
            value = functional.relu(before[layer.name])
        elif layer.kind == "pool":
            value = functional.max_pool1d(value, layer.kernel)
        elif layer.kind == "global_pool":
            value = value.amax(2)
        elif layer.kind == "dense":
            value = functional.linear(value, arrays["kernel"], arrays["bias"])
    cotangent = RNG.normal(size=value.shape)
    (value * torch.tensor(cotangent)).sum().backward()

    values, gradient = toy.vjp(sequences, {"expression": cotangent})
    np.testing.assert_allclose(values["expression"], value.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(gradient, onehot.grad.numpy().swapaxes(1, 2), atol=1e-12)
    for name, wanted in before.items():
        np.testing.assert_allclose(toy.activations(sequences, name), wanted.detach().numpy().swapaxes(1, 2), atol=1e-12)
