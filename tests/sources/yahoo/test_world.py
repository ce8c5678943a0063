"""The real client and answers as the world gives them: zones, currencies, odd shapes."""

import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.served import NEW_YORK, Served, at, chart, error
from tickerlake.errors import SourceFailedError, UnknownSymbolError
from tickerlake.market.bars import RAW
from tickerlake.market.listing import Listing
from tickerlake.sources import Fetched
from tickerlake.sources.yahoo import Yahoo

MONDAY = date(2025, 3, 3)
WEEK = [MONDAY + timedelta(days=number) for number in range(5)]
MARKETS = [
    ("X", "America/New_York", time(9, 30)),
    ("X.SN", "America/Santiago", time(9, 30)),
    ("X.SA", "America/Sao_Paulo", time(10)),
    ("X.NS", "Asia/Kolkata", time(9, 15)),
    ("X.T", "Asia/Tokyo", time(9)),
    ("X.AX", "Australia/Sydney", time(10)),
    ("X.L", "Europe/London", time(8)),
    ("X.NZ", "Pacific/Auckland", time(10)),
    ("XUSD=X", "Europe/London", time(0)),
    ("X-USD", "UTC", time(0)),
]


def fetch(
    yahoo: Yahoo,
    symbol: str = "X",
    start: date = WEEK[0],
    end: date = WEEK[-1],
    zone: str = NEW_YORK,
) -> Fetched:
    return yahoo.fetch(symbol, start, end, zone)


def closes(fetched: Fetched) -> dict[date, float]:
    return dict(fetched.bars.select("session", "close").iter_rows())


# --- zones


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    market=st.sampled_from(MARKETS),
    believed=st.sampled_from([zone for _, zone, _ in MARKETS]),
    first=st.dates(date(1950, 1, 2), date(2030, 1, 1)),
    steps=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    cut=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_every_bar_of_the_window_has_its_session_whatever_zone_is_believed(
    served: Served,
    client: Yahoo,
    market: tuple[str, str, time],
    believed: str,
    first: date,
    steps: list[int],
    cut: tuple[int, int],
) -> None:
    symbol, zone, hour = market
    sessions = [first]
    for step in steps:
        sessions.append(sessions[-1] + timedelta(days=step))
    bars = {session: float(number + 1) for number, session in enumerate(sessions)}
    served.put(chart(symbol, bars, zone=zone, hour=hour))
    low, high = (sessions[min(number, len(sessions) - 1)] for number in sorted(cut))
    fetched = fetch(client, symbol, low, high, believed)
    assert closes(fetched) == {day: close for day, close in bars.items() if low <= day <= high}


@pytest.mark.parametrize(
    ("symbol", "zone", "hour"),
    [*MARKETS, ("X", "Etc/GMT+12", time(9)), ("X", "Pacific/Kiritimati", time(9))],
)
def test_the_request_reaches_from_the_first_moment_of_the_window_to_its_last(
    served: Served, client: Yahoo, symbol: str, zone: str, hour: time, monkeypatch: Any
) -> None:
    asked: list[str] = []
    handler = served.server.RequestHandlerClass
    monkeypatch.setattr(handler, "parse_request", _noting(handler.parse_request, asked))
    served.put(chart(symbol, {MONDAY: 1.0}, zone=zone, hour=hour))
    fetch(client, symbol, WEEK[0], WEEK[-1], "UTC")
    (query,) = [path.partition("?")[2] for path in asked if "/chart/" in path]
    window = dict(part.split("=") for part in query.split("&"))
    assert int(window["period1"]) <= at(WEEK[0], zone, time(0))
    assert int(window["period2"]) >= at(WEEK[-1] + timedelta(days=1), zone, time(0))


def _noting(parse: Any, asked: list[str]) -> Any:
    def parse_and_note(self: Any) -> Any:
        good = parse(self)
        asked.append(self.path)
        return good

    return parse_and_note


@pytest.mark.parametrize(
    ("symbol", "zone", "session"),
    [
        ("X.SN", "America/Santiago", date(2026, 9, 6)),
        ("X.SA", "America/Sao_Paulo", date(2018, 11, 4)),
    ],
)
def test_a_window_may_begin_and_end_at_a_midnight_that_does_not_exist(
    served: Served, client: Yahoo, symbol: str, zone: str, session: date
) -> None:
    around = {session + timedelta(days=days): 1.0 + days for days in (-2, 0, 1)}
    served.put(chart(symbol, around, zone=zone))
    for days in (-1, 0):  # a window ends with the midnight after its last session
        day = session + timedelta(days=days)
        assert list(closes(fetch(client, symbol, day, day, zone))) == [day] * (days == 0)


