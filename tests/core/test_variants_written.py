from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cislens import FunctionOracle, OracleOptions, open_oracle
from cislens.errors import CislensError, ReportError, SequenceError
from cislens.sequences.files import is_bgzipped
from cislens.testing.toys import LinearToy
from cislens.variants import VariantRun, open_vcf, score_variants, write_variants
from cislens.variants import run as running

HEADER = (
    "##fileformat=VCFv4.3",
    '##INFO=<ID=EFFECT,Number=A,Type=Float,Description="Measured">',
    '##INFO=<ID=CAUSAL,Number=0,Type=Flag,Description="A cause">',
    "##contig=<ID=one,length=400>",
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tsample",
)
GENOME = "".join(np.random.default_rng(0).choice(list("ACGT"), 400))
PER_BLOCK = 5


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(running, "BLOCK", PER_BLOCK)
    monkeypatch.setattr(running, "BLOCK_OF_MAPS", PER_BLOCK)


@pytest.fixture
def genome(tmp_path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(f">one\n{GENOME}\n")
    return path


@pytest.fixture
def vcf(tmp_path) -> Path:
    """40 records of all kinds, several alternatives each, some of which cannot be scored."""
    rng, lines = np.random.default_rng(1), list[str](HEADER)
    for i in range(40):
        pos = int(lines[-1].split("\t")[1]) if i % 7 == 6 else int(rng.integers(1, 399))  # some of one position
        ref = GENOME[pos - 1 : pos - 1 + int(rng.integers(1, 3))]
        if i % 11 == 3:
            ref = {"A": "C", "C": "G", "G": "T", "T": "A"}[ref[0]]
        alts = rng.choice(["A", "CG", "T", "<DEL>", "*", "GGG"], int(rng.integers(1, 4)), replace=False)
        info = f"EFFECT={','.join(f'{x:.3f}' for x in rng.normal(size=len(alts)))}" + (";CAUSAL" if i % 2 else "")
        lines.append(f"one\t{pos}\trs{i}\t{ref}\t{','.join(alts)}\t9\tPASS\t{info}\tGT\t0|1")
    path = tmp_path / "variants.vcf"
    path.write_text("\n".join(lines) + "\n")
    return path


def toy() -> LinearToy:
    return LinearToy(np.random.default_rng(2).normal(size=(20, 4)))


def test_the_table_on_disk_is_the_table_in_memory(genome, vcf, tmp_path) -> None:
    run = VariantRun(explainers=("ism",), info=("EFFECT", "CAUSAL"))
    expected = score_variants(toy(), vcf, genome, run=run)
    write_variants(toy(), vcf, genome, tmp_path / "out.tsv", run=run)
    found = pd.read_csv(tmp_path / "out.tsv", sep="\t", quoting=3)
    assert set(found["INFO/CAUSAL"]) == {0, 1}
    pd.testing.assert_frame_equal(
        found.fillna({"reason": ""}), expected, rtol=1e-8, atol=1e-12, check_dtype=False, check_exact=False
    )


@pytest.mark.parametrize("name", ["out.vcf", "out.vcf.gz"])
def test_the_vcf_holds_every_record_in_order_with_the_effects(genome, vcf, tmp_path, name) -> None:
    expected = score_variants(toy(), vcf, genome)
    write_variants(toy(), vcf, genome, tmp_path / name)
    with open_vcf(vcf) as before, open_vcf(tmp_path / name) as after:
        assert set(before.header) <= set(after.header)
        assert after.header[-1] == before.header[-1]
        rows = expected.itertuples(index=False)
        for old, new in zip(before.records, after.records, strict=True):
            assert old.fields[:7] + old.fields[8:] == new.fields[:7] + new.fields[8:]
            kept = {key: value for key, value in new.info.items() if not key.startswith("CISLENS_")}
            assert kept == old.info
            assert set(new.info) <= set(after.declared)
            for number in range(len(new.alts)):
                *_, status, reason, reference, effect = next(rows)
                assert new.of_allele("CISLENS_STATUS", number) == status
                assert (new.of_allele("CISLENS_REASON", number) is None) == (reason == "")
                written = new.of_allele("CISLENS_value", number)
                if status == "scored":
                    assert float(str(written)) == pytest.approx(effect, rel=1e-8)
                    assert float(str(new.of_allele("CISLENS_REF_value", number))) == pytest.approx(reference, rel=1e-8)
                else:
                    assert written is None
        assert next(rows, None) is None


def test_a_packed_vcf_is_bgzipped(genome, vcf, tmp_path) -> None:
    for name in ("out.vcf", "out.vcf.gz"):
        write_variants(toy(), vcf, genome, tmp_path / name)
    assert is_bgzipped(tmp_path / "out.vcf.gz")
    assert gzip.decompress((tmp_path / "out.vcf.gz").read_bytes()) == (tmp_path / "out.vcf").read_bytes()


def test_scoring_what_was_written_replaces_the_effects(genome, vcf, tmp_path) -> None:
    write_variants(toy(), vcf, genome, tmp_path / "once.vcf")
    write_variants(toy(), tmp_path / "once.vcf", genome, tmp_path / "twice.vcf")
    assert (tmp_path / "twice.vcf").read_text() == (tmp_path / "once.vcf").read_text()


def test_an_independent_reader_takes_the_vcf(genome, vcf, tmp_path) -> None:
    pysam = pytest.importorskip("pysam")
    write_variants(toy(), vcf, genome, tmp_path / "out.vcf.gz")
    expected = score_variants(toy(), vcf, genome)
    with pysam.VariantFile(str(tmp_path / "out.vcf.gz")) as file:
        found = [value for record in file for value in record.info.get("CISLENS_value", [None] * len(record.alts))]
    effects = [np.nan if value is None else value for value in found]
    np.testing.assert_allclose(effects, expected["model:value"].to_numpy(), rtol=1e-6)


def test_the_summary_counts_every_allele(genome, vcf, tmp_path) -> None:
    summary = write_variants(toy(), vcf, genome, tmp_path / "out.tsv", run=VariantRun(info=("EFFECT",)))
    table = score_variants(toy(), vcf, genome)
    assert summary.records == 40
    assert summary.alleles == len(table) == len(summary.kept)
    assert dict(summary.statuses) == table["status"].value_counts().to_dict()
    assert set(summary.first) == set(summary.statuses) - {"scored"} >= {"mismatch", "no_sequence", "near_end"}
    first = table[table["status"] == "mismatch"].iloc[0]
    assert summary.first["mismatch"] == f"one:{first.pos} {first.ref}>{first.alt}: {first.reason}"


class Killed(BaseException):
    pass


def dying(after: int) -> tuple[FunctionOracle, list[int]]:
    """A model that dies once it was asked for so many sequences, and the numbers asked."""
    weights, asked = np.random.default_rng(2).normal(size=(20, 4)), [0]

    def model(x: np.ndarray) -> np.ndarray:
        if asked[0] + len(x) > after:
            raise Killed
        asked[0] += len(x)
        return np.einsum("nlb,lb->n", x, weights)

    return FunctionOracle(model, OracleOptions(length=20), "dying"), asked


@pytest.mark.parametrize("name", ["out.tsv", "out.vcf.gz"])
def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(genome, vcf, tmp_path, name) -> None:
    whole, asked = dying(10**9)
    whole.fingerprint  # noqa: B018 - asks the model too, which is not to be counted below
    before = asked[0]
    write_variants(whole, vcf, genome, tmp_path / f"whole.{name}")
    needed = asked[0] - before
    output = tmp_path / name
    oracle, asked = dying(10**9)
    oracle.fingerprint  # noqa: B018
    mortal, _ = dying(asked[0] + needed // 2)
    with pytest.raises(Killed):
        write_variants(mortal, vcf, genome, output)
    assert not output.exists()
    kept = len(list((tmp_path / f"{name}.parts").glob("*.npz")))
    assert 0 < kept < 40 // PER_BLOCK
    start = asked[0]
    write_variants(oracle, vcf, genome, output)
    assert 0 < asked[0] - start < needed
    assert output.read_bytes() == (tmp_path / f"whole.{name}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if name in path.name) == [name, f"whole.{name}"]


def test_what_is_left_of_another_run_is_not_gone_on_with(genome, vcf, tmp_path) -> None:
    output = tmp_path / "out.tsv"
    mortal, _ = dying(60)
    with pytest.raises(Killed):
        write_variants(mortal, vcf, genome, output)
    with pytest.raises(ReportError, match=r"out\.tsv\.parts must be of this run .* its model and targets were another"):
        write_variants(toy(), vcf, genome, output)
    with pytest.raises(ReportError, match="its model and targets and fit were another"):
        write_variants(toy(), vcf, genome, output, run=VariantRun(fit="pad-n"))
    summary = write_variants(toy(), vcf, genome, output, run=VariantRun(overwrite=True))
    assert summary.records == 40


def test_an_output_that_is_there_is_not_replaced_unless_told(genome, vcf, tmp_path) -> None:
    output = tmp_path / "out.tsv"
    output.write_text("mine")
    with pytest.raises(ReportError, match=r"out\.tsv is there already: say --overwrite"):
        write_variants(toy(), vcf, genome, output)
    assert output.read_text() == "mine"
    write_variants(toy(), vcf, genome, output, run=VariantRun(overwrite=True))
    assert output.read_text().startswith("chrom\tpos")


def test_the_suffix_says_the_format(genome, vcf, tmp_path) -> None:
    with pytest.raises(SequenceError, match=r"named \*\.tsv, \*\.vcf, \*\.vcf\.gz, got .*out\.bed"):
        write_variants(toy(), vcf, genome, tmp_path / "out.bed")


def test_targets_whose_keys_would_be_the_same_get_keys_of_their_own(genome, vcf, tmp_path) -> None:
    names = ("a-b", "a_b", "STATUS")
    oracle = open_oracle(
        lambda x: {name: x[:, 10, i] for i, name in enumerate(names)}, length=20, scales=dict.fromkeys(names, "linear")
    )
    write_variants(oracle, vcf, genome, tmp_path / "out.vcf", list(names))
    with open_vcf(tmp_path / "out.vcf") as file:
        keys = [key for key in file.declared if key.startswith("CISLENS_")]
    assert keys == [
        "CISLENS_STATUS",
        "CISLENS_REASON",
        "CISLENS_REF_a_b",
        "CISLENS_REF_a_b_2",
        "CISLENS_REF_STATUS",
        "CISLENS_a_b",
        "CISLENS_a_b_2",
        "CISLENS_STATUS_2",
    ]


def test_a_mistake_on_the_way_leaves_no_half_output(genome, vcf, tmp_path) -> None:
    lines = vcf.read_text().splitlines()
    lines[-1] = lines[-1].replace("EFFECT=", "EFFECT=1,2,3,4,5,6,7,")
    vcf.write_text("\n".join(lines) + "\n")
    with pytest.raises(CislensError, match="INFO/EFFECT must hold one value"):
        write_variants(toy(), vcf, genome, tmp_path / "out.tsv", run=VariantRun(info=("EFFECT",)))
    assert not list(tmp_path.glob("out.tsv")) + list(tmp_path.glob("*.unfinished*"))
