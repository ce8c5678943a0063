"""The engine of one process: threads. Polars and the store release the GIL."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.lake import Lake
from tickerlake.lake.retries import arriving

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