def test_bars_and_events_before_1970(served: Served, client: Yahoo) -> None:
    days = [date(1969, 12, 30), date(1969, 12, 31), date(1970, 1, 2)]
    dividend = {"date": at(days[1]), "amount": 0.001}
    result = chart("X", dict.fromkeys(days, 17.0), events={"dividends": [dividend]})
    served.put(result)
    fetched = fetch(client, start=date(1962, 1, 2), end=date(1971, 1, 1))
    assert fetched.bars["session"].to_list() == days
    assert fetched.bars["dividend"].to_list() == [0.0, 0.001, 0.0]


@pytest.mark.parametrize(
    ("start", "end"), [(date(1, 1, 1), MONDAY), (MONDAY, date(9999, 12, 31)), (MONDAY, MONDAY)]
)
def test_windows_of_any_length(served: Served, client: Yahoo, start: date, end: date) -> None:
    served.put(chart("X", {MONDAY: 1.0}))
    assert fetch(client, start=start, end=end).bars.height == 1


# --- events


def test_an_event_on_a_day_without_a_bar_is_a_row_of_its_own(served: Served, client: Yahoo) -> None:
    listed = {
        "dividends": [{"date": at(WEEK[1]), "amount": 1.0}],
        "capitalGains": [{"date": at(WEEK[3]), "amount": 2.0}],
        "splits": [{"date": at(WEEK[3]), "numerator": 0.4714, "denominator": 1}],
    }
    served.put(chart("X", {WEEK[0]: 10.0, WEEK[2]: 9.0}, events=listed))
    fetched = fetch(client).bars
    assert dict(fetched.schema) == RAW
    assert fetched.select("session", "close", "dividend", "capital_gain", "split").rows() == [
        (WEEK[0], 10.0, 0.0, 0.0, 1.0),
        (WEEK[1], None, 1.0, 0.0, 1.0),
        (WEEK[2], 9.0, 0.0, 0.0, 1.0),
        (WEEK[3], None, 0.0, 2.0, 0.4714),
    ]


@pytest.mark.parametrize(("dividend", "gain", "after"), [(0.1, 1.8, 18.1), (1.9, 1.8, 18.1)])
def test_a_fund_pays_a_capital_gain(
    served: Served, client: Yahoo, dividend: float, gain: float, after: float
) -> None:
    """With the gain in the dividend or beside it: the fund paid 0.10 and 1.80."""
    listed = {
        "dividends": [{"date": at(WEEK[1]), "amount": dividend}],
        "capitalGains": [{"date": at(WEEK[1]), "amount": gain}],
    }
    served.put(chart("X", {WEEK[0]: 20.0, WEEK[1]: after}, events=listed))
    for start in WEEK[:2]:  # with the close before in the window, and without it
        served.answers["X"] = (200, served.answers["X"][1])
        row = fetch(client, start=start).bars.row(-1, named=True)
        assert (row["dividend"], row["capital_gain"]) == (0.1, 1.8)


def test_a_dividend_in_another_currency_keeps_it(served: Served, client: Yahoo) -> None:
    listed = [
        {"date": at(WEEK[1], "Europe/London"), "amount": 0.5, "currency": "USD"},
        {"date": at(WEEK[2], "Europe/London"), "amount": 0.25, "currency": "GBP"},
        {"date": at(WEEK[3], "Europe/London"), "amount": 25.0, "currency": "GBp"},
        {"date": at(WEEK[4], "Europe/London"), "amount": 25.0, "currency": ""},
    ]
    prices = dict.fromkeys(WEEK, 6000.0)
    served.put(
        chart("X.L", prices, zone="Europe/London", events={"dividends": listed}, currency="GBp")
    )
    fetched = fetch(client, "X.L").bars
    assert fetched["currency"].unique().to_list() == ["GBp"]
    assert fetched.select("dividend", "dividend_currency").rows() == [
        (0.0, None),
        (0.5, "USD"),
        (25.0, None),
        (25.0, None),
        (25.0, None),
    ]


# --- what is told besides


