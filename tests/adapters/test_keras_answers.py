"""What a Keras model answers through the adapter, and how it is differentiated."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    # Keras saves variables in a way that NumPy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from tests.adapters import keras_models as models  # noqa: E402

from cislens.errors import OracleError  # noqa: E402
from cislens.oracle import ExtraInput, OracleOptions  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_keras.compiled import Compiled  # noqa: E402
from cislens_keras.oracle import KerasOracle  # noqa: E402
from cislens_keras.placement import find_device  # noqa: E402
from cislens_keras.runtime import keras  # noqa: E402

layers = keras.layers


def native(oracle: KerasOracle, x: np.ndarray) -> dict[str, np.ndarray]:
    """Ask the model itself, sequences put into its form by hand."""
    x = x.astype(np.float32)
    shape = oracle.native.inputs[0].shape[1:]
    if shape[0] == 4:
        x = x.transpose(0, 2, 1)
    x = x.reshape(len(x), *shape)
    answers = keras.tree.flatten(oracle.native(x, training=False))
    return {head.name: np.asarray(part) for head, part in zip(oracle.heads, answers, strict=True)}


@pytest.mark.parametrize("name", models.ALL)
def test_a_model_of_every_shape_keeps_the_contract(name: str) -> None:
    oracle = KerasOracle(models.ALL[name](), name=name)
    OracleContract(oracle, models.dna(4), lambda x: native(oracle, x)).check()


@pytest.mark.parametrize("name", ["plain", "two_headed", "permuted", "two_dimensional", "recurrent"])
def test_pullbacks_in_double_precision_equal_finite_differences(name: str) -> None:
    # Central differences of a smooth stretch are exact to about step^2 + rounding / step = 1e-8.
    oracle = KerasOracle(models.ALL[name](), OracleOptions(precision="float64"))
    rng = np.random.default_rng(2)
    x = rng.dirichlet(np.ones(4), (2, models.LENGTH))
    outputs, pullback = oracle.linearize(x)
    cotangent = {head: rng.normal(size=values.shape) for head, values in outputs.items()}
    gradient = pullback(cotangent)
    for _ in range(5):
        direction = rng.normal(size=x.shape)
        step = 1e-6
        ends = [oracle.predict(x + sign * step * direction) for sign in (1, -1)]
        slope = sum(((ends[0][h] - ends[1][h]) * c).sum() for h, c in cotangent.items()) / (2 * step)
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_a_pullback_that_keeps_the_forward_pass_equals_one_that_repeats_it() -> None:
    model = models.two_headed()
    oracle = KerasOracle(model)
    kept = Compiled(model, oracle.inputs, np.float32, "/CPU:0", keeps_forward=True)
    x = models.dna(3).astype(np.float32)
    answers, pull = kept.linearize(x)
    outputs, pullback = oracle.linearize(x)
    cotangents = [np.random.default_rng(0).normal(size=a.shape).astype(np.float32) for a in answers]
    by_head = dict(zip(outputs, cotangents, strict=True))
    np.testing.assert_allclose(answers[1], outputs["Hk"], atol=1e-6)
    for _ in range(2):
        np.testing.assert_allclose(pull(cotangents), pullback(by_head), atol=1e-6)


def test_heads_left_out_of_a_cotangent_count_as_zero() -> None:
    oracle = KerasOracle(models.two_headed())
    outputs, pullback = oracle.linearize(models.dna(2))
    alone = pullback({"Dev": np.ones((2, 1))})
    np.testing.assert_array_equal(alone, pullback({"Dev": np.ones((2, 1)), "Hk": np.zeros_like(outputs["Hk"])}))


@pytest.mark.parametrize("size", [1, 7, 512])
def test_batch_sizes_do_not_change_answers(size: int) -> None:
    x = models.dna(20)
    model = models.two_headed()
    expected = KerasOracle(model, OracleOptions(batch_size=20)).predict(x)
    found = KerasOracle(model, OracleOptions(batch_size=size)).predict(x)
    for head, values in expected.items():
        np.testing.assert_allclose(found[head], values, atol=1e-5 * max(1, np.abs(values).max()))


def test_heads_are_named_after_output_layers_without_what_they_share() -> None:
    oracle = KerasOracle(models.two_headed())
    assert [(head.name, head.shape) for head in oracle.heads] == [("Dev", (1,)), ("Hk", (2,))]


def test_an_answer_as_a_dictionary_names_its_heads_by_key() -> None:
    dna = keras.Input((10, 4), name="dna")
    flat = layers.Flatten()(dna)
    outputs = {"zeta": layers.Dense(2, name="a")(flat), "alpha": layers.Dense(1, name="z")(flat)}
    oracle = KerasOracle(models.with_weights(keras.Model(dna, outputs)))
    assert {head.name: head.shape for head in oracle.heads} == {"alpha": (1,), "zeta": (2,)}
    x = models.dna(3, 10)
    found, expected = oracle.predict(x), oracle.native(x.astype(np.float32))
    for head in ("alpha", "zeta"):
        np.testing.assert_allclose(found[head], expected[head], atol=1e-6)


def test_a_sigmoid_or_softmax_at_the_end_is_a_probability() -> None:
    dna = keras.Input((10, 4), name="dna")
    last = layers.Activation("sigmoid")(layers.Conv1D(1, 10, name="conv")(dna))
    flattened = keras.Model(dna, layers.Flatten(name="flat")(last))
    scales = [KerasOracle(m).heads[0].scale for m in (models.plain(), models.recurrent(), flattened, models.nested())]
    assert scales == ["probability", "probability", "probability", "unknown"]


def test_a_free_length_is_told_and_other_inputs_are_zero_unless_they_are_declared() -> None:
    model = models.profile()
    oracle = KerasOracle(model)
    assert oracle.length is None
    x = models.dna(3, 31).astype(np.float32)
    control = np.zeros((3, 31, 2), np.float32)
    np.testing.assert_allclose(oracle.predict(x)["profile"], model([x, control])["profile"], atol=1e-6)
    declared = OracleOptions(length=31, extra_inputs={"control": ExtraInput((31, 2), 0.5)})
    held = KerasOracle(model, declared)
    assert {head.name: head.shape for head in held.heads} == {"counts": (1,), "profile": (31, 1)}
    np.testing.assert_allclose(held.predict(x)["profile"], model([x, control + 0.5])["profile"], atol=1e-6)
    gradient = held.linearize(x)[1]({"profile": np.ones((3, 31, 1))})
    assert gradient.shape == x.shape
    assert np.abs(gradient).max() > 0


def test_positions_of_a_profile_are_placed_on_the_sequence() -> None:
    dna = keras.Input((50, 4), name="dna")
    x = layers.Conv1D(3, 5, name="valid")(dna)  # 46 positions, the first over bp 2
    x = layers.Conv1D(1, 3, padding="same", name="same")(x)
    (head,) = KerasOracle(models.with_weights(keras.Model(dna, layers.Cropping1D((8, 8), name="crop")(x)))).heads
    assert (head.shape, head.bin_width, head.offset) == ((30, 1), 1, 10)


def test_an_input_that_is_not_declared_is_an_error_that_lists_them() -> None:
    with pytest.raises(OracleError, match=r"one of the inputs dna, control, got 'tracks'"):
        KerasOracle(models.profile(), OracleOptions(extra_inputs={"tracks": ExtraInput((2,))}))


def test_several_inputs_that_look_like_dna_are_an_error_until_one_is_declared() -> None:
    one, other = keras.Input((10, 4), name="one"), keras.Input((10, 4), name="other")
    model = keras.Model([one, other], layers.Dense(1)(layers.Flatten()(layers.Subtract()([one, other]))))
    with pytest.raises(OracleError, match="one, other all do"):
        KerasOracle(model)
    x = models.dna(2, 10).astype(np.float32)
    oracle = KerasOracle(model, OracleOptions(extra_inputs={"other": ExtraInput((10, 4), 0.25)}))
    (values,) = oracle.predict(x).values()
    np.testing.assert_allclose(values, model([x, np.full_like(x, 0.25)]), atol=1e-6)


def test_a_model_without_dna_is_an_error_that_lists_its_inputs() -> None:
    image = keras.Input((10, 3), name="image")
    with pytest.raises(OracleError, match=r"must have an axis of the four bases, got image \(10, 3\)"):
        KerasOracle(keras.Model(image, layers.Dense(1)(layers.Flatten()(image))))


def test_a_length_other_than_the_files_is_refused() -> None:
    with pytest.raises(OracleError, match="takes sequences of 40 bp, so that --input-length cannot be 50"):
        KerasOracle(models.plain(), OracleOptions(length=50))


def test_base_order_and_n_value_reach_the_model_and_the_gradient_comes_back() -> None:
    model = models.plain()
    x = models.dna(3)
    x[:, 5] = 0
    oracle = KerasOracle(model, OracleOptions(base_order="AGCT", n_value=0.25))
    theirs = x[..., [0, 2, 1, 3]].astype(np.float32)
    theirs[:, 5] = 0.25
    (values,) = oracle.predict(x).values()
    np.testing.assert_allclose(values, model(theirs, training=False), atol=1e-6)
    plainly = KerasOracle(model)
    cotangent = {plainly.heads[0].name: np.ones((3, 1))}
    expected = plainly.linearize(theirs)[1](cotangent)
    np.testing.assert_allclose(oracle.linearize(x)[1](cotangent), expected[..., [0, 2, 1, 3]], atol=1e-6)


def test_a_subclassed_model_answers_and_is_differentiated_but_shows_no_layers() -> None:
    class Subclassed(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="subclassed")
            self.conv, self.out = layers.Conv1D(3, 5), layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.out(keras.ops.mean(keras.ops.relu(self.conv(x)), 1))

    model = Subclassed()
    x = models.dna(3).astype(np.float32)
    expected = np.asarray(model(x))
    oracle = KerasOracle(model, OracleOptions(length=models.LENGTH))
    (values,) = oracle.predict(x).values()
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert "linearize" in oracle.capabilities
    assert "does not show its layers" in oracle.why_not("activations")
    with pytest.raises(OracleError, match="runs in its own number type"):
        KerasOracle(model, OracleOptions(length=models.LENGTH, precision="float64"))


def test_the_model_is_left_as_found() -> None:
    model = models.nested()
    before = (model.get_weights(), model.get_config(), [len(layer._inbound_nodes) for layer in model.layers])
    state, floatx, policy = random.getstate(), keras.config.floatx(), keras.config.dtype_policy().name
    oracle = KerasOracle(model, OracleOptions(precision="float64"))
    plainly = KerasOracle(model)
    x = models.dna(2)
    for each in (oracle, plainly):
        each.linearize(x)[1]({each.heads[0].name: np.ones((2, 2))})
        each.activations(x, "tower.conv", pre=True)
        each.subnetwork("first").predict(x[:, :5])
        each.intervene({"first": {0: 1.0}}).predict(x)
        each.randomised("first", np.random.default_rng(0)).predict(x)
    with pytest.raises(OracleError):
        plainly.intervene({"dna": {0: 1.0}})
    after = (model.get_weights(), model.get_config(), [len(layer._inbound_nodes) for layer in model.layers])
    for left, right in zip(before[0], after[0], strict=True):
        np.testing.assert_array_equal(left, right)
    assert before[1:] == after[1:]
    assert (state, floatx, policy) == (random.getstate(), keras.config.floatx(), keras.config.dtype_policy().name)
    assert plainly.native is model
    assert oracle.native is model
    assert not model.compiled


def test_fingerprints_tell_weights_and_architecture_apart_but_not_names() -> None:
    first, second = KerasOracle(models.plain()), KerasOracle(models.plain(start=7))
    assert first.fingerprint == second.fingerprint
    other = models.plain()
    other.layers[0].activation = keras.activations.tanh
    edited = first.intervene({first.layers()[1].name: {0: 0.0}})
    changed = KerasOracle(models.with_weights(models.plain(), seed=5))
    assert len({o.fingerprint for o in (first, KerasOracle(other), edited, changed)}) == 4


@pytest.mark.parametrize("device", ["mps", "tpu"])
def test_devices_that_tensorflow_does_not_have_are_refused(device: str) -> None:
    with pytest.raises(OracleError, match=f"got the device '{device}'"):
        find_device(device)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(OracleError, match=r"must see the device 'cuda:31'"):
        find_device("cuda:31")


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**inherited, **environment}, check=False
    )


def test_opening_a_model_prints_nothing(tmp_path: Any) -> None:
    models.plain().save(tmp_path / "model.keras")
    code = f"""
