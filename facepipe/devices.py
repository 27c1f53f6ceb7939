"""Choosing a device and a precision. A requested device that is absent is an error; there is no fallback to the CPU."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from facepipe.errors import DeviceError
from facepipe.imports import require_torch
from facepipe.parameters import parameter
from facepipe.tables import counted
from facepipe.threads import limited, thread_count

if TYPE_CHECKING:
    import torch

A = TypeVar("A")
B = TypeVar("B")
DEVICES = ("auto", "cpu", "cuda", "mps")
# From malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
_KEPT = 1 << 30
"""The largest mmap threshold that glibc accepts."""
NO_ROOM = "not enough GPU memory"
PRECISIONS = ("auto", "float32", "bfloat16")


def choose_device(name: str = "auto") -> "torch.device":
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into an existing device.

    Raises:
        DeviceError: the device is unknown or absent.
        MissingExtraError: PyTorch is not installed.
    """
    require_torch(parameter("device", name))
    import torch

    _prepare_torch()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{parameter('device', name)}: no such device; choose one of {', '.join(DEVICES)}") from error
    if device.type == "cuda":
        _require_cuda(name, device)
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(
            f"{parameter('device', name)}: this machine has no MPS device; "
            f"use {parameter('device', 'cpu')}"
        )
    elif device.type not in ("cpu", "mps"):
        raise DeviceError(f"{parameter('device', name)}: not supported; choose one of {', '.join(DEVICES)}")
    return device


def _require_cuda(name: str, device: "torch.device") -> None:
    import torch

    if not torch.cuda.is_available():
        built = "this PyTorch has no CUDA" if torch.version.cuda is None else "no usable GPU or driver"
        raise DeviceError(
            f"{parameter('device', name)}: {built}; "
            f"use {parameter('device', 'cpu')}, or install a CUDA build of torch"
        )
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        there = counted(count, "CUDA device")
        raise DeviceError(f"{parameter('device', name)}: this machine has only {there}, numbered from 0")


def choose_precision(name: str, device: "torch.device") -> "torch.dtype":
    """Turn ``auto``, ``float32`` or ``bfloat16`` into a dtype; ``auto`` is bfloat16 where that is faster.

    Raises:
        DeviceError: the name is unknown.
    """
    import torch

    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        return torch.bfloat16
    if name != "auto":
        raise DeviceError(f"{parameter('precision', name)}: choose one of {', '.join(PRECISIONS)}")
    return torch.bfloat16 if is_faster_in_bfloat16(device) else torch.float32


def figure_precision(name: str) -> str:
    """The precision for published figures; ``auto`` means float32, which every processor supports."""
    return "float32" if name == "auto" else name


@contextmanager
def whole_float32(device: "torch.device") -> Iterator[None]:
    """Disable TF32, with its ten-bit mantissa, for float32 convolutions and matrix products on a GPU.

    PyTorch allows it in convolutions by default. On other devices nothing changes.
    """
    import torch

    if device.type != "cuda":
        yield
        return
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    try:
        convolutions.allow_tf32 = products.allow_tf32 = False
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before


def has_native_bfloat16(device: "torch.device") -> bool:
    """Whether the device has bfloat16 instructions; emulated, bfloat16 is slower than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    flags = _cpu("flags")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def is_faster_in_bfloat16(device: "torch.device") -> bool:
    """Whether networks run faster in bfloat16 than in float32 on the device.

    On a CPU the instructions alone do not decide: with AVX512_BF16 but without AMX, networks took 1.3 times as long
    in bfloat16 on an Intel Xeon, and half to two thirds of the time on an AMD EPYC (docs/performance.md).
    """
    if device.type != "cpu":
        return has_native_bfloat16(device)
    flags = _cpu("flags")
    return "amx_bf16" in flags or ("avx512_bf16" in flags and "AuthenticAMD" in _cpu("vendor_id"))


def _cpu(field: str) -> list[str]:
    """Values of a field of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as lines:  # noqa: PTH123
            return next((line.split()[2:] for line in lines if line.split()[:1] == [field]), [])
    except OSError:
        return []


def no_room() -> DeviceError:
    """The error for a GPU with too little memory for the smallest unit of work."""
    return DeviceError(f"{NO_ROOM}; use {parameter('device', 'cpu')}, or stop other programs on the GPU")


def in_halves(function: Callable[[list[A]], list[B]], items: list[A]) -> list[B]:
    """``function(items)``; if GPU memory runs out, called on each half separately, recursively.

    Raises:
        DeviceError: memory does not suffice for a single item.
    """
    import torch

    try:
        return function(items)
    except torch.OutOfMemoryError as error:
        if len(items) <= 1:
            raise no_room() from error
    # Outside the except block, whose exception keeps the failed attempt's tensors alive.
    torch.cuda.empty_cache()
    middle = len(items) // 2
    return in_halves(function, items[:middle]) + in_halves(function, items[middle:])


@cache
def keep_freed_memory() -> None:
    """Make glibc keep memory that PyTorch frees on the CPU for the next tensor instead of returning it to the system.

    Every forward pass allocates the same few megabytes. By default glibc returns such blocks to the system at once,
    so the next pass faults in every page again: P-Net ran two to four times slower, more so on two threads.
    Affects the whole process; done once. Does nothing except on Linux with glibc.
    """
    set_malloc({M_MMAP_THRESHOLD: _KEPT, M_TRIM_THRESHOLD: _KEPT})


def set_malloc(options: dict[int, int]) -> None:
    """Set glibc's ``mallopt`` options for the whole process; does nothing without glibc."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for option, value in options.items():
            mallopt(option, value)


@cache
def _prepare_torch() -> None:
    """Limit PyTorch to the cores available to the process, and keep forked children from waiting for missing threads.

    If imported before facepipe, PyTorch has already started a thread for each visible core.
    """
    import torch

    if limited() and torch.get_num_threads() > thread_count():
        torch.set_num_threads(thread_count())
    if hasattr(os, "register_at_fork"):
        # OpenMP's threads do not survive a fork, and work split over them would never finish.
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
