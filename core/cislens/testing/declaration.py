"""What an explainer says of itself: its class attributes and its settings."""

from __future__ import annotations

import dataclasses
import json
import re

from cislens import settings
from cislens.explainer import Explainer
from cislens.oracle.base import HOOKS
from cislens.testing.contract import require

PARTS = ("attributions", "masks", "interactions", "curves", "motifs", "instances", "syntax")


def require_declaration(explainer: Explainer) -> None:
    """Raise unless it is a frozen dataclass with name, documentation, references, needs and help for its settings."""
    kind = type(explainer)
    parameters = getattr(kind, "__dataclass_params__", None)
    require(
        "__dataclass_params__" in vars(kind) and bool(parameters and parameters.frozen),
        f"{kind.__name__} must be declared with @dataclass(frozen=True), but is not",
    )
    name = str(getattr(kind, "name", ""))
    require(
        re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None,
        f"the name of {kind.__name__} must be in snake_case, got {name!r}",
    )
    # A dataclass without a docstring is given its signature as one.
    summary = "" if (kind.__doc__ or "").startswith(f"{kind.__name__}(") else kind.summary()
    require(bool(summary), f"{name} must have a docstring whose first line says what it does, got none")
    require(
        bool(kind.references) and all(doi.startswith("10.") and "/" in doi for doi in kind.references),
        f"{name} must name its references as DOIs such as 10.1038/nmeth.3547, got {kind.references}",
    )
    unknown = sorted(need for need in kind.needs if need not in HOOKS and not need.startswith("native:"))
    require(not unknown, f"the needs of {name} must be among {', '.join(HOOKS)}, got {', '.join(unknown)}")
    require(
        bool(kind.emits) and set(kind.emits) <= set(PARTS),
        f"what {name} emits must be among {', '.join(PARTS)}, got {kind.emits}",
    )
    for setting in settings.describe(kind):
        require(bool(setting.help), f"{name}'s setting {setting.name} must have help, got none")
        require(
            setting.default is not dataclasses.MISSING,
            f"{name}'s setting {setting.name} must have a default, got none",
        )


def require_settings_come_back(explainer: Explainer) -> None:
    """Raise unless its settings come back from their text form and from JSON."""
    kind, written = type(explainer), settings.text(explainer)
    for form, given in (
        (f"the text {written!r}", settings.parse_settings(written)),
        ("JSON", json.loads(json.dumps(explainer.settings()))),
    ):
        came = settings.build(kind, given)
        require(came == explainer, f"{explainer.name}: expected {explainer} back from {form}, got {came}")
