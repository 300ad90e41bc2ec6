"""The training loop: epochs, early stopping, and going on after a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cislens.errors import CislensError
from cislens.provenance import versions
from cislens.training import Examples, TrainingContext, TrainingData
from cislens.training.scoring import at_chance, scores, told
from cislens_torch.training.building import built
from cislens_torch.training.files import TrainingFolder, TrainingState, save_checkpoint
from cislens_torch.training.trainer import TorchTrainer

PREDICTED_AT_ONCE = 256


class Training:
    """One run of a trainer.

    Parameters
    ----------
    trainer, data, context
        What to train, on what, and from which seed.
    folder
        Where everything is kept.
    """

    def __init__(self, trainer: TorchTrainer, data: TrainingData, folder: Path, context: TrainingContext) -> None:
        self.trainer, self.data, self.context = trainer, data, context
        self.rows = trainer.batch_size // 2 if trainer.reverse_complement else trainer.batch_size
        self.steps = data.steps(self.rows)
        if not self.steps:
            raise CislensError(
                f"the training data must fill a batch of {self.rows} sequences at least: make the batches smaller"
            )
        key = {"trainer": trainer.name, "settings": trainer.settings(), "data": data.record(), "seed": context.seed}
        self.device = _device(trainer.device)
        self.folder = TrainingFolder(folder, key, context.overwrite)

    def run(self) -> Path:
        """Train, or go on, and return the checkpoint."""
        if self.folder.finished:
            self.context.tell(f"training was finished before: {self.folder.checkpoint}")
            return self.folder.checkpoint
        with seeded(self.context, "weights"):
            network = built(self.trainer, self.data.length, len(self.data.outputs)).to(self.device)
        optimiser = torch.optim.AdamW(
            network.parameters(), self.trainer.learning_rate, weight_decay=self.trainer.weight_decay
        )
        state = self.folder.resumed(network, optimiser)
        if state.epoch:
            self.context.tell(f"going on after epoch {state.epoch}")
        validation = self.data.held_out("validation")
        while state.epoch < self.trainer.epochs and not self._stopped(state):
            self._epoch(network, optimiser, state, validation)
            self.folder.keep(state, network, optimiser)
        network.load_state_dict(state.best)
        return self._finish(network, state, validation)

    def _stopped(self, state: TrainingState) -> bool:
        return self.trainer.patience is not None and state.epoch - state.best_epoch >= self.trainer.patience

    def _epoch(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, state: TrainingState, validation: Examples
    ) -> None:
        began = time.perf_counter()
        number = str(state.epoch + 1)
        with seeded(self.context, "dropout", number):
            loss, waiting = self._pass(network, optimiser, state.epoch, self.context.rng("order", number))
        seconds = time.perf_counter() - began  # of training alone, against which those of data are held
        answers = self.predict(network, validation)
        found = scores(answers, validation.values, self.data.task)
        found["loss"] = self._finite(
            "validation", float(self._loss(torch.from_numpy(answers), torch.from_numpy(validation.values))), state.epoch
        )
        state.add(
            {
                "epoch": state.epoch + 1,
                "training_loss": loss,
                "seconds": round(seconds, 3),
                "seconds_of_data": round(waiting, 3),
                **{f"validation_{name}": value for name, value in found.items()},
            },
            network,
        )
        best = " (best so far)" if state.best_epoch == state.epoch else ""
        self.context.tell(
            f"epoch {number} of {self.trainer.epochs}: training loss {loss:.3f}; validation {told(found)}{best}"
        )

    def _pass(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, done: int, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Train one epoch; return its mean loss, and how many seconds were spent on making batches."""
        network.train()
        total, waiting = torch.zeros((), device=self.device), 0.0
        batches = self.data.batches(self.rows, rng)
        for step in range(self.steps):
            asked = time.perf_counter()
            batch = next(batches)
            x, y = self._tensors(batch)
            waiting += time.perf_counter() - asked
            self._set_learning_rate(optimiser, done * self.steps + step)
            loss = self._loss(network(x), y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += loss.detach()
            self.context.progress(done * self.steps + step + 1, self.trainer.epochs * self.steps)
        return self._finite("training", float(total) / self.steps, done), waiting

    def _set_learning_rate(self, optimiser: torch.optim.Optimizer, step: int) -> None:
        """Follow the schedule, which depends on the step alone, so that a run that goes on takes the same rates."""
        if self.trainer.schedule == "cosine":
            share = step / (self.trainer.epochs * self.steps)
            for group in optimiser.param_groups:
                group["lr"] = self.trainer.learning_rate * (1 + math.cos(math.pi * share)) / 2

    def _finite(self, which: str, loss: float, done: int) -> float:
        if not np.isfinite(loss):
            raise CislensError(
                f"the {which} loss must stay finite, got {loss} in epoch {done + 1}: lower the learning rate, or scale "
                "the values down"
            )
        return loss

    def _tensors(self, batch: Examples) -> tuple[torch.Tensor, torch.Tensor]:
        x = _channels_first(batch.onehot, self.device)
        y = torch.from_numpy(batch.values).to(self.device)
        if self.trainer.reverse_complement:
            # Both axes backwards: the other strand, since ACGT backwards is its complement.
            x, y = torch.cat([x, x.flip(1, 2)]), torch.cat([y, y])
        return x, y

    def _loss(self, answers: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        if self.data.task == "binary":
            return functional.binary_cross_entropy_with_logits(answers, values)
        return functional.mse_loss(answers, values)

    def predict(self, network: nn.Module, examples: Examples) -> np.ndarray[Any, Any]:
        """Return what the network answers for examples, (n, outputs), without dropout."""
        network.eval()
        with torch.no_grad():
            parts = [
                network(_channels_first(examples.onehot[start : start + PREDICTED_AT_ONCE], self.device)).cpu()
                for start in range(0, len(examples), PREDICTED_AT_ONCE)
            ]
        return torch.cat(parts).numpy()

    def _finish(self, network: nn.Module, state: TrainingState, validation: Examples) -> Path:
        test = self.data.held_out("test")
        on = {"validation": validation, "test": test}
        found = {name: scores(self.predict(network, held), held.values, self.data.task) for name, held in on.items()}
        failed = at_chance(found["validation"], len(validation), self.data.task)
        if failed:
            self.context.tell(
                "failed: on the validation set the model does no better than chance; try another seed, a lower "
                "learning rate or more epochs"
            )
        save_checkpoint(network, self.folder.checkpoint, self.trainer, self.data)
        facts = {
            "scores": found,
            "failed": failed,
            "best_epoch": state.best_epoch,
            "epochs": state.epoch,
            "history": state.history,
            "parameters": sum(p.numel() for p in network.parameters()),
            "sizes": {name: len(held) for name, held in on.items()},
            "versions": versions(),
        }
        self.folder.finish(facts)
        return self.folder.checkpoint


@contextmanager
def seeded(context: TrainingContext, *purpose: str) -> Iterator[None]:
    """Let torch draw from a stream of the run's seed, and leave its own generators as they were."""
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices):
        torch.manual_seed(int(context.rng(*purpose).integers(2**63)))
        yield


def _channels_first(onehot: np.ndarray[Any, Any], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(onehot).to(device).transpose(1, 2).float()


def _device(wanted: str) -> torch.device:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted != "auto" and not there[wanted]:
        raise CislensError(f"the device {wanted} must be there to train on it, but is not: say device=auto")
    return torch.device(next(name for name in there if there[name]) if wanted == "auto" else wanted)
