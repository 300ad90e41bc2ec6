"""Reference models: small networks of the kinds that the field uses, to train on data whose answers are known."""

from cislens import hookimpl
from cislens.training import Trainer
from cislens_reference_models.trainers import BassetLike, BpnetLike, ResidualNetwork, StandardCnn

__all__ = ["BassetLike", "BpnetLike", "ResidualNetwork", "StandardCnn"]


@hookimpl
def register_trainers() -> list[type[Trainer]]:
    """Add the reference models."""
    return [StandardCnn, ResidualNetwork, BassetLike, BpnetLike]
