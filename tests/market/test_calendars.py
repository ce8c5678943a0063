import csv
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.market import calendars, exchanges

with Path(__file__).with_suffix(".csv").with_stem("calendars").open() as file:
    ANSWERS = list(csv.DictReader(file))


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda row: f"{row['symbol']}: {row['why']}")
def test_last_closed_session(answer):
    sessions = calendars.of(answer["symbol"]).sessions(
        date(1960, 1, 1), datetime.fromisoformat(answer["moment"])
    )
    assert sessions[-1] == date.fromisoformat(answer["last_closed"])
    assert sessions.is_sorted()


def test_sessions_from_a_start_on():
    moment = datetime.fromisoformat("2026-11-20T22:00Z")
    sessions = calendars.of("AAPL").sessions(date(2026, 11, 18), moment)
    assert sessions.to_list() == [date(2026, 11, day) for day in (18, 19, 20)]


@pytest.mark.parametrize("suffix", exchanges.known_suffixes().split())
def test_every_known_suffix_has_sessions(suffix):
    exchange = calendars.of("A" + suffix)
    moment = datetime.fromisoformat("2026-11-20T23:59Z")
    sessions = exchange.sessions(date(2026, 11, 2), moment)
    assert 12 <= len(sessions) <= 20
    ZoneInfo(exchange.timezone)


@pytest.mark.parametrize("symbol", exchanges.INDEX_CALENDARS)
def test_every_index_of_the_table_has_a_calendar(symbol):
    assert calendars.of(symbol).known is not None


@pytest.mark.parametrize("zone", exchanges.ZONE_CALENDARS)
def test_an_index_of_no_table_has_the_calendar_of_its_zone(zone):
    before, after = calendars.of("^NOBODY"), calendars.of("^NOBODY", zone)
    assert before.zone_is_guessed
    assert before.known is None
    assert after.known is not None
    assert not calendars.contradicts(after, zone)


MOMENTS = st.integers(1325376000, 1790812800).map(lambda at: datetime.fromtimestamp(at, UTC))
ENDING = [name for name in ("XBOM", "XSES", "XSHG") if calendars._load(name).ends]
"""Until the library knows their next year's holidays."""


@pytest.mark.parametrize("suffix", [".NS", ".SI", ".SS", ".SR", ".QA"])
@given(days=st.integers(1, 400))
def test_beyond_the_end_of_a_calendar_weekdays_may_be_sessions_and_none_must(suffix, days):
    exchange = calendars.of("A" + suffix)
    end = exchange.known[1] if exchange.known else date(2026, 12, 31)
    day = end + timedelta(days)
    moment = datetime.combine(day + timedelta(1), time(23), UTC)
    assert (day in exchange.sessions(day, moment)) == (day.isoweekday() in exchange.weekdays)
    assert exchange.expected(end + timedelta(1), day).is_empty()


@pytest.mark.parametrize("suffix", [".T", ".NS", ".SS", ".L", ".SA"])
@given(days=st.integers(1, 4000))
def test_before_the_start_of_a_calendar_too(suffix, days):
    exchange = calendars.of("A" + suffix)
    first = exchange.known[0]
    day = first - timedelta(days)
    assert day.isoweekday() > 5 or day in exchange.sessions(day, datetime(2026, 1, 1, tzinfo=UTC))
    assert exchange.expected(day, first - timedelta(1)).is_empty()
    frame = pl.DataFrame({"session": [day]})
    assert frame.select(exchange.denies()).item() == (day.isoweekday() > 5)


@pytest.mark.parametrize("name", ENDING)
def test_a_calendar_that_ends_warns_in_time(name):
    exchange = calendars._load(name)
    end = datetime.combine(exchange.ends, time(), UTC)
    assert exchange.ends_soon(end - timedelta(60))
    assert not exchange.ends_soon(end - timedelta(61))
    assert exchange.ends_soon(end + timedelta(900))


def test_a_calendar_that_goes_on_does_not_warn():
    assert not calendars.of("AAPL").ends_soon(datetime(2027, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    ("symbol", "day", "must"),
    [
        ("CL=F", date(2026, 11, 26), False),
        ("CL=F", date(2026, 11, 25), True),
        ("EURUSD=X", date(2025, 12, 25), False),
        ("EURUSD=X", date(2026, 1, 1), False),
        ("EURUSD=X", date(2025, 12, 26), True),
        ("BTC-USD", date(2025, 12, 25), True),
        ("AAPL", date(2025, 12, 25), False),
    ],
    ids=str,
)
def test_what_must_have_a_bar(symbol, day, must):
    assert (day in calendars.of(symbol).expected(day, day)) == must


@pytest.mark.parametrize(
    ("symbol", "stated", "contradicts"),
    [
        ("RELIANCE.NS", "Asia/Calcutta", False),
        ("AAPL", None, False),
        ("AAPL", "America/Detroit", False),
        ("AAPL", "Europe/London", True),
        ("7203.T", "Australia/Sydney", True),
        ("VOD.L", "Africa/Casablanca", True),
        ("PETR4.SA", "America/Sao_Paulo", False),
    ],
)
def test_a_zone_that_contradicts_the_calendar_is_seen(symbol, stated, contradicts):
    assert calendars.contradicts(calendars.of(symbol), stated) == contradicts


@pytest.mark.parametrize(
    "symbol", ["QAN.AX", "7203.T", "VOD.L", "EURUSD=X", "BTC-USD", "FALABELLA.SN"]
)
@given(moment=MOMENTS)
def test_no_session_that_has_not_ended_where_it_is_counts_as_closed(symbol, moment):
    exchange = calendars.of(symbol)
    local = moment.astimezone(ZoneInfo(exchange.timezone)).date()
    closed = exchange.sessions(local - timedelta(10), moment)
    assert all(day <= local for day in closed)
    noon = datetime.combine(local, time(12), ZoneInfo(exchange.timezone))
    assert moment >= noon or local not in closed
