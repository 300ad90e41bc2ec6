"""The example of a third-party plugin, installed by pip into a fresh environment and run by name."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cislens import CislensError, MotifReport, explain
from cislens.plugins import registry
from cislens.testing import ConvPoolToy, ExplainerContract, LinearToy

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "cislens-example"
MODEL = """
import numpy as np

def count_of_tata(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, 4, axis=1)
    return (np.einsum("njbk,kb->nj", windows, np.eye(4)[[3, 0, 3, 0]]) > 3.5).sum(1).astype(float)
"""


def load_example():
    if "cislens_example" not in sys.modules:
        spec = importlib.util.spec_from_file_location("cislens_example", EXAMPLE / "cislens_example.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["cislens_example"] = module  # where a dataclass looks its annotations up
        spec.loader.exec_module(module)
    return sys.modules["cislens_example"].Occlusion


Occlusion = load_example()


def test_the_example_is_one_file_of_under_60_lines() -> None:
    files = sorted(path.name for path in EXAMPLE.iterdir() if path.is_file())
    assert files == ["README.md", "cislens_example.py", "pyproject.toml"]
    assert len((EXAMPLE / "cislens_example.py").read_text().splitlines()) < 60


def test_the_example_is_no_part_of_this_environment() -> None:
    assert "occlusion" not in registry().explainers


@pytest.mark.parametrize("check", ExplainerContract(Occlusion()).checks(), ids=str)
def test_the_example_keeps_its_promises(check) -> None:
    check()


def test_occlusion_of_single_bases_of_a_linear_oracle_is_what_each_adds_to_the_mean_base() -> None:
    weights = np.random.default_rng(0).normal(size=(9, 4))
    toy = LinearToy(weights)
    sequences = toy.examples(3, np.random.default_rng(1))
    report = explain(toy, sequences, Occlusion(width=1))
    own = ((weights - weights.mean(1, keepdims=True)) * sequences.onehot).sum(-1)
    np.testing.assert_allclose(report.projected()[0], own, atol=1e-12)


def test_a_window_wider_than_the_sequence_blanks_all_of_it() -> None:
    toy = ConvPoolToy(40)
    sequences = toy.examples(2, np.random.default_rng(1))
    report = explain(toy, sequences, Occlusion(width=100), "either")
    lost = report.predictions[0] - toy.select("either").predict(np.full((1, 40, 4), 0.25))[0, 0]
    np.testing.assert_allclose(report.projected()[0].sum(1), lost, atol=1e-12)


@pytest.mark.parametrize("settings", [{"width": 0}, {"fill": 0.5}])
def test_occlusion_that_makes_no_sense_is_refused(settings) -> None:
    with pytest.raises(CislensError, match="occlusion needs a width above 0 and a fill of 0 to 0.25"):
        Occlusion(**settings)


def test_the_installed_example_is_run_by_name_from_the_command_line(fresh_environment, tmp_path) -> None:
    fresh_environment.install(EXAMPLE)
    listed = json.loads(fresh_environment.run("-m", "cislens", "plugins", "--json"))
    (plugin,) = [p for p in listed["plugins"] if p["distribution"] == "cislens-example"]
    assert plugin["error"] is None
    assert plugin["adds"] == {"explainers": ["occlusion"]}
    assert "occlusion" in [explainer["name"] for explainer in listed["explainers"]]

    (tmp_path / "model.py").write_text(MODEL)
    bases = np.random.default_rng(2).choice(list("CG"), (2, 100))
    bases[:, 40:44] = list("TATA")
    (tmp_path / "seqs.fa").write_text("".join(f">s{i}\n{''.join(row)}\n" for i, row in enumerate(bases)))
    written = ("model.py:count_of_tata", "seqs.fa", "-e", "occlusion:width=4", "-o", "out.zarr")
    fresh_environment.run("-m", "cislens", "explain", *written, "--input-length", "100")

    report = MotifReport.load(tmp_path / "out.zarr")
    assert report.provenance.explainer == "occlusion"
    assert report.provenance.settings == {"width": 4, "fill": 0.25}
    assert report.sequences.ids == ("s0", "s1")
    # Windows of 4 see the one TATA from 3 bp before it to 3 bp behind it.
    for position_values in report.projected()[0]:
        assert (position_values[37:47] > 0).all()
        np.testing.assert_allclose(np.delete(position_values, range(37, 47)), 0, atol=1e-12)
