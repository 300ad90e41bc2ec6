from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cislens.report import MotifReport

pytestmark = [pytest.mark.real, pytest.mark.keras]


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("CISLENS_REAL_DATA")
    if not folder:
        pytest.skip("needs CISLENS_REAL_DATA")
    pytest.importorskip("keras")
    return Path(folder)


def cislens(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cislens", *map(str, arguments)]
    # The tests' own log level is left out, so that what a user would see on standard error is seen here.
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(command, cwd=cwd, env=inherited, capture_output=True, text=True, check=False)


def test_inspect_shows_both_heads_of_deepstarr(data, tmp_path) -> None:
    run = cislens("inspect", data / "checkpoints/deepstarr/deepstarr.model.json", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    facts = json.loads(run.stdout)
    assert [head["name"] for head in facts["heads"]] == ["Dev", "Hk"]
    assert facts["length"] == 249
    refused = {name for name, reason in facts["capabilities"].items() if reason is not None}
    assert refused == {"logits"}  # neither head is a probability


def test_explain_without_a_target_lists_dev_and_hk(data, tmp_path) -> None:
    model, fasta = data / "checkpoints/deepstarr/deepstarr.model.json", data / "sequences/deepstarr_enhancer.fa"
    run = cislens("explain", model, fasta, "-e", "saliency", cwd=tmp_path)
    assert run.returncode == 1
    assert "Dev, Hk" in run.stderr


def test_explain_writes_the_report_of_the_readme(data, tmp_path) -> None:
    model, fasta = data / "checkpoints/deepstarr/deepstarr.model.json", data / "sequences/deepstarr_enhancer.fa"
    run = cislens("explain", model, fasta, "-e", "ism", "-e", "saliency", "-t", "Dev", "-o", "r.zarr", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    ism, saliency = (MotifReport.load(tmp_path / "r.zarr", label) for label in ("ism", "saliency"))
    assert ism.predictions is not None
    assert abs(float(ism.predictions[0, 0]) - 2.479) < 5e-4  # as the data's README states it, to its last digit
    # The two see the same sites: ISM and the gradient of this model correlate where the sequence's own bases stand.
    a, b = ism.attributions.values.mean(-1).ravel(), saliency.projected().ravel()
    assert np.corrcoef(-a, b)[0, 1] > 0.5
    assert cislens("report", "r.zarr", cwd=tmp_path).returncode == 0
    assert (tmp_path / "report.html").stat().st_size < 5_000_000
