"""Consistency of maps over loci, as in SQUID's paper: attribution errors, their change by overfitting, and weak sites.

Explainers have their default settings, but that SmoothGrad takes the paper's noise; none was chosen on these sequences.
Maps are kept in the scratch folder, block by block. CISLENS_REAL_DATA is needed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fidelity.cells import Cell, main
from fidelity.consistency_loci import GAIN, LOCI, Loci, enhancer

from cislens import MotifReport, Oracle, Run, explain, open_oracle
from cislens.consistency import attribution_error, attribution_error_of, standardised, weak_sites
from cislens.databases import load
from cislens.explainer import parse_explainer
from cislens.motif import Motif
from cislens.report import join
from cislens_squid.library import Library
from cislens_squid.running import fitted, local_library
from cislens_squid.squid import Squid

Array = npt.NDArray[Any]
SEED = 0
SEQUENCES = 50
FLANK = 15
BLOCK = 5  # sequences that are lost by a kill at most
LIBRARY_BLOCK = 2_048  # sequences of a library that the model is asked at a time
# The surrogates last, ridge before the curve: the second reads the answers that the first asked for.
EXPLAINERS = {
    "ism": "ism",
    "saliency": "saliency",
    "smoothgrad": "smoothgrad:noise=0.25",
    "deeplift_shap": "deeplift_shap",
    "ridge": "squid:surrogate=ridge",
    "squid": "squid",
}
OF_WEAK_SITES = ("ism", "saliency", "ridge", "squid")
MUTATIONS = (0, 1, 2)
HELD_OUT = 10_000  # variants of an independent library, on which fits are measured
FITS = (0, 1, 2)  # seeds of libraries
PWM = "MA0062.4"  # GABPA in JASPAR; the site is the first nine bases of its reverse complement


@cache
def remembering(loci: Loci) -> Oracle:
    """Return the model as a function that answers the same library once, for surrogates that share their libraries."""
    targeted, held = loci.targeted(), dict[bytes, Array]()

    def answer(x: Array) -> Array:
        key = hashlib.blake2b(np.packbits(x.astype(bool)).tobytes()).digest()
        if key not in held:
            held[key] = targeted.predict(x.astype(np.uint8))
        return held[key]

    return open_oracle(answer, length=targeted.length, batch_size=LIBRARY_BLOCK)


def written(loci: Loci, label: str, mutations: int, scratch: Path) -> MotifReport:
    """Return the maps of sequences with the site, by one explainer; what the scratch folder holds is not done again."""
    name = f"{label}.{mutations}"
    run = Run(store=scratch / f"consistency.{loci.model}.zarr", label=name, block=BLOCK)
    sequences = loci.draw(SEQUENCES, SEED, mutations)
    if label in ("ridge", "squid"):
        return explain(remembering(loci), sequences, EXPLAINERS[label], seed=SEED, run=run)
    return explain(loci.oracle(), sequences, EXPLAINERS[label], loci.target, SEED, run)


# ---- the cells ------------------------------------------------------------------------------------------------


def errors(loci: Loci, label: str, folder: Path) -> Mapping[str, Any]:
    """Return the attribution error of each sequence, and what tells how well surrogates fit."""
    report = written(loci, label, 0, folder.parent)
    found = attribution_error_of(report, loci.sites(len(report.sequences), FLANK))[0]
    fit = {name: report.validity.measures[name][0].tolist() for name in ("r2_mode",) if label in ("ridge", "squid")}
    return {"ids": report.sequences.ids, "dropped": len(report.dropped), "errors": found.tolist(), **fit}


def shared(loci: Loci, folder: Path) -> Mapping[str, Any]:
    """Return the errors of a map that is the same for all sequences: the mean of SQUID's, whatever the sequence."""
    report = written(loci, "squid", 0, folder.parent)
    assert report.attributions is not None
    maps = standardised(report.attributions.values[0])
    same = np.tile(maps.mean(0), (len(maps), 1, 1))
    return {"errors": attribution_error(same, loci.sites(len(maps), FLANK)).tolist()}


def change(early: Loci, final: Loci, label: str, folder: Path) -> Mapping[str, Any]:
    """Return the distance of the standardised maps of two models, of each sequence that both were explained on."""
    reports = [written(loci, label, 0, folder.parent) for loci in (early, final)]
    both = [name for name in reports[0].sequences.ids if name in reports[1].sequences.ids]
    maps = []
    for report in reports:
        assert report.attributions is not None
        rows = [report.sequences.ids.index(name) for name in both]
        maps.append(standardised(report.attributions.values[0, rows]))
    return {"ids": both, "distances": np.sqrt(((maps[0] - maps[1]) ** 2).sum((-2, -1))).tolist()}


def weak(loci: Loci, label: str, folder: Path) -> Mapping[str, Any]:
    """Return mutations, score and attribution error of sites that are the consensus, or nearly so."""
    report = join([written(loci, label, mutations, folder.parent) for mutations in MUTATIONS])
    sites = loci.sites(len(report.sequences), FLANK)
    table = weak_sites(report, sites, loci.consensus, pwm(len(loci.consensus)))
    return {name: table[name].tolist() for name in ("sequence", "mutations", "pwm_score", "error")}


def pwm(width: int) -> Motif:
    (motif,) = (motif for motif in load("jaspar_vertebrates").motifs if motif.id == PWM)
    return motif.reverse_complement().window(0, width)


def fit(library: int, label: str, _: Path) -> Mapping[str, Any]:
    """Return how well surrogates fit the enhancer on which the peer's were measured, on an independent library."""
    targeted, (onehot,) = LOCI[0].targeted(), enhancer().onehot
    squid = replace(parse_explainer(EXPLAINERS[label]).explainer, library=library)
    assert isinstance(squid, Squid)

    def answered(size: int, rng: np.random.Generator) -> tuple[Library, Array]:
        made = local_library(replace(squid, library=size), onehot, rng)
        return made, targeted.predict(made.blocks())[:, 0].astype(float)

    other, truth = answered(HELD_OUT, np.random.default_rng(len(FITS)))
    r2 = []
    for seed in FITS:
        rng = np.random.default_rng(seed)
        made, y = answered(library, rng)
        surrogate = fitted(squid, made, y, rng.permutation(len(made)))
        answers = surrogate.most_probable(surrogate.latent(surrogate.genotype.design(other)))
        r2.append(1 - float(((truth - answers) ** 2).mean() / truth.var()))
    return {"r2_mode": r2}


def cells() -> Iterator[Cell]:
    fixed = {"seed": SEED, "sequences": SEQUENCES, "gain": GAIN, "flank": FLANK}
    early, final = LOCI[1:]
    for loci in LOCI:
        where = {**fixed, "target": loci.target, "consensus": loci.consensus, "start": loci.start}
        for label, explainer in EXPLAINERS.items():
            settings = {**where, "explainer": explainer}
            yield Cell(f"consistency.{loci.model}.{label}", partial(errors, loci, label), settings)
        yield Cell(f"consistency.{loci.model}.shared", partial(shared, loci), where)
    for label, explainer in EXPLAINERS.items():
        settings = {**fixed, "explainer": explainer, "models": [early.model, final.model]}
        yield Cell(f"consistency_change.gabpa.{label}", partial(change, early, final, label), settings)
    for label in ("ridge", "squid"):
        for library in (10_000, 20_000):
            settings = {"seeds": FITS, "explainer": EXPLAINERS[label], "library": library, "held out": HELD_OUT}
            yield Cell(f"consistency_fit.deepstarr.{label}.{library}", partial(fit, library, label), settings)
    for loci in (early, final):
        for label in OF_WEAK_SITES:
            settings = {**fixed, "explainer": EXPLAINERS[label], "mutations": MUTATIONS, "pwm": PWM}
            yield Cell(f"consistency_weak.{loci.model}.{label}", partial(weak, loci, label), settings)


if __name__ == "__main__":
    main(list(cells()))
