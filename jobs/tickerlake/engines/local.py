"""The engine of one process: threads. Polars and the store release the GIL."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final, TypeVar

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.lake import Lake

WORKERS: Final = 8

T = TypeVar("T")
Answer = TypeVar("Answer")


def threads(workers: int = WORKERS) -> Engine:
    """Return an engine of threads.

    Args:
        workers: tickers in progress at the same time.
    """

    def engine(lake: Lake, work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
        return spread(lambda task: work(lake, task), tasks, workers)

    return engine


def spread(
    call: Callable[[T], Answer], items: Iterable[T], workers: int = WORKERS
) -> Iterator[Answer]:
    """Call a function with each item in threads; yield the answers in the order of their arrival.

    Whoever stops listening (a signal, an error) need not wait for what is in progress: threads that
    have begun come to their end behind his back, the others never begin.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
    try:
        futures = [pool.submit(call, item) for item in items]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
