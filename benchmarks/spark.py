"""The table `daily` of 500 tickers and 10 years, on Spark and on threads; and when Spark pays off.

`python benchmarks/spark.py [TICKERS] [--engines]`; a quarter of an hour, or two minutes for our own
engines alone; needs Java 17 or newer and the extra `spark`. Each way reads the same histories and
writes one Parquet file per partition, on two cores of one machine:

    local engine   threads
    Spark engine   local[2], the same kernel
    Spark windows  local[2], what a user of Spark would write: window functions, and
                   `write.partitionBy("date", "ticker")`
    Spark groups   the same write, and our kernel by `groupBy("ticker").applyInArrow`

Window functions can't express what is defined by its own last value, such as Wilder's and
exponential smoothing (`RECURSIVE`), so the third way computes 27 features and the others all 37.
What all compute must be equal to 1e-9. Each measurement is taken in a session that has done the
same once before, since a Glue session is also started only once per job; the time to start one is
printed.
"""

import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
from increment import SESSIONS_A_YEAR, TICKERS, alone, make
from polars.testing import assert_frame_equal
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from tickerlake.engines import Engine, Refreshed, Task, Work
from tickerlake.engines.local import threads
from tickerlake.engines.spark import spark as on_spark
from tickerlake.lake import Lake, derived, history, layout, open_lake
from tickerlake.lake.parquet import partitions, to_parquet
from tickerlake.lake.tables import TABLES
from tickerlake.market import features
from tickerlake.market.bars import BAR

CORES: Final = 2
ENGINES: Final = "--engines"
YEARS: Final = 10
RUNS: Final = 3
BARS: Final = SESSIONS_A_YEAR * YEARS
RECURSIVE: Final = frozenset(
    {"ema_12", "ema_26", "macd", "macd_signal", "macd_histogram"}
    | {"rsi_14", "atr_14", "plus_di_14", "minus_di_14", "adx_14"}
)

# the model of a Glue job: workers of type G.1X, one of which is the driver's
CORES_A_WORKER: Final = 4
START: Final = 30.0
"""Billed seconds until a session exists and the libraries are loaded; assumed, not measured."""


def write(opened: Lake, _tasks: Sequence[Task]) -> Callable[[Task], Refreshed]:
    """Read a ticker's history, and write its part of the table."""

    def do(task: Task) -> Refreshed:
        held = history.load(opened, task.ticker)
        for partition, rows in partitions(derived.refined(held), opened.grain):
            opened.store.put(layout.daily(partition, task.ticker), to_parquet(rows))
        return Refreshed(task.ticker)

    return do


def compute(opened: Lake, _tasks: Sequence[Task]) -> Callable[[Task], Refreshed]:
    """Read a ticker's history, compute its features, and drop them."""

    def do(task: Task) -> Refreshed:
        held = history.load(opened, task.ticker)
        assert derived.refined(held).height == BARS
        return Refreshed(task.ticker)

    return do


def with_engine(engine: Engine, work: Work, folder: Path) -> None:
    done = engine(open_lake(str(folder)), work, [Task(ticker, BARS) for ticker in TICKERS])
    assert len(list(done)) == len(TICKERS)


# ---- the same with window functions


def over(rows: int) -> Callable[[Column], Column]:
    """The last `rows` rows of a ticker; null until there are enough."""
    window = Window.partitionBy("ticker").orderBy("session").rowsBetween(1 - rows, 0)
    held = f.count(f.lit(1)).over(window)
    return lambda aggregate: f.when(held == rows, aggregate.over(window))


