"""Every explainer that is installed keeps the contract; a new one is tested without touching this file."""

from __future__ import annotations

import warnings

import pytest

from cislens.plugins import registry
from cislens.testing import ExplainerContract

# Defaults are for real models; on toys a few steps say as much.
QUICK = {"steps": 8, "samples": 8, "shuffles": 8, "library": 400, "nodes": 5, "patience": 5}


def quick(kind):
    return kind(**{name: few for name, few in QUICK.items() if name in kind.__dataclass_fields__})


def checks() -> list:
    found = []
    for name, kind in registry().explainers.items():
        for check in ExplainerContract(quick(kind)).checks():
            found.append(pytest.param(check, id=f"{name}: {check}"))
    return found


@pytest.mark.parametrize("check", checks())
def test_every_explainer_keeps_its_promises(check) -> None:
    check()


@pytest.mark.parametrize("name", registry().explainers)
def test_every_explainer_has_defaults_and_a_summary_that_fits_a_line(name: str) -> None:
    kind = registry().explainers[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer = kind()
    assert explainer.name == name
    assert 10 < len(kind.summary()) < 100
    assert kind.summary().endswith(".")
