"""Choosing a device and a number format. A device that is asked for and absent is an error, never the CPU."""

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
# Of malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
_KEPT = 1 << 30
"""The largest threshold that glibc takes for mapping."""
NO_ROOM = "the GPU's memory does not suffice"
PRECISIONS = ("auto", "float32", "bfloat16")


def choose_device(name: str = "auto") -> "torch.device":
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that exists.

    Raises:
        DeviceError: the device is unknown or not on this machine.
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
    """Turn ``auto``, ``float32`` or ``bfloat16`` into a dtype; ``auto`` is bfloat16 where networks are faster in it.

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
    """The precision of a published figure: what was asked for, and for ``auto`` float32, which every processor has."""
    return "float32" if name == "auto" else name


@contextmanager
def whole_float32(device: "torch.device") -> Iterator[None]:
    """Keep float32 convolutions and products on a GPU from running in TF32, whose ten bits only some GPUs have.

    PyTorch allows it in convolutions unless told otherwise. On other devices nothing is changed.
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
    """Whether the device has instructions for bfloat16; where it is emulated, it is slower than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    flags = _cpu("flags")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def is_faster_in_bfloat16(device: "torch.device") -> bool:
    """Whether networks run faster in bfloat16 than in float32 on the device.

    On a processor the instructions alone do not tell: with AVX512_BF16 and without AMX, networks took 1.3 times as long
    in bfloat16 on an Intel Xeon, and half to two thirds of the time on an AMD EPYC (docs/performance.md).
    """
    if device.type != "cpu":
        return has_native_bfloat16(device)
    flags = _cpu("flags")
    return "amx_bf16" in flags or ("avx512_bf16" in flags and "AuthenticAMD" in _cpu("vendor_id"))


def _cpu(field: str) -> list[str]:
    """Words that Linux has of the processor; none elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as lines:  # noqa: PTH123
            return next((line.split()[2:] for line in lines if line.split()[:1] == [field]), [])
    except OSError:
        return []


def no_room() -> DeviceError:
    """The error where a GPU's memory does not suffice for the least that can be done at once."""
    return DeviceError(f"{NO_ROOM}; use {parameter('device', 'cpu')}, or free the GPU of other programs")


def in_halves(function: Callable[[list[A]], list[B]], items: list[A]) -> list[B]:
    """``function(items)``; where a GPU's memory does not suffice, of the first half, then of the second, and so on.

    Raises:
        DeviceError: it does not suffice for a single one.
    """
    import torch

    try:
        return function(items)
    except torch.OutOfMemoryError as error:
        if len(items) <= 1:
            raise no_room() from error
    # Outside of the except block, whose error holds what the failed attempt has on the GPU.
    torch.cuda.empty_cache()
    middle = len(items) // 2
    return in_halves(function, items[:middle]) + in_halves(function, items[middle:])


@cache
def keep_freed_memory() -> None:
    """Have glibc keep what PyTorch frees on the CPU, for the next tensor, instead of handing it back to the system.

    Every pass of a network asks for the same few megabytes again. glibc by default gives such blocks back at once,
    and the next pass pays for every page anew: P-Net ran two to four times slower for it, more so on two threads.
    It concerns the whole process, and is done once. Elsewhere than on Linux with glibc nothing happens.
    """
    set_malloc({M_MMAP_THRESHOLD: _KEPT, M_TRIM_THRESHOLD: _KEPT})


def set_malloc(options: dict[int, int]) -> None:
    """Set glibc's options of ``malloc.h`` for the whole process; elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for option, value in options.items():
            mallopt(option, value)


@cache
def _prepare_torch() -> None:
    """Keep PyTorch to the cores that the process may use, and forked children from waiting for threads they lack.

    Imported before facepipe, PyTorch has taken a thread for each core that it sees.
    """
    import torch

    if limited() and torch.get_num_threads() > thread_count():
        torch.set_num_threads(thread_count())
    if hasattr(os, "register_at_fork"):
        # OpenMP's threads stay behind in the parent, and whatever is split over them would never end.
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
