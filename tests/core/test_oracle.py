from __future__ import annotations

import warnings

import numpy as np
import pytest

from cislens.errors import CapabilityError, OracleError, SequenceError
from cislens.oracle import FunctionOracle, Head, Oracle, OracleOptions
from cislens.testing import ConvPoolToy

RNG = np.random.default_rng(1)
LENGTH = 12
WEIGHTS = RNG.normal(size=(LENGTH, 4))


class Linear(Oracle):
    """f(x) = w.x with a pullback, and a second head of the GC content."""

    dtype = np.float64

    def __init__(self, **kwargs) -> None:
        super().__init__("linear", [Head("f", (), ()), Head("gc", (1,), ("output",))], LENGTH, **kwargs)
        self.batches: list[int] = []

    def _predict(self, x):
        self.batches.append(len(x))
        return {"f": (x * WEIGHTS).sum((1, 2)), "gc": x[:, :, 1:3].mean((1, 2))[:, None]}

    def _linearize(self, x):
        def pullback(cotangent):
            n = len(x)
            f = cotangent.get("f", np.zeros(n))[:, None, None] * WEIGHTS
            gc = np.zeros((n, LENGTH, 4))
            gc[:, :, 1:3] = 1 / (LENGTH * 2)
            return f + cotangent.get("gc", np.zeros((n, 1)))[:, :, None] * gc

        return self._predict(x), pullback


def sequences(n: int, length: int = LENGTH) -> np.ndarray:
    return np.eye(4, dtype=np.uint8)[RNG.integers(0, 4, (n, length))]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 512])
def test_predictions_do_not_depend_on_the_batch_size(batch_size: int) -> None:
    x = sequences(20)
    answers = Linear(batch_size=batch_size).predict(x)
    np.testing.assert_allclose(answers["f"], (x * WEIGHTS).sum((1, 2)), rtol=1e-12)
    assert answers["gc"].shape == (20, 1)


def test_an_iterator_of_blocks_gives_the_same_as_one_array() -> None:
    x, oracle = sequences(20), Linear()
    np.testing.assert_array_equal(oracle.predict(iter([x[:7], x[7:]]))["f"], oracle.predict(x)["f"])


def test_no_sequences_give_empty_answers() -> None:
    answers = Linear().predict(sequences(0))
    assert answers["f"].shape == (0,)
    assert answers["gc"].shape == (0, 1)


def test_every_forward_and_backward_pass_is_counted() -> None:
    oracle = Linear(batch_size=8)
    oracle.predict(sequences(20))
    _, pullback = oracle.linearize(sequences(5))
    pullback({"f": np.ones(5)})
    pullback({"gc": np.ones((5, 1))})
    oracle.vjp(sequences(3), {"f": np.ones(3)})
    assert (oracle.counts.predictions, oracle.counts.pullbacks) == (28, 13)


def test_vjp_is_linearize_and_its_pullback() -> None:
    x, oracle = sequences(9), Linear(batch_size=4)
    cotangent = {"f": RNG.normal(size=9), "gc": RNG.normal(size=(9, 1))}
    _, pullback = oracle.linearize(x)
    outputs, gradient = oracle.vjp(x, cotangent)
    np.testing.assert_allclose(gradient, pullback(cotangent), rtol=1e-12)
    np.testing.assert_allclose(outputs["f"], oracle.predict(x)["f"])


def test_relaxed_rows_are_allowed() -> None:
    x = RNG.dirichlet(np.ones(4), (3, LENGTH))
    np.testing.assert_allclose(Linear().predict(x)["f"], (x * WEIGHTS).sum((1, 2)))


def test_channels_first_input_is_an_error_that_says_how_to_transpose() -> None:
    with pytest.raises(SequenceError, match=r"got \(3, 4, 12\): transpose with x.swapaxes\(1, 2\)"):
        Linear().predict(sequences(3).swapaxes(1, 2))


