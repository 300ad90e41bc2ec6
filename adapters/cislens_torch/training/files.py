"""What a training run keeps: its state after each epoch, its results, and the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from cislens.errors import CislensError
from cislens.files import whole_file, write_text
from cislens.json_text import json_text
from cislens.training import Trainer, TrainingData, content_of

METADATA = "cislens"  # under this name a checkpoint says what it is


@dataclass
class TrainingState:
    """Where a run stands: epochs done, their results, and the weights of the best."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def add(self, results: dict[str, float], network: nn.Module) -> None:
        """Take an epoch's results, and the weights if its validation loss is below all before."""
        lowest = min((past["validation_loss"] for past in self.history), default=float("inf"))
        self.history.append(results)
        if results["validation_loss"] < lowest:
            self.best_epoch = self.epoch
            self.best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


class TrainingFolder:
    """Keep a run in a folder.

    Parameters
    ----------
    folder
        Made where there is none.
    key
        What the run is of: trainer, settings, data (their record) and seed.
    overwrite
        Whether another run that it holds is removed; it is refused otherwise. What is of the same run stays.

    Raises
    ------
    CislensError
        If the folder holds another run, or files of which no run tells, or cannot be made.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], overwrite: bool) -> None:
        self.folder, self.key = folder, json.loads(json_text(key))
        self.checkpoint = folder / "model.safetensors"
        self.results = folder / "training.json"
        self._state = folder / "state.pt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CislensError(
                f"{folder} must be a folder, or be made one, but cannot ({error}): choose another"
            ) from None
        reason = self._why_another()
        if reason is not None and not overwrite:
            raise CislensError(
                f"{self.folder} {reason}: choose another folder, or say --overwrite (in Python, overwrite=True)"
            )
        if reason is not None:
            # The results last: as long as there are other files, they tell whose these are.
            for path in (self._state, self.checkpoint, self.results):
                path.unlink(missing_ok=True)

    def _why_another(self) -> str | None:
        """Return what the folder holds that is not of this run."""
        held = self._held()
        if held is None:
            found = [path.name for path in (self.checkpoint, self._state) if path.exists()]
            return f"holds {found[0]}, of which no training.json tells" if found else None
        one, two = _content(held), _content(self.key)
        return None if one == two else f"holds another run ({_difference(one, two)})"

    @property
    def finished(self) -> bool:
        """Whether the run was finished before."""
        return self.checkpoint.exists() and "scores" in json.loads(self.results.read_text(encoding="utf-8"))

    def resumed(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> TrainingState:
        """Return the state that was kept, with the network and the optimiser brought to it; a new one without."""
        if not self._state.exists():
            return TrainingState()
        held = torch.load(self._state, weights_only=True, map_location=next(network.parameters()).device)
        network.load_state_dict(held["network"])
        optimiser.load_state_dict(held["optimiser"])
        return TrainingState(held["history"], held["best_epoch"], held["best"])

    def keep(self, state: TrainingState, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write the state of a run, whole or not at all; with the first one, what the run is of."""
        if not self.results.exists():
            write_text(self.results, json_text(self.key))
        held = {**vars(state), "network": network.state_dict(), "optimiser": optimiser.state_dict()}
        with whole_file(self._state) as unfinished:
            torch.save(held, unfinished)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the results; the state is needed no more."""
        write_text(self.results, json_text({**self.key, **facts}))
        self._state.unlink(missing_ok=True)

    def _held(self) -> dict[str, Any] | None:
        if not self.results.exists():
            return None
        try:
            held = json.loads(self.results.read_text(encoding="utf-8"))
        except ValueError:
            held = None
        return {name: held.get(name) for name in self.key} if isinstance(held, dict) else {}


def save_checkpoint(network: nn.Module, path: Path, trainer: Trainer, data: TrainingData) -> None:
    """Write the weights, with what builds the network again and what its answers are."""
    said = {
        "trainer": trainer.name,
        "settings": trainer.settings(),
        "length": data.length,
        "outputs": list(data.outputs),
        "task": data.task,
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with whole_file(path) as unfinished:
        save_file(weights, unfinished, {METADATA: json.dumps(said)})


def _content(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run's key tells it from others."""
    data = key.get("data")
    return {**key, "data": content_of(data) if isinstance(data, dict) else data}


def _difference(held: Mapping[str, Any], wanted: Mapping[str, Any], under: str = "") -> str:
    for name in wanted:
        if held.get(name) != wanted[name]:
            if isinstance(held.get(name), dict) and isinstance(wanted[name], dict):
                return _difference(held[name], wanted[name], f"{under}{name} ")
            return f"{under}{name} {held.get(name)!r}, not {wanted[name]!r}"
    return f"{under}other entries"
