"""Score 10,000 variants with DeepSTARR and predict their 20,000 windows: time of the one over the other, memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import alternate, peak_memory, pin_to_one_core, ratio, real_data, record

VARIANTS = 10_000
MANY = 100_000  # for memory, which must not grow with their number
APART = 3  # bp between variants, so that no two share a window
LENGTH = 249
BATCH = 64
ROUNDS = 5
HERE = Path(__file__).parent


def write_inputs(folder: Path, n: int) -> tuple[Path, Path]:
    """Write a random genome and single substitutions in it; return the paths of VCF and genome."""
    import numpy as np

    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", np.uint8)
    codes = rng.integers(0, 4, n * APART + 2 * LENGTH)
    text = letters[codes].tobytes().decode()
    genome, vcf = folder / "genome.fa", folder / "variants.vcf"
    genome.write_text(">chr1\n" + "\n".join(text[i : i + 60] for i in range(0, len(text), 60)) + "\n")
    with vcf.open("w") as file:
        file.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for i in range(n):
            at = LENGTH + i * APART
            alt = "ACGT"[(codes[at] + 1 + i % 3) % 4]
            file.write(f"chr1\t{at + 1}\t.\t{text[at]}\t{alt}\t.\t.\t.\n")
    return vcf, genome


def deepstarr() -> Any:
    from cislens import open_oracle

    weights = real_data() / "checkpoints/deepstarr/deepstarr.model.h5"
    return open_oracle("arch:deepstarr", weights, batch_size=BATCH)


def windows(vcf: Path, genome: Path) -> Any:
    """Return the 20,000 windows, one-hot, as who predicts them by hand would have them ready."""
    from cislens.sequences.genome import open_genome
    from cislens.variants import open_vcf
    from cislens.variants.alleles import Windows
    from cislens.variants.scores import encoded

    with open_genome(genome) as contigs, open_vcf(vcf) as variants:
        cut = Windows(contigs, LENGTH)
        pairs = [allele.windows for record in variants.records for allele in cut.of(record)]
    return encoded([window for pair in pairs if pair for window in pair])


def score(oracle: Any, vcf: Path, genome: Path, output: Path) -> None:
    from cislens.variants import VariantRun, write_variants

    write_variants(oracle, vcf, genome, output, ["Dev", "Hk"], VariantRun(overwrite=True))


def memory(n: int) -> float:
    """Return peak memory in MB of a process that scores n variants by a model that costs nothing."""
    command = [sys.executable, __file__, "--memory", str(n)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def memory_case(n: int) -> None:
    from cislens import open_oracle

    oracle = open_oracle(lambda x: {"Dev": x[:, 124, 0], "Hk": x[:, 124, 2]}, length=LENGTH, batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder:
        score(oracle, *write_inputs(Path(folder), n), Path(folder) / "effects.vcf.gz")
    print(peak_memory())


def main() -> None:
    oracle = deepstarr()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vcf, genome = write_inputs(folder, VARIANTS)
        x = windows(vcf, genome)
        calls = {
            "variants": lambda: score(oracle, vcf, genome, folder / "effects.vcf.gz"),
            "predict": lambda: oracle.predict(x),
        }
        seconds = alternate(calls, ROUNDS)
    few, many = memory(VARIANTS), memory(MANY)
    rows = [
        row("time of 10,000 variants over predicting 20,000 sequences", ratio(seconds, *calls), "x", 1.2),
        row("peak memory of 100,000 variants over that of 10,000", many / few, "x", 1.2),
    ]
    settings = {
        "variants": VARIANTS,
        "sequences": len(x),
        "batch": BATCH,
        "seconds": {name: round(statistics.median(times), 3) for name, times in seconds.items()},
        "peak MB": {str(VARIANTS): round(few), str(MANY): round(many)},
        "cores": 1,
    }
    record("variants", rows, settings)


def row(measure: str, value: float, unit: str, bound: float) -> dict[str, Any]:
    return {
        "measure": f"DeepSTARR: {measure}",
        "value": value,
        "unit": unit,
        "bound": bound,
        "peer": "cislens's own predict",
    }


if __name__ == "__main__":
    pin_to_one_core()
    if "--memory" in sys.argv:
        memory_case(int(sys.argv[-1]))
    else:
        main()
