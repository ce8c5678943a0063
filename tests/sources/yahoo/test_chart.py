"""Charts: which session a moment belongs to, and what is told of the ticker."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.served import NEW_YORK, at, chart
from tickerlake.errors import SourceFailedError
from tickerlake.market.listing import Listing
from tickerlake.sources.yahoo.chart import Chart

ZONES = [
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Seoul",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Europe/London",
    "Pacific/Auckland",
    "UTC",
]
zones = st.sampled_from(ZONES)
sessions = st.dates(date(1927, 1, 3), date(2099, 12, 31))


def charted(zone: str = NEW_YORK, **meta: Any) -> Chart:
    return Chart("X", {"meta": {"exchangeTimezoneName": zone, **meta}}, "UTC")


# --- dates


@given(zones, sessions, st.times(time(4), time(21, 59)))
def test_a_moment_of_the_day_is_of_its_session(zone: str, session: date, hour: time) -> None:
    assert charted(zone).date_of(at(session, zone, hour)) == session


@given(zones, sessions, st.sampled_from([0, 1, 2]))
def test_midnight_is_of_the_day_that_begins_though_the_clock_is_off(
    zone: str, session: date, hours: int
) -> None:
    midnight = first_moment(session, zone)
    assert charted(zone).date_of(midnight - hours * 3600) == session


@pytest.mark.parametrize(
    ("zone", "session"),
    [("America/Santiago", date(2026, 9, 6)), ("America/Sao_Paulo", date(2018, 11, 4))],
)
def test_a_midnight_that_does_not_exist_is_one_oclock(zone: str, session: date) -> None:
    first = first_moment(session, zone)
    assert datetime.fromtimestamp(first, ZoneInfo(zone)).hour == 1
    assert charted(zone).date_of(first) == session
    assert charted(zone).date_of(at(session, zone, time(9, 30))) == session


def first_moment(session: date, zone: str) -> int:
    """The first second of a day: midnight, if the day has one."""
    second = at(session - timedelta(days=1), zone, time(12))
    while datetime.fromtimestamp(second, ZoneInfo(zone)).date() < session:
        second += 900
    return second


@pytest.mark.parametrize(("zone", "symbol"), [("UTC", "BTC-USD"), ("Europe/London", "EURUSD=X")])
@pytest.mark.parametrize("hour", [22, 23])
def test_a_live_bar_late_in_the_evening_is_todays(zone: str, symbol: str, hour: int) -> None:
    today = date(2025, 3, 5)
    now = at(today, zone, time(hour))
    assert charted(zone, symbol=symbol, regularMarketTime=now).date_of(now) == today


def test_a_zone_that_does_not_exist_is_refused_in_one_sentence() -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", 7):
        with pytest.raises(SourceFailedError, match="not a known time zone"):
            charted(zone)  # type: ignore[arg-type]


def test_without_a_zone_of_its_own_the_given_one_dates_a_chart() -> None:
    late = at(date(2025, 3, 5), "Asia/Tokyo", time(9))
    assert Chart("X", {"meta": {}}, "Asia/Tokyo").date_of(late) == date(2025, 3, 5)
    assert Chart("X", {}, NEW_YORK).date_of(late) == date(2025, 3, 4)


# --- what yfinance gets


def test_of_a_session_with_two_rows_the_one_without_a_close_is_left_out() -> None:
    days = [date(2025, 3, 4), date(2025, 3, 5)]
    result = chart("X", {days[0]: 1.0, days[1]: 2.0})
    result["timestamp"].append(result["timestamp"][-1] + 60)
    for values in result["indicators"]["quote"][0].values():
        values.append(None)
    cut = Chart("X", result, NEW_YORK).for_yfinance()
    assert cut["indicators"]["quote"][0]["close"] == [1.0, 2.0]
    assert [datetime.fromtimestamp(t, UTC).date() for t in cut["timestamp"]] == days


def test_a_missing_column_is_null_and_no_values_at_all_are_no_bars() -> None:
    result = chart("X", {date(2025, 3, 4): 1.0})
    del result["indicators"]["quote"][0]["open"]
    assert Chart("X", result, NEW_YORK).columns["open"] == [None]
    for quote in ([{}], [], [None], [{"close": []}], None):
        result["indicators"]["quote"] = quote
        assert Chart("X", result, NEW_YORK).columns == {}
    result["indicators"] = None
    assert Chart("X", result, NEW_YORK).columns == {}


def test_columns_of_another_length_are_no_chart() -> None:
    result = chart("X", {date(2025, 3, 4): 1.0, date(2025, 3, 5): 2.0})
    result["indicators"]["quote"][0]["high"] = [1.0]
    with pytest.raises(ValueError, match="differ in number"):
        Chart("X", result, NEW_YORK).for_yfinance()


# --- what it says of the ticker


def test_listing() -> None:
    first = at(date(1962, 1, 2), hour=time(9, 30))
    assert charted(
        currency="USD",
        longName=" International Business Machines ",
        shortName="IBM",
        exchangeName="NYQ",
        fullExchangeName="NYSE",
        instrumentType="EQUITY",
        firstTradeDate=first,
    ).listing() == Listing(
        "International Business Machines", "NYSE", "EQUITY", "USD", NEW_YORK, date(1962, 1, 2)
    )
    assert charted(shortName="IBM", longName="", exchangeName="NYQ").listing() == Listing(
        name="IBM", exchange="NYQ", timezone=NEW_YORK
    )


@pytest.mark.parametrize("odd", [None, "", "soon", [], {}, float("nan"), 1e300, True])
def test_odd_fields_say_nothing(odd: object) -> None:
    told = charted(
        currency=None,
        firstTradeDate=odd,
        regularMarketTime=odd if odd is not True else None,
        chartPreviousClose=odd if odd not in (1e300, True) else None,
        currentTradingPeriod={"regular": {"start": odd, "end": None}},
    )
    if odd is not True:
        assert told.listing() == Listing(timezone=NEW_YORK)
    assert (told.last_trade, told.previous_close, told.current_period) == (None, None, None)


def test_the_current_session_and_its_end() -> None:
    today = date(2025, 11, 13)
    opens, closes = (at(today, "Asia/Seoul", time(*hour)) for hour in ((10, 0), (16, 30)))
    told = charted(
        "Asia/Seoul",
        regularMarketTime=closes - 60,
        currentTradingPeriod={"regular": {"start": opens, "end": closes}},
    )
    assert told.current_period == (today, datetime(2025, 11, 13, 7, 30, tzinfo=UTC))
    assert told.last_trade == datetime(2025, 11, 13, 7, 29, tzinfo=UTC)


@pytest.mark.parametrize(("given", "known"), [(0, None), (0.0, None), (None, None), (5, 5.0)])
def test_a_close_before_of_0_is_unknown(given: float | None, known: float | None) -> None:
    assert charted(chartPreviousClose=given).previous_close == known
