"""Turns at computing: many threads wait for the store, while as many compute as there are cores.

A thread that has a turn gives it up for as long as a request to the store takes. So how many
requests are in flight and how many threads compute are two separate numbers.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

_mine = threading.local()


class Turns:
    """Turns at computing, for a group of threads.

    Args:
        computing: how many of them compute at the same time; None is as many as there are cores.
    """

    def __init__(self, computing: int | None = None) -> None:
        self._free = threading.Semaphore(computing or CORES or 1)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a turn as soon as there is one."""
        with self._free:
            _mine.free = self._free
            try:
                yield
            finally:
                del _mine.free


@contextmanager
def waiting() -> Iterator[None]:
    """Give up this thread's turn, if it has one, until what it waits for is there."""
    free: threading.Semaphore | None = getattr(_mine, "free", None)
    if free is None:
        yield
        return
    free.release()
    try:
        yield
    finally:
        free.acquire()