def test_an_answer_tells_of_the_ticker_and_of_its_current_session(
    served: Served, client: Yahoo
) -> None:
    opens, ends = at(WEEK[4], hour=time(9, 30)), at(WEEK[4], hour=time(16))
    meta = {
        "longName": "X Corporation",
        "fullExchangeName": "NYSE",
        "firstTradeDate": at(date(1990, 5, 1)),
        "regularMarketTime": ends - 900,
        "currentTradingPeriod": {"regular": {"start": opens, "end": ends}},
        "chartPreviousClose": 12.34567891,
    }
    served.put(chart("X", dict.fromkeys(WEEK, 12.0), **meta))
    fetched = fetch(client)
    assert fetched.listing == Listing(
        "X Corporation", "NYSE", "EQUITY", "USD", NEW_YORK, date(1990, 5, 1)
    )
    assert fetched.current_session == WEEK[4]
    assert fetched.open_until == datetime(2025, 3, 7, 21, tzinfo=UTC)
    assert fetched.last_trade == datetime(2025, 3, 7, 20, 45, tzinfo=UTC)
    assert fetched.previous_close == 12.3457


def test_the_close_before_the_window(served: Served, client: Yahoo) -> None:
    served.put(chart("X", {WEEK[0]: 10.0, WEEK[1]: 11.0, WEEK[2]: 12.0}, chartPreviousClose=9.0))
    told = [fetch(client, start=day).previous_close for day in WEEK[:3]]
    assert told == [9.0, 10.0, 11.0]
    served.put(chart("X", {WEEK[0]: 10.0}))
    assert fetch(client).previous_close is None


def test_before_the_first_session_there_was_no_close(served: Served, client: Yahoo) -> None:
    # Yahoo gives the first close as the one before (TSLA from 2010-06-29: 1.593)
    meta = {"chartPreviousClose": 10.0, "firstTradeDate": at(WEEK[1])}
    served.put(chart("X", {WEEK[1]: 10.0}, **meta))
    for start in WEEK[:2]:
        assert fetch(client, start=start).previous_close is None


# --- nothing new


def strip(result: dict[str, Any], shape: str) -> dict[str, Any]:
    match shape:
        case "nothing but meta":
            return {"meta": result["meta"]}
        case "no timestamps":
            return {"meta": result["meta"], "indicators": {"quote": [{}], "adjclose": [{}]}}
        case "a timestamp, and no values":
            return {**result, "indicators": {"quote": [{}], "adjclose": [{}]}}
        case "no quote":
            return {**result, "indicators": {"quote": []}}
        case "empty lists":
            return {**result, "indicators": {"quote": [{"close": [], "open": []}]}}
        case _:
            return {}


@pytest.mark.parametrize(
    "shape",
    [
        "nothing but meta",
        "no timestamps",
        "a timestamp, and no values",
        "no quote",
        "empty lists",
        "nothing at all",
    ],
)
def test_a_symbol_without_prices_has_nothing_new(served: Served, client: Yahoo, shape: str) -> None:
    served.answers["X"] = (
        200,
        json.dumps({"chart": {"result": [strip(chart("X", {MONDAY: 1.0}), shape)]}}).encode(),
    )
    fetched = fetch(client)
    assert fetched.bars.is_empty()
    assert dict(fetched.bars.schema) == RAW
    assert (fetched.listing.currency == "USD") == (shape != "nothing at all")
    assert served.charts == ["X"]


@pytest.mark.parametrize("absent", ["currency", "instrumentType", "exchangeTimezoneName", "symbol"])
def test_an_answer_may_lack_what_yfinance_wants(served: Served, client: Yahoo, absent: str) -> None:
    result = chart("X", {MONDAY: 1.0})
    served.put(result)
    for value in ({absent: None}, {}):
        meta = {name: told for name, told in result["meta"].items() if name != absent} | value
        served.answers["X"] = (
            200,
            json.dumps({"chart": {"result": [{**result, "meta": meta}]}}).encode(),
        )
        (row,) = fetch(client).bars.iter_rows(named=True)
        assert row["close"] == 1.0
        assert row["currency"] == (None if absent == "currency" else "USD")


