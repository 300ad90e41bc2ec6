"""Plugins: how they register, and how they are found."""

from cislens.plugins.hookspecs import hookimpl
from cislens.plugins.registry import Plugin, Registry, registry

__all__ = ["Plugin", "Registry", "hookimpl", "registry"]
