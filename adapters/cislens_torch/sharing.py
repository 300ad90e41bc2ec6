"""Decide whether a model's substitutions are computed together, and do it in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from cislens.oracle.base import Array
from cislens.oracle.batching import Batcher
from cislens.oracle.encoding import Encoding
from cislens_torch.substitution import NotFollowed, Substitutions
from cislens_torch.tensors import Placement, encode

Answers = dict[str, torch.Tensor]
FOLLOWED_LAYOUT = "4,length"
PROBES = 24  # substitutions on which both ways must agree
TOLERANCE = 1e-5  # of the largest answer, or of 1: what float32 rounding leaves between two orders of summing
WORTHWHILE = 0.7  # share of the convolutions' multiplications below which following pays
AT_ONCE = 512  # substitutions, where memory allows
BYTES = 256_000_000  # of values of all positions that are written out at a time


class Sharing:
    """Answer to substitutions of one sequence together, where that is right and pays.

    Whether it is so is found out on the first sequence of a length: some substitutions are computed both ways, and must
    agree; and the convolutions must need clearly fewer multiplications. No time is measured, so that the same model
    answers the same way on every run.

    Parameters
    ----------
    encoding, placement
        How and where the model wants its input.
    run
        Calls the model on an encoded tensor and names its outputs.
    out_of_memory
        Tells whether an error means that too many substitutions were computed at once.
    """

    def __init__(
        self,
        encoding: Encoding,
        placement: Placement,
        run: Callable[[torch.Tensor], Answers],
        out_of_memory: Callable[[Exception], bool],
    ) -> None:
        self.encoding = encoding
        self.placement = placement
        self.run = run
        self.out_of_memory = out_of_memory
        self.refused: dict[int, str] = {}  # by length, why each mutant is asked by itself
        self._batchers: dict[int, Batcher] = {}

    def answer(self, x: torch.Tensor, sites: Array) -> Answers | None:
        """Return the outputs for `sites` (k, 2: position, new base) of x (length, 4), None where it is not so."""
        length = x.shape[0]
        if length not in self._batchers and length not in self.refused:
            self._admit(x, sites)
        if length in self.refused:
            return None
        batches = self._batchers[length].run(lambda some: self._followed(x, self._placed(some))[0], sites)
        parts = [part for _, part in batches]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    def _placed(self, sites: Array) -> torch.Tensor:
        return torch.from_numpy(sites).to(self.placement.device)

    def _admit(self, x: torch.Tensor, sites: Array) -> None:
        length = x.shape[0]
        chosen = self._placed(sites[np.linspace(0, len(sites) - 1, min(PROBES, len(sites))).astype(int)])
        try:
            written = self._agreed(x, chosen)
        except (
            Exception
        ) as error:  # whatever a model does that cannot be followed, each mutant can still be asked alone
            self.refused[length] = f"{type(error).__name__}: {error}"
            return
        size = max(1, min(AT_ONCE, BYTES // max(written, 1)))
        self._batchers[length] = Batcher(size, str, str(self.placement.device), self.out_of_memory)

    def _agreed(self, x: torch.Tensor, sites: torch.Tensor) -> int:
        """Return the bytes a substitution that are written out, if both ways agree and following pays."""
        if self.encoding.layout != FOLLOWED_LAYOUT:
            raise NotFollowed(f"positions are followed in the layout {FOLLOWED_LAYOUT}, not {self.encoding.layout}")
        followed, mode = self._followed(x, sites)
        if not mode.work.full or mode.work.shared > WORTHWHILE * mode.work.full:
            raise NotFollowed(f"following takes {mode.work.shared} multiplications of {mode.work.full}")
        asked = self.run(encode(_mutants(x, sites), self.encoding, self.placement.dtype))
        for key, expected in asked.items():
            bound = TOLERANCE * max(1.0, float(expected.abs().max()))
            if followed[key].shape != expected.shape or float((followed[key] - expected).abs().max()) > bound:
                raise NotFollowed(f"output {key!r} comes out otherwise")
        return mode.written

    def _followed(self, x: torch.Tensor, sites: torch.Tensor) -> tuple[Answers, Substitutions]:
        bases = torch.eye(4, dtype=x.dtype, device=x.device)[sites[:, 1]]
        columns = encode(bases[:, None], self.encoding, self.placement.dtype)[:, :, 0]
        mode = Substitutions()
        with mode:
            start = mode.start(encode(x[None], self.encoding, self.placement.dtype), columns, sites[:, 0])
            outputs = {key: mode.finish(value) for key, value in self.run(start).items()}
        if any(value.shape[:1] != sites.shape[:1] for value in outputs.values()):
            raise NotFollowed("an output does not depend on the sequence")
        return outputs, mode


def _mutants(x: torch.Tensor, sites: torch.Tensor) -> torch.Tensor:
    changed = x.expand(len(sites), -1, -1).clone()
    row = torch.arange(len(sites), device=x.device)
    changed[row, sites[:, 0]] = 0
    changed[row, sites[:, 0], sites[:, 1]] = 1
    return changed