# --- refused


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"symbol": "Y"}, "X: Yahoo answers with the chart of Y"),
        ({"symbol": "Xx"}, "X: Yahoo answers with the chart of Xx"),
        ({"dataGranularity": "1mo"}, "X: Yahoo answers with 1mo bars, not daily ones"),
        ({"exchangeTimezoneName": "Mars/Olympus"}, "not a known time zone"),
    ],
)
def test_another_chart_than_was_asked_for_is_refused(
    served: Served, client: Yahoo, meta: dict[str, str], says: str
) -> None:
    result = chart("X", {MONDAY: 1.0})
    result["meta"] |= meta
    served.answers["X"] = (200, json.dumps({"chart": {"result": [result]}}).encode())
    with pytest.raises(SourceFailedError, match=says):
        fetch(client)
    assert served.charts == ["X"]


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": ["soon"]},
        {"timestamp": [None]},
        {"timestamp": [1e300]},
        {"timestamp": 7},
        {"indicators": {"quote": [{"close": ["much"]}]}},
        {"indicators": {"quote": [{"close": [1.0, 2.0]}]}},
        {"events": {"dividends": {"1": {"amount": 1.0}}}},
        {"events": {"dividends": {"1": {"date": 1741012200, "amount": "much"}}}},
    ],
)
def test_what_is_no_chart_is_told_in_one_sentence(
    served: Served, client: Yahoo, change: dict[str, Any]
) -> None:
    result = chart("X", {MONDAY: 1.0}) | change
    served.answers["X"] = (200, json.dumps({"chart": {"result": [result]}}).encode())
    with pytest.raises(SourceFailedError) as failure:
        fetch(client)
    assert str(failure.value) == "X: Yahoo's answer does not have the shape of a chart"


def test_yahoos_own_words_are_shown_and_it_is_not_asked_again(
    served: Served, client: Yahoo
) -> None:
    words = "Only 100 years worth of day granularity data are allowed to be fetched per request."
    served.answers["X"] = (422, error("Unprocessable Entity", words))
    with pytest.raises(SourceFailedError, match=words):
        fetch(client)
    assert served.charts == ["X"]


def test_an_unknown_symbol(served: Served, client: Yahoo) -> None:
    with pytest.raises(UnknownSymbolError, match="Yahoo does not know Z: No data found"):
        fetch(client, "Z")
    assert served.charts == ["Z"]


# --- values


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e4, 1e9).filter(lambda value: abs(value) > 1e-9)),
        min_size=1,
        max_size=20,
    )
)
def test_prices_of_any_size_arrive_to_six_digits(
    served: Served, client: Yahoo, prices: list[float | None]
) -> None:
    sessions = [MONDAY + timedelta(days=number) for number in range(len(prices))]
    served.put(chart("X", dict(zip(sessions, prices, strict=True))))
    fetched = fetch(client, end=sessions[-1])
    assert list(closes(fetched)) == sessions
    for price, close in zip(prices, closes(fetched).values(), strict=True):
        assert close == (None if price is None else pytest.approx(price, rel=5e-6))


def test_a_live_row_replaces_the_row_of_its_session_but_an_empty_one_does_not(
    served: Served, client: Yahoo
) -> None:
    result = chart("X", {WEEK[0]: 1.0, WEEK[1]: 2.0})
    result["timestamp"].append(at(WEEK[1], hour=time(16)))
    for price in (3.0, None):
        double = json.loads(json.dumps(result))
        for values in double["indicators"]["quote"][0].values():
            values.append(price)
        served.put(double)
        assert closes(fetch(client)) == {WEEK[0]: 1.0, WEEK[1]: price or 2.0}


def test_rows_in_any_order_come_sorted(served: Served, client: Yahoo) -> None:
    served.put(chart("X", {WEEK[2]: 3.0, WEEK[0]: 1.0, WEEK[1]: 2.0}))
    sessions = fetch(client).bars["session"].to_list()
    assert all(one < other for one, other in pairwise(sessions))


def test_a_live_bar_of_crypto_at_22_00_is_of_its_own_day(served: Served, client: Yahoo) -> None:
    now = at(WEEK[1], "UTC", time(22))
    result = chart("X-USD", {WEEK[0]: 1.0}, zone="UTC", hour=time(0), regularMarketTime=now)
    result["timestamp"].append(now)
    for values in result["indicators"]["quote"][0].values():
        values.append(2.0)
    served.put(result)
    assert closes(fetch(client, "X-USD")) == {WEEK[0]: 1.0, WEEK[1]: 2.0}


@pytest.mark.parametrize("volumes", [[None, 5], [0, None], [None, None], [7.0, 3_000_000_000]])
def test_volume_that_is_unknown_is_null(
    served: Served, client: Yahoo, volumes: list[float | None]
) -> None:
    result = chart("X", {WEEK[0]: 1.0, WEEK[1]: 2.0})
    result["indicators"]["quote"][0]["volume"] = volumes
    served.put(result)
    assert fetch(client).bars["volume"].to_list() == volumes
