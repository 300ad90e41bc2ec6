from __future__ import annotations

import numpy as np
import pytest

from cislens import explain, open_oracle
from cislens.errors import OracleError
from cislens.oracle import Head, Oracle
from cislens.oracle.reverse_complement import ReverseComplementAverage, reverse_complement
from cislens.sequences import Sequences
from cislens.testing import ConvPoolToy, LinearToy, OracleContract
from cislens.testing.oracle_contract import require_close

RNG = np.random.default_rng(5)
LENGTH = 10
# Of a stranded profile: weight of each base, for each strand.
WEIGHTS = RNG.normal(size=(4, 2))
TOY_WEIGHTS = RNG.normal(size=(LENGTH, 4))


class Stranded(Oracle):
    """A profile over positions and strands that is linear in each base, over the middle of the sequence."""

    dtype = np.float64

    def __init__(self, offset: int = 2, bin_width: int = 1) -> None:
        profile = Head("profile", (LENGTH - 4, 2), ("position", "strand"), bin_width=bin_width, offset=offset)
        super().__init__("stranded", [profile, Head("first", (), ())], LENGTH)

    def _predict(self, x):
        return {"profile": x[:, 2:-2] @ WEIGHTS, "first": x[:, 0] @ WEIGHTS[:, 0]}


def sequences(n: int) -> np.ndarray:
    return np.eye(4)[RNG.integers(0, 4, (n, LENGTH))]


def test_the_reverse_complement_of_acgt_rows_is_both_axes_turned() -> None:
    x = Sequences.from_strings(["AACGN"]).onehot
    np.testing.assert_array_equal(reverse_complement(x), Sequences.from_strings(["NCGTT"]).onehot)


def test_a_sequence_and_its_reverse_complement_get_the_same_answers_turned_around() -> None:
    x, averaged = sequences(6), ReverseComplementAverage(Stranded())
    given, turned = averaged.predict(x), averaged.predict(reverse_complement(x))
    np.testing.assert_allclose(given["first"], turned["first"])
    np.testing.assert_allclose(given["profile"], turned["profile"][:, ::-1, ::-1])


def test_profile_positions_are_flipped_and_strands_swapped_before_the_mean() -> None:
    x = sequences(3)
    came = ReverseComplementAverage(Stranded()).predict(x)["profile"]
    # At each position the plus strand is read by the plus weights, and its complement by those of the minus strand.
    expected = (x[:, 2:-2] @ WEIGHTS + x[:, 2:-2, ::-1] @ WEIGHTS[:, ::-1]) / 2
    np.testing.assert_allclose(came, expected)


def test_positions_that_lie_off_centre_are_refused() -> None:
    with pytest.raises(OracleError, match="symmetrically on the input .* 1 bp lie before them and 3 after"):
        ReverseComplementAverage(Stranded(offset=1, bin_width=1))


@pytest.mark.parametrize("toy", [LinearToy(TOY_WEIGHTS), ConvPoolToy(40)], ids=lambda toy: type(toy).__name__)
def test_averages_keep_the_contract_of_oracles(toy) -> None:
    oracle = ReverseComplementAverage(toy)
    x = np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (5, toy.length or 40))]
    OracleContract(oracle, x).check()


def test_a_map_of_the_average_is_the_average_of_maps() -> None:
    toy = LinearToy(TOY_WEIGHTS)
    x = np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (2, toy.length))]
    averaged = explain(ReverseComplementAverage(toy), Sequences.from_onehot(x), "saliency:correct=no")
    one, other = (explain(toy, Sequences.from_onehot(s), "saliency:correct=no") for s in (x, reverse_complement(x)))
    expected = (one.attributions.values + reverse_complement(other.attributions.values)) / 2
    require_close(averaged.attributions.values, expected, "average of maps")


def test_the_option_averages_and_changes_the_fingerprint() -> None:
    def first_a(x):
        return x[:, 0, 0]

    plain, averaged = open_oracle(first_a, length=LENGTH), open_oracle(first_a, length=LENGTH, reverse_complement=True)
    assert isinstance(averaged, ReverseComplementAverage)
    assert averaged.fingerprint != plain.fingerprint
    assert averaged.options is not None
    assert averaged.options.identity()["reverse_complement"]


def test_what_the_model_declines_the_average_declines_for_the_same_reason() -> None:
    averaged = open_oracle(lambda x: x[:, 0, 0], length=LENGTH, reverse_complement=True)
    assert averaged.capabilities == {"predict"} | {c for c in averaged.capabilities if c.startswith("native")}
    assert averaged.why_not("linearize") == averaged.oracle.why_not("linearize")
