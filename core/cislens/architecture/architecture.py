"""What a published architecture is: a name, and how a file's weights give the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from cislens.architecture.blueprint import Blueprint
from cislens.architecture.file_layer import WeightsFile
from cislens.architecture.matching import filled
from cislens.architecture.network import Network


class Architecture(ABC):
    """Describe a family of networks that were published, so that a file of weights opens without its authors' code.

    A plugin registers instances with the hook `register_architectures`. What the file's shapes tell (filters, outputs,
    layers, the length of the input) is read from it, not asked for.

    Attributes
    ----------
    name
        As in `arch:NAME`.
    title
        What it is, in a few words, for lists.
    references
        DOIs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def network(self, file: WeightsFile, length: int | None) -> Network:
        """Return the network with sizes as the file's weights tell.

        Where the file is of something else, the sizes published: the error then shows both.

        Parameters
        ----------
        file
            The layers that it holds.
        length
            The input length in bp that the user states, None without.
        """

    def layouts(self, file: WeightsFile) -> Sequence[Sequence[str]]:
        """Return lists of names under which files hold the layers, each in the order of the network's steps.

        A file whose names are those of a list is read in its order; any other in its own. Empty by default: an order
        is enough where files keep theirs.
        """
        return ()

    def part(self, file: WeightsFile) -> WeightsFile:
        """Return the layers of the file that are the network's: by default all."""
        return file

    def blueprint(self, file: WeightsFile, length: int | None = None) -> Blueprint:
        """Return the network with the weights of a file.

        Raises
        ------
        OracleError
            If the file does not fit; both sides are listed.
        """
        file = self.part(file)
        named = (file.in_order_of(names) for names in self.layouts(file))
        file = next((found for found in named if found is not None), file)
        network = self.network(file, length)
        steps = filled(network, file, self.name)
        return Blueprint(self.name, steps, tuple(network.heads), network.length, network.base_order)
