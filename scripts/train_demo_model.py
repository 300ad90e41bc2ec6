"""Train the small model that `cislens demo` opens, and write it with its sequences into the package.

    python scripts/train_demo_model.py

Simulated enhancers of 200 bp, with the site of AP-1 and that of a GATA factor planted into random sequence on either
strand. The truth is known, so that anybody can tell whether an explanation finds it:

    stimulated = 2 AP-1 + 1 AP-1 and GATA together
    blood      = 2 GATA

in log2, where AP-1 and GATA are 1 if the sequence holds the exact site anywhere, else 0. Sites with one wrong base are
planted as decoys. Seeds are fixed; torch on one thread gives the same weights again on the same kind of machine.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FOLDER = Path(__file__).resolve().parents[1] / "core" / "cislens" / "demo" / "checkpoint"
SITES = {"ap1": "TGACTCA", "gata": "AGATAAGG"}
LENGTH = 200
NOISE = 0.2  # standard deviation of the simulated measurement
TRAINING, HELD_OUT = 30_000, 2_000
EPOCHS, BATCH, RATE = 24, 64, 2e-3
SEED = 1
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def reverse_complement(text: str) -> str:
    return text.translate(COMPLEMENT)[::-1]


def truth(sequences: list[str]) -> Array:
    """Return the true activities (n, 2), "stimulated" and "blood"."""
    held = {
        name: np.array([site in s or reverse_complement(site) in s for s in sequences], float)
        for name, site in SITES.items()
    }
    return np.stack([2 * held["ap1"] + held["ap1"] * held["gata"], 2 * held["gata"]], axis=1)


def random_sequence(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("ACGT"), LENGTH))


def with_one_wrong_base(site: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(site)))
    other = rng.choice([base for base in "ACGT" if base != site[place]])
    return site[:place] + str(other) + site[place + 1 :]


def planted(sequence: str, site: str, start: int) -> str:
    return sequence[:start] + site + sequence[start + len(site) :]


def simulate(n: int, rng: np.random.Generator) -> list[str]:
    """Return n sequences; each site is planted in half of them, with one wrong base in half of these."""
    sequences = []
    for _ in range(n):
        sequence = random_sequence(rng)
        for site in SITES.values():
            if rng.random() < 0.5:
                continue
            chosen = with_one_wrong_base(site, rng) if rng.random() < 0.5 else site
            chosen = reverse_complement(chosen) if rng.random() < 0.5 else chosen
            sequence = planted(sequence, chosen, int(rng.integers(LENGTH - len(chosen) + 1)))
        sequences.append(sequence)
    return sequences


def onehot(sequences: list[str]) -> Array:
    """Return (n, length, 4), float32, ACGT."""
    codes = np.array([["ACGT".index(base) for base in s] for s in sequences])
    return np.asarray(np.eye(4, dtype=np.float32)[codes])


def network() -> Any:
    """Return the checkpoint's own model file as a module."""
    spec = importlib.util.spec_from_file_location("demo_network", FOLDER / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(sequences: list[str], values: Array, report: Any = print) -> Any:
    """Return the trained torch model."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    model = network().torch_model()
    x = torch.from_numpy(onehot(sequences).swapaxes(1, 2).copy())
    y = torch.from_numpy(values.astype(np.float32))
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4 * RATE, steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))
        total = 0.0
        for rows in order[: len(x) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            answer = model(x[rows])
            loss = torch.nn.functional.mse_loss(torch.cat(list(answer.values()), 1), y[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * BATCH
        report(f"epoch {epoch + 1}: mean squared error {total / len(x):.4f}")
    return model.eval()


def predict(model: Any, sequences: list[str]) -> Array:
    """Return (n, 2)."""
    import torch

    with torch.inference_mode():
        answer = model(torch.from_numpy(onehot(sequences).swapaxes(1, 2).copy()))
    return np.asarray(torch.cat(list(answer.values()), 1).numpy())


def r_squared(predicted: Array, true: Array) -> Array:
    """Return the share of the variance explained, for each output."""
    return np.asarray(1 - ((predicted - true) ** 2).sum(0) / ((true - true.mean(0)) ** 2).sum(0))


def keras_twin(model: Any) -> Any:
    """Return the Keras model with the torch model's weights."""
    twin = network().keras_model()
    for layer in twin.layers:
        if layer.get_weights():
            native = getattr(model, layer.name)
            kernel = native.weight.detach().numpy()
            layer.set_weights([np.ascontiguousarray(kernel.T), native.bias.detach().numpy()])
    return twin


def demo_sequences(rng: np.random.Generator) -> dict[str, str]:
    """Return 24 sequences by ids that say what was planted where: site@start, and + or - for its strand."""
    named = {}
    groups = {"both": ("ap1", "gata"), "ap1": ("ap1",), "gata": ("gata",), "decoy": ("ap1", "gata"), "none": ()}
    counts = {"both": 6, "ap1": 6, "gata": 6, "decoy": 4, "none": 2}
    for group, names in groups.items():
        for number in range(1, counts[group] + 1):
            sequence, label = _demo_sequence(group, names, rng)
            named[f"{group}_{number}{label}"] = sequence
    return named


def _demo_sequence(group: str, names: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    wanted = truth(["".join(SITES[name] for name in names)])[0] if group != "decoy" else np.zeros(2)
    while True:
        sequence, label = random_sequence(rng), ""
        for part, name in enumerate(names):
            low = 20 if part == 0 else 110  # apart, and away from the edges
            start, strand = int(rng.integers(low, low + 60)), str(rng.choice(["+", "-"]))
            site = with_one_wrong_base(SITES[name], rng) if group == "decoy" else SITES[name]
            sequence = planted(sequence, site if strand == "+" else reverse_complement(site), start)
            label += f"_{name}@{start}{strand}"
        if np.array_equal(truth([sequence])[0], wanted):
            return sequence, label


def write(model: Any, accuracy: Array) -> None:
    """Write weights for both frameworks, the sequences and the README."""
    from safetensors.torch import save_file

    save_file(model.state_dict(), FOLDER / "enhancer.safetensors")
    keras_twin(model).save(FOLDER / "enhancer.keras")
    named = demo_sequences(np.random.default_rng([SEED, 3]))
    fasta = "".join(f">{name}\n{sequence}\n" for name, sequence in named.items())
    (FOLDER / "enhancers.fa").write_text(fasta)
    (FOLDER / "README.md").write_text(README.format(*accuracy, **SITES, training=TRAINING, held_out=HELD_OUT))


README = """\
# The demo's checkpoint

A convolutional network that predicts the log2 activity of a 200 bp enhancer in two conditions. It is made by
`scripts/train_demo_model.py` on {training:,} simulated sequences, so that what it ought to have learned is known:

| output | truth |
|---|---|
| `stimulated` | 2 with the AP-1 site `{ap1}`; 1 more if the GATA site is there too |
| `blood` | 2 with the GATA site `{gata}` |

Both strands count; a site with one wrong base is worth nothing. On {held_out:,} held-out sequences it explains
{0:.3f} of the variance of `stimulated` and {1:.3f} of that of `blood` (R2 against the truth without noise).

| file | what |
|---|---|
| `model.py` | the network, `torch_model()` and `keras_model()` |
| `enhancer.safetensors` | weights for `torch_model` |
| `enhancer.keras` | the same weights as a Keras file |
| `enhancers.fa` | 24 further sequences; their ids say what was planted where (0-based start, strand) |

MIT licence, like all of cislens.
"""


def main() -> None:
    rng = np.random.default_rng([SEED, 0])
    training = simulate(TRAINING, rng)
    model = train(training, truth(training) + rng.normal(0, NOISE, (TRAINING, 2)))
    held_out = simulate(HELD_OUT, np.random.default_rng([SEED, 1]))
    accuracy = r_squared(predict(model, held_out), truth(held_out))
    write(model, accuracy)
    print(f"held-out R2: stimulated {accuracy[0]:.3f}, blood {accuracy[1]:.3f}")


if __name__ == "__main__":
    main()
