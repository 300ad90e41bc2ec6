"""One run of `squid_global`: a library, its answers and surrogates for each design, and what they say together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens import CislensError, Context, Motif, Sequences, Targeted, Validity
from cislens_squid.analyses import critical_positions
from cislens_squid.describing import base_frequencies, curve_table, interaction_table, linear_of
from cislens_squid.gauge import expanded, fixed
from cislens_squid.global_library import Design, background_frames, global_library
from cislens_squid.global_syntax import Reading, syntax_table
from cislens_squid.library import Library
from cislens_squid.quality import Quality
from cislens_squid.running import answered, fitted, named_table
from cislens_squid.squid_global import FittedSquidGlobal, SquidGlobal

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
POOR = 0.1  # squared correlation, of answers that mostly scatter over backgrounds, below which little was found
TOLD = ("r2_mode", "r2_mean", "pearson_squared", "log_likelihood")  # of each surrogate


@dataclass(frozen=True, eq=False)
class Found:
    """Hold what the surrogate of one design says of one target.

    Parameters
    ----------
    design
        Which elements stand where.
    singles : (length, 4)
        The single terms in the gauge asked for; zero outside the elements.
    curve, interactions
        Rows of the report's tables, without target and design.
    quality
        On held-out variants.
    reading
        What syntax is told from, where there is any to tell.
    """

    design: Design
    singles: Array
    curve: pd.DataFrame
    interactions: pd.DataFrame
    quality: Quality
    reading: Reading | None


def fitted_global(settings: SquidGlobal, oracle: Targeted, training: Sequences, context: Context) -> FittedSquidGlobal:
    """Fit a surrogate for each design and target."""
    designs = settings.designs(training.length)
    if not designs:
        raise CislensError(
            f"the motifs {' and '.join(settings.motifs)} must fit into the {training.length} bp of the sequences, "
            "which they do at no spacing: choose smaller spacings or another start"
        )
    rng = context.set_rng()
    frames = background_frames(settings.background, training, settings.library, rng)
    drawn = rng.bit_generator.state  # from which each design gets the same substitutions and the same split
    found = []
    for number, design in enumerate(designs):
        rng.bit_generator.state = drawn
        library = global_library(design, frames, settings.rate, rng)
        order = rng.permutation(len(library))
        answers = answered(oracle, library, context, number, len(designs))
        found.append([_found(settings, design, library, y, order) for y in answers.T])
        context.progress(number + 1, len(designs))
    return _told(settings, list(zip(*found, strict=True)), [str(target) for target in oracle.targets])


def _found(settings: SquidGlobal, design: Design, library: Library, y: Array, order: Array) -> Found:
    surrogate = fitted(settings, library, y, order)
    linear, theta = linear_of(surrogate, library)
    parameters = fixed(linear, expanded(linear, theta, library.wild), base_frequencies(library, settings.gauge))
    singles = np.zeros((library.frames.shape[1], 4))
    singles[library.sites] = parameters.singles
    curve = curve_table(surrogate, y)
    curve.loc[curve["kind"] == "wild type", "value"] = y[library.substitutions.counts == 0].mean()  # over backgrounds
    pairs = interaction_table(linear, parameters, library.sites - design.span[0], settings.interactions)
    reading = Reading.of(surrogate, library, y) if "syntax" in settings.fills else None
    return Found(design, singles, curve, pairs, surrogate.quality, reading)


def _told(settings: SquidGlobal, found: list[tuple[Found, ...]], targets: list[str]) -> FittedSquidGlobal:
    """Return what the surrogates of all targets (rows) and designs (columns) say."""
    import pandas as pd

    motifs, syntax = [], []
    for those, target in zip(found, targets, strict=True):
        ids = _ids(settings, target if len(targets) > 1 else "")
        matrices = _contributions(settings, those)
        motifs += [
            Motif(key, matrix, "contributions", name=element.letters)
            for key, matrix, element in zip(ids, matrices, settings.elements, strict=True)
        ]
        critical = [critical_positions(matrix, settings.critical) for matrix in matrices]
        readings = [part.reading for part in those if part.reading is not None]
        if readings:
            syntax.append(syntax_table([part.design for part in those], readings, critical, ids, target))
    tables = {"curves": _named([[part.curve for part in those] for those in found], found, targets)}
    if settings.has_pairs:
        pairs = [[part.interactions for part in those] for those in found]
        tables["interactions"] = _named(pairs, found, targets).assign(gauge=settings.gauge)
    if syntax:
        tables["syntax"] = pd.concat(syntax, ignore_index=True)
    return FittedSquidGlobal(tuple(motifs), tables, _validity(found, targets))


def _ids(settings: SquidGlobal, target: str) -> list[str]:
    """Return an id for the motif of each element, in which two of one word and those of several targets differ."""
    words = [element.letters for element in settings.elements]
    numbered = [f"{word} ({i + 1})" if words.count(word) > 1 else word for i, word in enumerate(words)]
    return [f"{word} on {target}" if target else word for word in numbered]


def _contributions(settings: SquidGlobal, found: Sequence[Found]) -> list[Array]:
    """Return what each base of each element contributes, (width, 4), as its word reads, averaged over the designs."""
    return [
        np.mean(
            [
                element.read_forward(part.singles[(start := part.design.starts[which]) : start + len(element)])
                for part in found
            ],
            axis=0,
        )
        for which, element in enumerate(settings.elements)
    ]


def _named(parts: list[list[pd.DataFrame]], found: list[tuple[Found, ...]], targets: list[str]) -> pd.DataFrame:
    """Return the rows of all targets and designs, with the target and, as its sequence, the design named."""
    names = tuple(str(part.design) for part in found[0])
    return named_table([row[d] for d in range(len(names)) for row in parts], targets, names)


def _validity(found: list[tuple[Found, ...]], targets: list[str]) -> Validity:
    told = {f"{part.design} on {t}": part for those, t in zip(found, targets, strict=True) for part in those}
    summary = {f"{name} of {what}": getattr(part.quality, name) for what, part in told.items() for name in TOLD}
    poor = [what for what, part in told.items() if not part.quality.pearson_squared >= POOR]
    unfitted = [what for what, part in told.items() if part.reading is not None and not part.reading.fitted]
    warnings = []
    if poor:
        warnings.append(
            f"surrogate and held-out answers have a squared correlation below a tenth for {_listed(poor, told)}: "
            "what backgrounds do outweighs the motifs there, or the model makes nothing of them; read interactions "
            "beside their standard errors, or take a larger library"
        )
    if unfitted:
        warnings.append(
            f"pair terms made the surrogate no better on validation variants for {_listed(unfitted, told)} and are "
            "zero there, which does not show that nothing interacts: take a larger library"
        )
    return Validity({}, summary, tuple(warnings))


def _listed(some: Sequence[str], every: Collection[str]) -> str:
    return f"{len(some)} of {len(every)} designs ({', '.join(some[:3])}{', ...' if len(some) > 3 else ''})"
