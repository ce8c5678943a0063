"""What Spark's readers read, without Spark: what our own frames say, whatever happens meanwhile."""

import pickle
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest
from helpers import new_lake, read_as_spark
from polars.testing import assert_frame_equal
from pyspark.sql.datasource import EqualTo, Filter, GreaterThan, In, LessThanOrEqual
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    DoubleType,
    LongType,
    StringType,
    StructType,
    TimestampType,
)
from small_market import SPLIT, STEPS, evening, fetch, run

from tickerlake.engines import spark_datasource, spark_files
from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, frames, layout, time_travel
from tickerlake.lake.frames import Wanted
from tickerlake.stages import transform

EVENT = (
    StructType()
    .add("as_of", TimestampType())
    .add("run_id", StringType())
    .add("event", StringType())
    .add("session", DateType())
    .add("old", DoubleType())
    .add("new", DoubleType())
    .add("detail", StringType())
)
KINDS = {
    each.simpleString(): each
    for each in (
        StringType(), DateType(), ArrayType(DateType()), DoubleType(), LongType(), BooleanType(),
        TimestampType(), ArrayType(EVENT),
    )
}  # fmt: skip
FEBRUARY = date(2013, 2, 1)
FILTERS: dict[str, tuple[list[Filter], Wanted]] = {
    "all": ([], Wanted()),
    "a ticker": ([EqualTo(("ticker",), "A")], Wanted(("A",))),
    "nobody": ([EqualTo(("ticker",), "Z")], Wanted(("Z",))),
    "some": ([In(("ticker",), ("A", "CC"))], Wanted(("A", "CC"))),
    "sessions": (
        [GreaterThan(("session",), FEBRUARY), LessThanOrEqual(("session",), date(2013, 2, 8))],
        Wanted(None, date(2013, 2, 2), date(2013, 2, 8)),
    ),
}


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Some evenings; the last one brings a new ticker, and is pending for all but B."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    for day in (*STEPS[:2], date(2013, 2, 8)):
        run(lake, day)
    fetch(lake, SPLIT, ["A", "CC"])
    return lake


def reader(lake: Lake, table: str, *filters: Filter, as_of: str | None = None, columns=()):
    options = {"path": lake.store.url, "table": table} | ({"asOf": as_of} if as_of else {})
    source = spark_datasource.Tickerlake(options)
    schema = StructType()
    for name, kind in source._types().items():
        if not columns or name in columns:
            schema.add(name, KINDS[kind])
    made = source.reader(schema)
    assert list(made.pushFilters(list(filters))) == list(filters)
    return made


def same(found: pl.DataFrame, expected: pl.DataFrame, wanted: Wanted) -> None:
    """Whether rows that Spark has yet to filter are the expected ones."""
    if found.is_empty():
        assert expected.is_empty()
        return
    if wanted.tickers is not None:
        found = found.filter(pl.col("ticker").is_in(wanted.tickers))
    between = frames.between(wanted.start, wanted.end)
    if between is not None and "session" in found.columns:
        found = found.filter(between)
    if "date" in found.columns:
        assert found["date"].to_list() == [f"{day:%Y-%m}" for day in found["session"]]
    cast = found.select(
        pl.col(name).cast(dtype) if not isinstance(dtype, pl.Datetime) else
        pl.col(name).dt.cast_time_unit("us").dt.convert_time_zone("UTC")
        for name, dtype in expected.schema.items()
    )  # fmt: skip
    assert_frame_equal(cast, expected, check_row_order=False, check_exact=True)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("as_of", [None, str(STEPS[1])])
@pytest.mark.parametrize("table", spark_datasource.READABLE)
def test_spark_reads_what_our_own_frames_say(lake, table, as_of, name):
    filters, wanted = FILTERS[name]
    if table == "tickers" and name == "sessions":
        filters, wanted = [], Wanted()
    state = time_travel.resolve(lake, as_of) if as_of else None
    planned = reader(lake, table, *filters, as_of=as_of)
    same(read_as_spark(planned), frames.read(lake, table, state, wanted), wanted)


