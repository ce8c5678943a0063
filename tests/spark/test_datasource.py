"""The format `tickerlake`: Spark reads what Polars reads, and no file that a filter leaves out."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from helpers import new_lake
from pyspark.errors import PySparkException
from pyspark.sql.datasource import (
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNotNull,
    LessThan,
    LessThanOrEqual,
    Not,
)
from pyspark.sql.types import IntegerType, StringType, StructType

from tickerlake.engines import spark_datasource as datasource
from tickerlake.errors import NoLakeError, UsageError
from tickerlake.lake import Lake, frames, layout, time_travel
from tickerlake.lake.frames import Wanted
from tickerlake.lake.tables import TABLES
from tickerlake.stages import transform
from tickerlake.stages.query import query
from tickerlake.stages.relations import Past

from .market import deliver

pytestmark = pytest.mark.spark

TICKERS = ["BRK-B", "T000", "T001", "^GSPC"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    made = new_lake(str(tmp_path_factory.mktemp("datasource") / "lake"), "month")
    deliver(made, date(2013, 2, 28), TICKERS)
    assert transform.transform(made).exit_code == 0
    return made


def read(spark, lake: Lake, table: str):
    datasource.register(spark)
    return spark.read.format("tickerlake").option("table", table).load(lake.store.url)


def polars(lake: Lake, table: str, sql: str) -> pl.DataFrame:
    """What Polars answers, which knows nothing of us."""
    files = Path(lake.store.url, *{"daily": ["refined"]}.get(table, []), table, "**/*.parquet")
    frame = pl.read_parquet(files, hive_partitioning=True, try_parse_hive_dates=False)
    return pl.SQLContext({table: frame}, eager=True).execute(sql)


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("daily", "true"),
        ("daily", "ticker = '^GSPC'"),
        ("daily", "ticker in ('BRK-B', 'T001') and session = date '2013-01-31'"),
        ("daily", "session > date '2012-12-31' and session < date '2013-02-01'"),
        ("daily", "session >= date '2012-12-31' and session <= date '2013-02-01'"),
        ("daily", "date = '2012-11' or (date >= '2013-02' and close > 100)"),
        ("daily", "not ticker = 'T000' and rsi_14 is null"),
        ("daily", "ticker = 'T000' and ticker = 'T001'"),
        ("daily", "ticker = 'nobody'"),
        ("daily", "session < date '1950-01-01'"),
        ("history", "true"),
        ("history", "ticker = 'T000' and session >= date '2013-02-01'"),
    ],
)
def test_spark_answers_what_polars_answers(spark, lake, table, condition):
    sql = f"select * from {table} where {condition} order by ticker, session"
    expected = polars(lake, table, sql)
    read(spark, lake, table).createOrReplaceTempView(table)
    answer = spark.sql(sql)
    assert sorted(answer.columns) == sorted(expected.columns)
    found = answer.select(*expected.columns).collect()
    assert [tuple(row) for row in found] == [
        tuple(utc(value) for value in row) for row in expected.rows()
    ]


def utc(value):
    # collect() gives moments of the session's time zone without saying so
    return value.astimezone().replace(tzinfo=None) if hasattr(value, "astimezone") else value


JANUARY = date(2013, 1, 15)
SESSION, TICKER, PARTITION = ("session",), ("ticker",), ("date",)


@pytest.mark.parametrize(
    ("filters", "dates", "tickers"),
    [
        ([EqualTo(TICKER, "T000")], "2012-11 2012-12 2013-01 2013-02", "T000"),
        ([EqualTo(TICKER, "^GSPC"), EqualTo(SESSION, JANUARY)], "2013-01", "^GSPC"),
        ([In(TICKER, ("T000", "T001", None)), In(SESSION, (JANUARY,))], "2013-01", "T000 T001"),
        ([In(TICKER, ("T000", "T001")), EqualTo(TICKER, "BRK-B")], "", ""),
        ([GreaterThan(SESSION, JANUARY), EqualTo(TICKER, "T001")], "2013-01 2013-02", "T001"),
        (
            [
                GreaterThanOrEqual(SESSION, date(2012, 12, 31)),
                LessThan(SESSION, JANUARY),
                LessThanOrEqual(SESSION, date(2013, 2, 1)),
            ],
            "2012-12 2013-01",
            "BRK-B T000 T001 ^GSPC",
        ),
        ([GreaterThanOrEqual(PARTITION, "2013-02")], "2013-02", "BRK-B T000 T001 ^GSPC"),
        (
            [Not(EqualTo(TICKER, "T000")), IsNotNull(SESSION), EqualTo(("close",), 1.0)],
            "2012-11 2012-12 2013-01 2013-02",
            "BRK-B T000 T001 ^GSPC",
        ),
    ],
)
def test_only_files_are_read_that_the_filters_leave(lake, filters, dates, tickers):
    source = datasource.Tickerlake({"path": lake.store.url})
    reader = source.reader(StructType().add("ticker", StringType()))
    assert list(reader.pushFilters(filters)) == filters, "Spark must check the rows, too"
    keys = [layout.values(key) for part in reader.partitions() for key in part.keys]
    assert {(values["date"], values["ticker"]) for values in keys} == {
        (month, ticker)
        for month in dates.split()
        for ticker in tickers.split()
        if lake.store.get(layout.daily(month, ticker)) is not None
    }


def test_spark_hands_the_filters_on(spark, lake):
    source = read(spark, lake, "daily").where("ticker = 'T000' and session = date '2013-01-31'")
    assert source.rdd.getNumPartitions() == 1
    assert source.count() == 1
    assert "PushedFilters: []" not in source._jdf.queryExecution().toString()


def test_a_schema_says_which_columns_are_read(spark, lake):
    datasource.register(spark)
    source = spark.read.format("tickerlake").schema("close double, ticker string, date string")
    answer = source.load(lake.store.url).where("ticker = 'T001' and date = '2013-02'")
    assert answer.columns == ["close", "ticker", "date"]
    sql = "select close from daily where ticker = 'T001' and date = '2013-02' order by session"
    expected = polars(lake, "daily", sql)
    assert [row.close for row in answer.collect()] == expected["close"].to_list()
    assert answer.select("ticker", "date").distinct().collect() == [("T001", "2013-02")]


def test_what_cannot_be_read_is_said(spark, lake, tmp_path):
    with pytest.raises(UsageError, match="there is no table 'quarterly'; the tables are daily, h"):
        datasource.Tickerlake({"table": "quarterly"}).schema()
    with pytest.raises(UsageError, match="weekly is a view: create_views"):
        datasource.Tickerlake({"table": "weekly"}).schema()
    with pytest.raises(UsageError, match="which lake"):
        datasource.Tickerlake({}).reader(StructType())
    with pytest.raises(UsageError, match="the table has no column rsi_15"):
        datasource.Tickerlake({"path": "x"}).reader(StructType().add("rsi_15", StringType()))
    with pytest.raises(UsageError, match="column date is of type string"):
        datasource.Tickerlake({"path": "x"}).reader(StructType().add("date", IntegerType()))
    with pytest.raises(NoLakeError):
        datasource.Tickerlake({"path": str(tmp_path)}).reader(StructType()).partitions()
    with pytest.raises(PySparkException, match="weekly is a view"):
        read(spark, lake, "weekly")
    past = datasource.Tickerlake({"path": lake.store.url, "asOf": "1999-01-01"})
    with pytest.raises(UsageError, match="knew nothing at 1999-01-01"):
        past.reader(StructType()).partitions()


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Lake:
    """A lake of two evenings."""
    made = new_lake(str(tmp_path_factory.mktemp("lived") / "lake"), "month")
    for day in (EARLIER, date(2013, 2, 28)):
        deliver(made, day, TICKERS[1:3])
        assert transform.transform(made).exit_code == 0
    return made


EARLIER = date(2013, 2, 14)


@pytest.mark.parametrize("as_of", [None, str(EARLIER)])
@pytest.mark.parametrize("table", list(TABLES))
def test_the_past_and_raw_are_what_our_own_frames_say(spark, lived, table, as_of):
    datasource.register(spark)
    source = spark.read.format("tickerlake").option("table", table)
    source = source if as_of is None else source.option("asOf", as_of)
    state = time_travel.resolve(lived, as_of) if as_of else None
    expected = frames.read(lived, table, state, Wanted(("T001",)))
    answer = source.load(lived.store.url).where("ticker = 'T001'")
    assert set(answer.columns) - {"date"} == set(expected.columns)
    if "date" in answer.columns:
        assert {row.date for row in answer.select("date").collect()} == {
            f"{day:%Y-%m}" for day in expected["session"]
        }
    found = [tuple(row) for row in answer.select(*expected.columns).collect()]
    wanted = [tuple(utc(value) for value in row) for row in expected.rows()]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_filters_decide_which_tickers_are_derived(lived):
    source = datasource.Tickerlake({"path": lived.store.url, "asOf": str(EARLIER)})
    reader = source.reader(StructType().add("ticker", StringType()))
    filters = [EqualTo(TICKER, "T001"), GreaterThan(SESSION, JANUARY)]
    assert list(reader.pushFilters(filters)) == filters
    [task] = reader.partitions()
    assert task.names == ["T001"]
    assert reader.runs == time_travel.resolve(lived, EARLIER).runs


@pytest.mark.parametrize("as_of", [None, str(EARLIER)])
def test_views_say_on_spark_what_they_say_in_duckdb(spark, lived, as_of):
    datasource.create_views(spark, lived.store.url, as_of)
    tables = Past(time_travel.resolve(lived, as_of)) if as_of else None
    for name in ("latest", "monthly", "gaps"):
        expected = query(lived, f"select * from {name}", tables=tables)
        found = spark.sql(f"select * from {name}").collect()
        assert len(found) == expected.height
        assert sorted(row.ticker for row in found) == sorted(expected["ticker"])
    closes = spark.sql("select ticker, close from latest order by ticker").collect()
    expected = query(lived, "select ticker, close from latest order by ticker", tables=tables)
    assert [tuple(row) for row in closes] == expected.rows()
