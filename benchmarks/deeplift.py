"""DeepLIFT/SHAP of DeepSTARR with 20 references a sequence, cislens against tangermeme's deep_lift_shap."""

from __future__ import annotations

import statistics
import time

from measure import alternate, pin_to_one_core, ratio, record
from predict import LENGTH, row, torch_model

SEQUENCES = 16
REFERENCES = 20
ROUNDS = 10


def main() -> None:
    import numpy as np
    import torch
    from tangermeme.deep_lift_shap import deep_lift_shap

    from cislens import Sequences, explain, open_oracle
    from cislens.backgrounds import parse_background
    from cislens.context import stream

    torch.set_num_threads(1)
    model = torch_model()
    onehot = np.eye(4, dtype=np.uint8)[np.random.default_rng(1).integers(0, 4, (SEQUENCES, LENGTH))]
    x = torch.from_numpy(np.ascontiguousarray(onehot.swapaxes(1, 2), np.float32))
    oracle, sequences = open_oracle(model, outputs=("Dev", "Hk")), Sequences.from_onehot(onehot)
    calls = {
        "ours": lambda: explain(oracle, sequences, f"deeplift_shap:shuffles={REFERENCES}", "Dev"),
        "theirs": lambda: deep_lift_shap(
            model, x, target=0, n_shuffles=REFERENCES, hypothetical=True, device="cpu", random_state=0
        ),
    }
    seconds = alternate(calls, ROUNDS, time.process_time)
    # The same references for both, to compare what they give.
    draws = [
        parse_background("dinucleotide").sample(one[None], REFERENCES, stream(0, "deeplift_shap", name))[0]
        for one, name in zip(onehot, sequences.hashes(), strict=True)
    ]
    references = torch.from_numpy(np.ascontiguousarray(np.stack(draws).swapaxes(-1, -2), np.float32))
    theirs = deep_lift_shap(model, x, target=0, references=references, hypothetical=True, device="cpu")
    values = calls["ours"]().attributions.values[0]
    error = float(np.abs(values - theirs.numpy().swapaxes(1, 2)).max() / np.abs(values).max())
    rows = [
        row(
            "processor time of DeepLIFT/SHAP over tangermeme's",
            ratio(seconds, "ours", "theirs"),
            "x",
            1.1,
            "tangermeme",
        ),
        row("largest difference of a value to tangermeme's", error, "of the largest value", 1e-4, "tangermeme"),
    ]
    settings = {
        "sequences": SEQUENCES,
        "references": REFERENCES,
        "pairs of runs": ROUNDS,
        "processor seconds a sequence": {k: round(statistics.median(v) / SEQUENCES, 4) for k, v in seconds.items()},
        "cores": 1,
    }
    record("deeplift", rows, settings)


if __name__ == "__main__":
    pin_to_one_core()
    main()
