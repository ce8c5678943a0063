import csv
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
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
FACTORIES = exchange_calendars.calendar_utils.global_calendar_dispatcher._calendar_factories
BOUNDED = {name: each for name, each in FACTORIES.items() if each.bound_max() is not None}
ENDING = {name: each for name, each in BOUNDED.items() if each.bound_max() <= each.default_end()}
"""Until the library knows their next year's holidays."""


@pytest.mark.parametrize("suffix", [".NS", ".SI", ".SS", ".SR", ".QA"])
@given(days=st.integers(1, 400))
def test_beyond_the_end_of_a_calendar_weekdays_may_be_sessions_and_none_must(suffix, days):
    exchange = calendars.of("A" + suffix)
    end = exchange.known[1] if exchange.known else date(2026, 12, 31)
    day = end + timedelta(days)
    moment = datetime.combine(day + timedelta(1), time(23), UTC)
    assert (day in exchange.sessions(day, moment)) == (day.isoweekday() in exchange.weekdays)
    assert not len(exchange.expected(end + timedelta(1), day))


@pytest.mark.parametrize("suffix", [".T", ".NS", ".SS", ".L", ".SA"])
@given(days=st.integers(1, 4000))
def test_before_the_start_of_a_calendar_too(suffix, days):
    exchange = calendars.of("A" + suffix)
    first = exchange.known[0]
    day = first - timedelta(days)
    assert day.isoweekday() > 5 or day in exchange.sessions(day, datetime(2026, 1, 1, tzinfo=UTC))
    assert not len(exchange.expected(day, first - timedelta(1)))
    [denied] = exchange.denied(np.array([day], "datetime64[D]"))
    assert denied == (day.isoweekday() > 5)


@pytest.mark.parametrize("name", BOUNDED)
def test_a_calendar_ends_where_the_library_knows_no_more(name):
    last = BOUNDED[name].bound_max().date() if name in ENDING else None
    assert calendars._load(name).ends == last


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
        ("AAPL", "America/Bogota", True),  # the same in winter
        ("AAPL", "America/Caracas", True),  # the same in summer
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


CALENDARS = {
    ".AS": "XAMS", ".AX": "XASX", ".BA": "XBUE", ".BD": "XBUD", ".BK": "XBKK", ".BR": "XBRU",
    ".CL": "XBOG", ".CME": "us_futures", ".CO": "XCSE", ".DE": "XETR", ".F": "XFRA",
    ".HE": "XHEL", ".HK": "XHKG", ".IC": "XICE", ".IR": "XDUB", ".IS": "XIST", ".JK": "XIDX",
    ".JO": "XJSE", ".KL": "XKLS", ".KQ": "XKRX", ".KS": "XKRX", ".L": "XLON", ".LS": "XLIS",
    ".MC": "XMAD", ".MI": "XMIL", ".MX": "XMEX", ".NS": "XBOM", ".NYM": "us_futures",
    ".NZ": "XNZE", ".OL": "XOSL", ".PA": "XPAR", ".PR": "XPRA", ".SA": "BVMF", ".SG": "XSTU",
    ".SI": "XSES", ".SN": "XSGO", ".SR": "XSAU", ".SS": "XSHG", ".ST": "XSTO", ".SW": "XSWX",
    ".SZ": "XSHG", ".T": "XTKS", ".TO": "XTSE", ".TW": "XTAI", ".TWO": "XTAI", ".V": "XTSE",
    ".VI": "XWBO", ".WA": "XWAR",
}  # fmt: skip
"""Yahoo's suffixes, and the MIC codes of their exchanges (ISO 10383), written down once more."""


@pytest.mark.parametrize("suffix", CALENDARS)
def test_suffixes_have_the_calendar_of_their_exchange(suffix):
    assert calendars.exchange("A" + suffix) == CALENDARS[suffix]
    if suffix != ".CME":
        assert exchanges.place("0-A" + suffix).calendar == CALENDARS[suffix]


ZONES = {
    "^AEX": "Europe/Amsterdam", "^AORD": "Australia/Sydney", "^ATX": "Europe/Vienna",
    "^AXJO": "Australia/Sydney", "^BFX": "Europe/Brussels", "^BSESN": "Asia/Kolkata",
    "^BVSP": "America/Sao_Paulo", "^DJI": "America/New_York", "^FCHI": "Europe/Paris",
    "^FTSE": "Europe/London", "^GDAXI": "Europe/Berlin", "^GSPC": "America/New_York",
    "^GSPTSE": "America/Toronto", "^HSCE": "Asia/Hong_Kong", "^HSI": "Asia/Hong_Kong",
    "^IBEX": "Europe/Madrid", "^IPSA": "America/Santiago", "^IXIC": "America/New_York",
    "^JKSE": "Asia/Jakarta", "^KLSE": "Asia/Kuala_Lumpur", "^KS11": "Asia/Seoul",
    "^MERV": "America/Argentina/Buenos_Aires", "^MXX": "America/Mexico_City",
    "^N225": "Asia/Tokyo", "^NSEI": "Asia/Kolkata", "^NZ50": "Pacific/Auckland",
    "^OMX": "Europe/Stockholm", "^RUT": "America/New_York", "^SSMI": "Europe/Zurich",
    "^STI": "Asia/Singapore", "^STOXX50E": "Europe/Berlin", "^TNX": "America/New_York",
    "^TWII": "Asia/Taipei", "^VIX": "America/New_York",
}  # fmt: skip


