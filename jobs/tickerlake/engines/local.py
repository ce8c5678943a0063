"""The engine of one process: threads. Polars, TA-Lib and the store release the GIL."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.lake import Lake, computing
from tickerlake.lake.retries import arriving

WORKERS: Final = 8
"""Tickers in progress at the same time on a disk."""

IN_FLIGHT: Final = 64
"""The same on S3, where most of them wait for an answer."""

T = TypeVar("T")
Answer = TypeVar("Answer")


def threads(workers: int | None = None, *, cores: int = computing.CORES) -> Engine:
    """Return an engine of threads that wait for the store, and others that compute.

    Args:
        workers: tickers in progress at the same time; None is as many as suit the store.
        cores: threads that compute.
    """

    def engine(lake: Lake, work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
        pool, do = computing.pool(cores), work(lake, tasks)

        def one(task: Task) -> Refreshed:
            with computing.handed_to(pool):
                return do(task)

        return spread(one, tasks, workers or (IN_FLIGHT if lake.store.is_remote else WORKERS))

    return engine


def spread(
    call: Callable[[T], Answer], items: Iterable[T], workers: int = WORKERS
) -> Iterator[Answer]:
    """Call a function with each item in threads; yield the answers in the order of their arrival.

    A caller that stops iterating (because of a signal or an error) does not wait for calls in
    progress: those that have started finish in the background, the others never start.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
    try:
        futures = [pool.submit(call, item) for item in items]
        for future in arriving(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
