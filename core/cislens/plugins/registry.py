"""Find plugins, load them one by one, and keep the broken ones apart."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from cislens.errors import PluginError
from cislens.plugins import hookspecs
from cislens.plugins.checks import EXPECTED, checked

if TYPE_CHECKING:
    from cislens.architecture import Architecture
    from cislens.derivation import Derivation
    from cislens.exchange import Exporter, Importer
    from cislens.explainer import Explainer
    from cislens.metric import Metric
    from cislens.oracle.adapter import Adapter
    from cislens.training import Trainer

T = TypeVar("T")
GROUP = "cislens"
KINDS = tuple(EXPECTED)
OWN_DISTRIBUTION = "cislens"


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found: where it comes from, what it adds, and why it failed if it did."""

    name: str
    distribution: str
    version: str
    adds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    error: str | None = None


class Registry:
    """Hold what plugins have registered.

    Parameters
    ----------
    found
        Entry points to load. Built-in plugins come first, the others by name, so that of two with one name the
        same one wins on every machine. A plugin is registered whole or not at all.
    """

    def __init__(self, found: Iterable[EntryPoint]) -> None:
        self.plugins: list[Plugin] = []
        self.entries: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        for point in sorted(found, key=lambda p: (_distribution(p)[0] != OWN_DISTRIBUTION, p.name, p.value)):
            self._load(point)

    def _load(self, point: EntryPoint) -> None:
        distribution, version = _distribution(point)
        try:
            module = point.load()
            self._manager.register(module, name=f"{distribution}:{point.name}")
            self._refuse_unknown_hooks(module)
            added = self._gather(module)
            self._refuse_duplicates(added)
        except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises is shown, never fatal
            reason = _reason(error)
            self.plugins.append(Plugin(point.name, distribution, version, error=reason))
            return
        for kind, items in added.items():
            self.entries[kind].update({item.name: item for item in items})
        names = {kind: tuple(item.name for item in items) for kind, items in added.items() if items}
        self.plugins.append(Plugin(point.name, distribution, version, names))

    def _refuse_unknown_hooks(self, module: ModuleType) -> None:
        hooks = [f"register_{kind}" for kind in KINDS]
        for name in dir(module):
            if name not in hooks and self._manager.parse_hookimpl_opts(module, name) is not None:
                raise PluginError(f"a hook must be one of {', '.join(hooks)}, got {name}")

    def _gather(self, module: ModuleType) -> dict[str, list[Any]]:
        added: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        for kind in KINDS:
            hook = getattr(self._manager.hook, f"register_{kind}")
            for implementation in hook.get_hookimpls():
                if implementation.plugin is module:
                    added[kind] += checked(kind, implementation.function())
        return added

    def _refuse_duplicates(self, added: dict[str, list[Any]]) -> None:
        for kind, items in added.items():
            names = [item.name for item in items]
            for name in names:
                if name in self.entries[kind] or names.count(name) > 1:
                    holder = self._holder(kind, name)
                    raise PluginError(f"the name {name!r} is taken among {kind} (by {holder}): choose another")

    def _holder(self, kind: str, name: str) -> str:
        holders = [p.distribution for p in self.plugins if name in p.adds.get(kind, ())]
        return holders[0] if holders else "itself"

    @property
    def broken(self) -> tuple[Plugin, ...]:
        """The plugins that failed, each with its error."""
        return tuple(plugin for plugin in self.plugins if plugin.error)

    @property
    def explainers(self) -> dict[str, type[Explainer]]:
        """Explainer classes by name."""
        return dict(sorted(self.entries["explainers"].items()))

    @property
    def adapters(self) -> dict[str, Adapter]:
        """Adapters by name."""
        return dict(self.entries["adapters"])

    @property
    def architectures(self) -> dict[str, Architecture]:
        """Published architectures by name."""
        return dict(sorted(self.entries["architectures"].items()))

    @property
    def derivations(self) -> dict[str, type[Derivation]]:
        """Derivation classes by name, in the order in which they were registered."""
        return dict(self.entries["derivations"])

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics by name, in the order in which they were registered."""
        return dict(self.entries["metrics"])

    @property
    def exporters(self) -> dict[str, type[Exporter]]:
        """Exporter classes by name, in the order in which they were registered."""
        return dict(self.entries["exporters"])

    @property
    def importers(self) -> dict[str, type[Importer]]:
        """Importer classes by name, in the order in which they were registered."""
        return dict(self.entries["importers"])

    @property
    def trainers(self) -> dict[str, type[Trainer]]:
        """Trainer classes by name."""
        return dict(sorted(self.entries["trainers"].items()))

    def explainer(self, name: str) -> type[Explainer]:
        """Return an explainer class.

        Raises
        ------
        PluginError
            If none has that name; the sentence lists those there are and the plugins that failed.
        """
        return self._found("explainer", name, self.explainers)

    def architecture(self, name: str) -> Architecture:
        """Return a published architecture.

        Raises
        ------
        PluginError
            If none has that name; the sentence lists those there are and the plugins that failed.
        """
        return self._found("architecture", name, self.architectures)

    def derivation(self, name: str) -> type[Derivation]:
        """Return a derivation class.

        Raises
        ------
        PluginError
            If none has that name; the sentence lists those there are and the plugins that failed.
        """
        return self._found("derivation", name, self.derivations)

    def exporter(self, name: str) -> type[Exporter]:
        """Return an exporter class.

        Raises
        ------
        PluginError
            If none has that name; the sentence lists those there are and the plugins that failed.
        """
        return self._found("exporter", name, self.exporters)

    def importer(self, name: str) -> type[Importer]:
        """Return an importer class.

        Raises
        ------
        PluginError
            If none has that name; the sentence lists those there are and the plugins that failed.
        """
        return self._found("importer", name, self.importers)

    def trainer(self, name: str) -> type[Trainer]:
        """Return a trainer class.

        Raises
        ------
        PluginError
            If none has that name; the sentence lists those there are and the plugins that failed.
        """
        return self._found("trainer", name, self.trainers)

    def called(self, name: str) -> dict[str, Any]:
        """Return by kind everything of a name, such as a model's trainer and the explainer that reads it.

        Raises
        ------
        PluginError
            If there is nothing; the sentence lists what there is and the plugins that failed.
        """
        found = {kind: entries[name] for kind, entries in self.entries.items() if name in entries}
        if not found:
            known = dict.fromkeys(called for entries in self.entries.values() for called in entries)
            raise PluginError(self._unknown("part of a plugin", name, known))
        return found

    def _found(self, kind: str, name: str, known: Mapping[str, T]) -> T:
        if name not in known:
            raise PluginError(self._unknown(kind, name, known))
        return known[name]

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> str:
        message = f"no {kind} is named {name!r}: choose one of {', '.join(known)}"
        if self.broken:
            failed = "; ".join(f"{p.name} of {p.distribution}: {p.error}" for p in self.broken)
            message += f" (plugins that could not be loaded: {failed})"
        return message


@functools.cache
def registry() -> Registry:
    """Return what the plugins installed here have registered, loaded once a process."""
    return Registry(entry_points(group=GROUP))


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("unknown", "")


def _reason(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"it needs {error.name}, which is not installed: pip install {error.name.split('.')[0]}"
    text = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
    return text.strip().partition("\n")[0]
