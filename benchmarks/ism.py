"""ISM of 100 DeepSTARR sequences, cislens against tangermeme's saturation mutagenesis at its best batch size."""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from typing import Any

from measure import pin_to_one_core, ratio, record
from predict import LENGTH, row, torch_model

SEQUENCES = 100
BATCHES = (16, 32, 64, 128, 256, 512)
ROUNDS = 3


def main() -> None:
    import numpy as np
    import torch
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    from cislens import Sequences, explain, open_oracle

    model = torch_model()
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(1).integers(0, 4, (SEQUENCES, LENGTH))]
    x = torch.from_numpy(np.ascontiguousarray(onehot.swapaxes(1, 2)))

    def theirs(part: Any, batch: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the fast path that it gives up
            return saturation_mutagenesis(model, part.float(), batch_size=batch, device="cpu", raw_outputs=True)

    theirs_best = best(lambda batch: theirs(x[:4], batch))
    oracle = open_oracle(model, outputs=("Dev", "Hk"))
    sequences = Sequences.from_onehot(onehot)
    ours = lambda: explain(oracle, sequences, "ism", ["Dev", "Hk"])  # noqa: E731
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        start = time.perf_counter()
        report = ours()
        middle = time.perf_counter()
        raw = theirs(x, theirs_best)
        seconds["ours"].append(middle - start)
        seconds["theirs"].append(time.perf_counter() - middle)
    # theirs: (n, 4, length, outputs) of predictions, ours (outputs, n, length, 4) of differences to the sequence
    difference = (raw.y_hat - raw.y0[:, None, None]).numpy().transpose(3, 0, 2, 1)
    values = report.attributions.values
    error = float(np.abs(values - difference).max() / np.abs(difference).max())
    rows = [
        row("time of ISM over tangermeme 1.6", ratio(seconds, "ours", "theirs"), "x", 1.05, "tangermeme"),
        row("largest difference of an ISM value to tangermeme's", error, "of the largest value", 1e-4, "tangermeme"),
    ]
    settings = {
        "sequences": SEQUENCES,
        "tangermeme's best batch": theirs_best,
        "substitutions that ours computes together, by length": {LENGTH: oracle._sharing._batchers[LENGTH].size},
        "seconds a sequence": {k: round(statistics.median(v) / SEQUENCES, 4) for k, v in seconds.items()},
        "cores": 1,
    }
    record("ism", rows, settings)


def best(call: Any) -> int:
    speeds = {}
    for batch in BATCHES:
        call(batch)
        start = time.perf_counter()
        call(batch)
        speeds[batch] = time.perf_counter() - start
    return min(speeds, key=lambda b: speeds[b])


if __name__ == "__main__":
    pin_to_one_core()
    sys.exit(main())
