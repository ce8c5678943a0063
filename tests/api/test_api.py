"""The Python interface: its names, its examples, what it costs to import, and its errors."""

import doctest
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tickerlake as tl
from tickerlake.api import arguments, lake, opening, readable, results
from tickerlake.errors import TickerlakeError, UsageError

PUBLIC = ["Frame", "Lake", "Ran", "__version__", "calendars", "errors", "open", "starter"]
METHODS = [
    "as_of",
    "at",
    "check",
    "daily",
    "diff",
    "history",
    "log",
    "raw",
    "run",
    "scan",
    "sql",
    "stamp",
    "status",
    "tickers",
    "url",
]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def opened(sample) -> tl.Lake:
    return tl.open(sample)


def test_the_public_names_are_these():
    assert dir(tl) == PUBLIC
    assert all(getattr(tl, name) for name in PUBLIC)
    stub = (Path(tl.__file__).with_suffix(".pyi")).read_text()
    assert all(f'"{name}"' in stub for name in PUBLIC)
    instance = tl.Lake("nowhere")
    assert sorted(name for name in {*dir(tl.Lake), *vars(instance)} if name[0] != "_") == METHODS


def test_every_public_name_has_a_docstring_with_an_example():
    for name in METHODS:
        if name != "url":
            assert ">>> " in getattr(tl.Lake, name).__doc__, name
    assert ">>> " in tl.open.__doc__


@pytest.mark.parametrize("module", [lake, readable, opening, results, arguments])
def test_the_examples_are_right(module, sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").symlink_to(sample)
    assert doctest.testmod(module, extraglobs={"open": tl.open}, optionflags=OPTIONS).failed == 0


def test_importing_the_package_takes_no_time_and_imports_nothing_else():
    code = (
        "import sys, time; before = set(sys.modules); start = time.perf_counter();"
        "import tickerlake; took = time.perf_counter() - start;"
        "print(took, sorted(set(sys.modules) - before))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert runs[0].stdout.partition(" ")[2].strip() == "['tickerlake']"
    assert min(float(run.stdout.split()[0]) for run in runs) < 0.02


def test_the_place_of_a_lake(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("TICKERLAKE_LAKE", str(sample))
    assert tl.open().url == str(sample)
    monkeypatch.delenv("TICKERLAKE_LAKE")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(tl.errors.NoLakeError, match="create=True"):
        tl.open()
    made = tl.open(create=True)
    assert "no lake" in repr(made)
    assert not (tmp_path / "lake").exists()


def test_rows_are_those_that_are_asked_for(opened):
    whole = opened.daily()
    assert whole.columns[:3] == ["ticker", "session", "open"]
    assert whole.equals(whole.sort("ticker", "session"))
    chosen = opened.daily(
        ["msft", "AAPL"],
        start=date(2005, 1, 3),
        end=datetime(2005, 1, 31, tzinfo=UTC),
        columns=["close", "ticker"],
    )
    session = pl.col("session").is_between(date(2005, 1, 3), date(2005, 1, 31))
    assert chosen.equals(
        whole.filter(session, pl.col("ticker") != "GOOG").select("close", "ticker")
    )
    twice = opened.daily("AAPL", columns=["close", "session", "close"])
    assert twice.columns == ["close", "session"]
    assert "stamp" not in repr(chosen.head(1))
    assert "stamp" not in repr(chosen.filter(pl.col("close") > 1))
    assert chosen.to_pandas().shape == chosen.shape


@given(*[st.none() | st.dates(date(2005, 2, 10), date(2005, 3, 15))] * 2)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_has_its_first_and_its_last_session(opened, start, end):
    if start and end and start > end:
        with pytest.raises(UsageError, match=f"start {start} is after end {end}"):
            opened.daily("AAPL", start=start, end=end)
        return
    rows, chosen = opened.daily("AAPL"), opened.daily("AAPL", start=start, end=end)
    inside = pl.col("session").is_between(start or date.min, end or date.max)
    assert chosen.equals(rows.filter(inside))


def test_a_difference_is_between_two_states(opened):
    """What has changed is what differs between the rows of both, and it is told of the newer."""
    then = opened.at("2005-02-25")
    found = opened.diff("AAPL", then.stamp)
    assert found.stamp == opened.stamp != then.stamp
    known = set(then.daily("AAPL")["session"])
    added = [day for day in opened.daily("AAPL")["session"] if day not in known]
    assert added
    assert set(added) <= set(found["session"])
    assert opened.diff("AAPL", opened.stamp).is_empty()
    assert opened.diff("AAPL", then.stamp, then.stamp).stamp == then.stamp


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "0"),
        (5, "0, 1, 2, 3, 4"),
        (6, "0, 1, 2, 3, 4 and 1 more"),
        (7, "0, 1, 2, 3, 4 and 2 more"),
    ],
)
def test_of_many_names_five_are_listed(count, text):
    assert arguments.listed(range(count)) == text


