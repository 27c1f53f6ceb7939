"""Threads that each run PyTorch on one core.

MTCNN is a long sequence of small operations. Splitting each of them over all cores means waiting for the slowest
core every time, which is ruinous as soon as another program uses a core; splitting the images over cores avoids this.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")


def map_on_cores(function: Callable[[A], B], arguments: Iterable[A]) -> list[B]:
    """``[function(a) for a in arguments]``, spread over as many threads as PyTorch may use."""
    return list(_pool(torch.get_num_threads()).map(function, arguments))


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    started = Barrier(size + 1)

    def start() -> None:
        torch.set_num_threads(1)
        # A thread adopts PyTorch's default when it first asks for it, so ask while that is 1.
        torch.get_num_threads()
        started.wait()

    pool = ThreadPoolExecutor(size, thread_name_prefix="facepipe-core", initializer=start)
    for _ in range(size):
        pool.submit(lambda: None)
    started.wait()
    # OpenMP's count is per thread, but setting it also changed PyTorch's default for future threads.
    torch.set_num_threads(size)
    return pool


# A forked child inherits the pool but none of its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
