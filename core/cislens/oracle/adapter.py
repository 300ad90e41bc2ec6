"""What an adapter is: it recognises a kind of model and opens it as an oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cislens.errors import OracleError
from cislens.oracle.base import Oracle
from cislens.oracle.options import OracleOptions

if TYPE_CHECKING:
    from cislens.architecture import Blueprint, WeightsFile


@dataclass(frozen=True)
class ModelSource:
    """Say where a model comes from.

    Parameters
    ----------
    name
        What reports call it.
    path
        A file or folder that holds the model; None where an object is in hand.
    model
        An object in hand, from the user or from a factory in a Python file; None where a file holds the model.
    weights
        A file of weights for the object or the file.
    """

    name: str
    path: Path | None = None
    model: Any = None
    weights: Path | None = None


class Adapter(ABC):
    """Open one framework's models.

    An adapter is registered by a plugin with the hook `register_adapters`. It must tell what it recognises without
    importing its framework: by suffix and first bytes of a file, or by the modules of an object's classes.

    Attributes
    ----------
    name
        Its name, such as "torch".
    install
        The line that installs its framework, such as "pip install 'cislens[torch]'".
    formats
        Suffixes and forms that it opens, in words, for `cislens plugins` and error messages.
    """

    name: str
    install: str
    formats: tuple[str, ...]

    @abstractmethod
    def recognises(self, source: ModelSource) -> bool:
        """Tell whether `open` is the way to open this source."""

    def prepare(self, code: str) -> None:
        """Make ready for a user's Python file that is about to run, such as by importing its framework quietly.

        `code` is what of the file's text is about to run, which tells whether it uses the framework.
        """
        return

    @abstractmethod
    def open(self, source: ModelSource, options: OracleOptions) -> Oracle:
        """Open the source.

        Raises
        ------
        OracleError
            If it cannot be opened: what must hold, what came, what to do.
        UntrustedError
            If opening would run code that the file brings along, and `options.trust` is off.
        """

    def weights(self, path: Path) -> WeightsFile | None:
        """Return the layers that a file of weights alone holds; None where another framework wrote it.

        Optional: for the architectures that are opened by name. No code that the file brings along may run.

        Raises
        ------
        OracleError
            If it is a file of this framework, but holds no weights.
        """
        return None

    def build(self, blueprint: Blueprint) -> Any:
        """Return a published architecture as a model of this framework, for `open`.

        Optional, as `weights` is. Its answers are the blueprint's heads, in their order.

        Raises
        ------
        OracleError
            If this adapter builds none.
        """
        raise OracleError(f"the adapter {self.name} opens models, but builds none from a published architecture")

    @property
    def builds(self) -> bool:
        """Whether it builds architectures."""
        return type(self).build is not Adapter.build


def comes_from(model: Any, package: str) -> bool:
    """Tell whether an object's class, or one that it inherits from, is defined in a package, without importing it."""
    return any(kind.__module__.split(".")[0] == package for kind in type(model).__mro__)
