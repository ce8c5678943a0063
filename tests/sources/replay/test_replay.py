"""What the replay serves at a moment, asked without a client."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import polars as pl
import pytest

from tickerlake.sources.replay import CHART, NEW_YORK, Fault, Replay, recording

SPLIT = date(2005, 2, 28)
THURSDAY, FRIDAY = date(2005, 2, 24), date(2005, 2, 25)
EVENING_BEFORE = datetime(2005, 2, 25, 22, 0, tzinfo=UTC)
NOON = datetime(2005, 2, 28, 17, 0, tzinfo=UTC)


def seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp())


def chart(
    replay: Replay, ticker: str = "AAPL", start: date = date(2005, 2, 1), days: int = 60
) -> dict[str, Any]:
    window = f"period1={seconds(start)}&period2={seconds(start + timedelta(days=days))}"
    answer = replay.answer(f"{CHART}{ticker}?{window}&interval=1d&events=div,splits")
    assert answer.status == HTTPStatus.OK
    return json.loads(answer.body)["chart"]["result"][0]


def rows(served: dict[str, Any]) -> dict[date, dict[str, Any]]:
    quote = served["indicators"]["quote"][0]
    days = [datetime.fromtimestamp(at, NEW_YORK).date() for at in served["timestamp"]]
    return {
        day: {name: values[number] for name, values in quote.items()}
        for number, day in enumerate(days)
    }


def recorded(session: date, ticker: str = "AAPL") -> dict[str, Any]:
    of_session = (pl.col("ticker") == ticker) & (pl.col("session") == session)
    return recording.load().row(by_predicate=of_session, named=True)


@pytest.fixture
def replay() -> Replay:
    return Replay(now=EVENING_BEFORE)


def test_before_the_split_prices_are_as_traded(replay: Replay) -> None:
    served = chart(replay)
    assert max(rows(served)) == FRIDAY
    assert rows(served)[FRIDAY]["close"] == recorded(FRIDAY)["close"] == 88.99
    assert rows(served)[FRIDAY]["volume"] == recorded(FRIDAY)["volume"]
    assert served["events"] == {}


def test_on_the_ex_date_the_past_is_adjusted(replay: Replay) -> None:
    for now in (datetime(2005, 2, 28, 12, 0, tzinfo=UTC), NOON):  # before the bell, after it
        replay.now = now
        served = chart(replay)
        assert rows(served)[FRIDAY]["close"] == 88.99 / 2
        assert rows(served)[FRIDAY]["volume"] == recorded(FRIDAY)["volume"] * 2
        (split,) = served["events"]["splits"].values()
        assert (split["numerator"], split["denominator"]) == (2.0, 1.0)
        assert datetime.fromtimestamp(split["date"], NEW_YORK).date() == SPLIT


def test_two_splits_divide_by_four(replay: Replay) -> None:
    replay.now = NOON
    served = rows(chart(replay, start=date(2000, 6, 1)))
    before, after = date(2000, 6, 20), date(2000, 6, 21)
    assert served[before]["close"] == recorded(before)["close"] / 4
    assert served[after]["close"] == recorded(after)["close"] / 2
    assert served[before]["volume"] == recorded(before)["volume"] * 4


def test_dividends_are_split_adjusted_and_in_the_window() -> None:
    bars = pl.DataFrame(
        {
            "ticker": "X",
            "session": [date(2020, 1, 6), date(2020, 1, 7), date(2020, 1, 8)],
            **{name: [100.0, 98.0, 49.0] for name in ("open", "high", "low", "close")},
            "volume": [10, 20, 30],
            "dividend": [0.0, 2.0, 0.0],
            "split": [1.0, 1.0, 2.0],
            "currency": "USD",
        }
    )
    replay = Replay(bars, now=datetime(2020, 1, 7, 22, tzinfo=UTC))
    served = chart(replay, "X", date(2020, 1, 1))
    (dividend,) = served["events"]["dividends"].values()
    assert dividend["amount"] == 2.0
    assert served["indicators"]["adjclose"][0]["adjclose"] == [98.0, 98.0]

    replay.now += timedelta(days=1)
    served = chart(replay, "X", date(2020, 1, 1))
    (dividend,) = served["events"]["dividends"].values()
    assert dividend["amount"] == 1.0
    assert served["indicators"]["adjclose"][0]["adjclose"] == [49.0, 49.0, 49.0]
    assert "dividends" not in chart(replay, "X", date(2020, 1, 8))["events"]


def test_capital_gains_are_events_of_their_own() -> None:
    bars = pl.DataFrame(
        {
            "ticker": "F",
            "session": [date(2020, 1, 6), date(2020, 1, 7), date(2020, 1, 8)],
            **{name: [20.0, 18.1, 9.05] for name in ("open", "high", "low", "close")},
            "volume": 0,
            "dividend": [0.0, 0.1, 0.0],
            "capital_gain": [0.0, 1.8, 0.0],
            "split": [1.0, 1.0, 2.0],
            "currency": "USD",
        }
    )
    replay = Replay(bars, now=datetime(2020, 1, 8, 22, tzinfo=UTC))
    served = chart(replay, "F", date(2020, 1, 1))
    (gain,) = served["events"]["capitalGains"].values()
    assert gain["amount"] == 0.9
    assert served["meta"]["instrumentType"] == "MUTUALFUND"
    total = served["indicators"]["adjclose"][0]["adjclose"]
    assert total == pytest.approx([9.05] * 3)


def test_the_close_before_the_window(replay: Replay) -> None:
    replay.now = NOON
    assert chart(replay, start=SPLIT)["meta"]["chartPreviousClose"] == 88.99 / 2
    first = chart(replay, start=date(2000, 3, 1))
    # as Yahoo does, before the first session that one's own close
    assert first["meta"]["chartPreviousClose"] == first["indicators"]["quote"][0]["close"][0]


def test_search_suggests_what_is_spelt_alike(replay: Replay) -> None:
    body = json.loads(replay.answer("/v1/finance/search?q=APPL").body)
    assert body["quotes"][0] == {"symbol": "AAPL"}
    assert json.loads(replay.answer("/v1/finance/search").body) == {"quotes": []}


def test_a_session_that_is_not_over_has_a_live_bar(replay: Replay) -> None:
    replay.now = NOON
    served = chart(replay)
    live, whole = rows(served)[SPLIT], recorded(SPLIT)
    assert live["open"] == whole["open"]
    assert 0 < live["volume"] < whole["volume"]
    assert whole["low"] <= live["low"] <= live["close"] <= live["high"] <= whole["high"]
    assert served["timestamp"][-1] == served["meta"]["regularMarketTime"] == int(NOON.timestamp())
    assert served["meta"]["currentTradingPeriod"]["regular"]["end"] > NOON.timestamp()

    replay.now = datetime(2005, 2, 28, 21, 0, tzinfo=UTC)  # the closing bell
    served = chart(replay)
    end = served["meta"]["currentTradingPeriod"]["regular"]["end"]
    assert rows(served)[SPLIT] == {name: whole[name] for name in rows(served)[SPLIT]}
    assert served["meta"]["regularMarketTime"] == end


def test_sessions_open_at_half_past_nine_in_new_york_in_winter_and_summer() -> None:
    served = chart(Replay(), start=date(2012, 3, 1))
    opened = {datetime.fromtimestamp(at, NEW_YORK).time() for at in served["timestamp"]}
    assert {str(at) for at in opened} == {"09:30:00"}
    assert len({at % 86_400 for at in served["timestamp"]}) == 2


def test_unknown_symbol_and_one_that_is_not_listed_yet(replay: Replay) -> None:
    for ticker in ("NOPE", "FB"):
        answer = replay.answer(f"{CHART}{ticker}?range=1d&interval=1d")
        assert answer.status == HTTPStatus.NOT_FOUND
        assert json.loads(answer.body)["chart"] == {
            "result": None,
            "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"},
        }


def test_a_window_without_sessions(replay: Replay) -> None:
    window = f"period1={seconds(date(2005, 2, 19))}&period2={seconds(date(2005, 2, 21))}"
    answer = replay.answer(f"{CHART}AAPL?{window}&interval=1d")
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert b"Data doesn't exist for startDate" in answer.body


def test_range_of_a_day(replay: Replay) -> None:
    served = json.loads(replay.answer(f"{CHART}AAPL?range=1d&interval=1d").body)
    assert list(rows(served["chart"]["result"][0])) == [FRIDAY]


def test_faults_in_the_rows(replay: Replay) -> None:
    clean = rows(chart(replay))
    replay.faults = [
        Fault(kind="null_row", session=date(2005, 2, 22)),
        Fault(kind="null_close", session=date(2005, 2, 23)),
        Fault(kind="dropped", session=THURSDAY),
        Fault(kind="wrong", session=FRIDAY, field="volume", value=1.0),
        Fault(kind="wrong", session=FRIDAY, field="close", value=90.0),
        Fault(kind="duplicated"),
        Fault(kind="null_row", session=date(2005, 2, 18), ticker="IBM"),
    ]
    served = chart(replay)
    faulty = rows(served)
    assert set(faulty[date(2005, 2, 22)].values()) == {None}
    assert faulty[date(2005, 2, 23)] == clean[date(2005, 2, 23)] | {"close": None}
    assert THURSDAY not in faulty
    assert faulty[FRIDAY] == clean[FRIDAY] | {"volume": 1.0, "close": 90.0}
    assert served["timestamp"][-1] == served["timestamp"][-2]
    assert faulty[date(2005, 2, 18)] == clean[date(2005, 2, 18)]


def test_a_fault_is_in_force_between_two_dates(replay: Replay) -> None:
    replay.faults = [
        Fault(kind="dropped", session=THURSDAY, since=FRIDAY, until=SPLIT),
    ]
    seen = {}
    for day in (THURSDAY, FRIDAY, SPLIT):
        replay.now = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
        seen[day] = THURSDAY in rows(chart(replay))
    assert seen == {THURSDAY: True, FRIDAY: False, SPLIT: True}


def test_a_fault_is_counted_down(replay: Replay) -> None:
    replay.faults = [Fault(kind="server_error", times=2), Fault(kind="html", ticker="IBM")]
    statuses = [replay.answer(f"{CHART}AAPL?range=1d").status for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert replay.faults == [Fault(kind="html", ticker="IBM")]


def test_a_late_split_is_neither_announced_nor_applied(replay: Replay) -> None:
    replay.faults = [Fault(kind="late_split", days=3)]
    replay.now = datetime(2005, 3, 2, 22, tzinfo=UTC)
    served = chart(replay)
    assert served["events"] == {}
    assert rows(served)[FRIDAY]["close"] == 88.99
    assert rows(served)[SPLIT]["close"] == recorded(SPLIT)["close"]
    replay.now += timedelta(days=1)
    assert "splits" in chart(replay)["events"]
    assert rows(chart(replay))[FRIDAY]["close"] == 88.99 / 2


def test_prices_wobble_from_answer_to_answer(replay: Replay) -> None:
    replay.faults = [Fault(kind="wobble")]
    first, second = (rows(chart(replay))[FRIDAY] for _ in range(2))
    assert first["close"] != second["close"]
    assert first["close"] == pytest.approx(88.99, rel=1e-6)
    assert f"{first['close']:.6g}" == f"{second['close']:.6g}" == "88.99"


@pytest.fixture
def listening(replay: Replay) -> Iterator[Replay]:
    with replay:
        yield replay


def test_over_http(listening: Replay) -> None:
    with urlopen(f"{listening.url}/health") as answer:  # noqa: S310
        assert json.load(answer)["now"] == EVENING_BEFORE.isoformat()
    with urlopen(f"{listening.url}/v1/test/getcrumb") as answer:  # noqa: S310
        assert answer.read() == b"replay-crumb"
    with urlopen(f"{listening.url}{CHART}I%42M?range=1d") as answer:  # noqa: S310
        assert json.load(answer)["chart"]["error"] is None
    assert listening.requests == [
        ("/v1/test/getcrumb", {}),
        (f"{CHART}IBM", {"range": "1d"}),
    ]


def test_serve_forever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    threading.Thread(target=Replay(port=port).serve_forever, daemon=True).start()
    for _ in range(100):
        with suppress(URLError), urlopen(f"http://127.0.0.1:{port}/health") as answer:
            assert json.load(answer)["now"] == "2013-03-01T22:30:00+00:00"
            return
        time.sleep(0.05)
    pytest.fail("the replay does not answer")