from pathlib import Path
from cislens.oracle import OracleOptions
from cislens.oracle.adapter import ModelSource
from cislens_keras.adapter import KerasAdapter
oracle = KerasAdapter().open(ModelSource("m", path=Path({str(tmp_path / "model.keras")!r})), OracleOptions())
import numpy as np
oracle.predict(np.zeros((2, 40, 4)))
"""
    done = run_python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_that_imports_keras_itself_prints_nothing_either(tmp_path: Any) -> None:
    layers = "keras.layers.Conv1D(4, 5), keras.layers.GlobalMaxPooling1D(), keras.layers.Dense(1)"
    (tmp_path / "model.py").write_text(
        f"import keras\n\ndef build():\n    return keras.Sequential([keras.Input((40, 4)), {layers}])\n"
    )
    done = run_python(f"import cislens\nprint(cislens.open_oracle({str(tmp_path / 'model.py:build')!r}).length)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "40\n", "")


def test_a_file_that_chooses_its_backend_is_not_forestalled() -> None:
    code = (
        "import sys\nfrom cislens_keras.adapter import KerasAdapter\n"
        'KerasAdapter().prepare(\'import os; os.environ["KERAS_BACKEND"] = "torch"; import keras\')\n'
        "print('keras' in sys.modules)"
    )
    assert run_python(code).stdout == "False\n"


def test_another_backend_is_refused_in_a_sentence_that_names_the_variable() -> None:
    code = (
        "from cislens.errors import OracleError\ntry:\n import cislens_keras.runtime\nexcept OracleError as e: print(e)"
    )
    assert "set KERAS_BACKEND=tensorflow" in run_python(code, KERAS_BACKEND="jax").stdout


def test_recognising_a_model_imports_no_framework() -> None:
    code = """
import sys
from pathlib import Path
from cislens.oracle.adapter import ModelSource
from cislens_keras.adapter import KerasAdapter
adapter = KerasAdapter()
assert adapter.recognises(ModelSource("m", path=Path("model.keras")))
assert not adapter.recognises(ModelSource("m", path=Path("model.pth")))
assert not adapter.recognises(ModelSource("m", model=print))
print(sorted({"keras", "tensorflow", "h5py"} & set(sys.modules)))
"""
    done = run_python(code)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
