"""A day on a lake of 500 tickers with 5 and 10 years of history: what it costs and what it moves.

`python benchmarks/increment.py`; some minutes, most of which are spent creating the lakes. Bars are
generated and served from memory, so what is measured is the lake's own work, on local disk. Each
day runs in a process of its own. A quiet day brings one session and corrects nothing; the day after
brings one and corrects the five before it. CPU is user and system time. A day reads and writes, of
each ticker:

    extract    reads the history; writes one blob
    transform  reads the history and the blob; writes one partition (the year) and the history

so the past costs the reading, computing and writing of one compact file per ticker.
"""

import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import polars as pl

from tickerlake.lake import Lake, create_lake, layout, manifests, open_lake
from tickerlake.lake.objects import Found, Versioned
from tickerlake.lake.store import Store
from tickerlake.market import calendars
from tickerlake.market.bars import RAW, rounded
from tickerlake.sources import Fetched
from tickerlake.stages.extract import extract
from tickerlake.stages.planning import REREAD_SESSIONS
from tickerlake.stages.transform import transform

TICKERS = [f"T{number:03}" for number in range(500)]
YEARS = (5, 10)
SESSIONS_A_YEAR = 252
LAST = date(2025, 11, 20)
DAYS = 3
WORKERS = os.cpu_count() or 1
MB = 1e6
PARTS = {
    layout.RUNS: "manifests",
    layout.RECEIPTS: "receipts",
    layout.RAW: "raw",
    layout.DAILY: "refined",
    layout.HISTORY: "history",
}

P = ParamSpec("P")
T = TypeVar("T")


def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *args, **kwargs).result()


def sessions(count: int, last: date = LAST) -> pl.Series:
    """The last sessions of New York up to a day, ascending."""
    schedule = calendars.of("T000").schedule["session"]
    return schedule.filter(schedule <= last).tail(count)


def bars(days: pl.Series, seed: int) -> pl.DataFrame:
    """A random walk (`market.bars.RAW`) with four dividends a year.

    It is made from the last session backwards, so a shorter one is the end of a longer one.
    """
    random = np.random.default_rng(seed)
    last, age = random.uniform(20, 500), np.arange(days.len())[::-1]
    steps = random.standard_normal((days.len(), 4))[::-1]
    close = last * np.exp(np.cumsum(steps[::-1, 0] * 0.02 - 0.0003))[::-1]
    opened = close * np.exp(steps[:, 1] * 0.005)
    rows = {
        "session": days,
        "open": opened,
        "high": np.maximum(opened, close) * (1 + np.abs(steps[:, 2]) * 0.01),
        "low": np.minimum(opened, close) / (1 + np.abs(steps[:, 3]) * 0.01),
        "close": close,
        "volume": np.rint(1e6 * np.exp(steps[:, 2])).astype(np.int64),
        "dividend": np.where(age % 63 == 40, close * 0.004, 0.0),
        "capital_gain": np.zeros(days.len()),
        "split": np.ones(days.len()),
        "currency": ["USD"] * days.len(),
        "dividend_currency": [None] * days.len(),
        "source": [Memory.name] * days.len(),
    }
    return rounded(pl.DataFrame(rows, schema=RAW))


class Memory:
    """A source that has the bars of some sessions at hand."""

    name = "memory"

    def __init__(self, days: pl.Series, corrected: pl.Series | None = None) -> None:
        self._bars = {ticker: bars(days, seed) for seed, ticker in enumerate(TICKERS)}
        if corrected is not None:
            more = pl.col("session").is_in(corrected.implode())
            for ticker, each in self._bars.items():
                self._bars[ticker] = each.with_columns(volume=pl.col("volume") + more.cast(int))

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:  # noqa: ARG002 - what a source is given
        """See `sources.Source`."""
        return Fetched(self._bars[symbol].filter(pl.col("session").is_between(start, end)))


def evening(day: date) -> datetime:
    return datetime.combine(day, time_of_day(22, 30), UTC)


def make(folder: Path, count: int, *, without: int = 0) -> None:
    """Create a lake of a number of sessions, without the last few of them."""
    made = create_lake(str(folder), "year")
    days = sessions(count)
    source = Memory(days)
    as_of = evening(days[-1 - without])
    extract(made, source, TICKERS, as_of=as_of, start=days[0], workers=WORKERS)
    report = transform(made)
    assert report.exit_code == 0, report


