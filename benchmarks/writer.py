"""The Parquet files of `daily`: their size, how fast readers scan them, and other settings.

`python benchmarks/writer.py OTHER_CHECKOUT [TICKERS] [YEARS]`, for example a worktree of an older
commit; some minutes. Each checkout makes a lake by year and one by day, of the same bars. DuckDB,
Polars and PyArrow then scan the table `daily` of both, in turns. Two queries are asked:

    two columns   the highest close and the mean of `sma_200` of each ticker
    everything    all columns of all rows

Then the rows of one ticker are encoded with other settings than `lake.parquet` has, and decoded by
Polars. CPU is user and system time of the process; listed is the best of some runs.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parents[1]
RUNS: Final = 5
GRAINS: Final = ("year", "day")
REPEATS: Final = {"year": 100, "day": 500}
"""How often a partition is encoded for one measurement."""


def make(folder: str, tickers: int, years: int, grain: str) -> None:
    """Make a lake, in the process of a checkout."""
    sys.path.pop(0)  # this folder: the checkout's own follow
    import increment

    increment.TICKERS[:] = increment.TICKERS[:tickers]
    module, name = (increment, "create_lake")
    if not hasattr(module, name):
        module, name = increment.lake, "create"
    create = getattr(module, name)
    setattr(module, name, lambda url, _: create(url, grain))
    increment.make(Path(folder), increment.SESSIONS_A_YEAR * years)


def best(ways: dict[Any, Callable[[], object]]) -> dict[Any, float]:
    """Return the CPU seconds of each way; they take turns."""
    found: dict[Any, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, work in ways.items():
            cpu = time.process_time()
            work()
            found[name].append(time.process_time() - cpu)
    return {name: min(each) for name, each in found.items()}


def scans(daily: Path) -> dict[tuple[str, str], Callable[[], object]]:
    """Return the queries of each reader of a folder of partitions."""
    import duckdb
    import polars as pl
    import pyarrow.dataset as ds

    files = f"{daily}/*/*/*.parquet"
    session = duckdb.connect()
    table = f"read_parquet('{files}', hive_partitioning=true)"
    few = f"select ticker, max(close), avg(sma_200) from {table} group by all"  # noqa: S608
    everything = f"select * from {table}"  # noqa: S608

    def scanned() -> pl.LazyFrame:
        return pl.scan_parquet(files, hive_partitioning=True)

    def dataset() -> ds.Dataset:
        return ds.dataset(daily, partitioning="hive")

    columns = ["ticker", "close", "sma_200"]
    return {
        ("two columns", "DuckDB"): lambda: session.execute(few).fetchall(),
        ("two columns", "Polars"): lambda: (
            scanned().group_by("ticker").agg(pl.max("close"), pl.mean("sma_200")).collect()
        ),
        ("two columns", "PyArrow"): lambda: (
            dataset().to_table(columns).group_by("ticker").aggregate(
                [("close", "max"), ("sma_200", "mean")]
            )
        ),
        ("everything", "DuckDB"): lambda: session.sql(everything).to_arrow_table(),
        ("everything", "Polars"): lambda: scanned().collect(),
        ("everything", "PyArrow"): lambda: dataset().to_table(),
    }  # fmt: skip


def compare(sides: dict[str, Path], at: Path, tickers: int, years: int, grain: str) -> None:
    ways: dict[Any, Callable[[], object]] = {}
    sizes = {}
    for side, checkout in sides.items():
        lake = at / side / grain
        environment = os.environ | {"PYTHONPATH": f"{checkout / 'jobs'}:{checkout / 'benchmarks'}"}
        command = [sys.executable, __file__, "--make", lake, str(tickers), str(years), grain]
        subprocess.run(command, env=environment, check=True)
        daily = lake / "refined/daily"
        sizes[side] = sum(each.stat().st_size for each in daily.rglob("*.parquet"))
        ways |= {(*name, side): work for name, work in scans(daily).items()}
    print(f"\nby {grain}{'':24}{'this':>10}{'other':>10}{'ratio':>8}")
    print(
        f"{'bytes, MB':32}{sizes['this'] / 1e6:10.1f}{sizes['other'] / 1e6:10.1f}"
        f"{sizes['this'] / sizes['other']:8.2f}"
    )
    found = best(ways)
    for query, reader in dict.fromkeys(name[:2] for name in found):
        ours, theirs = (found[query, reader, side] for side in ("this", "other"))
        name = f"{query}, {reader}, CPU s"
        print(f"{name:32}{ours:10.3f}{theirs:10.3f}{ours / theirs:8.2f}")


def settings(grain: str, lake: Path) -> None:
    """Encode one partition of `daily` with other settings, each of them one change."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tickerlake.lake.parquet import to_parquet
    from tickerlake.market.arrays import arrow

    partition = sorted(lake.glob("refined/daily/date=*/ticker=T000/*.parquet"))[-2]
    table = arrow(pl.read_parquet(partition, hive_partitioning=False))
    ours = {
        "compression": "snappy",
        "use_dictionary": [
            each.name for each in table.schema if pa.types.is_string_view(each.type)
        ],
        "write_statistics": ["session"],
        "store_schema": False,
    }
    others: dict[str, dict[str, Any]] = {
        "as they are": {},
        "zstd": {"compression": "zstd"},
        "no compression": {"compression": "none"},
        "dictionaries of all columns": {"use_dictionary": True},
        "statistics of all columns": {"write_statistics": True},
        "data pages of version 2": {"data_page_version": "2.0"},
    }

    def encoded(given: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        with pq.ParquetWriter(buffer, table.schema, **(ours | given)) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({})
        return buffer.getvalue()

    times = range(REPEATS[grain])
    writing = best({name: lambda g=given: [encoded(g) for _ in times]
                    for name, given in others.items()})  # fmt: skip
    data = {name: encoded(given) for name, given in others.items()}
    data["by Polars, zstd"] = by_polars(partition)
    reading = best({name: lambda d=each: [pl.read_parquet(io.BytesIO(d)) for _ in times]
                    for name, each in data.items()})  # fmt: skip
    assert data["as they are"] == to_parquet(table)
    print(f"\na partition by {grain}, {table.num_rows} rows{'bytes':>18}{'write, ms':>11}"
          f"{'read, ms':>10}")  # fmt: skip
    for name, each in data.items():
        write = f"{writing[name] / len(times) * 1e3:11.2f}" if name in writing else f"{'':11}"
        print(f"{name:34}{len(each):12,}{write}{reading[name] / len(times) * 1e3:10.2f}")


def by_polars(partition: Path) -> bytes:
    import polars as pl

    buffer = io.BytesIO()
    pl.read_parquet(partition, hive_partitioning=False).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def main() -> None:
    other, rest = Path(sys.argv[1]).resolve(), [int(each) for each in sys.argv[2:]]
    tickers, years = [*rest, *(20, 10)[len(rest) :]]
    sides = {"this": HERE, "other": other}
    with tempfile.TemporaryDirectory() as at:
        for grain in GRAINS:
            compare(sides, Path(at), tickers, years, grain)
            settings(grain, Path(at, "this", grain))
    print(f"\n{tickers} tickers x {years} years; best of {RUNS}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
