"""SQUID of DeepSTARR: fits beside mavenn, libraries and whole analyses beside bare predictions, pairwise maps.

    python benchmarks/squid.py fit --variants 10000        and 100000; mavenn is stopped after --minutes
    python benchmarks/squid.py whole
    python benchmarks/squid.py pairwise

Predicted libraries are kept in --scratch, so that parts can be run alone. All times are processor time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import peak_memory, pin_to_one_core, ratio, real_data, record
from predict import BATCHES, row, torch_model, torch_native

RATE = 0.1
WINDOW = "100-140"
WINDOWED = 10_000  # variants of the window
LARGE = 100_000
HELD_OUT = 10_000  # variants of an independent library, on which fits are compared
SQUID = {"rate": 5e-4, "patience": 25}  # mavenn's learning, as SQUID was published with
TUNED = {"rate": 5e-3, "patience": 10}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    answer = call()
    return time.process_time() - start, answer


def oracle_and_model() -> tuple[Any, Any]:
    """Return DeepSTARR as an oracle, and the network itself."""
    import torch

    from cislens import open_oracle

    torch.set_num_threads(1)
    model = torch_model()
    return open_oracle(model, outputs=("Dev", "Hk")), model


def enhancer() -> Any:
    from cislens import read_sequences

    return read_sequences(real_data() / "sequences" / "deepstarr_enhancer.fa")


def library(variants: int, window: str | None, seed: int) -> Any:
    """Return a library of the enhancer from a seed."""
    import numpy as np

    from cislens_squid import Squid
    from cislens_squid.running import local_library

    settings = Squid(library=variants, rate=RATE, window=window)
    return local_library(settings, enhancer().onehot[0], np.random.default_rng(seed))


def predicted(scratch: Path, variants: int, window: str | None = None, seed: int = 0) -> tuple[Any, Any]:
    """Return a library and its answers, predicted at most once."""
    import numpy as np

    made = library(variants, window, seed)
    path = scratch / f"squid-{variants}-{window}-{seed}.npy"
    if not path.exists():
        oracle, _ = oracle_and_model()
        np.save(path, oracle.select("Dev").predict(made.blocks())[:, 0].astype(np.float64))
    return made, np.load(path)


def split(variants: int) -> Any:
    import numpy as np

    return np.random.default_rng(1).permutation(variants)


def mavenn_fitter(learning: dict[str, Any], minutes: float, told: dict[str, Any]) -> Any:
    """Return what fits as SQUID has mavenn do it: its own penalties, its own stop, the last epoch's weights."""

    def fit(genotype: Any, form: Any, training: Any, validation: Any) -> Any:
        import mavenn
        import numpy as np

        from cislens_squid.fitting import Likelihood
        from cislens_squid.mavenn_backend import converted, spelled

        start = time.process_time()
        model = mavenn.Model(
            L=genotype.width,
            alphabet="dna",
            regression_type="GE",
            ge_noise_model_type="SkewedT",
            ge_heteroskedasticity_order=form.noise.order,
            ge_nonlinearity_hidden_nodes=form.nonlinearity.nodes,
        )
        y = np.concatenate([training.y, validation.y])
        texts = np.concatenate([spelled(genotype, part.design) for part in (training, validation)])
        model.set_data(texts, y, validation_flags=np.arange(len(y)) >= len(training.y), verbose=False)

        def look(epoch: int, logs: Any) -> None:
            told["epochs"] = epoch + 1
            if time.process_time() - start > 60 * minutes:
                told["capped"], model.get_nn().stop_training = True, True

        model.fit(
            epochs=500,
            learning_rate=learning["rate"],
            batch_size=100,
            early_stopping_patience=learning["patience"],
            linear_initialization=False,
            callbacks=[mavenn.src.callbacks.tf.keras.callbacks.LambdaCallback(on_epoch_end=look)],
            try_tqdm=False,
            verbose=False,
        )
        return converted(model, genotype, Likelihood(form.nonlinearity, form.noise, form.penalties, np.zeros(1)))

    return fit


def held_out(surrogate: Any, made: Any, y: Any) -> dict[str, float]:
    """Measure a surrogate on an independent library."""
    import numpy as np

    latent = surrogate.latent(surrogate.genotype.design(made))
    error = y - surrogate.most_probable(latent)
    return {
        "log-likelihood": float(surrogate.log_density(y, latent).mean()),
        "R2": float(1 - np.mean(error**2) / y.var()),
    }


