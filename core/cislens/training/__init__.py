"""Train models: what they are trained on, and what trains them."""

from cislens.training.data import Examples, TrainingData
from cislens.training.trainer import Trainer, TrainingContext

__all__ = ["Examples", "Trainer", "TrainingContext", "TrainingData"]
