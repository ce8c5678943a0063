"""The engine of one process: threads. Polars and the store release the GIL."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.lake import Lake

WORKERS: Final = 8


def threads(workers: int = WORKERS) -> Engine:
    """An engine of so many threads.

    Args:
        workers: tickers in work at the same time.
    """

    def engine(lake: Lake, work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
        with ThreadPoolExecutor(workers, thread_name_prefix="transform") as pool:
            futures = [pool.submit(work, lake, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    return engine
