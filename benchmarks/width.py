"""A wide lake on Spark, with a driver of 1 GB: `python benchmarks/width.py [TICKERS …]`.

A lake by year, to which two years brought ten bars of every ticker every second week, is made
directly, since nobody wants to wait for 10,000 extractions: its blobs are in packs, and none of its
runs has been transformed. A process with Spark on `local[2]` transforms all of it. A second one has
nothing to transform, so it folds most of the runs into the checkpoint. A third one rebuilds the
lake. It takes half an hour, and prints for each of them what the driver took, in MB:

    heap       the JVM's heap after a collection; with `local[2]`, the executor is in it, too
    JVM        the peak of the resident memory of the Java process
    Python     the peak of the resident memory of the driver's Python process
    grown      how much of it came after the session was there
    worker     the peak of the resident memory of a Python worker, which does the work
    sent       the tasks, as they are sent to the executor

Seconds are elapsed ones: the workers are other processes.
"""

import os
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
from increment import alone

from tickerlake.engines import spark as engine_module
from tickerlake.lake import (
    checkpointing,
    create_lake,
    establish,
    layout,
    manifests,
    open_lake,
    packs,
)
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import digest, partitions
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.stages.transform import Report, transform

SIZES: Final = (1_000, 10_000)
YEARS: Final = (2023, 2024)
PATTERNS: Final = 7
"""So many tickers have bars of their own; all others have the same ones."""


def fortnights() -> list[list[date]]:
    """Return the sessions of each run."""
    sessions = calendars.of("T000").schedule["session"]
    days = sessions.filter(sessions.dt.year().is_in(YEARS)).to_list()
    return [days[start : start + 10] for start in range(0, len(days), 10)]


def bars(pattern: int, days: list[date]) -> pl.DataFrame:
    """Return the bars that a run brings."""
    closes = [50.0 + pattern + day.timetuple().tm_yday / 100 for day in days]
    rows: dict[str, Any] = {
        "session": days,
        **dict.fromkeys(("open", "close"), closes),
        "high": [close + 1 for close in closes],
        "low": [close - 1 for close in closes],
        "volume": [1_000 + day.day for day in days],
        "dividend": [0.0] * len(days),
        "capital_gain": [0.0] * len(days),
        "split": [1.0] * len(days),
        "currency": ["USD"] * len(days),
        "dividend_currency": [None] * len(days),
        "source": ["benchmark"] * len(days),
    }
    return pl.DataFrame(rows, schema=RAW)


def make(folder: Path, tickers: int) -> None:
    """Create the lake: packs and manifests, without receipts."""
    made = create_lake(str(folder), "year")
    establish(made)
    names = [f"T{number:05}" for number in range(tickers)]
    held: list[dict[str, dict[str, pl.DataFrame]]] = [{} for _ in range(PATTERNS)]
    for days in fortnights():
        said = [_entry(held[pattern], bars(pattern, days)) for pattern in range(PATTERNS)]
        last = days[-1]
        as_of = datetime(last.year, last.month, last.day, 22, 30, tzinfo=UTC)
        entries = {name: said[number % PATTERNS] for number, name in enumerate(names)}
        run_id = f"{as_of:%Y%m%dT%H%M%S%fZ}-000000"
        manifest = Manifest(run_id=run_id, as_of=as_of, source="benchmark", tickers=entries)
        manifests.commit(made.store, manifest)
    for pattern, years in enumerate(held):
        for year, blobs in years.items():
            data = packs.encode(blobs)
            for name in names[pattern::PATTERNS]:
                path = folder / layout.pack(year, name)
                path.parent.mkdir(parents=True)
                path.write_bytes(data)  # without flushing, which takes most of the time


def _entry(held: dict[str, dict[str, pl.DataFrame]], rows: pl.DataFrame) -> Entry:
    """Return what a run says of a ticker; note its blobs by year."""
    blobs = {}
    for year, part in partitions(rows, "year"):
        blobs[year] = digest(part)
        held.setdefault(year, {})[digest(part)] = part
    first, last = rows["session"][0], rows["session"][-1]
    return Entry(
        outcome="ok", start=first, end=last, new=rows.height, blobs=blobs, splits={},
        timezone="America/New_York",
    )  # fmt: skip


