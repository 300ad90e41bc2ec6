from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cislens import open_oracle
from cislens.driver import COMPONENT_LIBRARY, mutated
from cislens.errors import CislensError, SequenceError, TargetError
from cislens.testing.toys import LinearToy
from cislens.variants import VariantRun, score_variants, write_variants

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
BASES = "ACGT"
LENGTHS = (9, 10)  # of windows: one with a middle, one without


def letters(n: int, seed: int = 0) -> str:
    return "".join(np.random.default_rng(seed).choice(list(BASES), n))


GENOME = {"chr1": letters(60), "chr2": letters(60, 1).lower(), "3": letters(40, 2)}


@pytest.fixture
def genome(tmp_path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in GENOME.items()))
    return path


@pytest.fixture
def vcf(tmp_path):
    """Write a VCF of (chrom, pos, ref, alt) or (chrom, pos, ref, alt, info)."""

    def write(*records: tuple) -> Path:
        path = tmp_path / "variants.vcf"
        lines = ["##fileformat=VCFv4.3", COLUMNS]
        for chrom, pos, ref, alt, *info in records:
            lines.append(f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\t.\t{info[0] if info else '.'}")
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def linear(length: int, seed: int = 5) -> LinearToy:
    return LinearToy(np.random.default_rng(seed).normal(size=(length, 4)))


def value(toy: LinearToy, text: str) -> float:
    """The toy's answer, letter by letter; N counts nothing."""
    return sum(toy.matrix[i, BASES.index(base)] for i, base in enumerate(text.upper()) if base != "N")


def by_surgery(toy: LinearToy, chrom: str, pos: int, ref: str, alt: str) -> float:
    """The effect from the whole mutated chromosome as a string: cut where the window began, length letters on."""
    length = len(toy.matrix)
    before = GENOME[chrom].upper()
    assert before[pos - 1 : pos - 1 + len(ref)] == ref.upper()
    after = before[: pos - 1] + alt.upper() + before[pos - 1 + len(ref) :]
    start = pos - 1 - length // 2
    return value(toy, after[start : start + length]) - value(toy, before[start : start + length])


@pytest.mark.parametrize("length", LENGTHS)
def test_the_effect_of_a_substitution_is_the_difference_of_weights_in_the_middle(genome, vcf, length) -> None:
    toy = linear(length)
    records = [("chr1", pos, GENOME["chr1"][pos - 1], base) for pos in (20, 21, 33) for base in BASES]
    table = score_variants(toy, vcf(*records), genome)
    for (_, _, ref, alt), effect in zip(records, table["model:value"], strict=True):
        expected = toy.matrix[length // 2, BASES.index(alt)] - toy.matrix[length // 2, BASES.index(ref)]
        assert effect == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_insertions_deletions_and_longer_changes_are_what_string_surgery_gives(genome, vcf, length) -> None:
    toy, rng = linear(length), np.random.default_rng(3)
    records = []
    for _ in range(150):
        chrom = ("chr1", "chr2")[rng.integers(2)]
        pos, wide = int(rng.integers(12, 40)), int(rng.integers(1, 6))
        ref = GENOME[chrom][pos - 1 : pos - 1 + wide]
        records.append((chrom, pos, ref, letters(int(rng.integers(1, 6)), int(rng.integers(1000)))))
    table = score_variants(toy, vcf(*records), genome)
    assert set(table["status"]) == {"scored"}
    expected = [by_surgery(toy, *record) for record in records]
    np.testing.assert_allclose(table["model:value"], expected, atol=1e-12)


def test_the_reference_prediction_is_that_of_the_window(genome, vcf) -> None:
    toy = linear(9)
    table = score_variants(toy, vcf(("chr1", 20, GENOME["chr1"][19], "A")), genome)
    assert table["reference:value"][0] == pytest.approx(value(toy, GENOME["chr1"][15:24]), abs=1e-12)


def test_alternatives_of_one_record_are_scored_one_by_one(genome, vcf) -> None:
    toy, ref = linear(9), GENOME["chr1"][19]
    alts = [base for base in BASES if base != ref]
    table = score_variants(toy, vcf(("chr1", 20, ref, ",".join([*alts, "<DEL>", ""]))), genome)
    assert list(table["alt"]) == [*alts, "<DEL>", ""]
    assert list(table["status"]) == ["scored"] * 3 + ["no_sequence"] * 2
    assert table["reason"][4] == "ALT must be of A, C, G and T, got nothing"
    expected = [by_surgery(toy, "chr1", 20, ref, alt) for alt in alts]
    np.testing.assert_allclose(table["model:value"][:3], expected, atol=1e-12)
    # One reference and three alternatives.
    assert toy.counts.predictions == 4


@pytest.mark.parametrize(
    ("record", "status", "reason"),
    [
        (("chr1", 20, None, "<DEL>"), "no_sequence", "ALT must be of A, C, G and T, got <DEL>"),
        (("chr1", 20, None, "G]chr2:9]"), "no_sequence", "got G]CHR2:9]"),
        (("chr1", 20, None, "*"), "no_sequence", "deleted with a variant before it"),
        (("chr1", 20, None, "."), "no_sequence", "no alternative allele"),
        (("chr1", 20, None, "N"), "no_sequence", "got N"),
        (("chr1", 20, "N", "A"), "no_sequence", "REF must be"),
        (("chr9", 20, "A", "C"), "no_contig", "chr9 is not in the genome"),
        (("chr1", 90, "A", "C"), "mismatch", "outside of chr1"),
        (("chr1", 0, "A", "C"), "mismatch", "outside of chr1"),
        (("chr1", 2, None, "A"), "near_end", "its window"),
        (("chr1", 59, None, "A"), "near_end", "60 bp long"),
        (("chr1", 20, None, "ACGTAC"), "too_long", "an allele of 6 bp does not fit the 5 bp"),
    ],
)
def test_what_cannot_be_scored_is_listed_with_the_reason(genome, vcf, record, status, reason) -> None:
    chrom, pos, ref, alt = record
    record = (chrom, pos, ref or GENOME[chrom][pos - 1], alt)
    table = score_variants(linear(9), vcf(record, ("chr1", 30, GENOME["chr1"][29], "A")), genome)
    assert list(table["status"]) == [status, "scored"]
    assert reason in table["reason"][0]
    assert np.isnan(table["model:value"][0])


def test_every_mismatch_is_listed_with_what_the_genome_holds(genome, vcf) -> None:
    text = GENOME["chr1"]
    records = [("chr1", pos + 1, text[pos - 1], "A") for pos in range(10, 50)]
    table = score_variants(linear(9), vcf(*records), genome)
    for (_, pos, ref, _), row in zip(records, table.itertuples(), strict=True):
        held = text[pos - 1]
        assert row.status == ("scored" if held == ref else "mismatch")
        assert row.reason == ("" if held == ref else f"the genome holds {held} where REF is {ref}")
    assert 0 < (table["status"] == "mismatch").sum() < len(records)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("pos", [1, 3, 59, 60])
def test_windows_past_the_end_are_filled_with_n_only_if_asked(genome, vcf, length, pos) -> None:
    toy, ref = linear(length), GENOME["chr1"][pos - 1]
    record = ("chr1", pos, ref, ref + "T")
    table = score_variants(toy, vcf(record), genome, run=VariantRun(fit="pad-n"))
    padded = "N" * 20 + GENOME["chr1"] + "N" * 20
    start, at = 20 + pos - 1 - length // 2, 20 + pos - 1
    changed = padded[:at] + ref + "T" + padded[at + 1 :]
    expected = value(toy, changed[start : start + length]) - value(toy, padded[start : start + length])
    assert table["model:value"][0] == pytest.approx(expected, abs=1e-12)
    assert list(score_variants(toy, vcf(record), genome)["status"]) == ["near_end"]


def test_a_deletion_near_the_right_end_needs_the_bases_that_move_in(genome, vcf) -> None:
    # A window of 9 bp around 1-based 56 ends with the contig of 60; a deletion there would draw in one more.
    text = GENOME["chr1"]
    table = score_variants(linear(9), vcf(("chr1", 56, text[55], "A"), ("chr1", 56, text[55:57], text[55])), genome)
    assert list(table["status"]) == ["scored", "near_end"]


def test_contigs_with_and_without_chr_are_found_and_told(genome, vcf) -> None:
    toy = linear(9)
    path = vcf(("1", 20, GENOME["chr1"][19], "A"), ("chr3", 20, GENOME["3"][19], "A"))
    with pytest.warns(UserWarning, match="contig") as told:
        table = score_variants(toy, path, genome)
    assert sorted(str(w.message) for w in told) == [
        "contig 1 of the variants was read as chr1 of the genome",
        "contig chr3 of the variants was read as 3 of the genome",
    ]
    assert list(table["chrom"]) == ["1", "chr3"]  # as the file has them
    assert set(table["status"]) == {"scored"}


def test_an_oracle_that_reads_both_strands_alike_has_no_effect_of_a_change_it_cannot_see(genome, vcf) -> None:
    # G and C, A and T alike on both strands: of such an oracle only changes of GC content have an effect.
    oracle = open_oracle(lambda x: x[:, :, 2].sum(1), length=9, reverse_complement=True)
    ref = GENOME["chr1"][19]
    records = [("chr1", 20, ref, base) for base in BASES]
    effects = score_variants(oracle, vcf(*records), genome)["model:output"]
    expected = [((base in "GC") - (ref in "GC")) / 2 for base in BASES]
    np.testing.assert_allclose(effects, expected)


def test_several_targets_and_their_transforms_have_columns_of_their_own(genome, vcf) -> None:
    def model(x):
        gc = x[:, :, 1:3].sum((1, 2)) - 4
        return {"gc": gc, "bound": 1 / (1 + np.exp(-gc))}

    oracle = open_oracle(model, length=9, scales={"bound": "probability"})
    path = vcf(("chr1", 20, GENOME["chr1"][19], "C"), ("chr1", 21, GENOME["chr1"][20], "A"))
    table = score_variants(oracle, path, genome, ["gc", "bound:logit"])
    np.testing.assert_allclose(table["model:gc"], table["model:bound:logit"], atol=1e-5)
    with pytest.raises(TargetError):
        score_variants(oracle, path, genome)


def test_effects_on_a_saturated_probability_are_warned_of(genome, vcf) -> None:
    oracle = open_oracle(lambda x: 1 - 1e-4 * x[:, 4, 0], length=9, scales={"output": "probability"})
    path = vcf(("chr1", 20, GENOME["chr1"][19], "C"), ("chr1", 21, "N", "A"))
    with pytest.warns(UserWarning, match=r"of the first variants, 1 of 1 predictions of output .* output:logit"):
        score_variants(oracle, path, genome)


def test_maps_of_a_linear_oracle_give_the_models_own_effects(genome, vcf) -> None:
    text = GENOME["chr1"]
    records = [("chr1", 20, text[19], base) for base in BASES] + [("chr1", 25, text[24:27], "ACG")]
    table = score_variants(linear(9), vcf(*records), genome, run=VariantRun(explainers=("ism", "grad=saliency")))
    for column in ("ism:value", "grad:value"):
        np.testing.assert_allclose(table[column], table["model:value"], atol=1e-6)
    assert set(table["reason"]) == {""}


class Stubborn(LinearToy):
    """A linear toy that gives no gradient of a window with a refused base in its middle."""

    def __init__(self, matrix, refused: str) -> None:
        super().__init__(matrix)
        self.refused = refused

    def _linearize(self, x):
        if any(x[:, x.shape[1] // 2, BASES.index(base)].any() for base in self.refused):
            raise ArithmeticError("this base is too much")
        return super()._linearize(x)


@pytest.mark.parametrize("refused", ["A", BASES])
def test_windows_that_an_explainer_cannot_explain_are_listed_and_the_run_goes_on(
    genome, vcf, refused, monkeypatch
) -> None:
    # Blocks of two records: where the toy refuses both windows, it refuses a whole block.
    monkeypatch.setattr("cislens.variants.run.BLOCK_OF_MAPS", 2)
    toy, text = Stubborn(linear(9).matrix, refused), GENOME["chr1"]
    path = vcf(*[("chr1", pos, text[pos - 1], "ACG"[pos % 3]) for pos in range(20, 40)])
    run = VariantRun(explainers=("grad=saliency",))
    if refused == BASES:
        with pytest.warns(UserWarning, match="grad explained no window of 20 substitutions: the reasons are listed"):
            table = score_variants(toy, path, genome, run=run)
    else:
        table = score_variants(toy, path, genome, run=run)
    for pos, row in zip(range(20, 40), table.to_dict("records"), strict=True):
        failed = text[pos - 1] in refused
        assert row["status"] == "scored"
        assert row["reason"] == ("grad: ArithmeticError: this base is too much" if failed else "")
        assert np.isnan(row["grad:value"]) == failed
        assert not np.isnan(row["model:value"])


def test_what_an_explainer_warns_of_is_told_once_whatever_its_numbers(genome, vcf, monkeypatch) -> None:
    monkeypatch.setattr("cislens.variants.run.BLOCK_OF_MAPS", 3)
    oracle = open_oracle(lambda x: 1 - 1e-4 * x[:, 4, 0], length=9, scales={"output": "probability"})
    path = vcf(*[("chr1", pos, GENOME["chr1"][pos - 1], "ACGT"[pos % 4]) for pos in range(20, 28)])
    with pytest.warns(UserWarning, match="of 3 predictions of output") as told:
        score_variants(oracle, path, genome, run=VariantRun(explainers=("here=ism",)))
    sentences = [str(w.message) for w in told if str(w.message).startswith("here: ")]
    assert len(sentences) == 1
    assert sentences[0].startswith("here: 3 of 3 predictions of output")
    assert sentences[0].endswith("(so in 3 blocks, with the numbers of the first)")


@pytest.fixture
def rich_in_g(tmp_path) -> tuple[Path, str]:
    """A genome of which four bases in five are G, and its letters."""
    path, rng = tmp_path / "rich.fa", np.random.default_rng(0)
    text = "".join(rng.choice(list("ACGT"), 80, p=[0.1, 0.05, 0.8, 0.05]))
    path.write_text(f">chr1\n{text}\n")
    return path, text


def test_a_principal_component_is_fitted_on_reference_windows(rich_in_g, vcf, tmp_path) -> None:
    # Profiles along one direction, as far as there is G: mutants of windows rich in G have less of it.
    genome, text = rich_in_g
    direction = np.array([3.0, 0.0, -4.0]) / 5
    oracle = open_oracle(lambda x: (x[:, :, 2].sum(1)[:, None] * direction)[:, :, None], length=9)
    records = [("chr1", pos, text[pos - 1], base) for pos in range(20, 40) for base in BASES]
    target = f"{oracle.heads[0].name}:pc1"
    path = vcf(*records)
    table = score_variants(oracle, path, genome, target)
    expected = [(alt == "G") - (ref == "G") for _, _, ref, alt in records]
    np.testing.assert_allclose(table.filter(like="model:").to_numpy()[:, 0], expected, atol=1e-5)
    distinct = len({text[pos - 5 : pos + 4] for pos in range(20, 40)})
    summary = write_variants(oracle, path, genome, tmp_path / "out.vcf", target, VariantRun(explainers=("ism",)))
    said = (
        f"{target} on reference windows of variants.vcf (at most 250 of {distinct}) and random mutants of them, seed 0"
    )
    assert summary.table.fitted == said
    assert f"##CISLENS_FITTED={said}" in (tmp_path / "out.vcf").read_text().splitlines()
    # Scored again, the line is replaced.
    write_variants(oracle, tmp_path / "out.vcf", genome, tmp_path / "again.vcf", target)
    assert (tmp_path / "again.vcf").read_text().count("##CISLENS_FITTED=") == 1


def test_a_principal_component_is_fitted_once_however_many_blocks_are_explained(genome, vcf, monkeypatch) -> None:
    monkeypatch.setattr("cislens.variants.run.BLOCK_OF_MAPS", 2)
    drawn: list[int] = []
    monkeypatch.setattr("cislens.driver.mutated", lambda x, *given: drawn.append(len(x)) or mutated(x, *given))
    oracle = open_oracle(lambda x: x[:, :, :1], length=9)
    path = vcf(*[("chr1", pos, GENOME["chr1"][pos - 1], "A") for pos in range(20, 28)])
    score_variants(oracle, path, genome, f"{oracle.heads[0].name}:pc1", run=VariantRun(explainers=("ism",)))
    assert len(drawn) == COMPONENT_LIBRARY // drawn[0] - 1


def test_a_principal_component_without_a_window_to_fit_it_on_says_what_to_do(genome, vcf) -> None:
    oracle = open_oracle(lambda x: x[:, :, :1], length=9)
    with pytest.raises(SequenceError, match="none of 1 records .* can be scored: check the genome, or choose another"):
        score_variants(oracle, vcf(("chr9", 20, "A", "C")), genome, f"{oracle.heads[0].name}:pc1")


def test_maps_have_no_effect_of_an_indel_and_say_so(genome, vcf) -> None:
    ref = GENOME["chr1"][19]
    table = score_variants(linear(9), vcf(("chr1", 20, ref, ref + "A")), genome, run=VariantRun(explainers=("ism",)))
    assert table["status"][0] == "scored"
    assert np.isnan(table["ism:value"][0])
    assert not np.isnan(table["model:value"][0])
    assert table["reason"][0] == "ism: a map has no effect of an insertion or deletion"


def test_info_is_copied_for_each_allele(genome, vcf) -> None:
    path = vcf(("chr1", 20, GENOME["chr1"][19], "AT,CT", "E=0.5,0.75;X"), ("chr1", 22, GENOME["chr1"][21], "A", "X"))
    table = score_variants(linear(9), path, genome, run=VariantRun(info=("E",)))
    np.testing.assert_array_equal(table["INFO/E"], [0.5, 0.75, np.nan])


def test_a_model_of_any_length_is_told_one(genome, vcf) -> None:
    oracle = open_oracle(lambda x: x[:, :, 2].sum(1))
    path = vcf(("chr1", 20, GENOME["chr1"][19], "G"))
    with pytest.raises(SequenceError, match="takes any length: say --input-length"):
        score_variants(oracle, path, genome)
    assert len(score_variants(oracle, path, genome, run=VariantRun(length=11))) == 1
    with pytest.raises(SequenceError, match="takes windows of 9 bp, got length 11"):
        score_variants(linear(9), path, genome, run=VariantRun(length=11))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"info": ("ABSENT",)}, "INFO of .* must hold ABSENT, but holds WORD, X"),
        ({"info": ("WORD",)}, "INFO/WORD must hold numbers, got 'x' at chr1:20"),
        ({"info": ("X",), "labels": "X"}, "labels must be 0 or 1, got 2 in INFO/X"),
        ({"explainers": ("ism", "ism")}, "'ism' names two columns"),
        ({"explainers": ("model=ism",)}, "'model' names two columns"),
        ({"explainers": ("reference=ism",)}, "'reference' names two columns"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_is_predicted(genome, vcf, settings, sentence) -> None:
    toy = linear(9)
    with pytest.raises(CislensError, match=sentence):
        score_variants(
            toy, vcf(("chr1", 20, GENOME["chr1"][19], "A", "X=2;WORD=x")), genome, run=VariantRun(**settings)
        )
    assert toy.counts.predictions == 0


def test_a_file_without_variants_is_refused(genome, vcf) -> None:
    with pytest.raises(SequenceError, match="must hold variants, but holds none"):
        score_variants(linear(9), vcf(), genome)


def test_labels_are_among_the_entries_that_are_read() -> None:
    with pytest.raises(SequenceError, match="labels must be among the keys in info, A, B, got 'C'"):
        VariantRun(info=("A", "B"), labels="C")


def test_fit_is_one_of_two() -> None:
    with pytest.raises(SequenceError, match=r"--length \(fit=\) must be one of 'drop', 'pad-n', got 'crop'"):
        VariantRun(fit="crop")  # type: ignore[arg-type]
