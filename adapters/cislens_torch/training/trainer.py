"""The settings that every trainer of a torch network has."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cislens.errors import CislensError
from cislens.files import writing
from cislens.lock import Lock
from cislens.settings import setting
from cislens.training import Trainer, TrainingContext, TrainingData

if TYPE_CHECKING:
    from torch import nn

FASTEST = 1e6  # learning rate; far beyond any that trains, and within what float32 holds


@dataclass(frozen=True)
class TorchTrainer(Trainer):
    """Train a torch network by Adam, and keep the epoch that is best on the validation set.

    An author writes `network`. The checkpoint names its trainer, from which `open_oracle` builds the network again.
    """

    epochs: int = setting(40, "passes over the training data at most")
    batch_size: int = setting(128, "sequences a step, reverse complements counted in")
    learning_rate: float = setting(1e-3, "of Adam")
    schedule: Literal["constant", "cosine"] = setting(
        "constant", "of the learning rate; cosine: down to nothing at the end of all epochs"
    )
    weight_decay: float = setting(0.0, "of the weights, apart from the gradient (AdamW)")
    patience: int | None = setting(10, "epochs without a better validation loss before training stops; none: never")
    reverse_complement: bool = setting(True, "show every sequence on both strands, half a batch each")
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where it trains")

    @abstractmethod
    def network(self, length: int, outputs: int) -> nn.Module:
        """Return the untrained network.

        Parameters
        ----------
        length
            Of the sequences, in bp.
        outputs
            How many values it predicts of each.

        Returns
        -------
        nn.Module
            Takes float (n, 4, length), ACGT, and gives (n, outputs): logits where the values are 0 and 1, else the
            values themselves.

        Raises
        ------
        CislensError
            If the sequences are too short for it.
        """

    def train(self, data: TrainingData, folder: Path, context: TrainingContext) -> Path:
        """Train on the data; see `Trainer.train`.

        Returns
        -------
        Path
            model.safetensors, beside training.json with settings, history and scores.

        Raises
        ------
        CislensError
            If settings or data cannot be trained with, the folder holds another run, or the loss does not stay finite.
        """
        self._check()
        from cislens_torch.training.loop import Training

        lock = Lock(folder.with_name(f"{folder.name}.lock"), f"the folder {folder}")
        with writing(folder):
            lock.acquire()
        try:
            return Training(self, data, folder, context).run()
        finally:
            lock.release()

    def _check(self) -> None:
        if self.reverse_complement and self.batch_size % 2:
            raise CislensError(f"a batch that shows both strands must be of even size, got {self.batch_size}")
        if self.epochs < 1 or self.batch_size < 2 or (self.patience is not None and self.patience < 1):
            raise CislensError(
                "training needs an epoch at least, batches of two at least and a patience of one epoch at least, got "
                f"{self.epochs}, {self.batch_size} and {self.patience}"
            )
        if not 0 < self.learning_rate <= FASTEST or not 0 <= self.weight_decay < float("inf"):
            raise CislensError(
                f"training needs a learning rate above 0 and up to {FASTEST:g} and a weight decay of 0 or more, got "
                f"{self.learning_rate} and {self.weight_decay}"
            )
