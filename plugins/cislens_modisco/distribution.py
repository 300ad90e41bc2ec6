"""Which of the two distributions that ship the package `modiscolite` is installed."""

from __future__ import annotations

from importlib import metadata

from cislens.errors import CislensError

PACKAGE = "modiscolite"
DISTRIBUTIONS = ("modisco", "modisco-lite")


def distribution() -> metadata.Distribution:
    """Return the distribution whose modiscolite is imported.

    Raises
    ------
    CislensError
        If there is none, or both: they own the same files, and the one that was installed last has written over the
        other's.
    """
    # Their list of names is short, and asking all that is installed for its packages takes longer than a small run.
    there = [found for name in DISTRIBUTIONS for found in metadata.distributions(name=name) if _ships(found)]
    names = list(dict.fromkeys(found.name for found in there))
    if not names:
        raise CislensError(f"modisco needs {PACKAGE}, which is not installed: pip install 'cislens[motifs]'")
    if len(names) > 1:
        raise CislensError(
            f"modisco needs one distribution of {PACKAGE}, but {' and '.join(names)} own the same files here: "
            f"pip uninstall {' '.join(names)}, then pip install 'cislens[motifs]'"
        )
    return there[0]


def _ships(found: metadata.Distribution) -> bool:
    # Releases of modisco before 2 hold another package.
    return any(path.parts[0] == PACKAGE for path in found.files or ())
