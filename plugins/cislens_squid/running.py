"""One run of SQUID: a library, its answers, and a surrogate for each target, sequence after sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import numpy.typing as npt

from cislens import Attributions, Context, MotifReport, Sequences, Targeted
from cislens.report import Validity
from cislens.scores import pearson
from cislens.sequences.codes import codes_with_n
from cislens_squid.describing import Described, describe
from cislens_squid.fitting import Form, Penalties, fit
from cislens_squid.genotype import GenotypeMap, LinearMap, Order
from cislens_squid.library import Library, mutable_sites
from cislens_squid.mavenn_backend import fit_by_mavenn
from cislens_squid.module_map import module_map
from cislens_squid.mutagenesis import (
    Substitutions,
    all_double_mutants,
    all_single_mutants,
    changed,
    exact_mutagenesis,
    partial_mutagenesis,
)
from cislens_squid.noise import Noise
from cislens_squid.nonlinearity import Nonlinearity
from cislens_squid.ridge import RIDGE, fit_by_ridge
from cislens_squid.squid import Squid
from cislens_squid.surrogate import Surrogate, fit_surrogate
from cislens_squid.surrogate_settings import SurrogateSettings

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
POOR = 0.5  # share of the held-out variance below which a surrogate does not stand for the model
OF_PREDICTING = 0.8  # share of the work on a sequence, as progress counts it
AGREEMENT = "correlation_with_single_mutants"


def explained(squid: Squid, oracle: Targeted, sequences: Sequences, context: Context) -> MotifReport:
    """Return the report of the sequences."""
    described = [
        _of_sequence(squid, oracle, onehot, context, i, len(sequences)) for i, onehot in enumerate(sequences.onehot)
    ]
    targets = [str(target) for target in oracle.targets]
    by_target = list(zip(*described, strict=True))
    measures = {
        name: np.array([[found.measures[name] for found in row] for row in by_target])
        for name in described[0][0].measures
    }
    values, errors = (
        np.array([[getattr(found, part) for found in row] for row in by_target]) for part in ("values", "errors")
    )
    return MotifReport(
        sequences,
        attributions=Attributions(values, gauge=squid.gauge, unit="latent phenotype"),
        standard_errors=errors,
        curves=named_table([found.curve for row in described for found in row], targets, sequences.ids),
        interactions=named_table([found.interactions for row in described for found in row], targets, sequences.ids)
        if "interactions" in squid.fills
        else None,
        validity=Validity(measures, warnings=_warnings(squid, measures["r2_mode"], sequences.ids)),
    )


def _of_sequence(
    squid: Squid, oracle: Targeted, onehot: Array, context: Context, i: int, n: int
) -> tuple[Described, ...]:
    """Describe one sequence's surrogates, one a target."""
    rng = context.rng(i)
    library = local_library(squid, onehot, rng)
    order = rng.permutation(len(library))
    answers = answered(oracle, library, context, i, n)
    effects = _single_effects(oracle, onehot, library, context.predictions[i])
    found = []
    for t in range(len(oracle.targets)):
        surrogate = fitted(squid, library, answers[:, t], order)
        described = describe(surrogate, library, answers[:, t], squid.gauge, squid.interactions)
        described.measures[AGREEMENT] = _agreement(described.values, effects[:, t], library)
        found.append(described)
        context.progress(i + OF_PREDICTING + (1 - OF_PREDICTING) * (t + 1) / len(oracle.targets), n)
    return tuple(found)


def answered(oracle: Targeted, library: Library, context: Context, number: int, of: int) -> Array:
    """Return the targets' values (n, t) of a library, which is one of so many."""

    def blocks() -> Iterator[Array]:
        done = 0
        for block in library.blocks():
            yield block
            done += len(block)
            context.progress(number + OF_PREDICTING * done / len(library), of)

    return np.asarray(oracle.predict(blocks()), np.float64)


