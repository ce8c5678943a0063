"""What it would cost to publish the table `daily` under a new prefix after each transform.

`python benchmarks/publish.py`; some minutes. A reader that follows a pointer to the newest prefix
would see one moment (decision 70). A prefix must hold every partition, so those that a run leaves
alone are copied, or linked where the file system can.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from increment import DAYS, SESSIONS_A_YEAR, TICKERS, alone, day, make, sessions

from tickerlake.lake import layout

YEARS = 10


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds (user and system), and seconds by the clock."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - processor, time.perf_counter() - start


def transform_day(folder: Path, session: date) -> tuple[float, float]:
    """A day's extract and transform."""
    return cost(lambda: day(folder, session))


def publish(table: Path, target: Path, place: Callable[[Path, Path], object]) -> int:
    """Put every file of a table under a new prefix, and return how many there were."""
    files = list(table.rglob("*.parquet"))
    for path in files:
        new = target / path.relative_to(table)
        new.parent.mkdir(parents=True, exist_ok=True)
        place(path, new)
    os.sync()
    return len(files)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, count = Path(folder, "lake"), SESSIONS_A_YEAR * YEARS
        alone(make, lake, count, without=DAYS)
        rows = {"extract and transform": [alone(transform_day, lake, s) for s in sessions(DAYS)]}
        table, target = lake / layout.DAILY, Path(folder, "published")
        for name, place in {"link every file": os.link, "copy every file": shutil.copyfile}.items():
            rows[name] = []
            for number in range(DAYS):
                new = target / f"{name} {number}"
                rows[name].append(cost(lambda new=new, place=place: publish(table, new, place)))
        files = list(table.rglob("*.parquet"))
        size = sum(path.stat().st_size for path in files)
    load = os.getloadavg()[0]
    print(f"{len(TICKERS)} tickers, {YEARS} years, grain year; median of {DAYS}; load {load:.1f}")
    print(f"A day changes {len(TICKERS)} of {len(files):,} files; all are {size / 1e6:,.0f} MB.\n")
    whole = sorted(rows["extract and transform"])[DAYS // 2][0]
    print(f"{'':24}{'CPU s':>8}{'s':>8}{'of a day':>10}")
    for name, found in rows.items():
        processor, wall = sorted(found)[DAYS // 2]
        print(f"{name:24}{processor:8.2f}{wall:8.2f}{processor / whole:9.2f}x")


if __name__ == "__main__":
    main()
