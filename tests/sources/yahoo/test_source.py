"""The real yfinance against the replay: what the caller sees of bars, and of what is wrong."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from sources.served import NEW_YORK, Served, at, chart, opened
from tickerlake.market.bars import RAW
from tickerlake.sources.replay import CHART, Fault, Replay, recording
from tickerlake.sources.yahoo import Yahoo

SPLIT = date(2005, 2, 28)
THURSDAY, FRIDAY = date(2005, 2, 24), date(2005, 2, 25)
START, END = date(2005, 2, 14), date(2005, 3, 10)


def fetch(yahoo: Yahoo, ticker: str = "AAPL", start: date = START, end: date = END) -> pl.DataFrame:
    return yahoo.fetch(ticker, start, end, NEW_YORK).bars


def charts(replay: Replay) -> int:
    return sum(path.startswith(CHART) for path, _ in replay.requests)


def bar(bars: pl.DataFrame, session: date) -> dict[str, object]:
    return bars.row(by_predicate=pl.col("session") == session, named=True)


def test_bars_are_what_was_recorded(replay: Replay) -> None:
    replay.now = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
    with opened(replay.url) as yahoo:
        fetched = fetch(yahoo, "IBM", date(2000, 1, 1), date(2013, 3, 1))
    recorded = recording.load().filter(pl.col("ticker") == "IBM").drop("ticker")
    assert dict(fetched.schema) == RAW
    assert fetched.drop("source", "capital_gain", "dividend_currency").equals(recorded)
    assert fetched["source"].unique().to_list() == ["yahoo"]


def test_the_window_is_closed_on_both_sides(yahoo: Yahoo) -> None:
    assert fetch(yahoo, start=THURSDAY, end=SPLIT)["session"].to_list() == [THURSDAY, FRIDAY, SPLIT]


def test_prices_are_on_the_split_basis_of_now(replay: Replay, yahoo: Yahoo) -> None:
    replay.now = datetime(2005, 2, 25, 22, 30, tzinfo=UTC)
    before = fetch(yahoo)
    replay.now = datetime(2005, 2, 28, 22, 30, tzinfo=UTC)
    after = fetch(yahoo)
    assert bar(before, FRIDAY)["close"] == 88.99
    assert bar(after, FRIDAY)["close"] == 44.495
    assert bar(after, FRIDAY)["volume"] == 2 * int(str(bar(before, FRIDAY)["volume"]))
    assert (before["split"] == 1.0).all()
    assert bar(after, SPLIT)["split"] == 2.0
    assert (after["split"] != 1.0).sum() == 1


def test_dividends(replay: Replay, yahoo: Yahoo) -> None:
    replay.now = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
    fetched = fetch(yahoo, "MSFT", date(2004, 11, 1), date(2004, 11, 30))
    assert fetched.filter(pl.col("dividend") != 0)["session"].to_list() == [date(2004, 11, 15)]
    assert bar(fetched, date(2004, 11, 15))["dividend"] == 3.08


def test_the_bar_of_an_open_session_is_there(replay: Replay, yahoo: Yahoo) -> None:
    replay.now = datetime(2005, 3, 4, 17, 0, tzinfo=UTC)
    assert fetch(yahoo)["session"][-1] == date(2005, 3, 4)


def test_a_split_on_a_morning_before_the_bell(replay: Replay, yahoo: Yahoo) -> None:
    replay.now = datetime(2005, 2, 28, 13, 0, tzinfo=UTC)
    last = fetch(yahoo).row(-1, named=True)
    assert (last["session"], last["split"], last["close"]) == (SPLIT, 2.0, None)


def test_a_window_without_sessions_has_no_rows(yahoo: Yahoo, replay: Replay) -> None:
    weekend = fetch(yahoo, start=date(2005, 2, 26), end=date(2005, 2, 27))
    future = fetch(yahoo, start=date(2005, 4, 1), end=date(2005, 4, 10))
    replay.faults = [Fault(kind="empty")]
    nothing = fetch(yahoo)
    for bars in (weekend, future, nothing):
        assert dict(bars.schema) == RAW
        assert bars.is_empty()
    assert charts(replay) == 3


def test_null_rows_and_closes_arrive_as_null(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [
        Fault(kind="null_row", session=THURSDAY),
        Fault(kind="null_close", session=FRIDAY),
    ]
    fetched = fetch(yahoo)
    prices = ("open", "high", "low", "close")
    assert fetched.height == 14
    assert [bar(fetched, THURSDAY)[name] for name in prices] == [None] * 4
    assert bar(fetched, FRIDAY)["close"] is None
    assert bar(fetched, FRIDAY)["open"] is not None
    assert not any(fetched[name].is_nan().any() for name in prices)


def test_the_split_of_a_dropped_session_keeps_its_date(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="dropped", session=SPLIT)]
    fetched = fetch(yahoo)
    assert bar(fetched, FRIDAY)["split"] == 1.0
    assert bar(fetched, SPLIT)["split"] == 2.0
    assert bar(fetched, SPLIT)["close"] is None
    only_it = fetch(yahoo, start=SPLIT, end=SPLIT)
    assert only_it.select("session", "split", "close").rows() == [(SPLIT, 2.0, None)]


def test_a_duplicated_last_row_comes_once(replay: Replay, yahoo: Yahoo) -> None:
    clean = fetch(yahoo)
    replay.faults = [Fault(kind="duplicated")]
    assert fetch(yahoo).equals(clean)


def test_a_corrected_value_is_seen(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [
        Fault(kind="wrong", session=FRIDAY, field="close", value=80.0, until=date(2005, 3, 5))
    ]
    assert bar(fetch(yahoo), FRIDAY)["close"] == 40.0
    replay.now += timedelta(days=1)
    assert bar(fetch(yahoo), FRIDAY)["close"] == 44.495


def test_a_late_split_is_seen_late(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="late_split", days=5)]
    assert bar(fetch(yahoo), FRIDAY)["close"] == 88.99
    assert (fetch(yahoo)["split"] == 1.0).all()
    replay.now += timedelta(days=1)
    assert bar(fetch(yahoo), SPLIT)["split"] == 2.0


def test_a_wobble_is_rounded_away(replay: Replay, yahoo: Yahoo) -> None:
    clean = fetch(yahoo)
    replay.faults = [Fault(kind="wobble")]
    assert fetch(yahoo).equals(clean)
    assert fetch(yahoo).equals(clean)


@pytest.mark.parametrize(("start", "known"), [(date(2026, 2, 2), None), (date(2026, 2, 3), 4.0)])
def test_before_its_first_session_a_ticker_has_no_close(
    served: Served, client: Yahoo, start: date, known: float | None
) -> None:
    """Yahoo gives the first close instead."""
    first = date(2026, 2, 2)
    closes = {first: 4.0, date(2026, 2, 3): 5.0}
    told = {"chartPreviousClose": 4.0, "firstTradeDate": at(first)}
    served.put(chart("NEW", {k: v for k, v in closes.items() if k >= start}, **told))
    assert client.fetch("NEW", start, first + timedelta(9), NEW_YORK).previous_close == known


def test_the_request_covers_its_days_everywhere(replay: Replay, yahoo: Yahoo) -> None:
    """A day begins 14 hours before that of UTC in the far east, and ends 12 hours after it."""
    fetch(yahoo, start=THURSDAY, end=SPLIT)
    [query] = [query for path, query in replay.requests if path.startswith(CHART)]
    midnight = [
        datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() for day in (THURSDAY, SPLIT)
    ]
    assert int(query["period1"]) == midnight[0] - 14 * 3600
    assert int(query["period2"]) == midnight[1] + (24 + 12) * 3600


def test_no_volume_and_an_unknown_one_are_told_apart(served: Served, client: Yahoo) -> None:
    days = [date(2026, 2, day) for day in (2, 3, 4)]
    result = chart("X", dict.fromkeys(days, 5.0))
    result["indicators"]["quote"][0]["volume"] = [0, None, 7]
    served.put(result)
    assert fetch(client, "X", days[0], days[-1])["volume"].to_list() == [0, None, 7]