class Counting(Store):
    """A store that counts objects and bytes, by operation and part of the lake."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner.url, inner._objects)  # noqa: SLF001 - the same objects
        self.objects: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()
        self._counting = threading.Lock()

    def _note(self, what: str, key: str, size: int) -> None:
        part = next((name for prefix, name in PARTS.items() if key.startswith(prefix)), "notes")
        with self._counting:
            self.objects[what, part] += 1
            self.bytes[what, part] += size

    def get_versioned(self, key: str) -> Versioned | None:
        """Count a read."""
        found = super().get_versioned(key)
        self._note("read", key, len(found[0]) if found else 0)
        return found

    def put(self, key: str, data: bytes) -> None:
        """Count a write."""
        super().put(key, data)
        self._note("written", key, len(data))

    def put_new(self, key: str, data: bytes) -> bool:
        """Count a write, or that the object was there."""
        is_new = super().put_new(key, data)
        self._note("written" if is_new else "found there", key, len(data))
        return is_new

    def find_all(self, prefix: str) -> Iterator[Found]:
        """Count a listing."""
        self._note("listed", prefix, 0)
        return super().find_all(prefix)


@dataclass(frozen=True)
class Stage:
    """What a stage took and moved; processor time is that of all threads."""

    seconds: float
    cpu: float
    objects: dict[tuple[str, str], int]
    bytes: dict[tuple[str, str], int]


@dataclass(frozen=True)
class Day:
    """What a day took; memory in bytes, at its peak and before the day began."""

    stages: dict[str, Stage]
    memory: int
    memory_before: int


def day(folder: Path, session: date, *, is_quiet: bool = True) -> Day:
    """Bring a session into the lake, and corrections of those before it if the day is not quiet."""
    days = sessions(2 * REREAD_SESSIONS + DAYS + 1)  # the end of what the lake was made of
    before = days.filter(days < session).tail(REREAD_SESSIONS)
    source = Memory(days, None if is_quiet else before)
    opened = open_lake(str(folder))
    memory_before = peak_memory()

    def measured(work: Callable[[Lake], object]) -> Stage:
        store = Counting(opened.store)
        start, cpu = time.perf_counter(), time.process_time()
        work(Lake(store, opened.grain))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return Stage(seconds, cpu, dict(store.objects), dict(store.bytes))

    stages = {
        "extract": measured(
            lambda at: extract(
                at, source, TICKERS, as_of=evening(session), start=session, workers=WORKERS
            )
        ),
        "transform": measured(transform),
    }
    delivered = manifests.read(opened.store, manifests.all_ids(opened.store)[-1])
    found = {(entry.new, entry.corrected) for entry in delivered.tickers.values()}
    assert found == {(1, 0 if is_quiet else REREAD_SESSIONS)}, found
    return Day(stages, peak_memory(), memory_before)


def peak_memory() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def days(folder: Path, years: int) -> list[Day]:
    """Create a lake that lacks a few sessions, and bring them in: the last with corrections."""
    count = SESSIONS_A_YEAR * years
    alone(make, folder, count, without=DAYS + 1)
    *quiet, last = alone(sessions, DAYS + 1)
    lived = [alone(day, folder, session) for session in quiet]
    return [*lived, alone(day, folder, last, is_quiet=False)]


def row(name: str, few: float, many: float, digits: int = 0) -> None:
    print(f"{name:34}{few:12,.{digits}f}{many:12,.{digits}f}{many / few:9.2f}x")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        few, many = (days(Path(folder, str(years)), years) for years in YEARS)
    load = os.getloadavg()[0]
    print(f"A day of {len(TICKERS)} tickers, {WORKERS} workers; load {load:.1f} at the end")
    print(f"Quiet days: median of {DAYS}; a day with {REREAD_SESSIONS} corrections a ticker: one\n")
    print(f"{'':34}{YEARS[0]:>6} years{YEARS[1]:>6} years     ratio")
    for name in ("extract", "transform"):
        pair = [[each.stages[name] for each in lived] for lived in (few, many)]
        for what, measure in (
            ("CPU", lambda each: each.cpu),
            ("seconds", lambda each: each.seconds),
        ):
            quiet = (statistics.median(map(measure, stages[:-1])) for stages in pair)
            row(f"{name}, {what}", *quiet, digits=2)
            row(f"  with corrections, {what}", *(measure(each[-1]) for each in pair), digits=2)
        before, after = (stages[0] for stages in pair)
        assert before.objects == after.objects, "the number of objects depends on the past"
        for (what, part), count in sorted(after.objects.items()):
            sizes = (each.bytes[what, part] / MB for each in (before, after))
            if what != "listed":
                row(f"  {what}: {part} ({count}), MB", *sizes, digits=2)
    row("peak memory, MB", *(max(each.memory for each in lived) / MB for lived in (few, many)))
    libraries = (max(each.memory_before for each in lived) / MB for lived in (few, many))
    row("  of which before the day began", *libraries)


if __name__ == "__main__":
    main()