def test_a_length_that_does_not_fit_is_an_error_that_names_the_options() -> None:
    with pytest.raises(SequenceError, match="takes sequences of 12 bp, got 14: choose --length crop-center"):
        Linear().predict(sequences(3, 14))


def test_input_that_is_not_finite_is_an_error() -> None:
    x = sequences(2).astype(float)
    x[0, 0, 0] = np.nan
    with pytest.raises(SequenceError, match="finite"):
        Linear().predict(x)


def test_an_answer_that_is_not_finite_is_an_error_that_names_the_sequence() -> None:
    def sick(x):
        y = x.sum((1, 2))
        y[x[:, 0, 3] == 1] = np.nan
        return y

    x = sequences(5)
    x[:, 0] = [1, 0, 0, 0]
    x[3, 0] = [0, 0, 0, 1]
    oracle = FunctionOracle(sick, OracleOptions(length=LENGTH, batch_size=2))
    with pytest.raises(OracleError, match="sequence 3"):
        oracle.predict(x)


def test_capabilities_are_the_hooks_that_are_written() -> None:
    assert Linear().capabilities == {"predict", "linearize"}


def test_a_missing_capability_is_refused_with_its_reason() -> None:
    oracle = FunctionOracle(lambda x: x.sum((1, 2)), OracleOptions(length=LENGTH))
    with pytest.raises(CapabilityError, match="'linearize'.*nothing but its answers"):
        oracle.linearize(sequences(1))


def test_a_capability_that_an_instance_declines_is_gone_with_its_reason() -> None:
    class Declining(Linear):
        def _declined(self):
            return {"linearize": "this file has no gradient"}

    assert "linearize" not in Declining().capabilities
    with pytest.raises(CapabilityError, match="this file has no gradient"):
        Declining().linearize(sequences(1))


