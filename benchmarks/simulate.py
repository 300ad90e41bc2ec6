"""Drawing from a grammar beside drawing as many random bases, and what its Bayes limit takes."""

from __future__ import annotations

from measure import alternate, pin_to_one_core, ratio, record

pin_to_one_core()

import statistics  # noqa: E402
from functools import partial  # noqa: E402

import numpy as np  # noqa: E402

from cislens.sequences.codes import onehot_of  # noqa: E402
from cislens.simulation import Simulator, load_grammar  # noqa: E402
from cislens.simulation.bayes import bayes_limit  # noqa: E402

SEQUENCES, LENGTH, LIMIT, ROUNDS = 20_000, 500, 10_000, 5
# Two motifs each: none of whose backgrounds is dropped, some of whose are, and many of whose are.
GRAMMARS = {
    "argminn_spi1_ctcf": load_grammar("argminn_spi1_ctcf"),
    "mem_cooperative_strong": load_grammar("mem_cooperative_strong"),
    "argminn_e2f6_max, relative filter": load_grammar("argminn_e2f6_max", spurious="relative"),
}
BASES = "random bases, one-hot"


def drawn(name: str) -> int:
    """Draw the sequences, with all that is known of them, in blocks as a user gets them."""
    return sum(len(truth) for truth in Simulator(GRAMMARS[name]).truths(SEQUENCES))


def bases() -> int:
    rng = np.random.default_rng(0)
    return len(onehot_of(rng.integers(0, 4, (SEQUENCES, LENGTH), np.uint8)))


if __name__ == "__main__":
    seconds = alternate({BASES: bases, **{name: partial(drawn, name) for name in GRAMMARS}}, ROUNDS)
    rows = []
    for name in GRAMMARS:
        said = f"20,000 sequences of {name}"
        rows += [
            {"measure": said, "value": statistics.median(seconds[name]), "unit": "s", "bound": 1.0, "peer": None},
            {"measure": said, "value": ratio(seconds, name, BASES), "unit": "times", "bound": None, "peer": BASES},
        ]
    limits = alternate({name: partial(bayes_limit, GRAMMARS[name], LIMIT) for name in GRAMMARS}, 1)
    rows += [
        {"measure": f"Bayes limit of {name}", "value": times[0], "unit": "s", "bound": None, "peer": None}
        for name, times in limits.items()
    ]
    record("simulate", rows, {"sequences": SEQUENCES, "length": LENGTH, "limit on": LIMIT, "rounds": ROUNDS})
