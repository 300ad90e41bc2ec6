"""TF-MoDISco: seqlets of hypothetical contributions, clustered to motifs."""

from cislens import hookimpl
from cislens.derivation import Derivation
from cislens_modisco.modisco import Modisco

__all__ = ["Modisco"]


@hookimpl
def register_derivations() -> list[type[Derivation]]:
    """Add `modisco`."""
    return [Modisco]
