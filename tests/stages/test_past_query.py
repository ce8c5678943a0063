"""SQL over the lake as it was: tables and views say what they would have said then."""

import pytest
from helpers import Counting, new_lake, objects, tickerlake
from polars.testing import assert_frame_equal
from small_market import SESSIONS, SPLIT, evening, run

from tickerlake.errors import LostStateError
from tickerlake.lake import Lake, layout, manifests, time_travel
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.stages import transform
from tickerlake.stages.query import query
from tickerlake.stages.relations import Past

HELD = ["A", "BB", "CCC"]
DAYS = [SESSIONS[4], SPLIT, SESSIONS[-1]]


@pytest.fixture(scope="module")
def lived() -> Lake:
    lake = new_lake("memory://", "month")
    for day in DAYS:
        run(lake, day, HELD)
    return Lake(Counting(lake.store), lake.grain)


@pytest.fixture(scope="module")
def then(lived) -> Lake:
    """A lake that holds what the other one held when the split was known."""
    lake = new_lake("memory://", "month")
    runs = manifests.all_ids(lived.store)[:2]
    for key, data in objects(lived, layout.RAW).items():
        if not key.startswith(layout.RUNS) or layout.run_id(key) in runs:
            lake.store.put(key, data)
    assert transform.transform(lake).exit_code == 0
    return lake


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_a_table_or_view_says_what_it_said_then(lived, then, name):
    state = time_travel.resolve(lived, evening(SPLIT))
    # two parts of `beta` add up floats in the order in which DuckDB reads them
    found, expected = (
        query(lake, f"select * from {name}", tables=tables)
        for lake, tables in ((lived, Past(state)), (then, None))
    )
    assert_frame_equal(found, expected, check_row_order=False)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from daily where ticker = 'BB'",
        "select max(close) from history where ticker in ('BB', 'nobody')",
        "select count(*) from raw where ticker = 'BB' and session > date '2013-01-10'",
        "select * from tickers where ticker = 'BB'",
        (
            "with x as (select * from daily) select * from x join tickers using (ticker)"
            " where ticker = 'BB'"
        ),
        "select * from weekly where ticker = 'BB'",
    ],
)
def test_only_the_tickers_of_a_statement_are_read(lived, sql):
    state = time_travel.resolve(lived, evening(SPLIT))
    lived.store.reads.clear()
    query(lived, sql, tables=Past(state))
    touched = {layout.values(key).get("ticker") for key in lived.store.reads} - {None}
    assert touched == {"BB"}
    assert all(
        key.startswith((layout.RAW, layout.HISTORY, layout.CHECKPOINT)) for key in lived.store.reads
    )


def test_what_is_lost_is_said_by_our_own_error(then):
    state = time_travel.newest(then)
    entry = state.manifests(["A"])[0].tickers["A"]
    [key, *_] = [layout.blob(layout.RAW, date, "A", name) for date, name in entry.blobs.items()]
    data = then.store.get(key)
    then.store.delete([key])
    lost = manifests.Manifest(
        run_id=manifests.new_run_id(), as_of=evening(SPLIT), source="", tickers={}, lost=(key,)
    )
    manifests.commit(then.store, lost)
    try:
        with pytest.raises(LostStateError, match="can no longer give"):
            query(then, "select * from daily", tables=Past(state))
    finally:
        then.store.put(key, data)
        then.store.delete([layout.run(lost.run_id)])


def test_the_option(tmp_path):
    lake = str(tmp_path / "lake")
    for as_of in ("2005-02-25T23:00Z", "2005-03-10T23:00Z"):
        arguments = ["--start", "2005-02-01", "--as-of", as_of, "--lake", lake, "--grain", "year"]
        assert tickerlake("run", "AAPL", "--offline", *arguments).returncode == 0
    sql = "select last(close order by session) as c, count(*) as n from daily where ticker = 'AAPL'"
    arguments = ["query", sql, "--lake", lake, "--format", "csv"]
    assert tickerlake(*arguments).stdout == "c,n\n39.83,27\n"
    assert tickerlake(*arguments, "--as-of", "2005-02-25").stdout == "c,n\n88.99,18\n"
    wrong = tickerlake(*arguments, "--as-of", "2005-01-01")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "knew nothing at 2005-01-01" in wrong.stderr
