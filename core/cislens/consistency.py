"""How alike the maps of one site are over many loci: attribution errors, also of sites with mutations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.discovery.matching import Matching
from cislens.errors import ReportError, SequenceError
from cislens.gauges import to_gauge
from cislens.sequences.alphabet import rows_of
from cislens.sequences.container import BASES, OneHot

if TYPE_CHECKING:
    import pandas as pd

    from cislens.motif import Motif
    from cislens.report import MotifReport

Array = npt.NDArray[Any]
FLANK = 15  # bp, as in the paper's Figure 2
ROUNDING = 1e-12  # of a map's largest value, below which a difference between bases is none


@dataclass(frozen=True, eq=False)
class Sites:
    """Say where the site is in each sequence; all read as the consensus does, on the strand that is given.

    Parameters
    ----------
    starts
        (n,), 0-based, of the site's first base.
    width
        Of the site in bp.
    flank
        How many bp on either side are compared, too.

    Raises
    ------
    ReportError
        If a width is no width, or there is no site.
    """

    starts: Array
    width: int
    flank: int = FLANK

    def __post_init__(self) -> None:
        if self.starts.ndim != 1 or not len(self.starts) or self.width < 1 or self.flank < 0:
            raise ReportError(
                f"sites must have one start a sequence, a width of 1 at least and no negative flank, got starts of "
                f"shape {self.starts.shape}, width {self.width} and flank {self.flank}"
            )

    def cropped(self, values: Array, flank: int | None = None) -> Array:
        """Return the rows of values (..., n, length, 4) at the sites and flanks, (..., n, width + 2 flanks, 4).

        Raises
        ------
        ReportError
            If there are not as many sequences as sites, or a site with its flanks does not lie within its sequence.
        """
        flank = self.flank if flank is None else flank
        n, length = values.shape[-3:-1]
        places = self.starts[:, None] - flank + np.arange(self.width + 2 * flank)
        if n != len(self.starts):
            raise ReportError(f"there must be a site for each of {n} sequences, got {len(self.starts)}")
        if places.min() < 0 or places.max() >= length:
            raise ReportError(
                f"sites with {flank} bp on either side must lie within {length} bp, got {places.min()} to "
                f"{places.max() + 1}: leave out what is too near an end, or ask for a smaller flank"
            )
        return np.asarray(values[..., np.arange(n)[:, None], places, :])


def standardised(maps: Array) -> Array:
    """Return maps without what cannot be compared: the mean over the bases of each position, and the scale.

    Parameters
    ----------
    maps : (..., length, 4)
        What each base would contribute at each position.

    Returns
    -------
    (..., length, 4)
        In the uniform gauge, of variance one over the whole map; without a unit.

    Raises
    ------
    ReportError
        If a map says the same of all bases everywhere, so that it has no scale.

    References
    ----------
    Seitz et al. 2024, 10.1038/s42256-024-00851-5, Methods. Their standardisation of variant effects is our wild-type
    gauge, `to_gauge`.
    """
    maps = np.asarray(maps, float)
    centred, _ = to_gauge(maps, "uniform")
    scale = centred.std((-2, -1), keepdims=True)
    if not (scale > ROUNDING * np.abs(maps).max((-2, -1), keepdims=True)).all():
        raise ReportError("maps must tell bases apart somewhere, got one that does not: leave its sequence out")
    return np.asarray(centred / scale)


def ensemble_mean(maps: Array, sites: Sites) -> Array:
    """Return the mean over sequences of standardised maps (..., n, length, 4) at their sites, (..., window, 4)."""
    return np.asarray(sites.cropped(standardised(maps)).mean(-3))


def attribution_error(maps: Array, sites: Sites, ensemble: Array | None = None) -> Array:
    """Return how far the map of each site is from the mean map of all.

    One site works by one mechanism, so its map should look alike wherever it stands; what differs from locus to locus
    is neighbourhood, or noise of the method. The caveat: a method that returns the same map whatever the model has no
    error at all. So it says which of two faithful methods is less noisy, not that one is faithful.

    Parameters
    ----------
    maps : (..., n, length, 4)
        Of whole sequences, which are standardised whole before they are cropped.
    sites
        Where the site is in each, and how much of its flanks counts.
    ensemble : (..., width + 2 flanks, 4)
        What the maps are compared with; by default their own mean. Of weak sites: `ensemble_mean` of the strong ones.

    Returns
    -------
    (..., n)
        Euclidean distances, in standard deviations of a map; 0 where it equals the mean.

    Raises
    ------
    ReportError
        If sites and maps do not fit, or a map has no scale.

    References
    ----------
    Seitz et al., Interpreting cis-regulatory mechanisms from genomic deep neural networks using surrogate models, 2024,
    10.1038/s42256-024-00851-5.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.array([1.0, 0.0, 0.0, -1.0])
    >>> maps = np.array([[row, row], [row, -row]])
    >>> attribution_error(maps, Sites(np.array([0, 0]), width=2, flank=0)).round(6)
    array([2., 2.])
    """
    cropped = sites.cropped(standardised(maps))
    middle = cropped.mean(-3) if ensemble is None else ensemble
    return np.asarray(np.sqrt(((cropped - middle[..., None, :, :]) ** 2).sum((-2, -1))))


def attribution_error_of(report: MotifReport, sites: Sites, ensemble: Array | None = None) -> Array:
    """Return the attribution errors (t, n) of a report's maps, as `attribution_error` does.

    Raises
    ------
    ReportError
        If the report holds no maps, or maps that speak of the sequences' own bases alone.
    """
    return attribution_error(_maps(report), sites, ensemble)


def mutations_of(onehot: OneHot, sites: Sites, consensus: str) -> Array:
    """Return how many bases of each site differ from the consensus, (n,); an N differs.

    Raises
    ------
    SequenceError
        If the consensus is not of the sites' width, in A, C, G and T.
    """
    if len(consensus) != sites.width or not set(consensus) <= set(BASES):
        raise SequenceError(f"the consensus must be {sites.width} of A, C, G and T, got {consensus!r}")
    same = sites.cropped(onehot, flank=0) & rows_of(consensus.encode())
    return np.asarray(sites.width - same.sum((-2, -1), dtype=int))


def site_scores(onehot: OneHot, sites: Sites, motif: Motif) -> Array:
    """Return the log-odds (n,) in bits of each site, of the motif against its background; N counts for nothing.

    Raises
    ------
    ReportError
        If the motif is not of the sites' width.
    """
    if len(motif) != sites.width:
        raise ReportError(f"the motif must be {sites.width} bp wide as the sites are, got {len(motif)}: cut a window")
    return np.asarray((sites.cropped(onehot, flank=0) * Matching(motif).odds).sum((-2, -1)))


def weak_sites(report: MotifReport, sites: Sites, consensus: str, motif: Motif) -> pd.DataFrame:
    """Return the attribution error of each site against the mean of those that are the consensus, and its strength.

    A weak site that works should look as the consensus does; its signal is smaller, so that a noisy method loses it
    sooner. `by_mutations` sums the table up.

    Returns
    -------
    pandas.DataFrame
        A row a target and sequence: target, sequence, mutations (bases that differ from the consensus), pwm_score
        (bits), error.

    Raises
    ------
    ReportError
        If no site is the consensus, or sites, maps and motif do not fit.

    References
    ----------
    Seitz et al. 2024, 10.1038/s42256-024-00851-5, Figure 5, with 0, 1 and 2 mutations.
    """
    import pandas as pd

    maps, onehot = _maps(report), report.sequences.onehot
    mutations = mutations_of(onehot, sites, consensus)
    strong = mutations == 0
    if not strong.any():
        raise ReportError(f"some sites must be the consensus {consensus}, with which the others are compared, got none")
    ensemble = ensemble_mean(maps[:, strong], Sites(sites.starts[strong], sites.width, sites.flank))
    errors, n = attribution_error(maps, sites, ensemble), len(report.sequences)
    return pd.DataFrame(
        {
            "target": np.repeat(report.targets or tuple(map(str, range(len(errors)))), n),
            "sequence": np.tile(report.sequences.ids, len(errors)),
            "mutations": np.tile(mutations, len(errors)),
            "pwm_score": np.tile(site_scores(onehot, sites, motif), len(errors)),
            "error": errors.ravel(),
        }
    )


def by_mutations(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each target and number of mutations how many sites there are, their mean score, and their error.

    Parameters
    ----------
    table
        As `weak_sites` returns it.

    Returns
    -------
    pandas.DataFrame
        target, mutations, sites, pwm_score (mean), error (mean), error_sd (NaN of a single site).
    """
    groups = table.groupby(["target", "mutations"], sort=True)
    found = groups.agg(
        sites=("error", "size"), pwm_score=("pwm_score", "mean"), error=("error", "mean"), error_sd=("error", "std")
    )
    return found.reset_index()


def _maps(report: MotifReport) -> Array:
    if report.attributions is None or not report.attributions.hypothetical:
        raise ReportError(
            f"maps of one site are compared over all four bases, but this report of {report.provenance.explainer!r} "
            "does not hold them: choose an explainer such as ism or squid"
        )
    return report.attributions.values
