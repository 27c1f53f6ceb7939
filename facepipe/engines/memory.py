"""How much freed memory glibc and ONNX Runtime keep in the process."""

from facepipe.devices import M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, set_malloc

_settled: list[str] = []


def give_back_memory() -> None:
    """Return blocks of half a megabyte or more to the system as soon as they are freed.

    For a process that handles a photo or two and ends, this reduces peak memory by a fifth. With many photos, the same
    pages would be requested again and again. It affects the whole process and sessions opened afterwards. Except on
    Linux with glibc, only ONNX Runtime's part of it has an effect.
    """
    _settle("few photos", {M_MMAP_THRESHOLD: 1 << 19, M_TRIM_THRESHOLD: 1 << 19})


def bound_memory() -> None:
    """Keep freed memory from growing with the number of threads and shapes, unless `give_back_memory` was called.

    For the light engine with many photos, where a process would otherwise keep half as much again.
    """
    _settle("many photos", {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: 1 << 20, M_TRIM_THRESHOLD: 2 << 20})


def keeps_freed_blocks() -> bool:
    """Whether a session may reuse the memory of one run for the next."""
    return _settled != ["few photos"]


def _settle(job: str, options: dict[int, int]) -> None:
    if _settled:
        return
    _settled.append(job)
    set_malloc(options)
