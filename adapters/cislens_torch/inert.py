"""Read a pickle without importing or calling anything that it names."""

from __future__ import annotations

import pickle
import pickletools
from dataclasses import dataclass
from typing import IO, Any


class Inert:
    """Stand in for whatever a pickle would make: keep what it was made with, do nothing.

    For every name that a pickle refers to a subclass is made; a pickle can call it, fill it and set its state, and
    no more. Whatever way it takes, all that it reaches are such classes, their instances and plain values.
    """

    name = ""
    args: tuple[Any, ...]
    state: Any
    entries: dict[Any, Any]

    def __new__(cls, *args: Any, **_: Any) -> Inert:
        """Make an instance, of any arguments."""
        made = super().__new__(cls)
        made.args, made.state, made.entries = args, None, {}
        return made

    def __init__(self, *args: Any, **_: Any) -> None:
        # An object's first arguments stay where a pickle makes it without them, then calls its class.
        self.args = args or self.args

    def __setstate__(self, state: Any) -> None:
        # Found on the class also where a pickle sets the state of the class itself, which then fails.
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries[key] = value

    def __call__(self, *args: Any) -> Inert:
        """Return another, where a pickle calls what an earlier call gave it."""
        return type(self)(*args)

    def append(self, value: Any) -> None:
        """Take what a pickle appends to a list, and forget it."""

    add = append

    @property
    def attributes(self) -> dict[Any, Any]:
        """What would become the object's attributes."""
        state = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        return state if isinstance(state, dict) else {}


@dataclass(frozen=True)
class Storage:
    """Name numbers that lie beside the pickle: their type as torch calls it, their key, how many, from which on."""

    kind: str
    key: str
    count: int
    start: int = 0


class Reader(pickle.Unpickler):
    """Unpickle with inert classes.

    Parameters
    ----------
    file
        Stands where the pickle begins.
    """

    def __init__(self, file: IO[bytes]) -> None:
        check_opcodes(file)
        # Files of Python 2 hold names as bytes.
        super().__init__(file, encoding="latin1")
        self.names: dict[str, None] = {}
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """Return a class that stands in for what a name refers to."""
        full = f"{module}.{name}"
        self.names[full] = None
        return type("Inert", (Inert,), {"name": full})

    def persistent_load(self, pid: Any, /) -> Any:
        """Return the storage that torch's pickles refer to so, or the module that old ones wrap with its source."""
        match pid:
            case ("module", made, *_):
                return made
            case ("storage", kind, str() as key, _, int() as count, *view):
                self.kinds[key] = str(getattr(kind, "name", "")).rpartition(".")[2]
                # The older format may refer to a part of a storage.
                _, start, count = view[0] if view and view[0] is not None else (None, 0, count)
                return Storage(self.kinds[key], key, int(count), int(start))
        raise pickle.UnpicklingError("it refers to something that is no storage of torch")


def check_opcodes(file: IO[bytes]) -> None:
    """Raise `UnpicklingError` for a pickle that makes its reader allocate more than it holds; the file stays put."""
    start = file.tell()
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(file), start=1):
            if operation.name.startswith("EXT"):
                raise pickle.UnpicklingError("it names objects by number")
            # Its reader makes room for as many values as the largest place.
            if "PUT" in operation.name and int(argument or 0) > count:
                raise pickle.UnpicklingError("it keeps values at places that it cannot need")
    except ValueError as error:
        raise pickle.UnpicklingError(str(error)) from error
    finally:
        file.seek(start)
