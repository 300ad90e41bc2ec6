"""What all tests share: a cache of their own, markers that skip where something is absent, and a count of what ran."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes is the machine's business: no test asserts a time.
settings.register_profile("cislens", deadline=None)
settings.load_profile("cislens")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COUNTED = ("real", "torch", "keras", "onnx", "peers", "gpu", "browser")
PACKAGES = {
    "torch": ("torch",),
    "keras": ("keras", "tensorflow"),
    "onnx": ("onnx", "onnxruntime"),
    "peers": ("bpnetlite",),
}
OUTCOMES = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped", "xfailed": "skipped"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", metavar="FILE", help="write how many tests ran, by marker, as JSON")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The examples of the documentation take longest: begun last, they would keep one process busy while others wait.
    items.sort(key=lambda item: item.path.name != "test_documentation.py")
    absent: dict[str, str | None] = {}
    for item in items:
        for name in COUNTED:
            if item.get_closest_marker(name) is None:
                continue
            item.user_properties.append(("needs", name))
            if name not in absent:
                absent[name] = why_absent(name)
            if absent[name] is not None:
                item.add_marker(pytest.mark.skip(reason=str(absent[name])))


def why_absent(marker: str) -> str | None:
    """Return why tests with a marker cannot run here, None if they can."""
    if marker == "real" and real_data_folder() is None:
        return "CISLENS_REAL_DATA names no folder of real data"
    if marker == "browser" and not any(map(shutil.which, BROWSERS)):
        return "Chromium is not installed"
    if marker == "gpu":
        return None if has_gpu() else "there is no CUDA device"
    missing = [name for name in PACKAGES.get(marker, ()) if importlib.util.find_spec(name) is None]
    return f"{', '.join(missing)} is not installed" if missing else None


def real_data_folder() -> Path | None:
    named = os.environ.get("CISLENS_REAL_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def has_gpu() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep measured batch sizes out of the user's home, and the user's out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CISLENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published checkpoints and sequences."""
    folder = real_data_folder()
    if folder is None:
        pytest.skip("CISLENS_REAL_DATA names no folder of real data")
    return folder


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    counts = counted(terminalreporter.stats)
    for marker, label in zip(COUNTED, ("real data", *COUNTED[1:]), strict=True):
        ran = counts[f"{marker} passed"] + counts[f"{marker} failed"]
        if ran or counts[f"{marker} skipped"]:
            terminalreporter.write_line(f"{label}: {ran} ran, {counts[f'{marker} skipped']} skipped")
    if path := config.getoption("--counts"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(counts, indent=1))


def counted(stats: dict[str, list[Any]]) -> Counter[str]:
    """Return how many tests passed, failed and were skipped, in all and by what they need."""
    counts: Counter[str] = Counter(passed=0, failed=0, skipped=0)
    for kind, outcome in OUTCOMES.items():
        for report in stats.get(kind, ()):
            counts[outcome] += 1
            needs = [value for key, value in getattr(report, "user_properties", ()) if key == "needs"]
            counts.update(f"{marker} {outcome}" for marker in needs)
    return counts
