"""What both of facenet-pytorch's classes have."""

from __future__ import annotations

from typing import Any, TypeVar

from ._native import Device
from .errors import UsageError

Self = TypeVar("Self", bound="Module")


def open_device(device: Any) -> Device:
    """The device of a name, of a torch.device, or of None, which is the CPU; one for all that name it."""
    if isinstance(device, Device):
        return device
    return Device("cpu" if device is None else str(device), share=True)


class Module:
    """A network that only runs: what training needs of torch.nn.Module is refused in words."""

    training = False
    device: Any

    def _moved(self) -> None:
        """Called when the device has changed."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def eval(self: Self) -> Self:
        """Itself: it runs in no other way."""
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Refused: `warpface train` trains."""
        if mode:
            raise _cannot("train()")
        return self

    def parameters(self, recurse: bool = True) -> Any:
        """Refused: `warpface train` trains."""
        raise _cannot("parameters()")

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Refused unless it asks for no gradients."""
        if requires_grad:
            raise _cannot("requires_grad_()")
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Itself, on another device; of types there is float32 alone."""
        for value in [*args, *kwargs.values()]:
            if value is None or isinstance(value, bool):
                continue
            name = str(value)
            if name.startswith("torch.") or isinstance(value, type):
                if name != "torch.float32":
                    raise UsageError(f"to({name}): values are float32; `Embedder(precision=...)` computes in other precisions")
                continue
            if name != str(self.device):
                self.device = value
                self._moved()
        return self

    def cpu(self: Self) -> Self:
        """Itself, on the processor."""
        return self.to("cpu")

    def cuda(self: Self, device: int = 0) -> Self:
        """Itself, on an NVIDIA GPU."""
        return self.to(f"cuda:{device}")


def _cannot(what: str) -> UsageError:
    return UsageError(f"{what}: this network only runs; `warpface train` on the command line and warpface.train train one")


def refuse_gradients(x: Any) -> None:
    """Refuses a tensor that asks for gradients."""
    if getattr(x, "requires_grad", False):
        raise UsageError(
            "the input requires gradients, and there are none here: call detach(), or train by `warpface train`"
        )
