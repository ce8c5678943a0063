"""What a day's extraction costs without the network: CPU seconds, and what is asked of the store.

`python benchmarks/extract.py [--peer WORKTREE] [--tickers 500] [--years 10]`; some minutes, most of
which are spent creating the lakes. A source in memory has the answers at hand. The peer is a
worktree of another commit of tickerlake, also of the first ones, whose modules had other names.

Each day runs in a process of its own, alternately on both sides. CPU seconds are user and system of
the process while it extracts, without its imports. Then the same evening is extracted again, when
nothing is due.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import polars as pl

LAST: Final = date(2025, 11, 20)
SESSIONS_A_YEAR: Final = 252
DAYS: Final = 3
WORKERS: Final = 2
ANSWER: Final = 300
"""Sessions that the source has at hand: a year and a few more."""


def names() -> Any:
    """Return what is needed of tickerlake, by the names of today."""
    try:
        from tickerlake import lake
        from tickerlake.market import bars, calendars
        from tickerlake.sources import Fetched
        from tickerlake.stages import delivery, extract, transform  # noqa: F401 - before the clock
    except ImportError:
        return former_names()
    return SimpleNamespace(
        open_lake=lake.open_lake,
        create_lake=lake.create_lake,
        raw=bars.RAW,
        rounded=bars.rounded,
        fetched=Fetched,
        schedule=calendars.of("T000").schedule["session"],
        extract=extract.extract,
        transform=transform.transform,
    )


def former_names() -> Any:
    """Return the same of the first commits."""
    from tickerlake import calendars, extract, lake, schema, transform  # type: ignore[attr-defined]

    return SimpleNamespace(
        open_lake=lake.connect,
        create_lake=lake.create,
        raw=schema.RAW,
        rounded=schema.rounded,
        fetched=lambda frame: frame,
        schedule=calendars.of("T000").schedule["session"],
        extract=extract.extract,
        transform=transform.transform,
    )


def bars(side: Any, sessions: pl.Series, seed: int) -> pl.DataFrame:
    """A random walk with four dividends a year, the same for a session however long it is."""
    random, count = np.random.default_rng(seed), len(sessions)
    age = np.arange(count)[::-1]
    steps = random.standard_normal((10_000, 3))[age]
    close = 100 * np.exp(np.cumsum(steps[::-1, 0])[::-1] * 0.02)
    opened = close * np.exp(steps[:, 1] * 0.005)
    columns = {
        "session": sessions,
        "open": opened,
        "high": np.maximum(opened, close) * 1.01,
        "low": np.minimum(opened, close) / 1.01,
        "close": close,
        "volume": np.rint(1e6 * np.exp(steps[:, 2])).astype(np.int64),
        "dividend": np.where(age % 63 == 40, 0.4, 0.0),
        "capital_gain": np.zeros(count),
        "split": np.ones(count),
        "currency": ["USD"] * count,
        "dividend_currency": [None] * count,
        "source": ["memory"] * count,
    }
    schema = side.raw
    rows = pl.DataFrame({name: columns[name] for name in schema}, schema=schema)
    frame: pl.DataFrame = side.rounded(rows)
    return frame


class Memory:
    """A source with its answers at hand."""

    name = "memory"

    def __init__(self, side: Any, tickers: list[str], sessions: pl.Series) -> None:
        self._side = side
        self._days = sessions.to_numpy()
        self._bars = {ticker: bars(side, sessions, n) for n, ticker in enumerate(tickers)}

    def fetch(self, symbol: str, start: date, end: date, *_: object) -> Any:
        """See `sources.Source`."""
        first = int(np.searchsorted(self._days, np.datetime64(start)))
        stop = int(np.searchsorted(self._days, np.datetime64(end), side="right"))
        return self._side.fetched(self._bars[symbol][first:stop])


class Requests:
    """Counts what is asked of a lake's objects."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.counted, self._lock = inner, Counter[str](), threading.Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in ("read", "put", "create", "swap", "find", "delete"):
            return found

        def counted(*args: Any) -> Any:
            with self._lock:
                self.counted[name] += 1
            return found(*args)

        return counted


