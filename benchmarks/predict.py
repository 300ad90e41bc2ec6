"""Predict 10,000 DeepSTARR sequences through cislens and natively: time, memory, and the choice of batch size."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import alternate, peak_memory, pin_to_one_core, ratio, real_data, record

SEQUENCES = 10_000
LENGTH = 249
BATCHES = (16, 32, 64, 128, 256, 512, 1024)
ROUNDS = 5
HERE = Path(__file__).parent


def sequences() -> Any:
    import numpy as np

    return np.eye(4, dtype=np.uint8)[np.random.default_rng(0).integers(0, 4, (SEQUENCES, LENGTH))]


def torch_model() -> Any:
    sys.path.insert(0, str(HERE.parent / "tests" / "real"))
    from deepstarr_torch import from_keras_h5

    return from_keras_h5(real_data() / "checkpoints/deepstarr/deepstarr.model.h5").eval()


def keras_model() -> Any:
    from cislens import open_oracle

    return open_oracle(real_data() / "checkpoints/deepstarr/deepstarr.model.json", batch_size=128).native


def onnx_model() -> Any:
    """Return the torch model as its exporter writes it."""
    import onnx
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deepstarr.onnx"
        example, free = (torch.zeros(2, 4, LENGTH),), {"x": {0: "n"}}
        torch.onnx.export(torch_model(), example, path, dynamo=False, input_names=["x"], dynamic_axes=free)
        return onnx.load(path)


def torch_native(model: Any, x: Any, batch: int) -> Any:
    """Predict as a torch user would: float32 input in the model's layout, ready before, in inference mode."""
    import numpy as np
    import torch

    ready = torch.from_numpy(np.ascontiguousarray(x.swapaxes(1, 2)).astype(np.float32))

    def call() -> Any:
        with torch.inference_mode():
            return torch.cat([model(ready[i : i + batch]) for i in range(0, len(ready), batch)])

    return call


def keras_native(model: Any, x: Any, batch: int) -> Any:
    """Predict as a Keras user would, on float32 input that is ready before."""
    import numpy as np

    ready = x.astype(np.float32)
    return lambda: model.predict(ready, batch_size=batch, verbose=0)


def onnx_native(model: Any, x: Any, batch: int) -> Any:
    """Predict with onnxruntime's own session, on float32 input that is ready before."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ready = np.ascontiguousarray(x.swapaxes(1, 2)).astype(np.float32)

    def call() -> Any:
        return np.concatenate([session.run(None, {"x": ready[i : i + batch]})[0] for i in range(0, len(ready), batch)])

    return call


FRAMEWORKS = {
    "torch": (torch_model, torch_native),
    "keras": (keras_model, keras_native),
    "onnx": (onnx_model, onnx_native),
}


def best_batch(native: Any, model: Any, x: Any) -> tuple[int, dict[int, float]]:
    """Return the fastest native batch size, and sequences a second at each."""
    speeds = {}
    part = x[:2048]
    for batch in BATCHES:
        call = native(model, part, batch)
        call()
        start = time.perf_counter()
        call()
        speeds[batch] = len(part) / (time.perf_counter() - start)
    return max(speeds, key=lambda b: speeds[b]), speeds


def memory(framework: str, which: str, batch: int) -> float:
    """Return peak memory in MB of a process that predicts once."""
    command = [sys.executable, __file__, framework, "--memory", which, str(batch)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def memory_case(framework: str, which: str, batch: int) -> None:
    from cislens import open_oracle

    make, native = FRAMEWORKS[framework]
    model, x = make(), sequences()
    if which == "native":
        native(model, x, batch)()
    else:
        open_oracle(model, batch_size=batch).predict(x)
    print(peak_memory())


def main(framework: str) -> None:
    from cislens import open_oracle
    from cislens.oracle.batching import START, WORTH_MEASURING, fastest_size

    make, native = FRAMEWORKS[framework]
    model, x = make(), sequences()
    batch, speeds = best_batch(native, model, x)
    oracle = open_oracle(model, batch_size=batch)
    seconds = alternate({"ours": lambda: oracle.predict(x), "native": native(model, x, batch)}, ROUNDS)
    start = time.perf_counter()
    chosen = fastest_size(lambda part: oracle._predict(part.astype("float32")), x, oracle._is_out_of_memory)
    measuring = time.perf_counter() - start
    auto = open_oracle(model, batch_size=chosen)
    auto_seconds = alternate({"auto": lambda: auto.predict(x), "native": native(model, x, batch)}, 3)
    ours_mb, native_mb = memory(framework, "ours", batch), memory(framework, "native", batch)
    peer = f"{framework}'s own call at its best batch size"
    rows = [
        row("time of predict over the native call", ratio(seconds, "ours", "native"), "x", 1.05, peer),
        row("peak memory of predict over the native call", ours_mb / native_mb, "x", 1.2, peer),
        row("time to choose the batch size", measuring, "s", 2.0, None),
        row("time of predict at the size that auto chose", ratio(auto_seconds, "auto", "native"), "x", None, peer),
    ]
    settings = {
        "sequences": SEQUENCES,
        "native best batch": batch,
        "auto chose": chosen,
        "native sequences a second by batch": {str(k): round(v) for k, v in speeds.items()},
        "native seconds": round(statistics.median(seconds["native"]), 3),
        "peak MB": {"ours": round(ours_mb), "native": round(native_mb)},
        "measured after": WORTH_MEASURING,
        "size before": START,
        "cores": 1,
    }
    record(f"predict_{framework}", rows, settings)


def row(measure: str, value: float, unit: str, bound: float | None, peer: str | None) -> dict[str, Any]:
    return {"measure": f"DeepSTARR: {measure}", "value": value, "unit": unit, "bound": bound, "peer": peer}


if __name__ == "__main__":
    pin_to_one_core()
    if "--memory" in sys.argv:
        memory_case(sys.argv[1], sys.argv[3], int(sys.argv[4]))
    else:
        with tempfile.TemporaryDirectory() as cache:
            import os

            os.environ["CISLENS_CACHE"] = cache
            main(sys.argv[1])