def fits(scratch: Path, variants: int, minutes: float) -> None:
    """Fit additive maps with skewed-t noise of order 2, ours and mavenn's, to one library and split."""
    import mavenn
    import numpy as np

    from cislens.scores import pearson
    from cislens_squid.fitting import Form
    from cislens_squid.gauge import single_terms
    from cislens_squid.genotype import LinearMap
    from cislens_squid.surrogate import fit_surrogate

    made, y = predicted(scratch, variants)
    other, truth = predicted(scratch, HELD_OUT, seed=1)
    genotype, form, order = LinearMap(made.width), Form(), split(variants)
    runs: dict[str, Any] = {}
    told: dict[str, dict[str, Any]] = {}
    uniform = single_terms(genotype, made.wild, np.full((made.width, 4), 0.25))
    fit_surrogate(genotype, made, y, form, order)  # unmeasured: what is loaded on first use
    runs["ours"] = timed(lambda: fit_surrogate(genotype, made, y, form, order))
    for name, learning in (("mavenn tuned", TUNED), ("mavenn", SQUID)):
        told[name] = {"capped": False}
        fitter = mavenn_fitter(learning, minutes, told[name])
        runs[name] = timed(lambda fitter=fitter: fit_surrogate(genotype, made, y, form, order, fitter))
    quality = {name: held_out(surrogate, other, truth) for name, (_, surrogate) in runs.items()}
    seconds = {name: taken for name, (taken, _) in runs.items()}
    maps = {name: uniform @ surrogate.theta for name, (_, surrogate) in runs.items()}
    rows = []
    for name, bound, apart, which in (
        ("mavenn", 1 / 30, 5e-3, "SQUID's settings"),
        ("mavenn tuned", 1 / 10, None, "tuned settings"),
    ):
        capped = f", stopped after {minutes:g} min" if told[name]["capped"] else ""
        peer, at = f"mavenn {mavenn.__version__}", f"mavenn at {which}{capped}"
        less = {measure: quality[name][measure] - quality["ours"][measure] for measure in quality[name]}
        rows += [
            row(f"processor time of the fit over {at}", seconds["ours"] / seconds[name], "x", round(bound, 3), peer),
            row(f"held-out log-likelihood of {at} less ours", less["log-likelihood"], "nats a variant", 0.0, peer),
            row(f"held-out R2 of {at} less ours", less["R2"], "", 0.0, peer),
            row(f"1 - correlation of parameters with {at}", 1 - pearson(maps["ours"], maps[name]), "", apart, peer),
        ]
    settings = {
        "variants": variants,
        "held-out variants": HELD_OUT,
        "processor seconds": {name: round(taken, 2) for name, taken in seconds.items()},
        "epochs": {name: found["epochs"] for name, found in told.items()},
        "held out": {name: {k: round(v, 4) for k, v in found.items()} for name, found in quality.items()},
        "cores": 1,
    }
    record(f"squid_fit_{variants}", rows, settings)


def best_batch(model: Any, x: Any) -> int:
    """Return the batch size at which the bare network takes the least processor time, of two runs each."""
    calls = {batch: torch_native(model, x, batch) for batch in BATCHES}
    return min(BATCHES, key=lambda batch: min(timed(calls[batch])[0] for _ in range(2)))


def whole(rounds: int) -> None:
    """Make and predict a library, and run the whole analysis, beside bare prediction."""
    import numpy as np

    from cislens import explain

    (oracle, model), sequence = oracle_and_model(), enhancer()
    made = library(LARGE, None, 0)
    x = np.concatenate(list(made.blocks()))
    batch = best_batch(model, x[:2048])
    target, settings = oracle.select("Dev"), f"squid:library={LARGE},rate={RATE}"
    calls = {
        "native": torch_native(model, x, batch),
        "library": lambda: target.predict(library(LARGE, None, 0).blocks()),
        "whole": lambda: explain(oracle, sequence, settings, "Dev"),
    }
    target.predict(x[:5000])  # which settles the batch size
    explain(oracle, sequence, "squid:library=1000", "Dev")
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call)[0])
    peer = "torch's own call at its best batch size"
    above = in_process("whole")["megabytes"]
    rows = [
        row(
            "time to make and predict a library over predicting it", ratio(seconds, "library", "native"), "x", 1.1, peer
        ),
        row(
            "time from sequence to report over predicting the library",
            ratio(seconds, "whole", "native"),
            "x",
            1.3,
            peer,
        ),
        row("peak memory of the analysis above the loaded model", above, "MB", 1200, None),
    ]
    told = {name: [round(value, 1) for value in taken] for name, taken in seconds.items()}
    record("squid_whole", rows, {"variants": LARGE, "best batch": batch, "processor seconds": told, "cores": 1})


