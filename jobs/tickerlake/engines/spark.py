"""The engine for many machines: Spark distributes the tickers, and each task does its own I/O.

Names move, rows do not. A Spark task gets the names of its tickers, reads what the manifests say
about them, reads and writes the lake through our own store (no Hadoop connector, no output
committer), and returns how they ended. If a task is lost or runs twice, the same bytes are written
again. Its tickers follow each other, so it reads few parts of the checkpoint.

This module must load without Polars: a worker first sets how many threads Polars may use.
"""

import os
import pickle
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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

OUTCOMES: Final = "outcomes binary"
"""How the tickers of a task ended: a pickled list of `Refreshed`, compressed."""

_RAISED: Final = re.compile(r"^(?:tickerlake\.errors\.\w+: )?(\S.*)", re.MULTILINE)
"""The line after a traceback's frames, which are indented; our own errors say all in a sentence."""

_LOST: Final = re.compile(r"most recent failure: .*?: (?:[\w.$]+: )?(?P<reason>.*)")
"""What Spark says of a task that it lost."""


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

        try:
            rows = outcomes(session, lake, work, tasks).collect()
        except (PySparkException, Py4JError) as error:
            raise EngineError(
                f"the Spark job failed, run it again: {reason(str(error))}"
            ) from error
        for row in rows:
            yield from pickle.loads(zlib.decompress(row.outcomes))  # noqa: S301 - our own

    return engine


def reason(text: str) -> str:
    r"""Return the sentence that says why a job failed: what its last task raised, if it says so.

    Args:
        text: what Spark says, with the stacks of Python and Java.

    >>> reason("Job aborted due to stage failure: …: Traceback (most recent call last):\n"
    ...        "  File …\nValueError: no such thing\n\n\tat org.apache.spark…")
    'ValueError: no such thing'
    """
    _, is_traceback, raised = text.rpartition("Traceback (most recent call last):\n")
    if is_traceback and (found := _RAISED.search(raised)):
        return found[1].strip()
    if found := _LOST.search(text):
        return found["reason"].strip()
    return text.strip().partition("\n")[0]


def outcomes(
    session: "SparkSession", lake: "Lake", work: Work, tasks: Sequence[Task]
) -> "DataFrame":
    """Return a frame that does the tasks when it is evaluated: one row for each part of them."""
    from pyspark import cloudpickle

    from tickerlake.lake.store import environment

    context = session.sparkContext
    parts = balanced(tasks, wanted(tasks, context.defaultParallelism))
    # making rows of the parts would take a second stage of Python workers; a range takes none
    sent = context.broadcast([pickle.dumps(part) for part in parts])
    what = context.broadcast(cloudpickle.dumps(work))  # type: ignore[no-untyped-call]
    place = (lake.store.url, lake.grain, environment(lake.store.url))

    def run(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        numbers = (number for batch in batches for number in batch.column("id").to_pylist())
        return _run((sent.value[number] for number in numbers), what.value, *place)

    return session.range(0, len(parts), 1, len(parts)).mapInArrow(run, OUTCOMES)


def wanted(tasks: Sequence[Task], cores: int) -> int:
    """Return in how many parts to split tasks: one for each core, and more when they are large."""
    weight = sum(task.bars + FIXED for task in tasks)
    return min(max(cores, weight // WORTH), TASKS_A_CORE * cores)


def balanced(tasks: Sequence[Task], parts: int) -> list[list[Task]]:
    """Split tasks into at most `parts` lists of similar weight, the heaviest first.

    The tickers of a list follow each other in the alphabet. None is heavier than an equal share by
    more than its last task.
    """
    total = sum(task.bars + FIXED for task in tasks)
    cut: list[list[Task]] = [[] for _ in range(parts)]
    weights, done = [0] * parts, 0
    for task in sorted(tasks, key=lambda each: each.ticker):
        number, weight = done * parts // total, task.bars + FIXED
        cut[number].append(task)
        weights[number] += weight
        done += weight
    order = sorted(range(parts), key=lambda number: -weights[number])
    return [cut[number] for number in order if cut[number]]


def _run(
    parts: Iterable[bytes],
    work: bytes,
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
    for part in parts:
        done = engine(lake, pickle.loads(work), pickle.loads(part))  # noqa: S301 - our own
        outcomes = zlib.compress(pickle.dumps(list(_sharing(done))))
        yield pa.RecordBatch.from_pydict({"outcomes": [outcomes]})


def _sharing(outcomes: Iterable[Refreshed]) -> Iterator[Refreshed]:
    """Yield outcomes that share what is equal: most tickers have the same partitions."""
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    for each in outcomes:
        yield replace(each, partitions=shared.setdefault(each.partitions, each.partitions))
