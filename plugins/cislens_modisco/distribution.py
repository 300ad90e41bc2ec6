"""Which of the two distributions that ship the package `modiscolite` is installed."""

from __future__ import annotations

from importlib import metadata

from cislens.errors import CislensError

PACKAGE = "modiscolite"


def distribution() -> str:
    """Return the name of the distribution whose modiscolite is imported.

    Raises
    ------
    CislensError
        If there is none, or more than one: they own the same files, and the one that was installed last has written
        over the other's.
    """
    owners = sorted(set(metadata.packages_distributions().get(PACKAGE, ())))
    if not owners:
        raise CislensError(f"modisco needs {PACKAGE}, which is not installed: pip install 'cislens[motifs]'")
    if len(owners) > 1:
        raise CislensError(
            f"modisco needs one distribution of {PACKAGE}, but {' and '.join(owners)} own the same files here: "
            f"pip uninstall {' '.join(owners)}, then pip install 'cislens[motifs]'"
        )
    return owners[0]
