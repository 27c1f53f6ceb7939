"""Threads over which the ONNX engine spreads its work.

Its networks are small: two runs on a core each are done sooner than one after the other on both cores.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from facepipe.threads import thread_count

A = TypeVar("A")
B = TypeVar("B")

_thread = threading.local()


def map_on_threads(function: Callable[[A], B], arguments: Iterable[A]) -> list[B]:
    """``[function(a) for a in arguments]``, spread over the cores that the process may use.

    Called from within such a thread, or for a single argument, it runs in the calling thread.
    """
    every = list(arguments)
    if len(every) < 2 or thread_count() == 1 or getattr(_thread, "of_pool", False):
        return [function(argument) for argument in every]
    return list(_pool(thread_count()).map(function, every))


def _mark_thread() -> None:
    _thread.of_pool = True


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="facepipe-core", initializer=_mark_thread)


# A forked child inherits the pool but none of its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