def local_library(squid: Squid, onehot: Array, rng: np.random.Generator) -> Library:
    """Return the library of a sequence (length, 4), the wild type first."""
    codes = codes_with_n(onehot)
    sites = mutable_sites(codes, squid.span(len(codes)))
    drawn = substituted(squid, len(sites), rng).after_wild_type()
    return Library(codes, sites, codes[sites], drawn)


def substituted(squid: Squid, width: int, rng: np.random.Generator) -> Substitutions:
    """Return the substitutions of the variants of an element, its wild type left out."""
    if squid.mutagenesis == "singles":
        return all_single_mutants(width)
    if squid.mutagenesis == "doubles":
        return all_double_mutants(width)
    n = squid.library - 1
    if squid.mutagenesis == "exactly":
        return exact_mutagenesis(width, n, squid.substitutions, rng)
    return partial_mutagenesis(width, n, squid.rate, rng)


def fitted(settings: SurrogateSettings, library: Library, y: Array, order: Array) -> Surrogate:
    """Fit the surrogate that the settings ask for to answers y (n,)."""
    genotype: GenotypeMap
    if settings.gp_map in get_args(Order):
        genotype = LinearMap(library.width, cast(Order, settings.gp_map))
    else:
        genotype = module_map(settings.gp_map, library.width)
    if settings.surrogate == "ridge":
        return fit_surrogate(genotype, library, y, RIDGE, order, fit_by_ridge)
    form = Form(
        Nonlinearity(settings.nonlinearity, settings.monotonic, settings.nodes),
        Noise(settings.noise, settings.noise_order),
        Penalties(settings.penalty),
        settings.patience,
    )
    return fit_surrogate(genotype, library, y, form, order, fit_by_mavenn if settings.backend == "mavenn" else fit)


def _single_effects(oracle: Targeted, onehot: Array, library: Library, wild: Array) -> Array:
    """Return by how much each single mutant of the element changes the targets, (3 x width, t)."""
    mutants = all_single_mutants(library.width)
    bases = changed(library.wild[mutants.sites], mutants.changes)
    sites = np.stack([np.zeros(len(mutants), np.intp), library.sites[mutants.sites], bases], 1)
    answers = np.empty((len(sites), len(oracle.targets)))
    for rows, values in oracle.substitutions(onehot[None], sites):
        answers[rows] = values
    return np.asarray(answers - wild)


def _agreement(values: Array, effects: Array, library: Library) -> float:
    """Return the correlation of the map's single substitutions with the model's; NaN where either does not vary."""
    inside = values[library.sites]
    bases = changed(library.wild[:, None], np.arange(3))
    ours = np.take_along_axis(inside, bases, 1) - np.take_along_axis(inside, library.wild[:, None].astype(int), 1)
    return pearson(ours.ravel(), effects)


def named_table(parts: list[pd.DataFrame], targets: list[str], ids: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of all sequences and targets, with both named."""
    import pandas as pd

    names = [(target, name) for name in ids for target in targets]
    named = [part.assign(target=target, sequence=name) for part, (target, name) in zip(parts, names, strict=True)]
    filled = [part for part in named if len(part)] or named[:1]
    columns = ["target", "sequence", *parts[0].columns]
    return pd.concat(filled, ignore_index=True)[columns]


def _warnings(squid: Squid, r2: Array, ids: tuple[str, ...]) -> tuple[str, ...]:
    if squid.mutagenesis == "singles":
        return (
            "each substitution is in one variant of all single mutants, so that those of the two fifths held out were "
            "never seen, and are zero in the map: take mutagenesis=doubles or poisson, or the explainer ism",
        )
    poor = [name for name, worst in zip(ids, r2.min(0), strict=True) if not worst >= POOR]
    if not poor:
        return ()
    return (
        "the surrogate explains less than half of the variance of held-out variants where r2_mode is below 0.5, as of "
        f"{poor[0]}: do not read its parameters there as what the model does; a larger library, a lower rate, a window "
        "or a pairwise map may fit better",
    )
