"""Write a network down step by step, as its paper's table does."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Literal

from cislens.architecture.blueprint import SEQUENCE, BlueprintHead, Function, Step
from cislens.architecture.file_layer import WeightsFile
from cislens.errors import OracleError
from cislens.oracle.encoding import BASES
from cislens.oracle.head import Scale

LONGEST = 20_000  # bp, when a length is looked for
ROUND = (1000, 500, 200, 100, 50, 20, 10, 8, 4, 2, 1)


class Network:
    """Hold the steps written so far; each reads the one before it unless it is told otherwise.

    Sizes follow from the steps before, so that only what a table states is written.

    Parameters
    ----------
    length
        Of the input, in bp.
    file
        The file that the weights come from: its framework decides how values are flattened, and what a normalisation
        adds to the variance.
    base_order
        Its order of the bases.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cislens.architecture import WeightsFile
    >>> net = Network(100, WeightsFile(Path("w.pt"), "torch", (), "channels", 1e-5))
    >>> net.convolution("conv1", 16, 9)
    'conv1'
    >>> net.positions, net.channels
    (92, 16)
    """

    def __init__(self, length: int, file: WeightsFile, base_order: str = BASES) -> None:
        self.length, self.file, self.base_order = length, file, base_order
        self.steps: dict[str, Step] = {}
        self.heads: list[BlueprintHead] = []
        self.last = SEQUENCE

    @property
    def positions(self) -> int | None:
        """How many positions the last step gives."""
        return self._shape(self.last)[0]

    @property
    def channels(self) -> int:
        """How many channels or features the last step gives."""
        return self._shape(self.last)[1]

    def _shape(self, name: str) -> tuple[int | None, int]:
        if name == SEQUENCE:
            return self.length, len(BASES)
        return self.steps[name].positions, self.steps[name].channels

    def _add(self, name: str, kind: Any, inputs: Sequence[str], shape: tuple[int | None, int], **settings: Any) -> str:
        if name in self.steps or not re.fullmatch(r"[A-Za-z]\w*", name) or name == SEQUENCE:
            raise OracleError(f"a step must have a name of its own, of letters, digits and underscores, got {name!r}")
        self.steps[name] = Step(name, kind, tuple(inputs), *shape, **settings)
        self.last = name
        return name

    def convolution(
        self, name: str, units: int, width: int, dilation: int = 1, padding: int | Literal["same"] = 0
    ) -> str:
        """Add a convolution; `padding` zeros at either end, or as many as keep the number of positions."""
        positions, channels = self._shape(self.last)
        assert positions is not None
        reach = (width - 1) * dilation
        zeros = (reach // 2, reach - reach // 2) if padding == "same" else (padding, padding)
        settings = {"width": width, "dilation": dilation, "padding": zeros, "kernel_shape": (units, width, channels)}
        return self._add(name, "convolution", [self.last], (positions + sum(zeros) - reach, units), **settings)

    def normalisation(self, name: str) -> str:
        """Add a batch normalisation with the averages of training."""
        return self._add(name, "normalisation", [self.last], self._shape(self.last), epsilon=self.file.epsilon)

    def activation(self, name: str, function: Function = "relu") -> str:
        """Add a nonlinearity."""
        return self._add(name, "activation", [self.last], self._shape(self.last), function=function)

    def pool(self, name: str, width: int) -> str:
        """Add a maximum over windows side by side."""
        positions, channels = self._shape(self.last)
        assert positions is not None
        return self._add(name, "pool", [self.last], (positions // width, channels), width=width)

    def global_pool(self, name: str, function: Function, of: str | None = None) -> str:
        """Add the mean or maximum over all positions, of the last step or an earlier one."""
        source = of or self.last
        return self._add(name, "global_pool", [source], (None, self._shape(source)[1]), function=function)

    def crop(self, name: str, width: int, of: str) -> str:
        """Leave out positions at both ends of an earlier step."""
        positions, channels = self._shape(of)
        assert positions is not None
        return self._add(name, "crop", [of], (positions - 2 * width, channels), padding=(width, width))

    def add(self, name: str, first: str, second: str) -> str:
        """Add two earlier steps up."""
        return self._add(name, "add", [first, second], self._shape(first))

    def flatten(self, name: str) -> str:
        """Flatten positions and channels as the file's framework does."""
        positions, channels = self._shape(self.last)
        assert positions is not None
        return self._add(name, "flatten", [self.last], (None, positions * channels), order=self.file.flatten)

    def flatten_by_channel(self, name: str) -> str:
        """Flatten so that the positions of a channel stay together, whatever the framework does."""
        positions, channels = self._shape(self.last)
        assert positions is not None
        return self._add(name, "flatten", [self.last], (None, positions * channels), order="channels")

    def dense(self, name: str, units: int, of: str | None = None) -> str:
        """Add a dense layer, on the last step or an earlier one."""
        source = of or self.last
        return self._add(name, "dense", [source], (None, units), kernel_shape=(units, self._shape(source)[1]))

    def grouped_dense(self, name: str, units: int, groups: int) -> str:
        """Add a dense layer of `units` to each of `groups` equal parts of the features."""
        shape = (units * groups, self.channels // groups)
        return self._add(name, "grouped_dense", [self.last], (None, units * groups), groups=groups, kernel_shape=shape)

    def head(self, name: str, scale: Scale, axes: tuple[str, ...] = ("output",), outputs: tuple[str, ...] = ()) -> None:
        """Answer with the last step."""
        self.heads.append(BlueprintHead(name, self.last, axes, scale, outputs))


def fitting(trunk: Callable[[int], Network], features: int, length: int | None, published: int) -> Network:
    """Return a trunk over the input length at which it gives as many features as the dense layer behind it reads.

    Pooling rounds down, so that several lengths may: the published one comes first, then the roundest. Where none does,
    the published one is left, and matching shows what differs.

    Parameters
    ----------
    trunk
        Writes the network up to the dense layer, for an input length in bp.
    features
        Inputs of the dense layer, as the file has it.
    length
        What the user states, which is taken as it is.
    published
        Of the published model.
    """

    def given(length: int) -> int:
        net = trunk(length)
        assert net.positions is not None
        return net.positions * net.channels

    if length is not None or given(published) == features:
        return trunk(length or published)
    lengths = range(1, LONGEST)
    found = lengths[bisect_left(lengths, features, key=given) : bisect_right(lengths, features, key=given)]
    return trunk(next((length for unit in ROUND for length in found if length % unit == 0), published))