def test_running_out_of_memory_halves_the_batch_and_says_so() -> None:
    class Small(Linear):
        def _predict(self, x):
            if len(x) > 5:
                raise MemoryError
            return super()._predict(x)

    oracle, x = Small(batch_size=32), sequences(20)
    with pytest.warns(ResourceWarning) as halvings:
        answers = oracle.predict(x)
    assert [str(w.message).rpartition(" ")[2] for w in halvings] == ["16", "8", "4"]
    np.testing.assert_allclose(answers["f"], (x * WEIGHTS).sum((1, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        oracle.predict(x)  # the smaller size is remembered
    assert max(oracle.batches) == 4


def test_a_batch_of_one_that_runs_out_of_memory_is_an_error() -> None:
    class Hopeless(Linear):
        def _predict(self, x):
            raise MemoryError

    with pytest.raises(MemoryError):
        Hopeless(batch_size=1).predict(sequences(2))


@pytest.mark.parametrize("batch_size", [0, -3, "fast", 2.5])
def test_a_batch_size_that_is_none_is_an_error(batch_size) -> None:
    with pytest.raises(OracleError, match="batch size"):
        Linear(batch_size=batch_size)


def test_a_function_is_fingerprinted_by_its_answers() -> None:
    def build(scale: float):
        return FunctionOracle(lambda x: scale * x[:, 0, 0], OracleOptions(length=LENGTH), name="f").fingerprint

    assert build(1.0) == build(1.0)
    assert build(1.0) != build(2.0)


def test_a_function_of_any_length_has_none() -> None:
    assert FunctionOracle(lambda x: x.mean((1, 2))).length is None


def test_a_function_of_one_published_length_is_probed_for_it() -> None:
    weights = np.ones((249, 4))
    assert FunctionOracle(lambda x: (x * weights).sum((1, 2))).length == 249


def test_a_function_that_always_fails_is_an_error_that_shows_why() -> None:
    def broken(x):
        raise KeyError("no such layer")

    with pytest.raises(OracleError, match="no such layer"):
        FunctionOracle(broken)


@pytest.mark.parametrize("answer", [lambda x: 1.0, lambda x: np.array(["a"] * len(x)), lambda x: x.sum((1, 2))[:-1]])
def test_a_function_that_does_not_answer_for_each_sequence_is_an_error(answer) -> None:
    with pytest.raises(OracleError, match="one number or array for each"):
        FunctionOracle(answer, OracleOptions(length=LENGTH))


@pytest.mark.parametrize(
    ("option", "value"), [("device", "cuda"), ("precision", "bfloat16"), ("extra_inputs", {"a": 1})]
)
def test_an_option_that_a_function_cannot_follow_is_refused(option: str, value: object) -> None:
    with pytest.raises(OracleError, match="a Python function"):
        FunctionOracle(lambda x: x.sum((1, 2)), OracleOptions(**{"length": LENGTH, option: value}))


def test_a_function_may_return_several_heads() -> None:
    oracle = FunctionOracle(
        lambda x: (x[:, :, 0].sum(1), x[:, :, :2].sum(1)), OracleOptions(length=LENGTH, heads=("a", "ac"))
    )
    assert [(head.name, head.shape) for head in oracle.heads] == [("a", ()), ("ac", (2,))]


def test_select_reduces_to_one_column_a_target() -> None:
    x, oracle = sequences(6), Linear(batch_size=4)
    targeted = oracle.select(["gc", "f"])
    values = targeted.predict(x)
    np.testing.assert_allclose(values, np.stack([x[:, :, 1:3].mean((1, 2)), (x * WEIGHTS).sum((1, 2))], 1))


def test_the_gradient_of_targets_is_one_map_a_target() -> None:
    x = sequences(6)
    values, gradient = Linear(batch_size=4).select(["f", "gc"]).gradient(x)
    assert gradient.shape == (2, 6, LENGTH, 4)
    np.testing.assert_allclose(gradient[0], np.broadcast_to(WEIGHTS, (6, LENGTH, 4)))
    np.testing.assert_allclose(gradient[1, :, :, 0], 0)
    np.testing.assert_allclose(values[:, 0], (x * WEIGHTS).sum((1, 2)))


def test_a_targeted_oracle_keeps_the_capabilities() -> None:
    assert Linear().select("f").capabilities == Linear().capabilities


class Squashed(Oracle):
    """A probability whose logit is 40 times a count: float32 loses it, what goes into the sigmoid does not."""

    def __init__(self, scale: str = "probability") -> None:
        super().__init__("squashed", [Head("p", (), (), scale=scale)], LENGTH)
        self.squash = scale == "probability"

    def _predict(self, x):
        z = 40 * (x[:, :, 0].sum(1) - x[:, :, 1].sum(1))
        return {"p": 1 / (1 + np.exp(-z)) if self.squash else z}

    def _logits(self, heads):
        return Squashed("logit")


def test_a_logit_is_what_goes_into_the_sigmoid_where_the_oracle_offers_it() -> None:
    x, oracle = sequences(6), Squashed()
    z = 40 * (x[:, :, 0].sum(1).astype(float) - x[:, :, 1].sum(1))
    np.testing.assert_allclose(oracle.select("p:logit").predict(x)[:, 0], z)
    assert oracle.counts.predictions == 6


def test_a_logit_beside_its_probability_is_taken_of_the_probability() -> None:
    values = Squashed().select(["p:logit", "p"]).predict(sequences(6))
    assert ((values[:, 1] >= 0) & (values[:, 1] <= 1)).all()
    assert np.abs(values[:, 0]).max() < 17  # the logit of 1 - 1e-7


def test_logits_of_what_is_no_probability_are_refused() -> None:
    with pytest.raises(OracleError, match="is a probability"):
        Squashed("logit").logits(["p"])


def test_an_oracle_made_from_another_counts_with_it() -> None:
    toy = ConvPoolToy(40)
    x = toy.examples(3, np.random.default_rng(0)).onehot
    layer = toy.layers()[1].name
    toy.intervene({layer: {0: 0.0}}).predict(x)
    toy.randomised(layer, np.random.default_rng(0)).predict(x)
    field = toy.layer(layer).receptive_field
    toy.subnetwork(layer).predict(x[:, :field])
    assert toy.counts.predictions == 9