MEANWHILE: dict[str, Callable[[Lake], object]] = {
    "a transform": transform.transform,
    "another run": lambda lake: run(lake, STEPS[4], ["A", "B", "CC"]),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("table", ["daily", "history", "tickers"])
def test_what_happens_between_planning_and_reading_changes_nothing(lake, table, meanwhile):
    expected = frames.read(lake, table, None, Wanted())
    planned = reader(lake, table)
    parts = planned.partitions()
    pickle.dumps(planned)
    MEANWHILE[meanwhile](lake)
    same(read_as_spark(planned, parts), expected, Wanted())


def test_few_columns_are_read_and_no_more(lake):
    planned = reader(lake, "daily", columns=["close", "ticker"])
    found = read_as_spark(planned)
    assert sorted(found.columns) == ["close", "ticker"]
    assert found.height == frames.read(lake, "daily", None, Wanted()).height


@pytest.mark.parametrize("table", ["daily", "raw"])
def test_of_a_damaged_ticker_with_pending_runs_the_files_have_to_do(lake, table):
    """As for our own frames; of raw, nothing can do."""
    stored = frames.read(lake, "daily", None, Wanted(("B",)))
    [partition] = {f"{day:%Y-%m}" for day in stored["session"] if day >= FEBRUARY}
    before = read_as_spark(reader(lake, "daily"))
    lake.store.put(layout.history("A"), b"garbage")
    for key in list(lake.store.keys(layout.RAW)):
        if "ticker=A/" in key:
            lake.store.put(key, b"garbage")
    planned = reader(lake, table)
    if table == "daily":
        parts = planned.partitions()
        lake.store.delete([layout.daily("2013-01", "A")])
        found = read_as_spark(planned, parts)
        assert set(found.filter(pl.col("ticker") == "A")["date"]) == {partition}
        others = pl.col("ticker") != "A"
        assert_frame_equal(found.filter(others), before.filter(others), check_row_order=False)
    else:
        with pytest.raises(CorruptObjectError):
            read_as_spark(planned)


def test_a_file_that_is_deleted_before_it_is_read_is_an_error(lake):
    planned = reader(lake, "daily", EqualTo(("ticker",), "B"))
    parts = planned.partitions()
    key = layout.daily("2013-01", "B")
    assert any(key in part.keys for part in parts)
    lake.store.delete([key])
    with pytest.raises(CorruptObjectError, match=f"{key} was deleted before it could be read"):
        read_as_spark(planned, parts)


@pytest.mark.parametrize(("number", "sizes"), [(0, [0]), (1, [1]), (64, [64]), (65, [64, 1])])
def test_files_are_read_some_at_a_time(number, sizes):
    """No task at all would be one that is None."""
    names = [str(each) for each in range(number)]
    parts = spark_files._chunks(names)
    assert [len(part) for part in parts] == sizes
    assert [name for part in parts for name in part] == names


def test_an_empty_lake_has_no_rows(tmp_path):
    empty = new_lake(str(tmp_path / "empty"), "month")
    for table in ("daily", "history", "tickers"):
        planned = reader(empty, table)
        assert read_as_spark(planned).is_empty()


@pytest.mark.parametrize(("tickers", "tasks"), [(16, [16]), (17, [16, 1]), (33, [16, 16, 1])])
def test_tickers_of_the_past_are_derived_some_at_a_time(tmp_path, tickers, tasks):
    lake = new_lake(str(tmp_path / "lake"), "year")
    names = [f"T{number:02}" for number in range(tickers)]
    run(lake, STEPS[0], names)
    planned = reader(lake, "history", as_of=str(evening(STEPS[0])))
    parts = planned.partitions()
    assert [len(part.names) for part in parts] == tasks
    assert [name for part in parts for name in part.names] == names
