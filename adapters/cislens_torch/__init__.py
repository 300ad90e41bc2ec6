"""PyTorch models as oracles, and any oracle as a torch function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cislens.plugins import hookimpl

if TYPE_CHECKING:
    from cislens.oracle.adapter import Adapter
    from cislens_torch.bridging import bridge
    from cislens_torch.oracle import TorchOracle
    from cislens_torch.training.trainer import TorchTrainer

__all__ = ["TorchOracle", "TorchTrainer", "bridge"]


@hookimpl
def register_adapters() -> list[Adapter]:
    """Add the adapter for PyTorch."""
    from cislens_torch.adapter import TorchAdapter

    return [TorchAdapter()]


def __getattr__(name: str) -> Any:
    # torch is imported when something of it is asked for, not when plugins are looked through.
    if name == "bridge":
        from cislens_torch.bridging import bridge

        return bridge
    if name == "TorchOracle":
        from cislens_torch.oracle import TorchOracle

        return TorchOracle
    if name == "TorchTrainer":
        from cislens_torch.training.trainer import TorchTrainer

        return TorchTrainer
    raise AttributeError(f"module 'cislens_torch' has no attribute {name!r}")