@pytest.mark.parametrize("symbol", ZONES)
def test_indices_have_the_calendar_of_their_exchange(symbol):
    """The zone of the table by indices, and the table by zones, lead to the same calendar."""
    zone = ZONES[symbol]
    known = exchanges.ZONE_CALENDARS.get(zone) or "XBUE"
    assert calendars.exchange(symbol) == known
    assert not calendars.contradicts(calendars.of(symbol), zone)


def test_zones_have_the_calendar_of_their_exchange():
    """Names of exchange_calendars, by the city that their zones are named after."""
    import exchange_calendars

    odd = {"America/Buenos_Aires", "Asia/Calcutta"}  # former names of zones
    for zone, name in exchanges.ZONE_CALENDARS.items():
        calendar = exchange_calendars.get_calendar(name, start="2025-06-02", end="2025-06-30")
        known = str(calendar.tz)
        same = {"XBOG": "America/Bogota", "XICE": "Atlantic/Reykjavik"}.get(name, known)
        assert same == zone or zone in odd, name


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("AAPL", "XNYS"), ("BRK-B", "XNYS"), ("BF-B", "XNYS"), ("EURUSD=X", "24/5"),
        ("CL=F", "us_futures"), ("BTC-USD", "24/7"), ("BTC-EUR", "24/7"), ("BTC-JPY", "24/7"),
        ("ETH-BTC", "24/7"), ("1INCH-USD", "24/7"), ("DX-Y.NYB", "XNYS"), ("RIO.AX", "XASX"),
    ],
)  # fmt: skip
def test_kinds_of_symbols_have_their_calendar(symbol, name):
    assert calendars.exchange(symbol) == name


@pytest.mark.parametrize(
    ("symbol", "zone", "weekdays"),
    [
        ("COMI.CA", "Africa/Cairo", {7, 1, 2, 3, 4}),
        ("NBK.KW", "Asia/Kuwait", {7, 1, 2, 3, 4}),
        ("QNBK.QA", "Asia/Qatar", {7, 1, 2, 3, 4}),
        ("EMAAR.AE", "Asia/Dubai", {7, 1, 2, 3, 4, 5}),
        ("TEVA.TA", "Asia/Jerusalem", {7, 1, 2, 3, 4, 5}),
        ("PPC.AT", "Europe/Athens", {1, 2, 3, 4, 5}),
        ("FPT.VN", "Asia/Ho_Chi_Minh", {1, 2, 3, 4, 5}),
    ],
)
def test_exchanges_without_a_calendar(symbol, zone, weekdays):
    exchange = calendars.of(symbol)
    assert (exchange.timezone, exchange.weekdays) == (zone, weekdays)
    assert exchange.known is None


@pytest.mark.parametrize(
    ("symbol", "zone"),
    [
        ("EURUSD=X", "Europe/London"), ("BTC-USD", "UTC"), ("CL=F", "America/New_York"),
        ("ESZ26.CME", "America/New_York"), ("ECOPETROL.CL", "America/Bogota"),
        ("AAPL", "America/New_York"), ("QAN.AX", "Australia/Sydney"), ("7203.T", "Asia/Tokyo"),
    ],
)  # fmt: skip
def test_bars_are_dated_in_the_zone_of_yahoo(symbol, zone):
    assert calendars.of(symbol).timezone == zone


@pytest.mark.parametrize(
    ("symbol", "holiday"),
    [
        ("GE", date(1963, 11, 25)),  # the funeral of President Kennedy
        ("GE", date(1945, 8, 15)),
        ("VOD.L", date(1987, 12, 25)),
        ("CBA.AX", date(1995, 4, 25)),
        ("SIE.DE", date(1992, 12, 25)),
    ],
    ids=str,
)
def test_holidays_of_the_last_century_are_known(symbol, holiday):
    exchange = calendars.of(symbol)
    week = exchange.expected(holiday - timedelta(7), holiday + timedelta(7)).tolist()
    assert len(week) >= 6
    assert holiday not in week
