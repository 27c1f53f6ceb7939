"""Memory of the process, where glibc and ONNX Runtime would keep what was freed."""

from facepipe.devices import M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, set_malloc

_settled: list[str] = []


def give_back_memory() -> None:
    """Have blocks of half a megabyte and more given back to the system as soon as they are freed.

    For a process that looks at a photo or two and ends: a fifth less memory at its peak. Many photos would pay for the
    same pages again and again. It concerns the whole process, and sessions opened from now on. Elsewhere than on Linux
    with glibc only ONNX Runtime's part of it happens.
    """
    _settle("few photos", {M_MMAP_THRESHOLD: 1 << 19, M_TRIM_THRESHOLD: 1 << 19})


def bound_memory() -> None:
    """Keep what was freed from growing with the number of threads and of shapes, unless `give_back_memory` was called.

    For the light engine over many photos, where a process would otherwise keep half as much again.
    """
    _settle("many photos", {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: 1 << 20, M_TRIM_THRESHOLD: 2 << 20})


def keeps_freed_blocks() -> bool:
    """Whether a session may keep the memory of one run for the next."""
    return _settled != ["few photos"]


def _settle(job: str, options: dict[int, int]) -> None:
    if _settled:
        return
    _settled.append(job)
    set_malloc(options)
