"""The loci of SQUID's benchmark of consistency: models, and random sequences into which a site was written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measure import real_data

from cislens import Oracle, Sequences, Targeted, open_oracle, read_sequences
from cislens.backgrounds import Frequencies
from cislens.consistency import Sites
from cislens.context import stream
from cislens.dinucleotide import shuffle_dinucleotides

Array = npt.NDArray[Any]
AT_ONCE = 200  # sequences drawn before those that gain are chosen
GAIN = 0.5  # of the prediction by the site, below which a sequence is left out: as in the peer's protocol


@dataclass(frozen=True)
class Loci:
    """Say which model is asked, and of what sequences.

    Parameters
    ----------
    model
        Its name in cells.
    target
        What is explained.
    consensus, start
        The site, and where it is written.
    open
        Opens the model.
    background
        Draws n sequences (n, length, 4) without the site from a stream.
    stream
        Names the random stream: models of one stream see the same sequences.
    """

    model: str
    target: str
    consensus: str
    start: int
    open: Callable[[], Oracle]
    background: Callable[[int, np.random.Generator], Array]
    stream: str

    def sites(self, n: int, flank: int) -> Sites:
        """Return where the site is in n sequences."""
        return Sites(np.full(n, self.start), len(self.consensus), flank)

    def draw(self, n: int, seed: int, mutations: int = 0) -> Sequences:
        """Return the first n sequences whose prediction gains from the site, with a number of bases mutated."""
        rng = stream(seed, "consistency", self.stream, str(mutations))
        targeted, drawn = self.targeted(), 0
        kept: list[Array] = []
        ids: list[str] = []
        while len(kept) < n:
            without = self.background(AT_ONCE, rng)
            with_site = without.copy()
            with_site[:, self.start : self.start + len(self.consensus)] = self.written(AT_ONCE, mutations, rng)
            gains = (targeted.predict(with_site) - targeted.predict(without))[:, 0] >= GAIN
            kept += list(with_site[gains])
            ids += [f"{mutations}.{drawn + row}" for row in np.flatnonzero(gains)]
            drawn += AT_ONCE
        return Sequences(np.stack(kept[:n]), tuple(ids[:n]))

    def written(self, n: int, mutations: int, rng: np.random.Generator) -> Array:
        """Return n copies of the site (n, width, 4), in each of which so many bases were changed."""
        codes = np.tile(["ACGT".index(base) for base in self.consensus], (n, 1))
        places = rng.permuted(np.tile(np.arange(codes.shape[1]), (n, 1)), axis=1)[:, :mutations]
        changed = (np.take_along_axis(codes, places, 1) + rng.integers(1, 4, places.shape)) % 4
        np.put_along_axis(codes, places, changed, 1)
        return np.eye(4, dtype=np.uint8)[codes]

    @cache  # noqa: B019  # loci live as long as the process does
    def oracle(self) -> Oracle:
        """Return the model, opened once."""
        return self.open()

    def targeted(self) -> Targeted:
        """Return the model as what is explained."""
        return self.oracle().select(self.target)


def deepstarr() -> Oracle:
    return open_oracle("arch:deepstarr", real_data() / "checkpoints/deepstarr/deepstarr.model.h5")


def enhancer() -> Sequences:
    return read_sequences(real_data() / "sequences/deepstarr_enhancer.fa")


def gabpa(stage: str) -> Oracle:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "real"))
    from gabpa_keras import gabpa as network

    return open_oracle(network(), real_data() / f"checkpoints/gabpa/gabpa_{stage}_23.h5")


def shuffled_enhancer(n: int, rng: np.random.Generator) -> Array:
    return shuffle_dinucleotides(enhancer().onehot, n, rng)[0]


def independent_bases(n: int, rng: np.random.Generator) -> Array:
    return Frequencies((0.3, 0.2, 0.2, 0.3)).sample(np.full((1, 200, 4), (1, 0, 0, 0), np.uint8), n, rng)[0]


LOCI = (
    Loci("deepstarr", "Dev", "TGACTCA", 121, deepstarr, shuffled_enhancer, "deepstarr"),
    *(
        Loci(
            f"gabpa_{stage}",
            "binding:logit",
            "ACCGGAAGT",
            96,
            lambda stage=stage: gabpa(stage),
            independent_bases,
            "gabpa",
        )
        for stage in ("early", "final")
    ),
)
