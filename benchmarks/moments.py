"""What readers see beside a transform: `python benchmarks/moments.py [TICKERS]`; some minutes.

A process brings 200 tickers up to date, one session at a time, ten times; each time, all of them
get a bar. Meanwhile, readers ask for the last session of every ticker, again and again. A reader
that finds more than one has seen two moments at once. The folder is on local disk, by month.
"""

import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import polars as pl

from tickerlake.lake import Lake, create_lake, establish, open_lake
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.sources import Fetched
from tickerlake.stages.extract import extract
from tickerlake.stages.query import query
from tickerlake.stages.transform import transform

TICKERS = [f"T{number:03}" for number in range(int(sys.argv[1]) if sys.argv[1:] else 200)]
SCHEDULE = calendars.of("T000").schedule["session"]
SESSIONS = SCHEDULE.filter(SCHEDULE.is_between(date(2025, 1, 2), date(2025, 6, 30))).to_list()
TRANSFORMS = 10

LAST = (
    "select count(distinct last) as moments"
    " from (select max(session) as last from {} group by ticker)"
)
KEYS = {"date": pl.String(), "ticker": pl.String()}


class Steady:
    """A source whose bars do not depend on the ticker."""

    name = "steady"

    def __init__(self, today: date) -> None:
        self.today = today

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:  # noqa: ARG002
        """See `Source.fetch`."""
        days = [day for day in SESSIONS if start <= day <= min(end, self.today)]
        bar = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 100, "split": 1.0}
        rest = {"dividend": 0.0, "capital_gain": 0.0, "currency": "USD", "source": self.name}
        rows = [{"session": day, **bar, **rest} for day in days]
        return Fetched(pl.DataFrame(rows, schema=RAW))


def bring_up_to(lake: Lake, day: date) -> None:
    as_of = datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)
    extract(lake, Steady(day), TICKERS, as_of=as_of, start=SESSIONS[0], workers=2)
    if transform(lake).exit_code:
        raise RuntimeError("the transform failed")


def live(url: str, done: Event) -> None:
    lake = open_lake(url)
    for day in SESSIONS[-TRANSFORMS:]:
        bring_up_to(lake, day)
    done.set()


def by_query(lake: Lake) -> int:
    return int(query(lake, LAST.format("daily")).item())


def by_duckdb(lake: Lake) -> int:
    import duckdb

    files = (
        f"read_parquet('{lake.store.url}/refined/daily/**/*.parquet', hive_partitioning = true,"
        " hive_types = {'date': varchar, 'ticker': varchar})"
    )
    [[moments]] = duckdb.connect().execute(LAST.format(files)).fetchall()
    return int(moments)


def by_polars(lake: Lake) -> int:
    files = f"{lake.store.url}/refined/daily/**/*.parquet"
    last = pl.scan_parquet(files, hive_schema=KEYS).group_by("ticker").agg(pl.col("session").max())
    return last.select(pl.col("session").n_unique()).collect().item()


def by_pyarrow(lake: Lake) -> int:
    import pyarrow as pa
    import pyarrow.dataset as ds

    keys = ds.partitioning(
        pa.schema([("date", pa.string()), ("ticker", pa.string())]), flavor="hive"
    )
    table = ds.dataset(f"{lake.store.url}/refined/daily", partitioning=keys).to_table(
        columns=["ticker", "session"]
    )
    last = table.group_by("ticker").aggregate([("session", "max")])
    return len(set(last["session_max"].to_pylist()))


READERS: dict[str, Callable[[Lake], int]] = {
    "`tickerlake query`": by_query,
    "DuckDB": by_duckdb,
    "Polars": by_polars,
    "PyArrow": by_pyarrow,
}


def watch(reader: Callable[[Lake], int], lake: Lake, done: Event) -> tuple[Counter[str], float]:
    """Read until the transforms have ended; count what was seen."""
    seen: Counter[str] = Counter()
    start = time.monotonic()
    while not done.is_set():
        try:
            seen["one moment" if reader(lake) == 1 else "several moments"] += 1
        except Exception:  # noqa: BLE001 - of whatever kind, it is counted
            seen["error"] += 1
    return seen, (time.monotonic() - start) / max(1, seen.total())


def main() -> None:
    context = multiprocessing.get_context("forkserver")
    print("| reader | reads | one moment | several moments | errors | s a read |")
    print("|---|---|---|---|---|---|")
    for name, reader in READERS.items():
        with tempfile.TemporaryDirectory() as folder:
            lake = create_lake(str(Path(folder) / "lake"), "month")
            establish(lake)
            bring_up_to(lake, SESSIONS[-TRANSFORMS - 1])
            lake, done = open_lake(lake.store.url), context.Event()
            process = context.Process(target=live, args=(lake.store.url, done))
            process.start()
            seen, seconds = watch(reader, lake, done)
            process.join()
        shares = [
            f"{seen[each] / max(1, seen.total()):.0%}"
            for each in ("one moment", "several moments", "error")
        ]
        print(f"| {name} | {seen.total()} | {' | '.join(shares)} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
