"""Explainers that ask for gradients alone, and so run on every differentiable oracle."""

from cislens import Explainer, hookimpl
from cislens_gradients.input_x_gradient import InputXGradient
from cislens_gradients.integrated_gradients import IntegratedGradients
from cislens_gradients.saliency import Saliency
from cislens_gradients.smoothgrad import SmoothGrad

__all__ = ["InputXGradient", "IntegratedGradients", "Saliency", "SmoothGrad"]


@hookimpl
def register_explainers() -> list[type[Explainer]]:
    """Add the four gradient explainers."""
    return [Saliency, InputXGradient, IntegratedGradients, SmoothGrad]
