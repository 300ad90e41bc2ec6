"""What a trainer is: the settings of a model and of its training, and a way to a checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from cislens.context import Progress, Tell, hush, silent, stream
from cislens.settings import Configured, named
from cislens.training.data import TrainingData


@dataclass(frozen=True)
class TrainingContext:
    """Give a trainer its random streams, and ways to say how far it is.

    Parameters
    ----------
    seed
        Of the initial weights, the order of the examples, and dropout.
    progress
        Call it with (done, total), in any unit.
    tell
        Call it with a sentence for the user, such as an epoch's results.
    overwrite
        Whether another run that the folder holds is replaced; it is refused otherwise. The same run goes on, or is
        finished, either way: it would end with the same weights.
    """

    seed: int = 0
    progress: Progress = silent
    tell: Tell = hush
    overwrite: bool = False

    def rng(self, *names: str) -> np.random.Generator:
        """Return the random stream of a purpose, from its start at each call."""
        return stream(self.seed, "train", *names)


@dataclass(frozen=True)
class Trainer(Configured, ABC):
    """Train one kind of model.

    A trainer is a frozen dataclass whose fields are its settings, as an explainer is; a plugin registers its class
    with the hook `register_trainers`. Those that compute with PyTorch inherit from `cislens_torch.TorchTrainer`, which
    brings the loop.

    Attributes
    ----------
    name
        As in `cislens train NAME`.
    references
        DOIs.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def train(self, data: TrainingData, folder: Path, context: TrainingContext) -> Path:
        """Train on the data and return the checkpoint, which `open_oracle` opens.

        Everything is written into the folder; started again with the same settings, data and seed after a kill, it
        goes on where it stopped.
        """


def parse_trainer(text: str) -> Trainer:
    """Read `NAME` or `NAME:setting=value,...`.

    Raises
    ------
    PluginError
        If no trainer has that name.
    CislensError
        If a setting is unknown or of the wrong type.
    """
    from cislens.plugins import registry

    return named(text, registry().trainer)