def evening(day: date) -> datetime:
    return datetime.combine(day, time_of_day(22, 30), UTC)


def create(folder: str, tickers: list[str], years: int) -> None:
    """Create a lake that lacks the last `DAYS` sessions."""
    side = names()
    known = side.schedule.filter(side.schedule <= LAST).tail(years * SESSIONS_A_YEAR)
    lake, last = side.create_lake(folder, "year"), known[-1 - DAYS]
    source = Memory(side, tickers, known)
    side.extract(lake, source, tickers, as_of=evening(last), start=known[0], workers=WORKERS)
    side.transform(side.open_lake(folder))


def day(folder: str, tickers: list[str], number: int) -> Iterator[dict[str, Any]]:
    """Extract one of the last `DAYS` sessions twice, then transform it."""
    side = names()
    known = side.schedule.filter(side.schedule <= LAST).tail(ANSWER)
    lake, source = side.open_lake(folder), Memory(side, tickers, known)
    session = known[number - DAYS]
    options: Any = {"as_of": evening(session), "start": session, "workers": WORKERS}
    for what in ("a day", "nothing due"):
        requests = Requests(lake.store._objects)  # noqa: SLF001 - below what is retried
        if hasattr(lake.store._objects, "read"):  # noqa: SLF001 - the first commits had others
            lake.store._objects = requests  # noqa: SLF001
        cpu, wall = time.process_time(), time.perf_counter()
        report = side.extract(lake, source, tickers, **options)
        seconds = time.process_time() - cpu, time.perf_counter() - wall
        new = sum(entry.new for entry in report.entries.values())
        assert new == (len(tickers) if what == "a day" else 0), new
        yield {"what": what, "cpu": seconds[0], "wall": seconds[1], "asked": requests.counted}
        if what == "a day":
            side.transform(side.open_lake(folder))


def alone(jobs: Path, *arguments: object) -> list[dict[str, Any]]:
    """Call this script in a process of its own, with the package of a worktree."""
    command = [sys.executable, __file__, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(jobs)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(sides: dict[str, Path], tickers: int, years: int) -> None:
    """Run both sides alternately, and print the table."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, jobs in sides.items():
            alone(jobs, "--create", Path(folder, name), "--tickers", tickers, "--years", years)
        for number in range(DAYS):
            for name, jobs in sides.items():
                for each in alone(
                    jobs, "--day", Path(folder, name), "--tickers", tickers, "--number", number
                ):
                    found.setdefault((each["what"], name), []).append(each)
    print(
        f"{tickers} tickers of {years} years, median of {DAYS} days; "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"{'':30}{'CPU s':>8}{'ms a ticker':>13}{'wall s':>8}  requests a ticker")
    for (what, name), runs in sorted(found.items()):
        cpu, wall = (statistics.median(run[unit] for run in runs) for unit in ("cpu", "wall"))
        asked = {key: count / tickers for key, count in runs[-1]["asked"].items()}
        counts = ", ".join(f"{key} {count:.3g}" for key, count in sorted(asked.items()))
        print(f"{what + ', ' + name:30}{cpu:8.2f}{cpu / tickers * 1000:13.2f}{wall:8.2f}  {counts}")
    for what in ("a day", "nothing due"):
        ours, *peers = (
            statistics.median(run["cpu"] for run in found[what, name]) for name in sides
        )
        for peer in peers:
            print(f"{what}: {ours / peer:.2f} x the peer's CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--create", help=argparse.SUPPRESS)
    parser.add_argument("--day", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    tickers = [f"T{number:03}" for number in range(asked.tickers)]
    if asked.create:
        create(asked.create, tickers, asked.years)
    elif asked.day:
        for each in day(asked.day, tickers, asked.number):
            print(json.dumps(each))
    else:
        sides = {"tickerlake": Path(__file__).parents[1] / "jobs"}
        if asked.peer:
            sides["the peer"] = asked.peer / "jobs"
        compare(sides, asked.tickers, asked.years)


if __name__ == "__main__":
    main()
