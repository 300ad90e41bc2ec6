from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cislens import open_oracle
from cislens.errors import OracleError
from cislens.oracle import FunctionOracle

X = np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (3, 30))]


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "mymodel.py"
    path.write_text(
        "import numpy as np\n"
        "from neighbour import SCALE\n"
        "def predict(x):\n    return SCALE * x[:, :, 2].sum(1)\n"
        "def build(scale=3.0):\n    return lambda x: scale * x[:, :, 2].sum(1)\n"
        "def broken():\n    raise RuntimeError('no weights here')\n"
        "VALUE = 3\n"
    )
    (tmp_path / "neighbour.py").write_text("SCALE = 2.0\n")
    return path


def test_a_function_in_a_file_is_asked_itself(model_file) -> None:
    oracle = open_oracle(f"{model_file}:predict", length=30)
    np.testing.assert_allclose(oracle.predict(X)["output"], 2 * X[:, :, 2].sum(1))
    assert oracle.name == "mymodel.py:predict"


def test_a_factory_in_a_file_is_called(model_file) -> None:
    oracle = open_oracle(f"{model_file}:build", length=30)
    np.testing.assert_allclose(oracle.predict(X)["output"], 3 * X[:, :, 2].sum(1))


def test_a_function_in_a_module_is_opened_by_its_name(model_file, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(model_file.parent))
    assert isinstance(open_oracle("mymodel:predict", length=30), FunctionOracle)


def test_an_oracle_is_returned_as_it_is() -> None:
    oracle = open_oracle(lambda x: x.sum((1, 2)), length=30)
    assert open_oracle(oracle) is oracle


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "defines only"),
        ("broken", "no weights here"),
        ("VALUE", "model or a function"),
    ],
)
def test_a_member_that_is_no_model_is_an_error(model_file, name: str, sentence: str) -> None:
    with pytest.raises(OracleError, match=sentence):
        open_oracle(f"{model_file}:{name}")


def test_weights_of_a_plain_function_are_refused(model_file) -> None:
    with pytest.raises(OracleError, match="no place for weights"):
        open_oracle(f"{model_file}:predict", weights=model_file)


@pytest.mark.parametrize("text", ["nowhere.keras", "nowhere.py:build", "no_such_module:predict", "."])
def test_a_model_that_is_not_there_is_one_sentence(text: str) -> None:
    with pytest.raises(OracleError):
        open_oracle(text)


def test_weights_that_are_not_there_are_one_sentence(model_file) -> None:
    with pytest.raises(OracleError, match="file that exists"):
        open_oracle(f"{model_file}:build", weights="nowhere.pth")


def test_an_option_that_is_none_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(OracleError, match="batch_size.*'batchsize'"):
        open_oracle(lambda x: x, batchsize=3)


def test_a_file_that_does_not_run_is_one_sentence(tmp_path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import no_such_package\n")
    with pytest.raises(OracleError, match="needs no_such_package"):
        open_oracle(f"{path}:build")
    path.write_text("1 / 0\n")
    with pytest.raises(OracleError, match="ZeroDivisionError"):
        open_oracle(f"{path}:build")


def test_what_is_neither_model_nor_function_is_an_error() -> None:
    with pytest.raises(OracleError, match="got int"):
        open_oracle(3)


def test_a_factory_of_one_framework_does_not_wait_for_another_of_the_same_file(tmp_path) -> None:
    (tmp_path / "both.py").write_text(
        "def function(x):\n    return x[:, 0, 0]\n\n\ndef other():\n    import keras\n\n    return keras.Model()\n"
    )
    code = (
        "import sys; from cislens import open_oracle; "
        f"open_oracle({str(tmp_path / 'both.py:function')!r}, length=20); print('keras' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
