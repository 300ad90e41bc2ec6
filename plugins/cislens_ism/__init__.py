"""In silico mutagenesis: what each single substitution does to the prediction."""

from cislens import Explainer, hookimpl
from cislens_ism.ism import Ism

__all__ = ["Ism"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add `ism`."""
    return [Ism]
