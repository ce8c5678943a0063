"""The engine of many machines: Spark spreads the tickers, and each task does its own I/O.

Names move, rows do not. A Spark task gets the names of its tickers and what the manifests say of
them, reads and writes the lake through our own store (no Hadoop connector, no output committer),
and returns how they ended. What a lost or doubled task has put is put again with the same bytes.

This module must load without Polars: a worker first says how many threads Polars may have.
"""

import heapq
import os
import pickle
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.errors import BadSettingError, EngineError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from tickerlake.lake import Lake

TASKS_A_CORE: Final = 4
"""More make a loss cheaper and the end more even; each costs some milliseconds."""

THREADS: Final = 4
"""Tickers that a task has in work at the same time: a core is idle while one waits for S3."""

FIXED: Final = 500
"""Bars whose work equals what a ticker costs however few bars it has."""

_LOCAL: Final = "local[*]"
"""What `spark-submit` takes for the master when nothing else is said. With it, the first failure of
a task ends the job: no task is tried again."""

OUTCOMES: Final = (
    "ticker string, partitions array<string>, error string, damaged string, is_late boolean,"
    " overtook boolean, version string"
)
"""The fields of `Refreshed`."""


def session() -> "SparkSession":
    """The session that Glue or `spark-submit` made, or one on this machine's cores.

    Raises:
        BadSettingError: PySpark or Java is not installed.
    """
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise BadSettingError(
            "--engine spark needs PySpark: pip install 'tickerlake[spark]'"
        ) from error
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
    """Return an engine that spreads tickers over a Spark session's executors."""

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
    """Return a frame whose evaluation does the tasks: a row for each ticker (`OUTCOMES`)."""
    from tickerlake.lake.store import environment

    context = session.sparkContext
    parts = balanced(tasks, TASKS_A_CORE * context.defaultParallelism)
    # a row is a whole part: as many slices as rows leave each a Spark task of its own
    rows = context.parallelize([(pickle.dumps(part),) for part in parts], len(parts))
    place = (lake.store.url, lake.grain, environment(lake.store.url))

    def run(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        return _run(batches, work, *place)

    return session.createDataFrame(rows, "part binary").mapInArrow(run, OUTCOMES)


def balanced(tasks: Sequence[Task], parts: int) -> list[list[Task]]:
    """Cut tasks into at most so many parts of similar weight, the heaviest first.

    Longest processing time first (Graham 1969): at most 4/3 of the best cut's heaviest part.
    """
    heap: list[tuple[int, int]] = [(0, number) for number in range(min(parts, len(tasks)))]
    cut: list[list[Task]] = [[] for _ in heap]
    for task in sorted(tasks, key=lambda each: (-each.bars, each.ticker)):
        weight, number = heapq.heappop(heap)
        cut[number].append(task)
        heapq.heappush(heap, (weight + task.bars + FIXED, number))
    return [cut[number] for _, number in sorted(heap, key=lambda each: (-each[0], each[1]))]


def _run(
    batches: Iterable["pa.RecordBatch"],
    work: Work,
    url: str,
    grain: str,
    environment: dict[str, str],
) -> Iterator["pa.RecordBatch"]:
    # Spark runs a worker a core; were each to take all cores, they would only be in each other's
    # way
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    os.environ.update(environment)
    import pyarrow as pa

    from tickerlake.engines.local import threads
    from tickerlake.lake import Lake
    from tickerlake.lake.store import open_store

    engine = threads(THREADS)
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
        }
    )
    for batch in batches:
        for part in batch.column("part").to_pylist():
            tasks = pickle.loads(part)  # noqa: S301 - our own
            rows = [vars(each) for each in engine(lake, work, tasks)]
            yield pa.RecordBatch.from_pylist(rows, schema)
