"""A SavedModel folder opens through its signature, runs nothing but what computes, and says what it cannot show."""

from __future__ import annotations

import warnings
from pathlib import Path
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
from tests.hostile import tensorflow_files  # noqa: E402

from cislens import open_oracle  # noqa: E402
from cislens.errors import CapabilityError, OracleError, UntrustedError  # noqa: E402
from cislens.testing import OracleContract  # noqa: E402
from cislens_keras.runtime import keras, tf  # noqa: E402

layers = keras.layers


def saved(model: Any, folder: Path, how: str) -> Path:
    if how == "export":
        model.export(folder, verbose=False)
    else:
        tf.saved_model.save(model, str(folder))
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = models.two_headed()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        return model, saved(model, tmp_path_factory.mktemp("saved") / "two_headed", "export")


def test_an_exported_model_answers_and_has_the_gradient_of_the_model_itself(exported: tuple[Any, Path]) -> None:
    model, folder = exported
    oracle, itself = open_oracle(folder), open_oracle(model)
    assert oracle.length == 40
    x = models.dna(5)
    answers, pull = oracle.linearize(x)
    theirs, pull_theirs = itself.linearize(x)
    rng = np.random.default_rng(0)
    cotangents = [rng.normal(size=answer.shape).astype(np.float32) for answer in answers.values()]
    for left, right in zip(answers.values(), theirs.values(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    left, right = (
        pull(dict(zip(answers, cotangents, strict=True))),
        pull_theirs(dict(zip(theirs, cotangents, strict=True))),
    )
    np.testing.assert_allclose(left, right, atol=1e-6 * np.abs(right).max())


def test_a_saved_model_keeps_the_contract_of_oracles(exported: tuple[Any, Path]) -> None:
    model, folder = exported

    def native(x: np.ndarray) -> dict[str, np.ndarray]:
        return {f"output_{i}": np.asarray(part) for i, part in enumerate(model(x.astype(np.float32)))}

    OracleContract(open_oracle(folder), models.dna(4), native).check()


def test_it_says_why_it_shows_no_layers(exported: tuple[Any, Path]) -> None:
    oracle = open_oracle(exported[1])
    assert {"linearize", "layers", "logits"} & oracle.capabilities == {"linearize"}
    with pytest.raises(CapabilityError, match=r"a SavedModel shows no layers: save the model as \.keras or \.h5"):
        oracle.layers()


@pytest.mark.parametrize("name", ["profile", "recurrent"])
def test_saved_models_of_every_shape_answer_as_the_model(tmp_path: Path, name: str) -> None:
    model = models.profile() if name == "profile" else models.recurrent()
    oracle = open_oracle(saved(model, tmp_path / "model", "save"))
    itself = open_oracle(model)
    x = models.dna(3)
    found = oracle.predict(x)
    for head, values in itself.predict(x).items():
        np.testing.assert_allclose(found[head] if len(found) > 1 else next(iter(found.values())), values, atol=1e-6)


def test_a_fixed_batch_and_named_outputs_come_from_the_signature(tmp_path: Path) -> None:
    module = tf.Module()
    module.weight = tf.Variable(np.random.default_rng(0).normal(size=(40, 4)), dtype=tf.float32)
    spec = tf.TensorSpec((8, 40, 4), tf.float32, name="dna")

    @tf.function(input_signature=[spec])
    def serve(dna: Any) -> dict[str, Any]:
        score = tf.einsum("npb,pb->n", dna, module.weight)
        return {"score": score, "double": 2 * score}

    tf.saved_model.save(module, str(tmp_path / "model"), signatures=serve)
    oracle = open_oracle(tmp_path / "model")
    assert ([head.name for head in oracle.heads], oracle.fixed_batch) == (["double", "score"], 8)
    x = models.dna(11)
    expected = np.einsum("npb,pb->n", x, module.weight.numpy())
    np.testing.assert_allclose(oracle.predict(x)["score"], expected, atol=1e-5)
    gradient = oracle.linearize(x)[1]({"double": np.ones(11, np.float32)})
    np.testing.assert_allclose(gradient, np.broadcast_to(2 * module.weight.numpy(), (11, 40, 4)), atol=1e-6)


def test_a_signature_without_a_gradient_offers_predictions_and_gives_the_reason(tmp_path: Path) -> None:
    oracle = open_oracle(
        tensorflow_files.saved_model(tmp_path, lambda tf, x: tf.round(x) - tf.cast(tf.argmax(x)[0] > 9, "float32"))
    )
    assert "linearize" not in oracle.capabilities
    assert oracle.predict(models.dna(2))["score"].shape == (2,)
    with pytest.raises(CapabilityError, match="no gradient reaches its sequence"):
        oracle.linearize(models.dna(2))


def test_several_signatures_are_listed_unless_one_is_the_default(tmp_path: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec((None, 40, 4), tf.float32, name="dna")
    functions = [tf.function(lambda dna, i=i: {"sum": i * tf.reduce_sum(dna, [1, 2])}, [spec]) for i in (1, 2)]
    tf.saved_model.save(module, str(tmp_path / "two"), signatures={"first": functions[0], "second": functions[1]})
    with pytest.raises(OracleError, match="'serving_default', or only one, got first, second"):
        open_oracle(tmp_path / "two")
    both = {"first": functions[0], "serving_default": functions[1]}
    tf.saved_model.save(module, str(tmp_path / "default"), signatures=both)
    np.testing.assert_allclose(open_oracle(tmp_path / "default").predict(models.dna(2))["sum"], [80, 80])


def test_an_input_whose_axes_are_left_open_is_told(tmp_path: Path) -> None:
    module = tf.Module()
    function = tf.function(lambda dna: {"sum": tf.reduce_sum(dna)}, [tf.TensorSpec(None, tf.float32, name="dna")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=function)
    with pytest.raises(OracleError, match="how many axes its input 'dna' has, but leaves it open"):
        open_oracle(tmp_path / "model")


def test_a_saved_model_takes_no_other_weights(exported: tuple[Any, Path], tmp_path: Path) -> None:
    (tmp_path / "w.h5").touch()
    with pytest.raises(OracleError, match=r"holds its own weights, and takes none: leave out w\.h5"):
        open_oracle(exported[1], tmp_path / "w.h5")


def test_fingerprints_differ_where_weights_agree_but_what_is_done_with_them_does_not(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one = open_oracle(tensorflow_files.saved_model(tmp_path / "a"))
    two = open_oracle(tensorflow_files.saved_model(tmp_path / "b", lambda tf, x: tf.exp(x)))
    assert one.fingerprint != two.fingerprint


def test_what_a_hostile_signature_would_do_happens_once_it_is_trusted(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    attempt = tensorflow_files.that_writes(tmp_path, canary)
    with pytest.raises(UntrustedError):
        open_oracle(attempt.model)
    assert not canary.exists()
    open_oracle(attempt.model, trust=True)
    assert canary.read_text() == "ran"


def test_layers_with_a_random_state_and_control_flow_are_allowed(tmp_path: Path) -> None:
    def answer(tf: Any, x: Any) -> Any:
        state = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0), [0, x])[1]
        return state + 0.0 * tf.random.normal(tf.shape(x))

    oracle = open_oracle(tensorflow_files.saved_model(tmp_path, answer))
    np.testing.assert_allclose(oracle.predict(models.dna(2))["score"], [2 * 8 * 40] * 2, rtol=1e-6)
