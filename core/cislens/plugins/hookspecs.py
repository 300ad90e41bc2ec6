"""The hooks that a plugin may implement; each returns a list of what it adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from cislens.architecture import Architecture
    from cislens.derivation import Derivation
    from cislens.exchange import Exporter, Importer
    from cislens.explainer import Explainer
    from cislens.metric import Metric
    from cislens.oracle.adapter import Adapter
    from cislens.training import Trainer

hookspec = pluggy.HookspecMarker("cislens")
hookimpl = pluggy.HookimplMarker("cislens")


@hookspec
def register_explainers() -> list[type[Explainer]]:  # type: ignore[empty-body]
    """Return explainer classes; their `name` must be new."""


@hookspec
def register_adapters() -> list[Adapter]:  # type: ignore[empty-body]
    """Return adapters, ready to be asked what they recognise."""


@hookspec
def register_architectures() -> list[Architecture]:  # type: ignore[empty-body]
    """Return published architectures, which open from their weights alone as `arch:NAME`."""


@hookspec
def register_derivations() -> list[type[Derivation]]:  # type: ignore[empty-body]
    """Return derivation classes; their `name` must be new."""


@hookspec
def register_metrics() -> list[Metric]:  # type: ignore[empty-body]
    """Return metrics, ready to measure; their `name` must be new."""


@hookspec
def register_exporters() -> list[type[Exporter]]:  # type: ignore[empty-body]
    """Return exporter classes, each an option of `cislens report`; their `name` must be new."""


@hookspec
def register_importers() -> list[type[Importer]]:  # type: ignore[empty-body]
    """Return importer classes, of which `cislens import` takes the one that recognises a file; with a new `name`."""


@hookspec
def register_trainers() -> list[type[Trainer]]:  # type: ignore[empty-body]
    """Return trainer classes; their `name` must be new."""
