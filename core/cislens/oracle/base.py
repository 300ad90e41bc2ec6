"""The oracle: a model seen as a function from sequences to named heads, numpy in and numpy out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from cislens.errors import CapabilityError, OracleError
from cislens.oracle.answers import check_cotangent, checked_input, checked_outputs, concatenate
from cislens.oracle.batching import Batcher, BatchSize, filled_up, first_rows
from cislens.oracle.counts import Counts
from cislens.oracle.head import Head
from cislens.oracle.hooks import HOOKS, Array, Hooks, Outputs, Pullback
from cislens.oracle.layer import Layer
from cislens.oracle.substitution import substituted

if TYPE_CHECKING:
    from cislens.target import Target
    from cislens.targeted import Targeted

__all__ = ["HOOKS", "Array", "Oracle", "Outputs", "Pullback"]


class Oracle(Hooks):
    """Answer for sequences with named heads, and show how the answer came about.

    The public methods are final: they check, cast, batch and count. An adapter author writes `_predict` and, of
    the other hooks, those that the framework can offer; each handles one batch. Hooks receive `x` as
    (batch, length, 4) of `dtype`, base order ACGT, N as zeros; what the model wants instead is theirs to arrange.

    Parameters
    ----------
    name
        What reports call the model.
    heads
        What it answers with.
    length
        Input length in bp, None where any will do.
    batch_size
        Sequences a batch; "auto" measures once which is fastest.
    device
        Where it runs, as the framework names it.
    fixed_batch
        Rows of every batch, of a model that takes no other number: hooks are given exactly as many, the last batch
        filled up with rows of zeros whose answers are cut off again.
    """

    def __init__(
        self,
        name: str,
        heads: Sequence[Head],
        length: int | None = None,
        *,
        batch_size: BatchSize = "auto",
        device: str = "cpu",
        fixed_batch: int | None = None,
    ) -> None:
        self.name = name
        self.heads = tuple(heads)
        self.length = length
        self.device = device
        self.counts = Counts()
        self.fixed_batch = fixed_batch
        self.batcher = Batcher(batch_size, lambda: self.fingerprint, device, self._is_out_of_memory, fixed_batch)
        self._known_fingerprint: str | None = None

    def __repr__(self) -> str:
        heads = ", ".join(f"{head.name}{list(head.shape)}" for head in self.heads)
        return f"{type(self).__name__}({self.name!r}, length={self.length}, heads: {heads})"

    def _fingerprint(self) -> str:
        """Return a hash of what makes this model answer as it does."""
        from cislens.oracle.fingerprint import fingerprint_of_answers

        return fingerprint_of_answers(self)

    # ---- what it can do ----------------------------------------------------------------------------------

    @final
    @property
    def capabilities(self) -> frozenset[str]:
        """What explainers may ask of this oracle: hooks that are written, less what is declined."""
        written = {name for name, hook in HOOKS.items() if getattr(type(self), hook) is not getattr(Hooks, hook)}
        native = self.native
        kinds = {f"native:{kind.__name__}" for kind in type(native).__mro__[:-1]} if native is not None else set()
        return frozenset((written | kinds) - set(self._declined()))

    @final
    def why_not(self, capability: str) -> str:
        """Return the reason why a capability is missing."""
        return self._declined().get(capability, self.unavailable)

    @final
    def require(self, *needed: str) -> None:
        """Raise `CapabilityError` with the reason unless every named capability is there."""
        for capability in needed:
            if capability not in self.capabilities:
                raise CapabilityError(
                    f"{self.name} must offer {capability!r} for this, but cannot: {self.why_not(capability)}"
                )

    @final
    @property
    def fingerprint(self) -> str:
        """A hash of the weights and options; of a bare function, its name and answers on fixed probes."""
        if self._known_fingerprint is None:
            self._known_fingerprint = self._fingerprint()
        return self._known_fingerprint

    # ---- answers -----------------------------------------------------------------------------------------

    @final
    def predict(self, x: npt.ArrayLike | Iterable[Array]) -> Outputs:
        """Return every head's answer.

        Parameters
        ----------
        x
            (n, length, 4), uint8 or float (rows between bases are allowed), or an iterator of such blocks.

        Returns
        -------
        Outputs
            For each head an array (n, *shape).

        Raises
        ------
        SequenceError
            If the shape or the length does not fit, or a value is not finite.
        OracleError
            If the model answers with something that is not finite or not of the declared shape.
        """
        return concatenate(list(self.stream(x)), self.heads)

    @final
    def stream(self, x: npt.ArrayLike | Iterable[Array]) -> Iterator[Outputs]:
        """Yield the answers batch by batch, so that no more than one batch need be held."""
        if isinstance(x, Iterator):
            for block in x:
                yield from self.stream(block)
            return
        checked = checked_input(x, self.name, self.length)
        for rows, outputs in self.batcher.run(self._predict_batch, checked):
            self.counts.predictions += rows.stop - rows.start
            yield checked_outputs(outputs, rows, self)

    def _predict_batch(self, x: Array) -> Outputs:
        return first_rows(self._predict(self._batch(x)), len(x))

    def _batch(self, x: Array) -> Array:
        return filled_up(np.asarray(x, self.dtype), self.fixed_batch)

    @final
    def substitutions(self, x: npt.ArrayLike, sites: Array) -> Iterator[tuple[slice, Outputs]]:
        """Yield the answers to single substitutions, some at a time, computing once what they share where it can.

        Parameters
        ----------
        x
            (n, length, 4), one-hot.
        sites
            (k, 3): rows of sequence, position and new base, sorted by sequence.

        Returns
        -------
        Iterator[tuple[slice, Outputs]]
            Which rows of `sites`, and each head's answers to them: `predict` of the mutants, up to rounding.
        """
        return substituted(self, checked_input(x, self.name, self.length), sites)

    @final
    def linearize(self, x: npt.ArrayLike) -> tuple[Outputs, Pullback]:
        """Return the answers and the pullback through them, with one forward pass that is kept.

        Parameters
        ----------
        x
            (n, length, 4), uint8 or float.

        Returns
        -------
        outputs, pullback
            `pullback(cotangent)` takes for some or all heads an array (n, *shape) and returns the
            vector-Jacobian product with respect to `x`, (n, length, 4): one backward pass, any number of times.
            The forward pass of all `n` sequences stays in memory while `pullback` lives; `vjp` holds one batch.
        """
        self.require("linearize")
        checked = checked_input(x, self.name, self.length)
        kept: list[tuple[slice, Pullback]] = []
        answers = []
        for rows, (outputs, pullback) in self.batcher.run(self._linearize_batch, checked):
            self.counts.predictions += rows.stop - rows.start
            answers.append(checked_outputs(outputs, rows, self))
            kept.append((rows, pullback))

        def pull(cotangent: Mapping[str, Array]) -> Array:
            check_cotangent(cotangent, self.heads, len(checked))
            gradient = np.empty(checked.shape, self.dtype)
            for rows, pullback in kept:
                gradient[rows] = pullback({name: np.asarray(c[rows], self.dtype) for name, c in cotangent.items()})
            self.counts.pullbacks += len(checked)
            return gradient

        return concatenate(answers, self.heads), pull

    def _linearize_batch(self, x: Array) -> tuple[Outputs, Pullback]:
        outputs, pullback = self._linearize(self._batch(x))

        def pull(cotangent: Mapping[str, Array]) -> Array:
            return pullback({name: filled_up(part, self.fixed_batch) for name, part in cotangent.items()})[: len(x)]

        return first_rows(outputs, len(x)), pull

    @final
    def vjp(self, x: npt.ArrayLike, cotangent: Mapping[str, Array]) -> tuple[Outputs, Array]:
        """Return the answers and the pullback of one cotangent, holding one batch at a time."""
        self.require("linearize")
        checked = checked_input(x, self.name, self.length)
        check_cotangent(cotangent, self.heads, len(checked))
        gradient = np.empty(checked.shape, self.dtype)
        answers = []
        for rows, (outputs, pullback) in self.batcher.run(self._linearize_batch, checked):
            answers.append(checked_outputs(outputs, rows, self))
            gradient[rows] = pullback({name: np.asarray(c[rows], self.dtype) for name, c in cotangent.items()})
            self.counts.predictions += rows.stop - rows.start
            self.counts.pullbacks += rows.stop - rows.start
        return concatenate(answers, self.heads), gradient

    @final
    def select(self, targets: str | Target | Sequence[str | Target] | None = None) -> Targeted:
        """Return the oracle as the scalars that `targets` name: what explainers see; None needs a single scalar."""
        from cislens.targeted import Targeted

        return Targeted.of(self, targets)

    # ---- the inside --------------------------------------------------------------------------------------

    @final
    def layers(self) -> tuple[Layer, ...]:
        """Return the layers in topological order."""
        self.require("layers")
        return self._layers()

    @final
    def layer(self, name: str) -> Layer:
        """Return one layer by name."""
        found = {layer.name: layer for layer in self.layers()}
        if name not in found:
            raise OracleError(f"{self.name} has no layer {name!r}: choose one of {', '.join(found)}")
        return found[name]

    @final
    def activations(self, x: npt.ArrayLike, layer: str, *, pre: bool = True) -> Array:
        """Return a layer's values, (n, positions, units) or (n, units).

        `pre=True` gives them before the layer's nonlinearity, also where the framework fuses the two;
        `pre=False` after it.
        """
        self.require("activations")
        chosen = self.layer(layer)
        checked = checked_input(x, self.name, self.length)
        parts = []
        for rows, values in self.batcher.run(
            lambda batch: self._activations(self._batch(batch), chosen, pre)[: len(batch)], checked
        ):
            self.counts.predictions += rows.stop - rows.start
            parts.append(values)
        return np.concatenate(parts) if parts else np.empty((0, 0))

    @final
    def weights(self, layer: str) -> dict[str, Array]:
        """Return a layer's arrays by name.

        A convolution has "kernel" (units, width, channels) and "bias" (units,), a dense layer "kernel"
        (units, inputs) and "bias", a normalisation "scale", "offset", "mean", "variance". Channels of a
        layer that reads the sequence are in the order ACGT.
        """
        self.require("weights")
        return self._weights(self.layer(layer))

    @final
    def subnetwork(self, layer: str) -> Oracle:
        """Return an oracle on (n, receptive_field, 4) whose one head, "units", holds all units of a layer.

        Its values are the pre-activations that `layer` has where no padding is in sight.
        """
        self.require("subnetwork")
        chosen = self.layer(layer)
        if chosen.receptive_field is None:
            raise CapabilityError(
                f"layer {layer!r} must see a window of the sequence, but it sees all of it: use the whole model"
            )
        return self._derived(self._subnetwork(chosen))

    @final
    def intervene(self, edits: Mapping[str, Mapping[int, float]]) -> Oracle:
        """Return a new oracle in which units hold fixed values after their nonlinearity: {layer: {unit: value}}."""
        self.require("intervene")
        for name, units in edits.items():
            known = self.layer(name).units
            for unit in units:
                if known is not None and not 0 <= unit < known:
                    raise OracleError(f"layer {name!r} has units 0 to {known - 1}, got {unit}")
        return self._derived(self._intervene(edits))

    @final
    def randomised(self, layer: str, rng: np.random.Generator) -> Oracle:
        """Return a new oracle in which the values of each weight array of a layer are shuffled.

        Shuffling keeps their distribution, so that only what was learned is lost (the model randomisation test of
        Adebayo et al. 2018, arXiv:1810.03292, which draws the weights anew instead).
        """
        self.require("randomised")
        return self._derived(self._randomised(self.layer(layer), rng))

    @final
    def logits(self, heads: Sequence[str]) -> Oracle:
        """Return a new oracle whose named probability heads answer with what goes into their final sigmoid.

        The logit of a float32 probability is lost once the sigmoid saturates, and so is its gradient; what goes in is
        not.
        """
        self.require("logits")
        known = {head.name: head for head in self.heads}
        for name in heads:
            if name not in known or known[name].scale != "probability":
                raise OracleError(
                    f"{name!r} must be a head of {self.name} that is a probability: declare it with --scale"
                )
        return self._derived(self._logits(heads))

    def _derived(self, oracle: Oracle) -> Oracle:
        """Let an oracle that was made from this one count with it."""
        oracle.counts = self.counts
        return oracle
