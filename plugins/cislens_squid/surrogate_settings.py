"""The settings of a surrogate, which all explainers that fit one share."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, Literal, get_args, get_origin, get_type_hints

from cislens import CislensError, setting
from cislens.errors import require_choice
from cislens_squid.genotype import Order

FEWEST = 1_000  # variants of a library below which a budget is refused


@dataclass(frozen=True, kw_only=True)
class SurrogateSettings:
    """Say what surrogate is fitted and how it is read; an explainer inherits these fields beside its own."""

    name: ClassVar[str]

    surrogate: Literal["latent", "ridge"] = setting(
        "latent", "latent: map, nonlinearity and noise; ridge: least squares with a cross-validated penalty"
    )
    gp_map: str = setting("additive", "additive, neighbour, pairwise, or FILE.py:FACTORY of a torch module")
    nonlinearity: Literal["tanh", "linear"] = setting("tanh", "from latent phenotype to most probable answer")
    monotonic: bool = setting(True, "whether the nonlinearity never falls")
    nodes: int = setting(50, "hyperbolic tangents that the nonlinearity sums")
    noise: Literal["skewed_t", "student", "cauchy", "gaussian"] = setting("skewed_t", "how answers scatter")
    noise_order: int = setting(2, "of the polynomials by which the scatter depends on the answer; 0: it does not")
    gauge: Literal["uniform", "empirical", "wild-type"] = setting(
        "uniform", "at each position zero on average over: the four bases, the library's bases, the own base"
    )
    penalty: float = setting(3.0, "of squared parameters; 1: a prior under which the latent phenotype varies by one")
    patience: int = setting(50, "iterations without a better validation likelihood before a fit ends")
    backend: Literal["cislens", "mavenn"] = setting(
        "cislens", "what fits a latent surrogate: cislens, or MAVE-NN as SQUID was published with, much slower"
    )
    interactions: int = setting(20_000, "strongest pair terms that the report keeps of a surrogate")

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            if get_origin(kind) is Literal:
                require_choice(f"{self.name}'s {name}", getattr(self, name), kind)
        self.require_at_least(nodes=1, noise_order=0, patience=1, interactions=0)
        if self.gp_map not in get_args(Order) and (":" not in self.gp_map or self.surrogate == "ridge"):
            raise CislensError(
                f"{self.name}'s gp_map must be additive, neighbour or pairwise, or, but for surrogate=ridge, "
                f"FILE.py:FACTORY, got {self.gp_map!r}"
            )
        if not 0 <= self.penalty < float("inf"):
            raise CislensError(f"{self.name}'s penalty must not be negative, got {self.penalty}")
        if self.backend == "mavenn" and not (
            self.surrogate == "latent"
            and self.gp_map in get_args(Order)
            and self.noise in ("skewed_t", "cauchy", "gaussian")
        ):
            raise CislensError(
                f"{self.name}'s backend mavenn fits latent surrogates of additive, neighbour and pairwise maps with "
                f"skewed_t, cauchy or gaussian noise, got surrogate={self.surrogate}, gp_map={self.gp_map} and "
                f"noise={self.noise}: choose among these, or backend=cislens"
            )

    def require_at_least(self, **least: float) -> None:
        """Raise `CislensError` where a setting is smaller than it may be."""
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise CislensError(f"{self.name}'s {name} must be at least {smallest}, got {getattr(self, name)}")

    def require_backend(self) -> None:
        """Raise `CislensError` where what fits is not installed, before a library is predicted."""
        if find_spec("torch") is None:
            raise CislensError(f"{self.name} needs torch, which is not installed: pip install 'cislens[torch]'")
        if self.backend == "mavenn":
            from cislens_squid.mavenn_backend import require_mavenn

            require_mavenn()

    @property
    def has_pairs(self) -> bool:
        """Whether the map has pair terms that a report can show."""
        return self.gp_map in ("neighbour", "pairwise")