def whole_case() -> dict[str, float]:
    from cislens import explain

    (oracle, _), sequence = oracle_and_model(), enhancer()
    oracle.select("Dev").predict(sequence.onehot)
    before = peak_memory()
    explain(oracle, sequence, f"squid:library={LARGE},rate={RATE}", "Dev")
    return {"megabytes": peak_memory() - before}


def pairwise(scratch: Path) -> None:
    """Fit pairwise maps: of a window beside the additive map, and of the whole enhancer."""
    from cislens_squid.fitting import Form
    from cislens_squid.genotype import LinearMap
    from cislens_squid.surrogate import fit_surrogate

    made, y = predicted(scratch, WINDOWED, WINDOW)
    other, truth = predicted(scratch, HELD_OUT, WINDOW, seed=1)
    found = {}
    for order in ("additive", "pairwise"):
        taken, surrogate = timed(
            lambda order=order: fit_surrogate(LinearMap(made.width, order), made, y, Form(), split(WINDOWED))
        )
        found[order] = {**held_out(surrogate, other, truth), "processor seconds": taken}
    predicted(scratch, LARGE)
    large = in_process("pairwise", str(scratch))
    less = {key: found["additive"][key] - found["pairwise"][key] for key in found["additive"]}
    rows = [
        row(f"bp {WINDOW}, held-out R2 of the additive map less that of the pairwise", less["R2"], "", 0.0, None),
        row(
            f"bp {WINDOW}, log-likelihood of the additive map less pairwise", less["log-likelihood"], "nats", 0.0, None
        ),
        row(f"{LARGE:,} variants of 249 bp, pairwise: processor time", large["seconds"] / 60, "minutes", 15.0, None),
        row(f"{LARGE:,} variants of 249 bp, pairwise: peak memory", large["megabytes"] / 1000, "GB", 4.0, None),
    ]
    told = {name: {k: round(v, 4) for k, v in values.items()} for name, values in {**found, "249 bp": large}.items()}
    record("squid_pairwise", rows, {"variants of the window": WINDOWED, "found": told, "cores": 1})


def pairwise_case(scratch: Path) -> dict[str, float]:
    from cislens_squid.fitting import Form
    from cislens_squid.genotype import LinearMap
    from cislens_squid.surrogate import fit_surrogate

    made, y = predicted(scratch, LARGE)
    other, truth = predicted(scratch, HELD_OUT, seed=1)
    genotype = LinearMap(made.width, "pairwise")
    taken, surrogate = timed(lambda: fit_surrogate(genotype, made, y, Form(), split(LARGE)))
    memory = peak_memory()
    return {"seconds": taken, "megabytes": memory, **held_out(surrogate, other, truth)}


def in_process(part: str, *arguments: str) -> dict[str, float]:
    """Run a case in a process of its own, whose memory is its own."""
    command = [sys.executable, __file__, f"{part}-case", *(["--scratch", *arguments] if arguments else [])]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
    return {name: float(value) for name, value in (field.split("=") for field in output.split(";"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["fit", "whole", "pairwise", "whole-case", "pairwise-case"])
    parser.add_argument("--variants", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=30.0, help="processor time after which mavenn is stopped")
    parser.add_argument("--rounds", type=int, default=2, help="runs of which the median is told")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "cislens-squid-benchmark")
    given = parser.parse_args()
    given.scratch.mkdir(parents=True, exist_ok=True)
    if given.part == "fit":
        fits(given.scratch, given.variants, given.minutes)
    elif given.part == "whole":
        whole(given.rounds)
    elif given.part == "pairwise":
        pairwise(given.scratch)
    else:
        found = whole_case() if given.part == "whole-case" else pairwise_case(given.scratch)
        print(";".join(f"{name}={value}" for name, value in found.items()))


if __name__ == "__main__":
    pin_to_one_core()
    main()
