"""Decide whether a model's substitutions are computed together, and do it in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

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
    """

    def __init__(self, encoding: Encoding, placement: Placement, run: Callable[[torch.Tensor], Answers]) -> None:
        self.encoding = encoding
        self.placement = placement
        self.run = run
        self._at_once: dict[int, int | None] = {}

    def answer(self, x: torch.Tensor, sites: torch.Tensor) -> Answers | None:
        """Return the outputs for `sites` (k, 2: position, new base) of x (length, 4), None where it is not so."""
        length = x.shape[0]
        if length not in self._at_once:
            self._at_once[length] = self._admitted(x, sites)
        size = self._at_once[length]
        if size is None:
            return None
        parts = [self._followed(x, sites[start : start + size])[0] for start in range(0, len(sites), size)]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    def _admitted(self, x: torch.Tensor, sites: torch.Tensor) -> int | None:
        if self.encoding.layout != FOLLOWED_LAYOUT:
            return None
        chosen = sites[torch.linspace(0, len(sites) - 1, min(PROBES, len(sites))).long()]
        try:
            followed, mode = self._followed(x, chosen)
        except Exception:  # whatever a model does that cannot be followed, each mutant can still be asked by itself
            return None
        if not mode.work.full or mode.work.shared > WORTHWHILE * mode.work.full:
            return None
        asked = self.run(encode(_mutants(x, chosen), self.encoding, self.placement.dtype))
        for key, expected in asked.items():
            bound = TOLERANCE * max(1.0, float(expected.abs().max()))
            if followed[key].shape != expected.shape or float((followed[key] - expected).abs().max()) > bound:
                return None
        return max(1, min(AT_ONCE, BYTES // max(mode.written, 1)))

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