def windowed(bars: DataFrame) -> DataFrame:
    """The features that window functions can express."""
    ticker = Window.partitionBy("ticker").orderBy("session")
    so_far = ticker.rowsBetween(Window.unboundedPreceding, 0)
    close, high, low, volume = (f.col(name) for name in ("close", "high", "low", "volume"))
    previous = f.lag("close").over(ticker)
    typical = (high + low + close) / 3
    change = typical - f.lag(typical).over(ticker)
    total = (close + f.col("dividend")) / previous
    mean, deviation = over(20)(f.avg("close")), over(20)(f.stddev_pop("close"))
    steps: Sequence[dict[str, Column]] = (
        {
            "return_1d": close / previous - 1,
            "log_return_1d": f.ln(close / previous),
            "gap": f.col("open") / previous - 1,
            "total_return_1d": total - 1,
            "total_return_index": f.exp(f.sum(f.ln(f.coalesce(total, f.lit(1.0)))).over(so_far)),
            **{f"sma_{n}": over(n)(f.avg("close")) for n in (5, 10, 20, 50, 200)},
            "bb_upper_20": mean + 2 * deviation,
            "bb_middle_20": mean,
            "bb_lower_20": mean - 2 * deviation,
            "bb_bandwidth_20": 4 * deviation / mean,
            "bb_percent_b_20": (close - mean + 2 * deviation) / (4 * deviation),
            "tr": f.when(previous.isNotNull(), f.greatest(high, previous) - f.least(low, previous)),
            "obv": f.sum(
                f.coalesce(f.signum(close - previous) * volume, volume.cast("double"))
            ).over(so_far),
            "high_252": over(252)(f.max("high")),
            "low_252": over(252)(f.min("low")),
            "drawdown": close / f.max("close").over(so_far) - 1,
            "volume_ratio_20": volume / over(20)(f.avg("volume")),
            "_fast": 100
            * (close - over(14)(f.min("low")))
            / (over(14)(f.max("high")) - over(14)(f.min("low"))),
            "_rise": f.when(change > 0, typical * volume).otherwise(0.0),
            "_fall": f.when(change < 0, typical * volume).otherwise(0.0),
            "_bar": f.row_number().over(ticker),
        },
        {
            "volatility_20": f.when(
                f.col("_bar") > 20, over(20)(f.stddev_samp("log_return_1d")) * math.sqrt(252)
            ),
            "stoch_k_14": f.when(f.col("_bar") > 17, over(3)(f.avg("_fast"))),
            "distance_high_252": close / f.col("high_252") - 1,
            "distance_low_252": close / f.col("low_252") - 1,
            "mfi_14": f.when(
                f.col("_bar") > 14,
                100
                * over(14)(f.sum("_rise"))
                / (over(14)(f.sum("_rise")) + over(14)(f.sum("_fall"))),
            ),
            "_slow": f.when(f.col("_bar") > 15, over(3)(f.avg("_fast"))),
        },
        {"stoch_d_14": f.when(f.col("_bar") > 17, over(3)(f.avg("_slow")))},
    )
    names = ["ticker", *(name for name in features.DAILY if name not in RECURSIVE)]
    return reduce(DataFrame.withColumns, steps, bars).select(names)


def with_windows(session: SparkSession, folder: Path, target: Path | None) -> None:
    bars = session.read.parquet(str(folder / "history")).drop("as_of")
    rows = windowed(bars)
    if target is None:
        rows.write.format("noop").mode("overwrite").save()
    else:
        dated = rows.withColumn("date", f.date_format("session", "yyyy"))
        dated.write.partitionBy("date", "ticker").parquet(str(target), mode="overwrite")


def in_group(group: pa.Table) -> pa.Table:
    """Compute a ticker's rows of `daily`."""
    bars = pl.DataFrame(group.drop_columns(["ticker"])).sort("session")
    rows = features.daily(bars).select(pl.lit(group["ticker"][0].as_py()).alias("ticker"), pl.all())
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    short = [
        each.with_type(pa.string()) if pa.types.is_large_string(each.type) else each
        for each in table.schema
    ]
    return table.cast(pa.schema(short))  # Spark takes no large strings


def with_groups(session: SparkSession, folder: Path, target: Path | None) -> None:
    bars = session.read.parquet(str(folder / "history"))
    held = bars.select("ticker", *BAR, "flags").groupBy("ticker")
    types = TABLES["daily"].sql_types()
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items() if name != "date")
    rows = held.applyInArrow(in_group, columns)
    if target is None:
        rows.write.format("noop").mode("overwrite").save()
    else:
        dated = rows.withColumn("date", f.date_format("session", "yyyy"))
        dated.write.partitionBy("date", "ticker").parquet(str(target), mode="overwrite")


