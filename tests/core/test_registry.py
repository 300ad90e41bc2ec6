from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from cislens.errors import PluginError
from cislens.plugins import Registry

GOOD = """
from dataclasses import dataclass
from typing import ClassVar
from cislens import Explainer, hookimpl

@dataclass(frozen=True)
class Good(Explainer):
    "Do nothing."
    name: ClassVar[str] = "{name}"
    def run(self, oracle, sequences, context): ...
    def cost(self, n, length, targets): return 0, 0

@hookimpl
def register_explainers():
    return [Good]
"""
HOOK = "from cislens import Explainer, hookimpl\n\n@hookimpl\ndef register_{kind}():\n    return {returned}\n"


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """Write modules, and return the registry that finds them as plugins beside a good one."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**modules: str) -> Registry:
        points = []
        for name, source in {"zz_good": GOOD.format(name="good"), **modules}.items():
            # Module names of this test alone, so that no other test finds them in sys.modules.
            module = f"{tmp_path.name}_{name}".replace("-", "_")
            (tmp_path / f"{module}.py").write_text(source)
            points.append(EntryPoint(name, module, "cislens"))
        return Registry(points)

    return make


def only_broken(registry: Registry) -> str:
    """The reason of the one broken plugin, the good one being there all the same."""
    assert list(registry.explainers) == ["good"]
    (plugin,) = registry.broken
    return plugin.error or ""


def test_a_plugin_that_raises_on_import_is_shown_with_its_error(registered) -> None:
    registry = registered(sick="raise RuntimeError('no licence\\nsecond line')")
    assert only_broken(registry) == "RuntimeError: no licence"
    with pytest.raises(PluginError, match=r"no explainer is named 'x'.*sick of unknown: RuntimeError: no licence"):
        registry.explainer("x")


def test_a_plugin_that_ends_the_process_does_not(registered) -> None:
    assert only_broken(registered(sick="import sys; sys.exit('bye')")) == "SystemExit: bye"


def test_a_plugin_that_does_not_parse_is_shown_with_its_error(registered) -> None:
    assert "SyntaxError" in only_broken(registered(sick="def ("))


def test_a_plugin_that_needs_what_is_not_installed_names_it(registered) -> None:
    reason = only_broken(registered(needy="import certainly_absent.inside"))
    assert reason == "it needs certainly_absent, which is not installed: pip install certainly_absent"


def test_an_import_error_without_a_module_is_shown_as_it_is(registered) -> None:
    assert only_broken(registered(sick="raise ModuleNotFoundError('hm')")) == "ModuleNotFoundError: hm"


def test_of_two_explainers_of_one_name_the_second_is_refused(registered) -> None:
    registry = registered(zzz_again=GOOD.format(name="good"))
    assert "the name 'good' is taken among explainers" in only_broken(registry)


def test_a_name_twice_in_one_plugin_is_refused(registered) -> None:
    source = GOOD.format(name="twin").replace("[Good]", "[Good, Good]")
    assert "'twin' is taken among explainers (by itself)" in only_broken(registered(twins=source))


@pytest.mark.parametrize(
    ("kind", "returned", "reason"),
    [
        ("explainers", "None", "register_explainers must return a list, got None"),
        ("explainers", "['ism']", "must return dataclasses that inherit from cislens's Explainer"),
        ("explainers", "[Explainer]", "must return dataclasses that inherit"),
        ("explainers", "[type('Named', (), {'name': 'named'})]", "must return dataclasses that inherit"),
        ("adapters", "[object()]", "must return instances of cislens's Adapter"),
        ("metrics", "[object()]", "register_metrics must return instances of cislens's Metric, got <object"),
        ("exporters", "[object()]", "register_exporters must return dataclasses that inherit from cislens's Exporter"),
        ("importers", "[object()]", "register_importers must return dataclasses that inherit from cislens's Importer"),
        ("explainer", "[]", "a hook must be one of register_explainers, register_adapters"),
    ],
)
def test_a_hook_that_returns_rubbish_is_told_what_it_should(registered, kind, returned, reason) -> None:
    assert reason in only_broken(registered(rubbish=HOOK.format(kind=kind, returned=returned)))


def test_metrics_are_found_by_name(registered) -> None:
    registry = registered(truth="from cislens.truth.plugin import register_metrics")
    assert not registry.broken
    assert registry.metrics["instance_precision"].direction == "higher"
    assert all(metric.name == name and metric.needs for name, metric in registry.metrics.items())


def test_a_hook_with_other_arguments_is_shown_with_its_error(registered) -> None:
    source = HOOK.format(kind="explainers", returned="[]").replace("explainers()", "explainers(everything)")
    assert "PluginValidationError" in only_broken(registered(odd=source))


def test_a_plugin_of_which_one_half_fails_adds_nothing(registered) -> None:
    half = GOOD.format(name="half") + "\n@hookimpl\ndef register_metrics():\n    raise OSError('disk full')\n"
    assert only_broken(registered(half=half)) == "OSError: disk full"


def test_a_module_found_by_two_entry_points_is_registered_once(registered, tmp_path) -> None:
    registered()
    module = f"{tmp_path.name}_zz_good".replace("-", "_")
    registry = Registry([EntryPoint(name, module, "cislens") for name in ("one", "two")])
    assert [plugin.name for plugin in registry.broken] == ["two"]
    assert list(registry.explainers) == ["good"]


def test_built_in_plugins_are_found_and_none_is_broken() -> None:
    from cislens.plugins import registry

    found = registry()
    assert not [plugin for plugin in found.broken if plugin.distribution == "cislens"]
    assert {"ism", "saliency", "input_x_gradient", "integrated_gradients", "smoothgrad"} <= set(found.explainers)
