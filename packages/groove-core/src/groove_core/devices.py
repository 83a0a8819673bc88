"""Devices: asked for by name, and tried before they are used; and the threads of a processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from groove_core.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["available", "one_thread", "resolve", "widest"]


def _works(device: str) -> str:
    """Try a real tensor; give the reason it failed, or nothing."""
    import torch

    try:
        x = torch.ones(8, device=device)
        ok = float((x * 2).sum().cpu()) == 16.0
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split())[:120] or type(error).__name__
    return "" if ok else "it computes wrong numbers"


def _count() -> dict[str, int]:
    import torch

    mps = torch.backends.mps.is_available()
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {"cuda": cuda, "mps": int(mps), "cpu": 1}


def available() -> list[str]:
    """List the devices that work, best first."""
    return [name for name, count in _count().items() if count and not _works(name)]


def resolve(device: str = "auto") -> str:
    """Return the device to use: the one asked for, or the best that works.

    Raises
    ------
    DeviceError
        If it is not there or does not work.
    UsageError
        If there is no such kind of device.
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise DeviceError(
            "This needs torch, which is not installed.", hint='pip install "groove-core[torch]"'
        ) from error
    if device == "auto":
        return available()[0]
    kind, _, number = device.partition(":")
    count = _count()
    if kind not in count or (number and not number.isdigit()):
        raise UsageError(
            f"There is no device {device!r}.", hint="Choose auto, cpu, cuda, cuda:1 or mps."
        )
    if int(number or 0) >= count[kind]:
        raise DeviceError(
            f"The device {device!r} is not there; this machine has {', '.join(available())}.",
            hint="--device auto",
        )
    reason = _works(device)
    if reason:
        raise DeviceError(f"The device {device!r} does not work: {reason}.", hint="--device cpu")
    return device


def widest(device: torch.device | str) -> torch.dtype:
    """Return the most exact floating type of a device: float64, or float32 on MPS."""
    import torch

    return torch.float32 if torch.device(device).type == "mps" else torch.float64


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on the calling thread alone.

    Threads that share a small step wait for each other after it. That takes longer than the step
    where another program occupies a core. To use all cores, give each a file of its own.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
