"""Draw sequences from a grammar, with the truth beside them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cislens.backgrounds import parse_background
from cislens.context import Progress, silent, stream
from cislens.errors import CislensError
from cislens.sequences import Sequences
from cislens.sequences.codes import Codes, codes_of, complemented, onehot_of
from cislens.simulation.dataset import joined
from cislens.simulation.draw import Draw, in_order, spans_by_row
from cislens.simulation.grammar import Grammar, Variant
from cislens.simulation.grammar_file import load_grammar
from cislens.simulation.instances import InstanceSampler
from cislens.simulation.matching import Hits, matcher_of, relative_score
from cislens.simulation.placing import sample_starts
from cislens.simulation.syntax import syntax_of
from cislens.truth import Truth

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
BLOCK = 1024  # sequences that share a random stream, so that the first n are the same however many are drawn
ROUNDS = 200  # of backgrounds drawn anew before a grammar is said to be impossible


class Simulator:
    """Draw from one grammar, again and again.

    Parameters
    ----------
    grammar
        What to draw.
    source
        Real sequences, for the backgrounds "dinucleotide", "kmer:ORDER" and "sequences": each background is made of
        one of them. They are cut to the grammar's length in the middle, and those with N are left out.

    Attributes
    ----------
    samplers
        What draws the instances of each motif.
    matcher
        What finds the chance matches that the grammar removes.

    Raises
    ------
    CislensError
        If the background needs real sequences and none fits.
    """

    def __init__(self, grammar: Grammar, source: Sequences | None = None) -> None:
        self.grammar = grammar
        self._source = _usable(source, grammar)
        self._background = parse_background(
            grammar.background, None if self._source is None else Sequences.from_onehot(self._source)
        )
        self.samplers = [InstanceSampler(motif, grammar.instances) for motif in grammar.motifs]
        self.matcher = matcher_of(grammar)

    def truths(self, n: int, seed: int = 0, progress: Progress = silent) -> Iterator[Truth]:
        """Yield the truth of the first n sequences of a seed, a block of 1,024 at a time.

        The same seed gives the same sequences on every machine, and the first ones whatever n is.
        """
        for block, start in enumerate(range(0, n, BLOCK)):
            rng = stream(seed, "simulate", self.grammar.name, str(block))
            yield self._truth(self.draw(BLOCK, rng).take(n - start), start)
            progress(min(start + BLOCK, n), n)

    def simulate(self, n: int, seed: int = 0) -> Truth:
        """Return the truth of the first n sequences of a seed."""
        return joined(list(self.truths(n, seed)))

    def draw(self, n: int, rng: np.random.Generator) -> Draw:
        """Return n sequences.

        Raises
        ------
        CislensError
            If backgrounds without chance matches are too rare to be found.
        """
        variants = rng.choice(len(self.grammar.variants), n, p=self._chances)
        codes = self.backgrounds(n, rng)
        drawn = self._planted(codes, variants, rng)
        self._clean(drawn, rng)
        if self.grammar.both_strands:
            drawn = drawn.other_strand(rng.random(n) < 0.5)
        return drawn

    def labels(self, drawn: Draw) -> Array:
        """Return which sequences of a draw are positive, (n,)."""
        return np.asarray(self.grammar.labels)[drawn.arrangements]

    def backgrounds(self, n: int, rng: np.random.Generator) -> Codes:
        """Return n backgrounds (n, length), chance matches still in them."""
        if self._source is None:
            return codes_of(self._background.sample(self._any_sequence, n, rng)[0])
        chosen = self._source[rng.integers(0, len(self._source), n)]
        return codes_of(self._background.sample(chosen, 1, rng)[:, 0])

    def spurious(self, drawn: Draw) -> Hits:
        """Return the chance matches that the grammar removes: those that overlap no planted instance."""
        return self.matcher.hits(drawn.codes).apart_from(spans_by_row(drawn))

    # ---- the steps ----------------------------------------------------------------------------------------

    @cached_property
    def _any_sequence(self) -> Codes:
        return onehot_of(np.zeros((1, self.grammar.length), np.uint8))

    @cached_property
    def _chances(self) -> Array:
        chances = np.array([variant.probability for variant in self.grammar.variants])
        return np.asarray(chances / chances.sum())

    def _planted(self, codes: Codes, variants: Array, rng: np.random.Generator) -> Draw:
        parts: list[tuple[Array, ...]] = []
        for number in np.unique(variants):
            rows = np.flatnonzero(variants == number)
            parts += self._plant(codes, rows, self.grammar.variants[number], rng)
        arrangements = np.array([v.arrangement for v in self.grammar.variants])[variants]
        if not parts:
            parts = [(np.empty(0, np.intp),) * 2 + (np.empty((0, 2), np.intp), np.empty(0, bool))]
        rows, motifs, spans, reverse = (np.concatenate(part) for part in zip(*parts, strict=True))
        return in_order(Draw(codes, arrangements, rows, motifs, spans, reverse))

    def _plant(
        self, codes: Codes, rows: Array, variant: Variant, rng: np.random.Generator
    ) -> Iterator[tuple[Array, ...]]:
        starts = sample_starts(variant, self.grammar.room, len(rows), rng) + self.grammar.first
        for cluster, start in zip(variant.clusters, starts.T, strict=True):
            for site in cluster:
                instance = self.samplers[site.motif].sample(len(rows), rng)
                width = instance.shape[1]
                first = start + site.offset
                codes[rows[:, None], first[:, None] + np.arange(width)] = (
                    complemented(instance) if site.reverse else instance
                )
                spans = np.stack([first, first + width], axis=1)
                yield rows, np.full(len(rows), site.motif), spans, np.full(len(rows), site.reverse)

    def _clean(self, drawn: Draw, rng: np.random.Generator) -> None:
        """Draw backgrounds anew, in place, until none holds a chance match.

        Where so few pass that the rounds to come cannot be enough, that is told at once.
        """
        spans = spans_by_row(drawn)
        left = np.arange(len(drawn.codes))
        tried = passed = 0
        for done in range(1, ROUNDS + 1):
            hits = self.matcher.hits(drawn.codes[left]).apart_from(spans[left])
            tried, before = tried + len(left), len(left)
            left = left[np.unique(hits.rows)]
            passed += before - len(left)
            if not len(left):
                return
            if len(left) * (1 - _largest_share(passed, tried)) ** (ROUNDS - done) >= 1:
                break
            fresh = self.backgrounds(len(left), rng)
            places = np.arange(self.grammar.length)
            for span in spans[left].swapaxes(0, 1):
                planted = (places >= span[:, :1]) & (places < span[:, 1:])
                np.copyto(fresh, drawn.codes[left], where=planted)
            drawn.codes[left] = fresh
        raise CislensError(
            f"backgrounds of grammar {self.grammar.name!r} must be free of chance matches of its motifs, but "
            f"{passed:,} of {tried:,} that were drawn are: its motifs are too short or too vague for "
            f"{self.grammar.length} bp; raise the threshold, or say spurious='kept'"
        )

    # ---- the truth ----------------------------------------------------------------------------------------

    def _truth(self, drawn: Draw, first: int) -> Truth:
        grammar = self.grammar
        # An id is one word in FASTA and BED.
        name = "_".join(grammar.name.split())
        ids = tuple(f"{name}_{first + i}" for i in range(len(drawn.codes)))
        names = [arrangement.name for arrangement in grammar.arrangements]
        return Truth(
            Sequences(onehot_of(drawn.codes), ids),
            self.labels(drawn),
            self._instances(drawn, ids),
            grammar.motifs,
            grammar.rules,
            tuple(names[number] for number in drawn.arrangements),
            syntax_of(grammar),
        )

    def _instances(self, drawn: Draw, ids: tuple[str, ...]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(
            {
                "motif": np.array([motif.id for motif in self.grammar.motifs], object)[drawn.motifs],
                "sequence": np.array(ids, object)[drawn.rows],
                "start": drawn.spans[:, 0],
                "end": drawn.spans[:, 1],
                "strand": np.where(drawn.reverse, "-", "+").astype(object),
                "score": self._scores(drawn),
            }
        )

    def _scores(self, drawn: Draw) -> Array:
        scores = np.empty(len(drawn.rows))
        for number, motif in enumerate(self.grammar.motifs):
            held = np.flatnonzero(drawn.motifs == number)
            places = drawn.spans[held, :1] + np.arange(len(motif))
            windows = drawn.codes[drawn.rows[held, None], places]
            windows = np.where(drawn.reverse[held, None], complemented(windows), windows)
            scores[held] = relative_score(motif.probabilities(), windows)
        return scores


def simulate(
    grammar: Grammar | str | Path, n: int = 1000, seed: int = 0, source: Sequences | None = None, **changes: Any
) -> Truth:
    """Return n sequences of a grammar, with all that is known of them.

    Parameters
    ----------
    grammar
        A grammar, the name of a bundled one, or a .toml file.
    n
        How many sequences.
    seed
        The same one gives the same sequences.
    source
        Real sequences, where the background is made of some.
    changes
        As in `load_grammar`, such as length=200, instances="best" or trim=0.5.

    Examples
    --------
    >>> truth = simulate("mem_cooperative_strong", n=4, seed=1)
    >>> truth.sequences.onehot.shape
    (4, 500, 4)
    """
    if not isinstance(grammar, Grammar):
        grammar = load_grammar(grammar, **changes)
    elif changes:
        raise CislensError(
            f"a grammar must be named or a file to be changed as it is read, got {grammar.name!r} as it stands and "
            f"{', '.join(changes)}: use dataclasses.replace"
        )
    return Simulator(grammar, source).simulate(n, seed)


def _largest_share(passed: int, tried: int) -> float:
    """Return the share of backgrounds that pass, five standard errors above what was seen; few Poisson counts more."""
    return float(min(1.0, (passed + 5 * np.sqrt(passed) + 14) / tried))


def _usable(source: Sequences | None, grammar: Grammar) -> Any:
    """Return the real sequences that backgrounds are made of, one-hot; None where none are needed."""
    kind = grammar.background.partition(":")[0]
    if kind == "uniform" or grammar.background.startswith("frequencies:"):
        return None
    if source is None:
        parse_background(grammar.background)  # what is no background at all is told as such
        raise CislensError(f"the background {grammar.background!r} is made of real sequences, but none were given")
    if source.length < grammar.length:
        raise CislensError(
            f"real sequences for backgrounds must be {grammar.length} bp long at least, got {source.length}"
        )
    first = (source.length - grammar.length) // 2
    cut = source.onehot[:, first : first + grammar.length]
    known = np.asarray(cut.any(-1)).all(1)
    if not known.any():
        raise CislensError("real sequences for backgrounds must be without N, and all hold some")
    return np.ascontiguousarray(cut[known])
