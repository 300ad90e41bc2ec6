"""What is known of toys, and must show in every map of them."""

from __future__ import annotations

import numpy as np

from cislens.report import MotifReport
from cislens.testing.contract import Array, require
from cislens.testing.toys import LinearToy, MotifToy

CORRELATION = 0.9  # with the exact map; methods that look through windows of a few bp blur it, and reach it
SHARE = 0.5  # of the absolute map that must lie on the motif, which covers a fifth of the sequence


def require_linear_truth(report: MotifReport, toy: LinearToy, name: str) -> None:
    """Raise unless maps of a linear toy correlate with its weights at the sequences' bases, on average over them."""
    exact = (toy.attribution(report.sequences) * report.sequences.onehot).sum(-1)
    correlation = float(np.mean([correlated(*pair) for pair in zip(report.contributions()[0], exact[0], strict=True)]))
    require(
        correlation > CORRELATION,
        f"{name} on the {toy.name}: expected maps that correlate with its weights by more than {CORRELATION}, "
        f"got {correlation:.3f}",
    )


def correlated(one: Array, two: Array) -> float:
    """Return Pearson's correlation, 0 where either does not vary."""
    spread = float(one.std() * two.std())
    return float(np.mean((one - one.mean()) * (two - two.mean()))) / spread if spread > 0 else 0.0


def require_motif_found(report: MotifReport, toy: MotifToy, name: str) -> None:
    """Raise unless maps, or masks, lie mostly on the planted motif."""
    length = report.sequences.length
    sites = toy.sites(report.sequences)
    on_site = (np.arange(length) >= sites[:, :1]) & (np.arange(length) < sites[:, 1:])
    if report.attributions is not None:
        size = np.abs(report.contributions()[0])
        total = size.sum(1)
        share = float(np.mean((size * on_site).sum(1) / np.where(total > 0, total, 1)))
        require(
            share > SHARE,
            f"{name} on the {toy.name}: expected more than {SHARE} of the absolute map on the planted motif, "
            f"got {share:.3f}",
        )
    if report.masks is not None:
        mask = report.masks.values[0]
        inside, outside = float(mask[on_site].mean()), float(mask[~on_site].mean())
        require(
            inside > outside,
            f"{name} on the {toy.name}: expected a mask larger on the planted motif than beside it, "
            f"got {inside:.3f} and {outside:.3f}",
        )