def assert_same(one: Path, other: Path) -> None:
    """Assert that the columns of both tables have the same values, for the first tickers."""
    names = [name for name in features.DAILY if name not in RECURSIVE]
    for ticker in TICKERS[:5]:
        left, right = (
            pl.read_parquet(at / f"date=*/ticker={ticker}/*.parquet", columns=names).sort("session")
            for at in (one, other)
        )
        assert_frame_equal(left, right, check_dtypes=False, rel_tol=1e-9, abs_tol=1e-9)


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    numbers = [int(each) for each in sys.argv[1:] if each != ENGINES]
    TICKERS[:] = TICKERS[: numbers[0]] if numbers else TICKERS
    with tempfile.TemporaryDirectory() as at:
        folder, native = Path(at, "lake"), Path(at, "native")
        alone(make, folder, BARS)
        os.environ["PYSPARK_PYTHON"] = sys.executable
        begin = time.perf_counter()
        session = (
            SparkSession.builder.master(f"local[{CORES}]")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
            .config("spark.driver.memory", "3g")
            .config("spark.sql.shuffle.partitions", 4 * CORES)
            .config("spark.local.dir", at)
            .getOrCreate()
        )
        engine = on_spark(session)
        first = timed(lambda: with_engine(engine, compute, folder))
        started = time.perf_counter() - begin
        ways = {
            ("compute", "local engine"): lambda: with_engine(threads(CORES), compute, folder),
            ("compute", "Spark engine"): lambda: with_engine(engine, compute, folder),
            ("compute", "Spark windows"): lambda: with_windows(session, folder, None),
            ("compute", "Spark groups"): lambda: with_groups(session, folder, None),
            ("write", "local engine"): lambda: with_engine(threads(CORES), write, folder),
            ("write", "Spark engine"): lambda: with_engine(engine, write, folder),
            ("write", "Spark windows"): lambda: with_windows(session, folder, native),
            ("write", "Spark groups"): lambda: with_groups(session, folder, native),
        }
        if ENGINES in sys.argv:
            ways = {way: work for way, work in ways.items() if way[1].endswith("engine")}
        times: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
        for run in range(RUNS + 1):
            for way, work in ways.items():
                shutil.rmtree(native, ignore_errors=True)
                seconds = timed(work)
                if run:
                    times[way].append(seconds)
                elif native.exists():
                    assert_same(folder / layout.DAILY, native)
        session.stop()
    report({way: statistics.median(each) for way, each in times.items()}, started - first)


def report(seconds: dict[tuple[str, str], float], start: float) -> None:
    print(
        f"{len(TICKERS) * BARS:,} rows, {len(TICKERS)} tickers x {YEARS} years, {CORES} cores;"
        f" median of {RUNS} runs; Spark started in {start:.1f} s\n"
    )
    print(f"{'':32}{'seconds':>9}{'rows/s':>10}{'ratio':>8}")
    for (what, way), each in seconds.items():
        ratio = each / seconds[what, "Spark engine"]
        rate = len(TICKERS) * BARS / each
        print(f"{f'{way}, {what}':32}{each:9.2f}{rate:10,.0f}{ratio:7.2f}x")

    local = seconds["write", "local engine"] * CORES / len(TICKERS)
    spread = seconds["write", "Spark engine"] * CORES / len(TICKERS)
    print(f"\ncore seconds per ticker: {local:.3f} local engine, {spread:.3f} Spark engine")
    print(
        f"model of a Glue job that writes it all: {START:.0f} s + tickers x core seconds / cores;"
        f" G.1X: 1 DPU and {CORES_A_WORKER} cores per worker; Spark leaves the driver's out\n"
    )
    print(f"{'tickers':>9}" + "".join(f"{name:>22}" for name in COLUMNS))
    for tickers in (500, 5_000, 50_000):
        cells = []
        for workers, each in ((2, local), (2, spread), (5, spread), (10, spread)):
            cores = CORES_A_WORKER * (1 if each is local else workers - 1)
            took = START + tickers * each / cores
            cells.append(f"{took:,.0f} s, {took * workers / 3600:.2f} DPU-h")
        print(f"{tickers:9,}" + "".join(f"{cell:>22}" for cell in cells))


COLUMNS: Final = ("local, 2 workers", "Spark, 2", "Spark, 5", "Spark, 10")


if __name__ == "__main__":
    main()
