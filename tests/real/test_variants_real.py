from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cislens import Oracle, open_oracle
from cislens.variants import VariantRun, open_vcf, score_variants
from cislens.variants.evaluation import agreement

pytestmark = [pytest.mark.real, pytest.mark.torch]

RECORDS = 10_647
ELEMENTS = ("LDLR", "ZFAND3", "F9", "SORT1", "MSMB", "TERT-GBM", "IRF4", "PKLR")


@pytest.fixture
def genome(real_data, tmp_path) -> Path:
    # A copy, so that the index is written beside it and not into the folder of data.
    path = tmp_path / "cagi5.fa"
    path.write_bytes((real_data / "variants/cagi5.fa").read_bytes())
    return path


@pytest.fixture
def deepstarr(real_data) -> Oracle:
    return open_oracle("arch:deepstarr", real_data / "checkpoints/deepstarr/deepstarr.model.h5", batch_size=64)


def cheap(x: np.ndarray) -> np.ndarray:
    return np.asarray(x[:, 124] @ np.array([0.0, 1.0, 2.0, 3.0]))


@pytest.mark.slow
def test_every_variant_of_cagi5_is_scored_by_deepstarr(real_data, genome, deepstarr) -> None:
    vcf = real_data / "variants/cagi5.vcf"
    table = score_variants(deepstarr, vcf, genome, ["Dev", "Hk"], VariantRun(info=("EFFECT",)))
    with open_vcf(vcf) as file:
        records = [(r.chrom, r.position, r.ref, r.alts[0]) for r in file.records]
    assert len(records) == RECORDS
    assert list(table[["chrom", "pos", "ref", "alt"]].itertuples(index=False, name=None)) == records
    assert set(table["status"]) == {"scored"}
    assert not table.filter(like=":").isna().any().any()
    # The sites share their reference: fewer predictions than two a variant.
    sites = len({record[:2] for record in records})
    assert deepstarr.counts.predictions < RECORDS + 1.01 * sites
    found = agreement(table, "INFO/EFFECT").set_index(["effect", "contig"])
    assert [contig for effect, contig in found.index if effect == "model:Dev"][1:-1] == list(ELEMENTS)
    # A fly model cannot be expected to tell human effects: what is checked is that they are compared at all.
    assert found["pearson"].abs().max() < 0.6


def test_positions_that_are_off_by_one_are_listed_where_the_genome_says_so(real_data, genome, tmp_path) -> None:
    text = genome.read_text().split(">")[1:]
    contigs = {part.split()[0]: "".join(part.split("\n")[1:]).upper() for part in text}
    shifted, expected = tmp_path / "shifted.vcf", []
    with open_vcf(real_data / "variants/cagi5.vcf") as file:
        lines = list(file.header)
        for record in file.records:
            lines.append("\t".join((record.chrom, str(record.position + 1), *record.fields[2:])))
            expected.append("scored" if contigs[record.chrom][record.position] == record.ref else "mismatch")
    shifted.write_text("\n".join(lines) + "\n")
    table = score_variants(open_oracle(cheap, length=249), shifted, genome)
    assert list(table["status"]) == expected
    assert 0.5 < np.mean(np.array(expected) == "mismatch") < 0.9
    assert table.loc[table["status"] == "mismatch", "model:output"].isna().all()


def test_an_effect_of_deepstarr_is_the_difference_of_two_predictions(real_data, genome, deepstarr, tmp_path) -> None:
    with open_vcf(real_data / "variants/cagi5.vcf") as file:
        header, records = file.header, [record for i, record in enumerate(file.records) if i % 500 == 0]
    few = tmp_path / "few.vcf"
    few.write_text("\n".join([*header, *("\t".join(record.fields) for record in records)]) + "\n")
    table = score_variants(deepstarr, few, genome, "Dev", VariantRun(explainers=("ism",)))
    text = {part.split()[0]: "".join(part.split("\n")[1:]).upper() for part in genome.read_text().split(">")[1:]}
    for record, row in zip(records, table.itertuples(), strict=True):
        start = record.position - 1 - 124
        old = text[record.chrom][start : start + 249]
        new = old[:124] + record.alts[0] + old[125:]
        x = np.stack([np.array([[base == b for b in "ACGT"] for base in s], np.uint8) for s in (old, new)])
        dev = deepstarr.predict(x)["Dev"].ravel()
        assert row[9] == pytest.approx(float(dev[1]) - float(dev[0]), abs=1e-5)
    assert isinstance(table, pd.DataFrame)
    np.testing.assert_allclose(table["ism:Dev"], table["model:Dev"], atol=1e-4)
