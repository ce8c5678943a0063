"""The engine for many machines: Spark distributes the tickers, and each task does its own I/O.

Names move, rows do not. A Spark task gets the names of its tickers and what the manifests say about
them, reads and writes the lake through our own store (no Hadoop connector, no output committer),
and returns how they ended. If a task is lost or runs twice, the same bytes are written again.

This module must load without Polars: a worker first sets how many threads Polars may use.
"""

import heapq
import os
import pickle
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.errors import BadSettingError, EngineError, pip_install

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from tickerlake.lake import Lake

TASKS_A_CORE: Final = 4
"""At most. With more tasks, losing one costs less and cores finish closer together; each costs up
to a quarter of a second."""

WORTH: Final = 2_000_000
"""The bars that are worth a task of their own: some five seconds of work."""

THREADS: Final = 16
"""Tickers that a task processes at the same time: most of them wait for S3."""

FIXED: Final = 500
"""The fixed cost of a ticker, expressed as a number of bars."""

_LOCAL: Final = "local[*]"
"""The default master of `spark-submit`. With it, the first failure of a task ends the job: no task
is retried."""

OUTCOMES: Final = (
    "ticker string, partitions array<string>, error string, damaged string, is_late boolean,"
    " overtook boolean, version string, known string"
)
"""The fields of `Refreshed`."""


def session() -> "SparkSession":
    """Return the session that Glue or `spark-submit` created, or one on this machine's cores.

    Raises:
        BadSettingError: PySpark or Java is not installed.
    """
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise BadSettingError(f"--engine spark needs PySpark: {pip_install('spark')}") from error
    try:
        SparkContext._ensure_initialized()  # noqa: SLF001 - else SparkConf misses spark-submit's
        conf = SparkConf().setIfMissing("spark.app.name", "tickerlake")
        if conf.get("spark.master", _LOCAL) == _LOCAL:
            conf.setMaster("local[*,4]").set("spark.ui.enabled", "false")
            conf.set("spark.ui.showConsoleProgress", "false")
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        return SparkSession.builder.config(conf=conf).getOrCreate()
    except PySparkException as error:
        raise BadSettingError(f"--engine spark needs Java 17 or newer: {error}") from error


def spark(session: "SparkSession") -> Engine:
    """Return an engine that distributes tickers over a Spark session's executors."""

    def engine(lake: "Lake", work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        if not tasks:
            return
        try:
            rows = outcomes(session, lake, work, tasks).collect()
        except (PySparkException, Py4JError) as error:
            [*_, reason] = str(error).partition("\n\nJVM stack")[0].strip().splitlines()
            raise EngineError(f"the Spark job failed, run it again: {reason}") from error
        for row in rows:
            yield Refreshed(**{**row.asDict(), "partitions": tuple(row.partitions)})

    return engine


def outcomes(
    session: "SparkSession", lake: "Lake", work: Work, tasks: Sequence[Task]
) -> "DataFrame":
    """Return a frame that does the tasks when it is evaluated: one row per ticker (`OUTCOMES`)."""
    from tickerlake.lake.store import environment

    context = session.sparkContext
    parts = balanced(tasks, wanted(tasks, context.defaultParallelism))
    # making rows of the parts would take a second stage of Python workers; a range takes none
    sent = context.broadcast([pickle.dumps(part) for part in parts])
    place = (lake.store.url, lake.grain, environment(lake.store.url))

    def run(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        numbers = (number for batch in batches for number in batch.column("id").to_pylist())
        return _run((sent.value[number] for number in numbers), work, *place)

    return session.range(0, len(parts), 1, len(parts)).mapInArrow(run, OUTCOMES)


def wanted(tasks: Sequence[Task], cores: int) -> int:
    """Return in how many parts to split tasks: one for each core, and more when they are large."""
    weight = sum(task.bars + FIXED for task in tasks)
    return min(max(cores, weight // WORTH), TASKS_A_CORE * cores)


def balanced(tasks: Sequence[Task], parts: int) -> list[list[Task]]:
    """Split tasks into at most `parts` lists of similar weight, the heaviest first.

    Longest processing time first (Graham 1969): the heaviest list is at most 4/3 of the optimum.
    """
    heap: list[tuple[int, int]] = [(0, number) for number in range(min(parts, len(tasks)))]
    cut: list[list[Task]] = [[] for _ in heap]
    for task in sorted(tasks, key=lambda each: (-each.bars, each.ticker)):
        weight, number = heapq.heappop(heap)
        cut[number].append(task)
        heapq.heappush(heap, (weight + task.bars + FIXED, number))
    return [cut[number] for _, number in sorted(heap, key=lambda each: (-each[0], each[1]))]


def _run(
    parts: Iterable[bytes],
    work: Work,
    url: str,
    grain: str,
    environment: dict[str, str],
) -> Iterator["pa.RecordBatch"]:
    # Spark runs one worker per core; if each used all cores, they would get in each other's way
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    os.environ.update(environment)
    import pyarrow as pa

    from tickerlake.engines.local import threads
    from tickerlake.lake import Lake
    from tickerlake.lake.store import open_store

    engine = threads(THREADS, cores=1)
    lake = Lake(open_store(url), grain)  # type: ignore[arg-type]
    schema = pa.schema(
        {
            "ticker": pa.string(),
            "partitions": pa.list_(pa.string()),
            "error": pa.string(),
            "damaged": pa.string(),
            "is_late": pa.bool_(),
            "overtook": pa.bool_(),
            "version": pa.string(),
            "known": pa.string(),
        }
    )
    for part in parts:
        tasks = pickle.loads(part)  # noqa: S301 - our own
        rows = [vars(each) for each in engine(lake, work, tasks)]
        yield pa.RecordBatch.from_pylist(rows, schema)
