"""Peak memory of a wide lake: `python benchmarks/memory.py [TICKERS] [YEARS]`; five minutes.

A lake by year is made of 5,000 tickers with 2 years, on disk. Then one session is extracted,
transformed, and all is rebuilt from raw, each in a process of its own. Listed are the resident
memory of that process before the work, when a source has its bars at hand, and its peak. The source
has the bars of one session only.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
from increment import (
    MB,
    SESSIONS_A_YEAR,
    TICKERS,
    WORKERS,
    Memory,
    alone,
    evening,
    make,
    peak_memory,
    sessions,
)

from tickerlake.lake import open_lake
from tickerlake.sources import Fetched
from tickerlake.stages.extract import extract
from tickerlake.stages.transform import transform


class OneSession:
    """A source that has one bar of each ticker."""

    name = Memory.name

    def __init__(self, bars: dict[str, pl.DataFrame]) -> None:
        self._bars = bars

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:  # noqa: ARG002 - what a source is given
        """See `sources.Source`."""
        return Fetched(self._bars[symbol])


def fill(folder: Path, tickers: int, count: int) -> dict[str, pl.DataFrame]:
    """Make a lake without its last session; return the bars of that session."""
    name_all(tickers)
    make(folder, count, without=1)
    days = sessions(count)
    source = Memory(days)
    return {each: source.fetch(each, days[-1], days[-1], "").bars for each in TICKERS}


def name_all(tickers: int) -> None:
    TICKERS[:] = [f"T{number:05}" for number in range(tickers)]


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return the resident memory before and at the peak, in MB."""
    before = peak_memory() / MB
    work()
    return before, peak_memory() / MB


def extracted(folder: Path, bars: dict[str, pl.DataFrame], tickers: int) -> tuple[float, float]:
    name_all(tickers)
    lake, day, source = open_lake(str(folder)), sessions(1)[-1], OneSession(bars)
    window = {"as_of": evening(day), "start": day}
    return measured(lambda: extract(lake, source, TICKERS, workers=WORKERS, **window))


def transformed(folder: Path, *, rebuild: bool) -> tuple[float, float]:
    lake = open_lake(str(folder))
    return measured(lambda: transform(lake, rebuild=rebuild))


def main() -> None:
    tickers, years = [int(each) for each in [*sys.argv[1:], *("5000", "2")[len(sys.argv) - 1 :]]]
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at, "lake")
        bars = alone(fill, folder, tickers, SESSIONS_A_YEAR * years)
        found = {"extract": alone(extracted, folder, bars, tickers)}
        found["transform"] = alone(transformed, folder, rebuild=False)
        for each in ("history", "refined", "tickers"):
            shutil.rmtree(folder / each, ignore_errors=True)
        found["rebuild"] = alone(transformed, folder, rebuild=True)
    print(f"{tickers:,} tickers x {years} years, by year, on disk; resident memory, MB\n")
    print(f"{'':12}{'before':>8}{'peak':>8}")
    for name, (before, peak) in found.items():
        print(f"{name:12}{before:8.0f}{peak:8.0f}")


if __name__ == "__main__":
    main()
