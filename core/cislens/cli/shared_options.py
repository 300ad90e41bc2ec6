"""Give several commands the same options, declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

Command = Callable[..., None]


def sharing(declared: Command, parameter: str, make: Callable[[dict[str, Any]], Any]) -> Callable[[Command], Command]:
    """Return a decorator that adds options to a command.

    Parameters
    ----------
    declared
        A function whose parameters are the options.
    parameter
        Name of the command's parameter that receives them, as one object.
    make
        Makes that object from the options' values by name.
    """
    shared = inspect.signature(declared, eval_str=True).parameters

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for name, p in signature.parameters.items() if name != parameter]

        @functools.wraps(command)
        def wrapped(**given: Any) -> None:
            options = make({name: given.pop(name) for name in shared})
            command(**{parameter: options}, **given)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared.values())]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate
