"""Frames hold the rows that are asked for, and only what is needed is read: counted."""

from collections import Counter
from datetime import date

import polars as pl
import pytest
from helpers import Counting, new_lake
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_market import SESSIONS, SPLIT, run

from tickerlake.lake import Lake, frames, layout, pushdown, time_travel
from tickerlake.lake.commits import Commits
from tickerlake.lake.frames import Wanted
from tickerlake.lake.parquet import to_parquet

HELD = ["A", "BB", "CCC", "TRUE", "^X"]
DAYS = [SESSIONS[4], SESSIONS[10], SPLIT, SESSIONS[-1]]
TABLES = ("raw", "history", "daily")


@pytest.fixture(scope="module")
def lived() -> Lake:
    lake = new_lake("memory://", "month")
    for day in DAYS:
        run(lake, day, HELD)
    return lake


@pytest.fixture
def counted(lived) -> Lake:
    return Lake(Counting(lived.store), lived.grain)


def past(lake: Lake, is_past: bool) -> time_travel.State | None:
    return time_travel.resolve(lake, DAYS[2]) if is_past else None


PREDICATES = [
    pl.col("ticker") == "BB",
    pl.col("ticker").is_in(["A", "^X"]) & (pl.col("close") > 90),
    (pl.col("ticker") == "A") | (pl.col("close") > 100),
    pl.col("ticker").str.starts_with("T") & pl.col("session").is_between(SESSIONS[2], SESSIONS[5]),
    pl.col("session") == SPLIT,
    pl.col("session").is_in([SESSIONS[0], SESSIONS[-1]]),
    (pl.col("session") < date(2013, 2, 1)) & (pl.col("ticker") > "B") & (pl.col("ticker") != "^X"),
    pl.col("session").dt.month() == 2,
    pl.col("close").is_not_null(),
    pl.col("ticker").is_null(),
    pl.col("dividend_currency").is_null() & ~(pl.col("ticker") == "A"),
    pl.lit(value=False),
    (pl.col("ticker") == "A") & (pl.col("ticker") == "BB"),
    pl.col("close") == pl.col("close").max().over("ticker"),
    pl.col("close") > pl.col("close").mean(),
    pl.col("ticker").is_duplicated(),
    pl.col("session").is_first_distinct(),
]


@pytest.mark.parametrize("is_past", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_a_scan_answers_what_the_whole_table_answers(lived, table, is_past):
    state = past(lived, is_past)
    whole, scan = frames.read(lived, table, state, Wanted()), frames.scan(lived, table, state)
    assert whole.columns == list(frames.schema(table))
    for predicate in PREDICATES:
        expected = whole.filter(predicate).select("close", "session")
        assert_frame_equal(scan.filter(predicate).select("close", "session").collect(), expected)
    for question in (
        lambda rows: rows.head(7).filter(pl.col("close") > 90),
        lambda rows: rows.filter(pl.col("close") > 90).head(7),
        lambda rows: rows.filter(pl.col("ticker") == "BB").slice(3, 4).select("session"),
        lambda rows: rows.select(pl.len()),
        lambda rows: rows.tail(2),
        lambda rows: rows.group_by("ticker").agg(pl.max("close")).sort("ticker"),
        lambda rows: rows.with_columns(y=pl.col("close") * 2).filter(pl.col("y") > 190).select("y"),
        lambda rows: rows.head(0),
    ):
        assert_frame_equal(question(scan).collect(), question(whole.lazy()).collect())


@given(
    tickers=st.none() | st.sets(st.sampled_from(HELD), min_size=1),
    first=st.none() | st.sampled_from(SESSIONS),
    last=st.none() | st.sampled_from(SESSIONS),
    is_past=st.booleans(),
    table=st.sampled_from(TABLES),
)
@settings(max_examples=10)
def test_a_read_is_a_filter_of_the_whole_table(lived, tickers, first, last, is_past, table):
    state = past(lived, is_past)
    columns = ("session", "ticker", "close")
    wanted = Wanted(tuple(tickers) if tickers else None, first, last, columns)
    expected = frames.read(lived, table, state, Wanted()).filter(
        pl.col("ticker").is_in(list(tickers or HELD)),
        pl.col("session").is_between(first or SESSIONS[0], last or SESSIONS[-1]),
    )
    assert_frame_equal(frames.read(lived, table, state, wanted), expected.select(columns))


@pytest.mark.parametrize("is_past", [False, True])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("how", ["read", "scan", "is_in"])
def test_one_ticker_costs_its_own_objects(counted, table, is_past, how):
    state = past(counted, is_past)
    counted.store.reads.clear()
    if how == "read":
        rows = frames.read(counted, table, state, Wanted(("BB",)))
    else:
        chosen = pl.col("ticker") == "BB" if how == "scan" else pl.col("ticker").is_in(["BB", "Z"])
        rows = frames.scan(counted, table, state).filter(chosen).collect()
    assert rows["ticker"].unique().to_list() == ["BB"]
    touched = {layout.values(key).get("ticker") for key in counted.store.reads} - {None}
    assert touched == {"BB"}
    runs = [key for key in counted.store.reads if key.startswith(layout.RUNS)]
    assert len(runs) == (len(DAYS) if table == "raw" and not is_past else 0)  # read by `past`
    others = counted.store.reads - Counter({layout.CHECKPOINT: 9})
    assert max(others.values()) == 1


def test_sessions_decide_which_partitions_are_read(lived):
    lake = Lake(Counting(lived.store), lived.grain)
    january = pl.col("session") < date(2013, 2, 1)
    for table in ("daily", "raw"):
        lake.store.reads.clear()
        rows = frames.scan(lake, table).filter(pl.col("ticker") == "A", january).collect()
        assert rows.height
        dates = {layout.values(key).get("date") for key in lake.store.reads} - {None}
        assert dates == {"2013-01"}


def test_manifests_are_read_once_for_all_states(counted):
    commits = Commits(counted.store)
    for day in DAYS[1:]:
        state = time_travel.resolve(counted, day, commits)
        frames.read(counted, "daily", state, Wanted(("A",)))
        frames.read(counted, "daily", state, Wanted(("BB",)))
    runs = {key: n for key, n in counted.store.reads.items() if key.startswith(layout.RUNS)}
    assert set(runs.values()) == {1}
    assert len(runs) == len(DAYS)


def test_a_column_that_is_younger_than_a_file_is_null_there():
    lake = new_lake("memory://", "year")
    run(lake, DAYS[0], ["A"])
    [key] = lake.store.keys(layout.DAILY)
    old = pl.read_parquet(lake.store.get(key)).drop("rsi_14")
    lake.store.put(key, to_parquet(old))
    rows = frames.read(lake, "daily", None, Wanted(columns=("close", "rsi_14")))
    assert rows["rsi_14"].null_count() == rows.height == old.height


def test_parts_of_a_predicate_that_need_all_rows_decide_nothing():
    held = ["A", "B"]
    mixed = (pl.col("ticker") == "A") & (pl.col("close") > pl.col("close").mean())
    assert pushdown.tickers(mixed, held) == ["A"]
    assert pushdown.tickers(None, held) == held
