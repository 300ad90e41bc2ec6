from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cislens.cli.app import USER_ERROR, run

GENOME = "".join(np.random.default_rng(0).choice(list("ACGT"), 200))
MODEL = """
import os, signal
import numpy as np

asked = [0]

def middle(x):
    # What the base in the middle is worth.
    return x[:, x.shape[1] // 2] @ np.array([0.0, 1.0, 2.0, 3.0])

def both(x):
    return {"a": x[:, :, 0].sum(1), "g": x[:, :, 2].sum(1)}

def mortal(x):
    asked[0] += len(x)
    if asked[0] > int(os.environ["LIFE"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return middle(x)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    lines = ["##fileformat=VCFv4.3", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    worth = dict(zip("ACGT", range(4), strict=True))
    for pos in range(20, 180):
        ref, alt = GENOME[pos - 1], "ACGT"[pos % 4]
        effect = worth[alt] - worth[ref]
        lines.append(f"chr1\t{pos}\t.\t{ref}\t{alt}\t.\t.\tEFFECT={2 * effect};LARGE={int(abs(effect) > 1)};WORD=x")
    wrong = "A" if GENOME[29] != "A" else "C"
    lines.append(f"chr1\t30\t.\t{wrong}\tG\t.\t.\tEFFECT=0")
    (tmp_path / "variants.vcf").write_text("\n".join(lines) + "\n")
    (tmp_path / "genome.fa").write_text(f">chr1\n{GENOME}\n")
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def variants(monkeypatch, capsys):
    """Run `cislens variants` in this process; return exit status, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        files = ("variants.vcf", "--genome", "genome.fa", "--input-length", "21")
        monkeypatch.setattr(sys, "argv", ["cislens", "variants", *arguments, *files])
        with pytest.raises(SystemExit) as ended:
            sys.exit(run())
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def test_effects_are_written_and_summed_up(variants, here) -> None:
    status, out, err = variants("model.py:middle", "-o", "out.tsv")
    assert status == 0, err
    assert "161 records: 160 scored" in out
    assert "1 mismatch, the first chr1:30" in err
    table = pd.read_csv("out.tsv", sep="\t")
    scored = table[table["status"] == "scored"]
    worth = {"A": 0, "C": 1, "G": 2, "T": 3}
    np.testing.assert_allclose(scored["model:output"], scored["alt"].map(worth) - scored["ref"].map(worth))


def test_measurements_and_labels_are_compared_with(variants) -> None:
    asked = ("--measured", "INFO/EFFECT", "--labels", "INFO/LARGE", "--absolute", "--json")
    status, out, err = variants("model.py:middle", "-e", "ism", *asked)
    assert status == 0, err
    facts = json.loads(out)
    assert facts["statuses"] == {"scored": 160, "mismatch": 1}
    model, ism = facts["evaluation"]["agreement with INFO/EFFECT"]
    assert (model["effect"], ism["effect"]) == ("model:output", "ism:output")
    assert model["pearson"] == pytest.approx(1)
    assert model["n"] == 160
    for row in facts["evaluation"]["telling INFO/LARGE apart"]:
        assert row["auroc"] == pytest.approx(1)


def test_the_evaluation_is_a_table_on_the_screen(variants) -> None:
    status, out, _ = variants("model.py:middle", "--labels", "INFO/LARGE")
    assert status == 0
    assert "telling INFO/LARGE apart" in out
    assert "auroc_low" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("model.py:both",), "choose one with -t"),
        (("model.py:middle", "--measured", "EFFECT"), "as in INFO/EFFECT, got 'EFFECT'"),
        (("model.py:middle", "--measured", "INFO/OTHER"), "must hold OTHER, but holds EFFECT, LARGE, WORD"),
        (("model.py:middle", "--measured", "INFO/WORD"), "INFO/WORD must hold numbers"),
        (("model.py:middle", "--absolute"), "needs --labels"),
        (("model.py:middle", "--length", "crop"), "--length (fit=) must be one of 'drop', 'pad-n', got 'crop'"),
        (("model.py:middle", "-o", "out.bed"), "*.tsv, *.vcf, *.vcf.gz"),
        (("model.py:middle", "-e", "nobody"), "nobody"),
    ],
)
def test_a_users_mistake_is_one_sentence(variants, arguments, sentence) -> None:
    status, _, err = variants(*arguments)
    assert status == USER_ERROR
    assert sentence in err
    assert "Traceback" not in err


def test_both_strands_are_averaged_if_asked(variants) -> None:
    variants("model.py:middle", "-o", "out.tsv", "--reverse-complement")
    table = pd.read_csv("out.tsv", sep="\t").query("status == 'scored'")
    # What a base and its complement are worth adds up to 3, whatever the base.
    np.testing.assert_allclose(table["model:output"], 0, atol=1e-6)


def test_a_process_that_was_killed_is_gone_on_with(here) -> None:
    command = [sys.executable, "-c", KILLED, "variants", "model.py:mortal", "variants.vcf", "--genome", "genome.fa"]
    command += ["--input-length", "21", "-o", "out.vcf"]

    def call(life: int, output: str) -> int:
        environment = {**os.environ, "LIFE": str(life)}
        return subprocess.run([*command[:-1], output], env=environment, cwd=here, capture_output=True).returncode

    assert call(10**6, "whole.vcf") == 0
    assert call(150, "out.vcf") == -signal.SIGKILL
    kept = sorted(path.name for path in (here / "out.vcf.parts").glob("*.npz"))
    assert 0 < len(kept) < 17
    assert call(10**6, "out.vcf") == 0
    assert (here / "out.vcf").read_bytes() == (here / "whole.vcf").read_bytes()
    assert not (here / "out.vcf.parts").exists()


# The command line, with blocks of ten records.
KILLED = "from cislens.variants import run; run.BLOCK = 10; from cislens.cli.app import run; run()"
