"""What `tickerlake compact` leaves: `python benchmarks/compaction.py [TICKERS] [RUNS]`; minutes.

A lake by year in which every run brought one bar of every ticker is made directly, since nobody
wants to wait for a thousand extractions. It is rebuilt before and after its compaction, each time
in a process of its own; history and refined are there, so a rebuild reads raw, derives everything,
and compares every object. Seconds are CPU seconds (user and system) of that process.
"""

import os
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from increment import WORKERS, Counting, alone

from tickerlake.lake import Lake, create_lake, establish, layout, manifests, open_lake
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import digest, to_parquet
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.stages import compact
from tickerlake.stages.transform import transform

TICKERS, RUNS = 200, 1_000
LAST = date(2025, 2, 3)
"""The day of the last run: the year before is closed."""


def days(runs: int) -> list[date]:
    """Return the sessions of the runs: up to the end of a year, and one later."""
    sessions = calendars.of("T000").schedule["session"]
    past = sessions.filter(sessions < date(2025, 1, 1)).to_list()
    return [*past[1 - runs :], LAST]


def bar(number: int, day: date) -> pl.DataFrame:
    """Return a bar of a ticker."""
    close = 50.0 + number + day.timetuple().tm_yday / 100
    row = {
        "session": day,
        **dict.fromkeys(("open", "close"), close),
        "high": close + 1,
        "low": close - 1,
        "volume": 1_000 + day.day,
        "dividend": 0.0,
        "capital_gain": 0.0,
        "split": 1.0,
        "currency": "USD",
        "source": "benchmark",
    }
    return pl.DataFrame([row], schema=RAW)


def make(folder: Path, tickers: int, runs: int) -> None:
    """Create the lake, with a receipt for every run."""
    made = create_lake(str(folder), "year")
    establish(made)
    for day in days(runs):
        entries = {}
        for number in range(tickers):
            ticker, rows = f"T{number:03}", bar(number, day)
            name = digest(rows)
            path = folder / layout.blob(layout.RAW, str(day.year), ticker, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_parquet(rows))  # without flushing, which takes most of the time
            entries[ticker] = Entry(
                outcome="ok", start=day, end=day, new=1, blobs={str(day.year): name}, splits={},
                timezone="America/New_York",
            )  # fmt: skip
        as_of = datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)
        run_id = f"{as_of:%Y%m%dT%H%M%S%fZ}-000000"
        manifest = Manifest(run_id=run_id, as_of=as_of, source="benchmark", tickers=entries)
        manifests.commit(made.store, manifest)
        manifests.acknowledge(made.store, manifest)
    assert transform(made, rebuild=True).exit_code == 0


def rebuild(folder: Path) -> tuple[float, int]:
    """Rebuild the lake; return CPU seconds, and the objects that were read."""
    opened = open_lake(str(folder))
    store = Counting(opened.store)
    calendars.of("T000")
    start = sum(os.times()[:2])
    report = transform(Lake(store, opened.grain), rebuild=True)
    seconds = sum(os.times()[:2]) - start
    assert report.exit_code == 0
    assert not any(each.partitions for each in report.refreshed.values()), "it changed something"
    return seconds, sum(count for (what, _), count in store.objects.items() if what == "read")


def pack(folder: Path) -> float:
    """Compact the lake twice, as if a day passed; return CPU seconds."""
    compact.GRACE = timedelta(days=-1)  # type: ignore[misc]
    start = sum(os.times()[:2])
    for _ in range(2):
        assert compact.compact(open_lake(str(folder)), workers=WORKERS).exit_code == 0
    return sum(os.times()[:2]) - start


def objects(folder: Path) -> int:
    """Count the lake's objects."""
    return sum(path.is_file() for path in folder.rglob("*"))


def main() -> None:
    tickers, runs = map(int, sys.argv[1:]) if len(sys.argv) > 1 else (TICKERS, RUNS)
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at, "lake")
        alone(make, folder, tickers, runs)
        many, before = objects(folder), alone(rebuild, folder)
        packing = alone(pack, folder)
        few, after = objects(folder), alone(rebuild, folder)
    years = len({day.year for day in days(runs)})
    print(f"{tickers} tickers, {runs:,} runs, by year\n")
    print(f"{'':34}{'before':>10}{'after':>10}")
    print(f"{'objects':34}{many:10,}{few:10,}  {few / many:.1%}")
    print(f"{'objects read by a rebuild':34}{before[1]:10,}{after[1]:10,}")
    share = [each[1] / tickers / years for each in (before, after)]
    print(f"{'  for each ticker and year':34}{share[0]:10.1f}{share[1]:10.1f}")
    seconds = after[0] / before[0]
    print(f"{'CPU seconds of a rebuild':34}{before[0]:10.1f}{after[0]:10.1f}  {seconds:.2f}x")
    print(f"{'CPU seconds of the compaction':34}{'':10}{packing:10.1f}")


if __name__ == "__main__":
    main()
