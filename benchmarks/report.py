"""A report on 500 tickers with 10 years of history: `python benchmarks/report.py`.

Some minutes, most of which are spent creating the lake. Bars are generated; each report is written
in a process of its own. The second report follows a run that brought news of one ticker.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

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

from tickerlake import pictures
from tickerlake.lake import open_lake
from tickerlake.stages.extract import extract
from tickerlake.stages.transform import transform

YEARS = 10
SECONDS, MEMORY = 90, 600
OVERVIEW, TICKER = 2.0, 0.4
"""The limits: seconds, megabytes of memory, and megabytes of pages."""


class Measured(NamedTuple):
    """What writing a report took."""

    seconds: float
    memory: int
    written: int
    unchanged: int


def measured(lake: Path, out: Path) -> Measured:
    start = time.perf_counter()
    done = pictures.report(str(lake), str(out), workers=WORKERS)
    seconds = time.perf_counter() - start
    return Measured(seconds, peak_memory(), done.written, done.unchanged)


def correct(lake: Path) -> None:
    """Let the source correct a bar of the first ticker."""
    days = sessions(SESSIONS_A_YEAR * YEARS)
    source = Memory(days)
    bars = source._bars[TICKERS[0]]  # noqa: SLF001
    is_last_but_one = pl.col("session") == days[-2]
    volume = pl.col("volume") + is_last_but_one.cast(pl.Int64)
    source._bars[TICKERS[0]] = bars.with_columns(volume)  # noqa: SLF001
    opened = open_lake(str(lake))
    extract(
        opened,
        source,
        TICKERS[:1],
        as_of=evening(days[-1]),
        start=days[-5],
        end=days[-1],
        workers=1,
    )
    transform(opened)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, out = Path(folder, "lake"), Path(folder, "report")
        alone(make, lake, SESSIONS_A_YEAR * YEARS)
        first = alone(measured, lake, out)
        alone(correct, lake)
        second = alone(measured, lake, out)
        overview = (out / "index.html").stat().st_size / MB
        largest = max(each.stat().st_size for each in (out / "tickers").iterdir()) / MB
        everything = sum(each.stat().st_size for each in out.rglob("*") if each.is_file()) / MB
    print(f"A report on {len(TICKERS)} tickers, {YEARS} years, {WORKERS} workers\n")
    print(f"{'':26}{'first':>9}{'second':>9}")
    print(f"{'seconds':26}{first.seconds:9.1f}{second.seconds:9.1f}")
    print(f"{'peak memory, MB':26}{first.memory / MB:9.0f}{second.memory / MB:9.0f}")
    print(f"{'files written':26}{first.written:9}{second.written:9}")
    print(f"{'files unchanged':26}{first.unchanged:9}{second.unchanged:9}")
    print(f"\nMB: overview {overview:.2f}, largest ticker {largest:.2f}, all {everything:.0f}")
    assert first.seconds < SECONDS
    assert first.memory / MB < MEMORY
    assert overview < OVERVIEW
    assert largest < TICKER


if __name__ == "__main__":
    main()
