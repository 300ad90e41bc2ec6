"""Negatives that are given, shuffled, or matched in GC."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cislens.errors import CislensError
from cislens.sequences import ReadPolicy, Region, Sequences
from cislens.sequences.genome import Genome
from cislens.training import ArrayData, DataOptions, read_training_data
from cislens.training.gc_matching import gc_bins, gc_from_genome, gc_from_pool
from cislens.training.intervals import spans_of, touching
from cislens.training.negatives import against_negatives, dinucleotide_negatives
from cislens.training.splits import leaks, twins

BOTH = str.maketrans("ACGT", "TGCA")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_text(stream: np.random.Generator, length: int, gc: float = 0.5) -> str:
    weights = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return "".join(np.array(list("ACGT"))[stream.choice(4, length, p=weights)])


def write_fasta(path: Path, records: dict[str, str]) -> Path:
    path.write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
    return path


def islands(stream: np.random.Generator, length: int = 40_000) -> str:
    """A chromosome whose GC changes along it, as genomes' does."""
    return "".join(random_text(stream, 400, gc) for gc in stream.uniform(0.25, 0.75, length // 400))


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    stream = rng(5)
    letters = {name: islands(stream) for name in ("chr1", "chr2", "chr3")}
    letters["chr1"] = "N" * 4000 + letters["chr1"][4000:]
    return write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", letters), letters


def peaks(letters: dict[str, str], length: int = 50) -> list[Region]:
    stream = rng(6)
    many = {"chr1": 12, "chr2": 30}
    return [
        Region(chrom, int(start), int(start) + length, "+-"[int(start) % 2])
        for chrom, n in many.items()
        for start in stream.choice(np.arange(5000, len(letters[chrom]) - length, length), n, replace=False)
    ]


def write_bed(path: Path, regions: list[Region]) -> Path:
    path.write_text("".join(f"{r.chrom}\t{r.start}\t{r.end}\t.\t0\t{r.strand}\n" for r in regions))
    return path


def dinucleotides(text: str) -> Counter[str]:
    return Counter(text[i : i + 2] for i in range(len(text) - 1))


def test_shuffles_keep_dinucleotides_and_coordinates_and_follow_each_other() -> None:
    texts = [random_text(rng(1), 60), random_text(rng(2), 60)]
    places = (Region("chr1", 5, 65), None)
    positives = Sequences(Sequences.from_strings(texts).onehot, ("a", "b"), places)
    made = dinucleotide_negatives(positives, 3, rng())
    assert made.ids == ("a_shuffle1", "a_shuffle2", "a_shuffle3", "b_shuffle1", "b_shuffle2", "b_shuffle3")
    assert made.regions == (places[0],) * 3 + (None,) * 3
    for i, shuffled in enumerate(made.strings()):
        assert dinucleotides(shuffled) == dinucleotides(texts[i // 3])
        assert shuffled != texts[i // 3]


@pytest.mark.parametrize("each", [1, 3])
def test_positives_and_their_shuffles_are_told_apart_and_never_split(tmp_path: Path, each: int) -> None:
    stream = rng(3)
    texts = [random_text(stream, 30) for _ in range(60)]
    # Some come twice, and some as the other strand.
    texts += texts[:10] + [text[::-1].translate(BOTH) for text in texts[5:15]]
    path = write_fasta(tmp_path / "p.fa", {f"p{i}": text for i, text in enumerate(texts)})
    labelled = against_negatives(path, DataOptions(negatives="dinucleotide", per_positive=each))
    assert labelled.values[:, 0].tolist() == [1.0] * 80 + [0.0] * 80 * each
    data = read_training_data(path, DataOptions(negatives="dinucleotide", per_positive=each))
    assert isinstance(data, ArrayData)
    assert (data.task, data.outputs, data.length) == ("binary", ("positive",), 30)
    assert leaks(data.parts, twins(data.examples.onehot)) == 0
    assert labelled.parents is not None
    # By the bases, which do not know who made whom: no shuffle's dinucleotides stand on two sides.
    strings = Sequences.from_onehot(data.examples.onehot).strings()
    sides: dict[frozenset[tuple[str, int]], set[int]] = {}
    for side, index in enumerate(data.parts):
        for place in index:
            sides.setdefault(frozenset(dinucleotides(strings[place]).items()), set()).add(side)
    assert all(len(found) == 1 for found in sides.values())


def test_the_same_seed_gives_the_same_data_and_another_others(tmp_path: Path) -> None:
    stream = rng(4)
    path = write_fasta(tmp_path / "p.fa", {f"p{i}": random_text(stream, 30) for i in range(40)})
    prints = [
        read_training_data(path, DataOptions(negatives="dinucleotide", seed=seed)).record()["fingerprint"]
        for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_shuffles_go_with_their_positive_to_its_chromosome(tmp_path: Path) -> None:
    stream = rng(7)
    records = {f"chr{i % 4}:{100 * i}-{100 * i + 30}": random_text(stream, 30) for i in range(40)}
    options = DataOptions(negatives="dinucleotide", validation=("chr1",), test=("chr2",))
    data = read_training_data(write_fasta(tmp_path / "p.fa", records), options)
    assert data.record()["sizes"] == {"train": 40, "validation": 20, "test": 20}
    for split in ("validation", "test"):
        assert data.held_out(split).values.mean() == 0.5


def test_negatives_of_a_file_are_read_and_those_that_equal_a_positive_left_out(tmp_path: Path) -> None:
    stream = rng(8)
    texts = [random_text(stream, 30) for _ in range(40)]
    positives = write_fasta(tmp_path / "p.fa", {f"p{i}": text for i, text in enumerate(texts[:20])})
    others = {f"n{i}": text for i, text in enumerate(texts[20:])}
    others |= {"same": texts[0], "other strand": texts[1][::-1].translate(BOTH)}
    negatives = write_fasta(tmp_path / "n.fa", others)
    data = read_training_data(positives, DataOptions(negatives=str(negatives)))
    record = data.record()
    assert sum(record["sizes"].values()) == 40
    assert record["dropped"] == [["same", "has the bases of a positive"], ["other", "has the bases of a positive"]]
    assert record["notes"] == ["2 sequences left out, the first same: has the bases of a positive"]


def test_a_positive_that_is_its_own_only_shuffle_is_told(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "p.fa", {"a": "AAAAAAAA", "b": "CCCCCCCC"})
    with pytest.raises(CislensError, match=r"differ from every positive, but all 2 are the same"):
        read_training_data(path, DataOptions(negatives="dinucleotide"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, r"p.fa holds positives alone.*say --negatives dinucleotide, gc or a file"),
        ({"negatives": "shuffle"}, r"negatives must be dinucleotide, gc, or FASTA or BED.*got 'shuffle'"),
        ({"negatives": "gc"}, r"from a genome or a pool of candidates: say --genome FASTA or --pool"),
        ({"negatives": "gc", "genome": "g.fa"}, r"1 of 1 have none: give BED.*or candidates with --pool"),
        ({"negatives": "n.fa", "per_positive": 2}, r"2 negatives for each positive can be made, not read"),
        ({"negatives": "n.fa"}, r"sequences must be a file that exists, got n.fa"),
        ({"negatives": "dinucleotide", "values": ("x",)}, r"named for tables and files of arrays, got p.fa"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(options: dict, sentence: str, tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "p.fa", {"a": "ACGTACGT"})
    with pytest.raises(CislensError, match=sentence):
        read_training_data(path, DataOptions(**options))


def test_bins_of_gc_are_a_fiftieth_wide_and_count_bases_alone() -> None:
    texts = ["G" * gc + "A" * (100 - gc) for gc in range(101)]
    bins = gc_bins(Sequences.from_strings(texts).onehot)
    assert bins.tolist() == [min(gc // 2, 49) for gc in range(101)]
    assert gc_bins(Sequences.from_strings(["GANN", "NNNN"]).onehot).tolist() == [25, -1]


@settings(deadline=None, max_examples=100)
@given(
    spans=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 10)), max_size=8),
    region=st.tuples(st.sampled_from("ab"), st.integers(0, 45), st.integers(1, 10)),
)
def test_intervals_touch_where_they_share_a_base(
    spans: list[tuple[str, int, int]], region: tuple[str, int, int]
) -> None:
    def bases(chrom: str, start: int, length: int) -> set[tuple[str, int]]:
        return {(chrom, base) for base in range(start, start + length)}

    expected = any(bases(*region) & bases(*span) for span in spans)
    places = [Region(chrom, start, start + length) for chrom, start, length in (*spans, region)]
    assert touching(spans_of([*places[:-1], None]), [places[-1], None]).tolist() == [expected, False]


def test_intervals_of_a_genome_match_gc_chromosome_and_length_and_touch_no_positive(
    genome: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    path, letters = genome
    regions = peaks(letters)
    bed = write_bed(tmp_path / "p.bed", regions)
    labelled = against_negatives(bed, DataOptions(negatives="gc", genome=str(path)))
    places, values, texts = labelled.sequences.regions, labelled.values[:, 0], labelled.sequences.strings()
    negatives = [place for place, value in zip(places, values, strict=True) if value == 0 and place is not None]
    short = len(regions) - len(negatives)
    assert short <= 0.1 * len(regions)
    told = [note for note in labelled.sequences.notes if "found no interval" in note]
    assert bool(told) == bool(short)
    for a in negatives:
        assert not any(a.chrom == b.chrom and a.start < b.end and b.start < a.end for b in regions)
        assert sum(a.chrom == b.chrom and a.start < b.end and b.start < a.end for b in negatives) == 1
    for place, text in zip(places, texts, strict=True):
        assert place is not None
        written = letters[place.chrom][place.start : place.end]
        assert text == (written if place.strand == "+" else written[::-1].translate(BOTH))
        assert "N" not in text
    bins = gc_bins(labelled.sequences.onehot)
    for chrom in ("chr1", "chr2"):
        here = np.array([place is not None and place.chrom == chrom for place in places])
        counts = [np.bincount(bins[here & (values == value)], minlength=50) for value in (0, 1)]
        assert (counts[0] <= counts[1]).all()
        assert (counts[1] - counts[0]).sum() <= short


def test_each_positive_is_read_from_the_genome_once(
    genome: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, letters = genome
    regions = peaks(letters)
    bed = write_bed(tmp_path / "p.bed", regions)
    asked, read = [], Genome.read

    def counted(self: Genome, region: Region) -> bytes:
        asked.append(region)
        return read(self, region)

    monkeypatch.setattr(Genome, "read", counted)
    against_negatives(bed, DataOptions(negatives="gc", genome=str(path)))
    assert all(asked.count(region) == 1 for region in regions)


def test_intervals_of_a_genome_come_from_all_over_it(genome: tuple[Path, dict[str, str]]) -> None:
    path, letters = genome
    positives = Sequences(Sequences.from_strings([letters["chr3"][:40]]).onehot, ("p",), (Region("chr3", 0, 40),))
    starts = [
        place.start
        for seed in range(60)
        for place in gc_from_genome(positives, path, (), 1, ReadPolicy(), rng(seed)).regions
        if place is not None
    ]
    assert len({start % 40 for start in starts}) > 20
    assert min(starts) < 10_000
    assert max(starts) > 30_000


def test_a_window_of_a_peak_bars_the_whole_peak(tmp_path: Path) -> None:
    stream = rng(9)
    # A half is GC in every four bases, so that all of the peak would match its window.
    genome = write_fasta(
        tmp_path / "g.fa", {"c": "".join("".join(stream.permutation(list("ACGT"))) for _ in range(1000))}
    )
    bed = tmp_path / "p.bed"
    bed.write_text("c\t0\t3012\n")
    for seed in range(20):
        options = DataOptions(negatives="gc", genome=str(genome), length=20, fit="resize-center", seed=seed)
        positive, negative = against_negatives(bed, options).sequences.regions
        assert positive == Region("c", 1496, 1516)
        assert negative is not None
        assert negative.start >= 3012


def test_too_few_intervals_are_a_sentence(genome: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    path, letters = genome
    bed = write_bed(tmp_path / "p.bed", peaks(letters))
    with pytest.raises(CislensError, match=r"nine in ten .* but [\d,]+ of 8,400 negatives found no interval .* g.fa:"):
        read_training_data(bed, DataOptions(negatives="gc", genome=str(path), per_positive=200))


def test_a_genome_without_the_chromosome_is_refused(genome: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    fasta = write_fasta(tmp_path / "p.fa", {"chr9:0-8": "ACGTACGT"})
    with pytest.raises(CislensError, match=r"must hold the chromosomes of the positives, but chr9 is not in"):
        read_training_data(fasta, DataOptions(negatives="gc", genome=str(genome[0])))


def test_repeats_count_as_unknown_where_lower_case_is_n(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": "ACGT" * 10 + "acgt" * 500 + "ACGT" * 30})
    positives = Sequences(Sequences.from_strings(["ACGT" * 10]).onehot, ("p",), (Region("c", 0, 40),))
    starts: dict[str, list[int]] = {}
    for lowercase in ("keep", "n"):
        for seed in range(20):
            (place,) = gc_from_genome(positives, genome, (), 1, ReadPolicy(lowercase), rng(seed)).regions
            assert place is not None
            starts.setdefault(lowercase, []).append(place.start)
    assert min(starts["n"]) >= 2040
    assert min(starts["keep"]) < 2000


def test_a_pool_gives_the_same_bins_each_candidate_once_and_none_over_a_positive() -> None:
    stream = rng(10)
    texts = [random_text(stream, 50, gc) for gc in stream.uniform(0.3, 0.7, 400)]
    pool = Sequences(
        Sequences.from_strings(texts).onehot,
        tuple(f"c{i}" for i in range(400)),
        tuple(Region("c", 50 * i, 50 * i + 50) if i % 2 else None for i in range(400)),
    )
    onehot = Sequences.from_strings(texts[100:140]).onehot
    positives = Sequences(onehot, pool.ids[100:140], tuple(Region("c", 50 * i, 50 * i + 50) for i in range(100, 140)))
    chosen = gc_from_pool(positives, pool, 2, rng())
    assert len(set(chosen.ids)) == len(chosen) >= 72
    assert not set(chosen.ids) & {f"c{i}" for i in range(101, 140, 2)}
    wanted, found = (np.bincount(gc_bins(s.onehot), minlength=50) for s in (positives, chosen))
    assert (found <= 2 * wanted).all()
    short = 2 * len(positives) - len(chosen)
    assert (2 * wanted - found).sum() == short
    assert chosen.notes == (
        (f"{short} of 80 negatives found no interval of their positive's GC left in the pool",) * (short > 0)
    )


def test_a_pool_that_is_too_small_is_a_sentence(tmp_path: Path) -> None:
    positives = write_fasta(tmp_path / "p.fa", {f"p{i}": "GC" * i + "AT" * (10 - i) for i in range(1, 9)})
    pool = write_fasta(tmp_path / "pool.fa", {"a": "GACATATATATATATATATA"})
    with pytest.raises(
        CislensError, match=r"7 of 8 negatives found no interval .* left in the pool: give a larger one"
    ):
        read_training_data(positives, DataOptions(negatives="gc", pool=str(pool)))