@pytest.mark.parametrize("table", ["daily", "history", "raw", "tickers"])
@pytest.mark.parametrize("as_of", [None, "2005-02-25"])
def test_scan_read_and_sql_agree(opened, table, as_of):
    read = getattr(opened, table)(as_of=as_of)
    assert opened.scan(table, as_of=as_of).collect().equals(read)
    asked = opened.sql(f"select * from {table}", as_of=as_of)
    assert_frame_equal(asked, read, check_row_order=False)
    at = opened.at(as_of) if as_of else opened
    assert getattr(at, table)().equals(read)
    assert read.stamp == at.stamp
    assert read.stamp in repr(read)
    assert read.stamp in read._repr_html_()
    assert getattr(opened.at(read.stamp), table)().equals(read)


def test_the_lake_as_it_was(opened):
    then = opened.at("2005-02-25")
    assert "as of 2005-02-25 23:59 UTC" in repr(then)
    assert then.stamp in repr(then)
    assert then.daily("AAPL")["session"].max() == date(2005, 2, 25)
    assert [each.last for each in then.status().tickers] == [date(2005, 2, 25)] * 3
    assert then.status().stamp == then.stamp
    assert then.check().counts() == {}
    assert opened.check().counts() == {"revisions": 1}
    assert then.log("AAPL").height == 1
    assert opened.log("AAPL").height == 2


def test_machines_share_tickers(tmp_path):
    lake = tl.open(tmp_path / "lake", create=True, grain="year")
    names = ["AAPL", "FB", "IBM", "MSFT"]
    shares = [lake.run(names, start="2013-02-01", offline=True, shard=f"{n}/2") for n in (1, 2)]
    assert all(each.tickers for each in shares)
    assert sum(each.tickers for each in shares) == len(names)
    assert [each.ticker for each in lake.status().tickers] == names


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lake: lake.daily("APPL"), "does not hold APPL: did you mean AAPL"),
        (lambda lake: lake.daily(["A B"]), "not a valid ticker"),
        (lambda lake: lake.daily([1]), "1 is not a ticker"),
        (lambda lake: lake.daily(columns=["clos"]), "no column clos: did you mean close"),
        (lambda lake: lake.daily(start="yesterday"), "'yesterday' is not a date"),
        (lambda lake: lake.daily(start=20130301), "20130301 is not a date"),
        (lambda lake: lake.daily(start="2005-02-01", end="2005-01-01"), "start .* is after end"),
        (lambda lake: lake.daily("IBM", as_of="2005-02-25"), "did not hold IBM"),
        (lambda lake: lake.scan("weekly?"), "no table 'weekly"),
        (lambda lake: lake.scan("latest"), "it is a view: ask it with sql"),
        (lambda lake: lake.sql("select nothing from daily", as_of="2005-02-25"), "nothing"),
        (lambda lake: lake.at("soon"), "'soon' is no moment"),
        (lambda lake: lake.at("2005-02-30"), "'2005-02-30' is no moment"),
        (lambda lake: lake.at("1999-12-31"), "knew nothing at 1999-12-31"),
        (lambda lake: lake.at("20050225T230000000000Z-abcdef"), "has no run"),
        (lambda lake: lake.at("0123456789ab"), "no state of the lake"),
        (lambda lake: lake.at("2005-02-25").run("AAPL"), "the past can't be changed"),
        (lambda lake: lake.run("A B", offline=True), "not a valid ticker"),
        (lambda lake: lake.run("AAPL", offline=True, shard="3/2"), "'3/2' is not a share such as"),
        (lambda lake: lake.run("AAPL", offline=True, shard=3), "3 is not a share such as"),
        (lambda lake: lake.log("IBM"), "no delivery of IBM"),
        (lambda lake: lake.diff("IBM", "2005-02-25"), "no delivery of IBM"),
        (lambda lake: tl.open(lake.url, grain="day"), "partitions by year, not by day"),
    ],
)
def test_what_is_wrong_is_said_in_an_error_of_the_tree(opened, call, message):
    with pytest.raises(TickerlakeError, match=message):
        call(opened)


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("UTC", 22), ("America/New_York", 17), ("Asia/Tokyo", 7), ("Australia/Sydney", 9)],
)
def test_a_moment_of_any_zone_is_a_moment_in_utc(zone, hour):
    day = 2 if hour < 12 else 1
    given = datetime(2013, 3, day, hour, 30, tzinfo=ZoneInfo(zone))
    assert arguments.moment(given) == datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
    assert arguments.moment(given).utcoffset() == timedelta(0)
    assert arguments.moment(datetime(2013, 3, 1, 22, 30)) == arguments.moment(given)  # noqa: DTZ001 - taken as UTC
    assert arguments.moment(None) is None


def test_a_ticker_that_came_later_was_not_held(tmp_path):
    """No bars would look like a ticker that had none."""
    lake = tl.open(tmp_path / "lake", create=True, grain="year")
    for day, tickers in (((2005, 2, 25), "AAPL"), ((2005, 3, 10), ["AAPL", "IBM"])):
        as_of = datetime(*day, 23, tzinfo=UTC)
        lake.run(tickers, start="2005-02-14", offline=True, as_of=as_of)
    assert lake.daily("IBM").height
    for table in ("daily", "history", "raw", "tickers"):
        with pytest.raises(UsageError, match="did not hold IBM"):
            getattr(lake, table)(["AAPL", "IBM"], as_of="2005-02-25")
