"""What a lake holds, and what is missing."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, new_lake, tickerlake
from small_market import STEPS, run

from tickerlake.cli import output
from tickerlake.lake import establish, layout, manifests
from tickerlake.lake.manifests import Entry, Manifest, Rejected
from tickerlake.lake.objects import Versioned
from tickerlake.lake.parquet import digest, to_parquet
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.stages.held import tickers
from tickerlake.stages.status import GOING_ON, Quarantined, Ticker, status
from tickerlake.stages.transform import transform

DAYS = [date(2013, 2, day) for day in (4, 5, 7, 8)]  # the 6th is missing
EVENING = datetime(2013, 2, 8, 22, 30, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    made = new_lake(str(tmp_path / "lake"), "year")
    establish(made)
    return made


def commit(lake, *, as_of=EVENING, run_id=None, **entries) -> str:
    manifest = Manifest(
        run_id=run_id or manifests.new_run_id(), as_of=as_of, source="test", tickers=entries
    )
    manifests.commit(lake.store, manifest)
    return manifest.run_id


def delivery(lake, ticker: str, days: list[date], **fields) -> Entry:
    rows = pl.DataFrame([bar(day) for day in days], schema=RAW)
    name = digest(rows)
    lake.store.put_new(layout.blob(layout.RAW, "2013", ticker, name), to_parquet(rows))
    return Entry(
        outcome="ok",
        start=days[0],
        end=days[-1],
        new=len(days),
        blobs={"2013": name},
        splits={},
        **fields,
    )


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[0])
    run(lake, STEPS[1])
    newest = layout.run(manifests.all_ids(lake.store)[-1])
    for key in (layout.history("A"), newest):
        lake.store.put(key, b"garbage")
    for command in ("status", "check"):
        done = tickerlake(command, "--lake", lake.store.url, "--format", "json")
        assert done.returncode == 1
        damaged = json.loads(done.stdout)["damaged"]
        assert len(damaged) == 2
        assert all("`tickerlake repair`" in text for text in damaged)
        assert all(key in done.stderr for key in (layout.history("A"), newest))
    held = status(lake, 1)
    assert [each.ticker for each in held.tickers] == ["B"]
    assert len(held.runs) == 1


def test_what_is_held(lake):
    bad = tuple(Rejected(day, "bad", str(day)) for day in DAYS[:2])
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS, gaps=(date(2013, 2, 6),), rejected=bad))
    transform(lake)
    held = status(lake, 4)
    [ticker] = held.tickers
    assert (ticker.ticker, ticker.sessions) == ("AAPL", 4)
    assert (ticker.first, ticker.last) == (DAYS[0], DAYS[-1])
    assert ticker.gaps == (date(2013, 2, 6),)
    assert ticker.quarantined == Quarantined(2, {"bad": 2})
    assert held.pending == ()


def test_how_many_sessions_a_ticker_is_behind(lake):
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS))
    transform(lake)
    for days, behind in ((0, 0), (2, 0), (3, 1), (4, 2), (10, 5)):  # the 18th is a holiday
        [ticker] = status(lake, 4, as_of=EVENING + timedelta(days=days)).tickers
        assert ticker.behind == behind, days


def test_a_replays_lake_lives_at_its_own_time(lake):
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS))
    transform(lake)
    assert status(lake, 4).tickers[0].behind == 0


def test_a_lake_of_today_is_behind_today(lake):
    run_id = "20130208T223500000000Z-abcdef"
    commit(lake, run_id=run_id, AAPL=delivery(lake, "AAPL", DAYS))
    transform(lake)
    assert status(lake, 4).tickers[0].behind > 3000


def test_a_ticker_with_nothing_but_quarantined_rows_is_shown(lake):
    bad = tuple(Rejected(day, "null_price,bad_volume", str(day)) for day in DAYS[:2])
    entry = Entry(outcome="ok", start=DAYS[0], end=DAYS[1], splits={}, quarantined=2, rejected=bad)
    commit(lake, BAD=entry)
    for _ in ("pending", "transformed"):
        [ticker] = status(lake, 4).tickers
        assert ticker.ticker == "BAD"
        assert (ticker.sessions, ticker.first, ticker.last, ticker.gaps) == (0, None, None, ())
        assert ticker.quarantined == Quarantined(2, {"bad_volume": 2, "null_price": 2})
        done = tickerlake("status", "--lake", lake.store.url)
        assert done.returncode == 0
        assert "BAD" in done.stdout
        transform(lake)


def test_a_run_that_is_pending_says_what_to_do(lake):
    run_id = commit(lake, AAPL=delivery(lake, "AAPL", DAYS))
    assert tickers(lake) == ["AAPL"]
    assert status(lake, 4).pending == (run_id,)
    shown = tickerlake("status", "--lake", lake.store.url, COLUMNS="80").stdout
    assert "1 run is pending: `tickerlake transform` processes it." in shown
    assert shown.count(run_id) == 2
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS))
    assert "2 runs are pending" in tickerlake("status", "--lake", lake.store.url).stdout


def test_an_empty_lake_says_what_to_do(lake):
    assert "The lake is empty" in tickerlake("status", "--lake", lake.store.url).stdout


def test_status_reads_only_what_it_needs(lake, monkeypatch):
    for number in range(8):
        commit(lake, AAPL=delivery(lake, "AAPL", DAYS[: 1 + number % 4]))
    transform(lake)
    read = []
    get = lake.store.get_versioned

    def recording(key: str) -> Versioned | None:
        read.append(key)
        return get(key)

    monkeypatch.setattr(lake.store, "get_versioned", recording)
    status(lake, 4)
    assert not [key for key in read if key.startswith("raw/date=")]
    assert sum(key.startswith(layout.RUNS) for key in read) == 5
    assert len(read) == len(set(read)) == 5 + 1 + 1  # and the checkpoint


def test_the_keys_of_its_json(lake):
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS), NOPE=Entry(outcome="unknown_symbol"))
    transform(lake)
    done = tickerlake("status", "--format", "json", "--lake", lake.store.url)
    held = json.loads(done.stdout)
    assert held["tickers"][0].keys() == {
        "ticker", "sessions", "first", "last", "behind", "gaps", "quarantined",
        "retired", "flagged", "renamed_to", "calendar_ends", "has_calendar",
    }  # fmt: skip
    assert {"outcome", "reason", "flags"} <= held["runs"][0]["tickers"]["NOPE"].keys()


def test_a_retired_ticker_is_not_behind(lake):
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS, retired=DAYS[-1]))
    transform(lake)
    [ticker] = status(lake, 4, as_of=EVENING + timedelta(days=100)).tickers
    assert (ticker.retired, ticker.behind) == (DAYS[-1], None)
    assert "retired" in tickerlake("status", "--lake", lake.store.url).stdout


@pytest.mark.parametrize("days", [0, 1, 2])
def test_a_lake_that_is_up_to_date_loads_no_calendar(lake, monkeypatch, days):
    """Loading them takes longer than everything else together."""
    zone = "America/New_York"
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS, timezone=zone))
    transform(lake)
    monkeypatch.setattr(calendars, "of", None)
    # Friday evening, Saturday, Sunday
    [ticker] = status(lake, 4, as_of=EVENING + timedelta(days=days)).tickers
    assert ticker.behind == 0


def test_currencies_of_computers_know_no_weekend(lake):
    commit(lake, **{"BTC-USD": delivery(lake, "BTC-USD", DAYS, timezone="UTC")})
    transform(lake)
    [ticker] = status(lake, 4, as_of=EVENING + timedelta(days=2)).tickers
    assert ticker.behind == 1  # Saturday; the Sunday is not over


def test_a_calendar_that_ends_soon_is_a_warning(lake):
    name = "RELIANCE.NS"
    commit(lake, **{name: delivery(lake, name, DAYS), "AAPL": delivery(lake, "AAPL", DAYS)})
    transform(lake)
    ends = calendars.of(name).ends
    before = datetime(ends.year, ends.month, ends.day, tzinfo=UTC)
    [_, ticker] = status(lake, 4, as_of=before - timedelta(days=30)).tickers
    assert ticker.calendar_ends == ends
    [_, ticker] = status(lake, 4, as_of=before - timedelta(days=90)).tickers
    assert ticker.calendar_ends is None


def test_calendars_that_end_are_told_once():
    ends = date(2026, 12, 31)
    empty = Quarantined(0, {})
    held = [
        Ticker(f"T{number}.NS", 1, ends, ends, 0, (), empty, calendar_ends=ends)
        for number in range(200)
    ]
    [note] = output._calendar_notes(tuple(held))
    assert "T0.NS, T1.NS, T2.NS, T3.NS, T4.NS and 195 more ends on 2026-12-31" in note


@pytest.mark.parametrize("name", sorted(GOING_ON))
def test_calendars_that_go_on(name):
    symbol = {"XNYS": "AAPL", "24/5": "EURUSD=X", "24/7": "BTC-USD", "us_futures": "CL=F"}[name]
    exchange = calendars.of(symbol)
    assert exchange.name == name
    assert exchange.ends is None


def test_the_newest_runs_are_shown_and_the_newest_first(lake):
    made = [commit(lake, AAPL=delivery(lake, "AAPL", DAYS[: 1 + n % 4])) for n in range(8)]
    assert [run.run_id for run in status(lake, 4).runs] == made[:-6:-1]
    assert [run.run_id for run in status(lake, 1).runs] == made[:-6:-1]


def test_a_row_that_several_runs_found_is_counted_once(lake):
    bad = tuple(Rejected(day, "no_close", str(day)) for day in DAYS[:2])
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS, rejected=bad))
    transform(lake)
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS, rejected=bad[1:]))
    for _ in ("pending", "transformed"):
        [ticker] = status(lake, 4).tickers
        assert ticker.quarantined == Quarantined(2, {"no_close": 2})
        transform(lake)


def test_tickers_that_are_only_pending_are_held(lake):
    commit(lake, AAPL=delivery(lake, "AAPL", DAYS))
    transform(lake)
    commit(lake, MSFT=delivery(lake, "MSFT", DAYS), NOPE=Entry(outcome="unknown_symbol"))
    assert tickers(lake) == ["AAPL", "MSFT"]


@pytest.mark.parametrize(
    ("ticker", "zone", "moment", "behind"),
    [
        ("AAPL", "America/New_York", "2013-02-11T21:29", 0),
        ("AAPL", "America/New_York", "2013-02-11T21:30", 1),
        ("CBA.AX", "Australia/Sydney", "2013-02-11T05:29", 0),
        ("CBA.AX", "Australia/Sydney", "2013-02-11T05:30", 1),
        ("7203.T", "Asia/Tokyo", "2013-02-12T06:29", 0),  # the 11th is a holiday
        ("7203.T", "Asia/Tokyo", "2013-02-12T06:30", 1),
        ("VOD.L", "Europe/London", "2013-02-11T16:59", 0),
        ("VOD.L", "Europe/London", "2013-02-11T17:00", 1),
        ("EURUSD=X", "Europe/London", "2013-02-12T00:29", 0),
        ("EURUSD=X", "Europe/London", "2013-02-12T00:30", 1),
        ("BTC-USD", "UTC", "2013-02-10T00:29", 0),
        ("BTC-USD", "UTC", "2013-02-10T00:30", 1),
    ],
)
def test_behind_begins_when_a_session_has_settled_wherever_it_is(
    lake, ticker, zone, moment, behind
):
    commit(lake, **{ticker: delivery(lake, ticker, DAYS, timezone=zone)})
    transform(lake)
    as_of = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert status(lake, 1, as_of=as_of).tickers[0].behind == behind
