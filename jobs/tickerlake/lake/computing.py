"""Computing in few threads, while many others wait for the store.

Each thread that computes keeps some megabytes for itself, as allocators cache memory by thread. So
threads that talk to the store hand what there is to compute to a pool, and how many requests are in
flight and how many threads compute are two separate numbers.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

CORES: Final = os.cpu_count() or 1

_mine = threading.local()
_END: Final = object()


def pool(cores: int = CORES) -> ThreadPoolExecutor:
    """Return a pool of threads; it ends with the last reference to it."""
    return ThreadPoolExecutor(cores, thread_name_prefix="computing")


@contextmanager
def handed_to(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Let `computed` hand what this thread has to compute to a pool."""
    _mine.pool = pool
    try:
        yield
    finally:
        del _mine.pool


def computed(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that needs no store: in this thread's pool, if it has one, or here."""
    pool: ThreadPoolExecutor | None = getattr(_mine, "pool", None)
    return call(*args, **kwargs) if pool is None else pool.submit(call, *args, **kwargs).result()


def one_by_one(items: Iterator[T]) -> Iterator[T]:
    """Yield what an iterator computes; see `computed`."""
    while (item := computed(next, items, _END)) is not _END:
        yield item  # type: ignore[misc]