# ---- what the driver takes


class Used(NamedTuple):
    """What a step took: seconds, and megabytes."""

    seconds: float
    heap: float
    jvm: float
    python: float
    grown: float
    worker: float
    sent: float


def resident(pid: int | str, what: str = "VmRSS") -> float:
    """Return the resident memory of a process in MB; 0 if there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, parent = (
                int(path.parent.name),
                int(path.read_text().rpartition(") ")[2].split()[1]),
            )
        except OSError:
            continue
        if parent == pid:
            found += [name, *children(name)]
    return found


class Peaks(threading.Thread):
    """Looks at the memory of this process, of Java, and of the workers, five times a second."""

    def __init__(self, java: int) -> None:
        super().__init__(daemon=True)
        self.java, self.done = java, threading.Event()
        self.jvm = self.python = self.worker = 0.0

    def run(self) -> None:
        """Look until it is done."""
        while not self.done.wait(0.2):
            self.python = max(self.python, resident("self"))
            self.jvm = max(self.jvm, resident(self.java))
            workers = [resident(each) for each in children(self.java)]
            self.worker = max([self.worker, *workers])


@contextmanager
def driver(work: Path) -> Iterator[Any]:
    """Yield a session of two cores, whose driver has 1 GB."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.local.dir", str(work))
        .getOrCreate()
    )
    try:
        yield session
    finally:
        session.stop()


def measured(folder: Path, work: Path, rebuild: bool) -> Used:
    """Transform or rebuild a lake on Spark; return what it took."""
    checkpointing.TAIL = 50  # type: ignore[misc] - there are fewer runs than in a real lake
    sent = _counting()
    with driver(work) as session:
        jvm = session.sparkContext._jvm  # noqa: SLF001 - there is no other way to it
        java = int(jvm.java.lang.ProcessHandle.current().pid())
        engine = engine_module.spark(session)
        before, peaks = resident("self"), Peaks(java)
        peaks.start()
        start = time.perf_counter()
        report = transform(open_lake(str(folder)), engine=engine, rebuild=rebuild)
        seconds = time.perf_counter() - start
        peaks.done.set()
        peaks.join()
        _check(report)
        jvm.java.lang.System.gc()
        bean = jvm.java.lang.management.ManagementFactory.getMemoryMXBean()
        heap = bean.getHeapMemoryUsage().getUsed() / 2**20
    return Used(
        seconds,
        heap,
        peaks.jvm,
        peaks.python,
        peaks.python - before,
        peaks.worker,
        sum(sent) / 2**20,
    )


def _counting() -> list[int]:
    """Note the size of whatever the engine pickles for its tasks."""
    sizes: list[int] = []

    class Counted:
        loads = staticmethod(pickle.loads)

        @staticmethod
        def dumps(value: object) -> bytes:
            data = pickle.dumps(value)
            sizes.append(len(data))
            return data

    engine_module.pickle = Counted  # type: ignore[assignment]
    return sizes


def _check(report: Report) -> None:
    assert report.exit_code == 0, report
    assert not report.damaged


def main() -> None:
    sizes = [int(each) for each in sys.argv[1:]] or list(SIZES)
    print(f"{len(fortnights())} runs, {len(YEARS)} years; local[2], spark.driver.memory 1g; MB\n")
    print(f"{'':20}{'s':>7}" + "".join(f"{name:>10}" for name in COLUMNS))
    for tickers in sizes:
        with tempfile.TemporaryDirectory() as at:
            folder = Path(at, "lake")
            alone(make, folder, tickers)
            for name in ("transform", "fold", "rebuild"):
                used = alone(measured, folder, Path(at, "spark"), name == "rebuild")
                cells = "".join(f"{each:10,.1f}" for each in used[1:])
                print(f"{f'{tickers:,}, {name}':20}{used.seconds:7.0f}{cells}", flush=True)


COLUMNS: Final = ("heap", "JVM", "Python", "grown", "worker", "sent")


if __name__ == "__main__":
    main()
