"""Train models: what they are trained on, and what trains them."""

from cislens.training.array_data import ArrayData
from cislens.training.data import Examples, TrainingData, content_of
from cislens.training.options import DataOptions
from cislens.training.reading import read_training_data
from cislens.training.trainer import Trainer, TrainingContext

__all__ = [
    "ArrayData",
    "DataOptions",
    "Examples",
    "Trainer",
    "TrainingContext",
    "TrainingData",
    "content_of",
    "read_training_data",
]
