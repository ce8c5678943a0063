"""The views on Spark: what Spark says is what DuckDB says, and of the declared types."""

import re
from datetime import date

import polars as pl
import pytest
from helpers import new_lake
from odd_tables import odd_tables
from polars.testing import assert_frame_equal

from tickerlake import app
from tickerlake.engines import spark_datasource as datasource
from tickerlake.lake import open_lake
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS, sql
from tickerlake.settings import ExtractSettings, SourceSettings, TransformSettings
from tickerlake.stages.query import query

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    """14 months of three tickers, at the grain of a year, over AAPL's split of 2005."""
    url = str(tmp_path_factory.mktemp("views") / "lake")
    new_lake(url, "year", sample=True)
    settings = ExtractSettings(
        url,
        ("AAPL", "IBM", "MSFT"),
        start=date(2004, 6, 1),
        end=date(2005, 7, 29),
        source=SourceSettings(offline=True, requests_per_second=1000.0),
    )
    assert app.extract(settings).exit_code == 0
    assert app.transform(TransformSettings(url)).exit_code == 0
    return url


@pytest.fixture(scope="module")
def connected(spark, lake):
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    datasource.create_views(spark, lake)
    yield spark
    spark.conf.unset("spark.sql.session.timeZone")
    spark.conf.unset("spark.sql.shuffle.partitions")


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_spark_says_what_duckdb_says(connected, lake, name):
    expected = query(open_lake(lake), f"select * from {name}")
    assert_same(connected.table(name), expected, name)
    assert len(expected) > 0 or name in ("gaps", "revisions")


@pytest.mark.parametrize("name", VIEWS)
def test_spark_says_the_same_of_odd_bars(connected, lake, name):
    tables = odd_tables()
    for table, frame in tables.items():
        connected.createDataFrame(frame.to_arrow()).createOrReplaceTempView(f"odd_{table}")
    text = re.sub(r"\b(daily|raw|tickers)\b(?!\.|\s+BIGINT)", r"odd_\1", sql(name, "spark"))
    text = text.replace("AS odd_tickers", "AS tickers")
    expected = query(open_lake(lake), f"select * from {name}", tables=Frames(tables))
    assert_same(connected.sql(text), expected, name)
    assert len(expected) > 0


class Frames:
    def __init__(self, frames: dict[str, pl.DataFrame]) -> None:
        self.frames = frames

    def create(self, connection, name: str) -> None:
        connection.register(name, self.frames[name].to_arrow())


def assert_same(answer, expected: pl.DataFrame, name: str) -> None:
    if name in VIEWS:
        types = [(each.name, each.dataType.simpleString()) for each in answer.schema.fields]
        declared = VIEWS[name].columns.items()
        assert types == [(column, each.kind) for column, each in declared]
    found = pl.from_arrow(answer.select(expected.columns).toArrow())
    columns = ("ticker", "benchmark", "session", "week", "month", "currency", "run_id")
    columns += ("event", "value", "detail")
    keys = [each for each in columns if each in expected.columns]
    assert_frame_equal(
        found.sort(keys), expected.sort(keys), rel_tol=1e-9, abs_tol=1e-9, check_dtypes=False
    )
