"""The errors of cislens: each says what must hold, what came, and what to do."""

from __future__ import annotations

from typing import Any, get_args


class CislensError(Exception):
    """A mistake that the user can mend; the command line prints its sentence, not a traceback."""


class SequenceError(CislensError):
    """Sequences that cannot be read, or that do not fit the model."""


class OracleError(CislensError):
    """A model that cannot be opened, or that answers with something unusable."""


class CapabilityError(CislensError):
    """A request for something that this oracle cannot do."""


class TargetError(CislensError):
    """A target that does not name one scalar of the oracle."""


class PluginError(CislensError):
    """A plugin that is unknown, broken or registered twice."""


class ReportError(CislensError):
    """A report that cannot be written, read or resumed."""


class UntrustedError(OracleError):
    """A file that would run somebody else's code when it is opened."""


def require_choice(name: str, given: Any, choices: Any, error: type[CislensError] = CislensError) -> None:
    """Raise an error unless `given` is among the choices of a Literal."""
    if given not in get_args(choices):
        listed = ", ".join(map(repr, get_args(choices)))
        raise error(f"{name} must be one of {listed}, got {given!r}")
