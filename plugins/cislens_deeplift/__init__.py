"""DeepLIFT/SHAP with the rules of tangermeme, on any oracle that shows its layers."""

from cislens import Explainer, hookimpl
from cislens_deeplift.deeplift_shap import DeepLiftShap

__all__ = ["DeepLiftShap"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add DeepLIFT/SHAP."""
    return [DeepLiftShap]
