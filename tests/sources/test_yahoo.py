"""The real yfinance against the replay: what the caller sees of each fault, and what it costs."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tickerlake.errors import RateLimitedError, SourceFailedError, UnknownSymbolError
from tickerlake.market.bars import RAW
from tickerlake.sources.replay import CHART, Fault, Replay, recording
from tickerlake.sources.yahoo import LONGEST_PAUSE, Pacer, Yahoo, events, read_chart, retry_after

ZONE = "America/New_York"
SPLIT = date(2005, 2, 28)
THURSDAY, FRIDAY = date(2005, 2, 24), date(2005, 2, 25)
START, END = date(2005, 2, 14), date(2005, 3, 10)


@pytest.fixture
def replay() -> Iterator[Replay]:
    with Replay(now=datetime(2005, 3, 4, 22, 30, tzinfo=UTC)) as replay:
        yield replay


@contextmanager
def opened(replay: Replay, retries: int = 2, timeout: float = 10.0) -> Iterator[Yahoo]:
    with Yahoo(
        url=replay.url,
        requests_per_second=10_000,
        workers=8,
        retries=retries,
        timeout=timeout,
        backoff=0.001,
    ) as yahoo:
        yield yahoo


@pytest.fixture
def yahoo(replay: Replay) -> Iterator[Yahoo]:
    with opened(replay) as yahoo:
        yield yahoo


def fetch(yahoo: Yahoo, ticker: str = "AAPL", start: date = START, end: date = END) -> pl.DataFrame:
    return yahoo.fetch(ticker, start, end, ZONE).bars


def charts(replay: Replay) -> int:
    return sum(path.startswith(CHART) for path, _ in replay.requests)


def bar(bars: pl.DataFrame, session: date) -> dict[str, object]:
    return bars.row(by_predicate=pl.col("session") == session, named=True)


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lock = threading.Lock()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds


# --- what comes


def test_bars_are_what_was_recorded(replay: Replay) -> None:
    replay.now = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
    with opened(replay) as yahoo:
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


# --- what it costs


def test_one_request_a_ticker_and_two_for_all(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yfinance import data

    monkeypatch.setattr(data.SingletonMeta, "_instances", {})  # as in a new process
    with opened(replay) as yahoo, ThreadPoolExecutor(8) as threads:
        tickers = ["AAPL", "GOOG", "IBM", "MSFT"] * 4
        frames = list(threads.map(lambda ticker: fetch(yahoo, ticker), tickers))
    assert {frame.height for frame in frames} == {14}
    assert charts(replay) == len(tickers)
    assert len(replay.requests) <= len(tickers) + 2


def test_without_a_crumb_it_goes_on(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    from yfinance import data

    monkeypatch.setattr(data.SingletonMeta, "_instances", {})
    replay.faults = [Fault(kind="no_crumb")]
    with opened(replay) as yahoo:
        assert fetch(yahoo).height == 14
        replay.faults.clear()
        fetch(yahoo)
    crumbs = [query.get("crumb") for path, query in replay.requests if path.startswith(CHART)]
    assert crumbs == [None, "replay-crumb"]


def test_an_old_crumb_is_renewed(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="unauthorized", times=1)]
    assert fetch(yahoo).height == 14
    assert charts(replay) == 2


# --- what fails


@pytest.mark.parametrize("kind", ["server_error", "html", "truncated", "rate_limited"])
def test_what_passes_is_not_seen(replay: Replay, yahoo: Yahoo, kind: str) -> None:
    clean = fetch(yahoo)
    replay.requests.clear()
    replay.faults = [Fault(kind=kind, times=2)]  # type: ignore[arg-type]
    assert fetch(yahoo).equals(clean)
    assert charts(replay) == 3


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("server_error", SourceFailedError, "HTTP 500"),
        ("html", SourceFailedError, "nonsense"),
        ("truncated", SourceFailedError, "nonsense"),
        ("rate_limited", RateLimitedError, "fewer requests"),
    ],
)
def test_what_stays_is_raised_and_does_not_stick(
    replay: Replay, yahoo: Yahoo, kind: str, error: type[Exception], says: str
) -> None:
    replay.faults = [Fault(kind=kind)]  # type: ignore[arg-type]
    with pytest.raises(error, match=says):
        fetch(yahoo)
    assert charts(replay) == 3
    replay.faults.clear()
    assert fetch(yahoo).height == 14


def test_a_refused_crumb_is_a_failure(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="unauthorized")]
    with pytest.raises(SourceFailedError):
        fetch(yahoo)


def test_a_slow_answer_is_a_failure(replay: Replay) -> None:
    replay.faults = [Fault(kind="slow", seconds=0.5)]
    with opened(replay, retries=1, timeout=0.1) as yahoo, pytest.raises(SourceFailedError):
        fetch(yahoo)
    assert charts(replay) == 2


def test_nobody_listens() -> None:
    with Replay() as gone:
        pass
    with opened(gone) as yahoo, pytest.raises(SourceFailedError, match="AAPL"):
        fetch(yahoo)


def test_an_unknown_symbol_is_asked_for_once(replay: Replay, yahoo: Yahoo) -> None:
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        fetch(yahoo, "NOPE")
    assert charts(replay) == 1


def test_answers_are_not_kept(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="dropped", session=FRIDAY)]
    assert FRIDAY not in fetch(yahoo)["session"]
    replay.faults.clear()
    assert FRIDAY in fetch(yahoo)["session"]
    with Replay(now=replay.now) as other, opened(other) as second:
        assert fetch(second).height == 14
        assert charts(other) == 1


# --- what is wrong in the rows


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


# --- pacing


def test_requests_are_spaced_exactly() -> None:
    time = FakeTime()
    pacer = Pacer(4.0, clock=time.clock, sleep=time.sleep)
    starts = []
    for _ in range(9):
        pacer.wait()
        starts.append(time.now - 100)
    assert starts == [number / 4 for number in range(9)]


def test_a_quiet_time_saves_nothing_up() -> None:
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.clock, sleep=time.sleep)
    pacer.wait()
    time.now += 60
    starts = []
    for _ in range(3):
        pacer.wait()
        starts.append(time.now - 160)
    assert starts == [0, 1, 2]


def test_a_pause_holds_up_those_who_wait_already() -> None:
    time = FakeTime()
    pauses = [30.0]

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if pauses and seconds:
            pacer.pause(pauses.pop())

    pacer = Pacer(1.0, clock=time.clock, sleep=sleep)
    pacer.wait()
    pacer.wait()  # a 429 of another thread comes while this one waits
    assert time.now - 101 == 30
    pacer.wait()
    assert time.now - 101 == 31


def test_a_429_holds_up_all_threads(replay: Replay) -> None:
    time = FakeTime()
    replay.faults = [Fault(kind="rate_limited", times=1, retry_after="30")]
    with opened(replay) as yahoo, ThreadPoolExecutor(4) as threads:
        yahoo._client._pacer = Pacer(1e9, clock=time.clock, sleep=time.sleep)
        frames = list(threads.map(lambda _: fetch(yahoo), range(12)))
    assert {frame.height for frame in frames} == {14}
    assert charts(replay) == 13
    assert time.now >= 130


def test_too_long_a_pause_is_not_waited_for(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="rate_limited", retry_after=str(LONGEST_PAUSE + 1))]
    with pytest.raises(RateLimitedError, match="121 s"):
        fetch(yahoo)
    assert charts(replay) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("Mon, 28 Feb 2005 12:00:30 GMT", 30.0),
        ("Mon, 28 Feb 2005 11:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, datetime(2005, 2, 28, 12, tzinfo=UTC)) == seconds


# --- reading charts


def test_events_of_one_day_add_up_and_a_split_of_no_shares_is_unknown() -> None:
    at = 1109601000  # 2005-02-28 09:30 in New York
    chart = {
        "meta": {"exchangeTimezoneName": ZONE},
        "events": {
            "dividends": {
                "1": {"date": at, "amount": 0.5},
                "2": {"date": at + 1, "amount": 0.25},
            },
            "splits": {"1": {"date": at + 86_400, "numerator": 2, "denominator": 0}},
        },
    }
    found = events(chart).sort("session")
    assert found["session"].to_list() == [SPLIT, date(2005, 3, 1)]
    assert found["dividend"].to_list() == [0.75, 0.0]
    assert found["split"][0] == 1.0
    assert found["split"].is_nan().to_list() == [False, True]


@pytest.mark.parametrize("result", [b"null", b"[]", b"[{}]"])
def test_no_result_and_no_error_is_no_bars(result: bytes) -> None:
    assert read_chart("X", 200, b'{"chart":{"result":%s,"error":null}}' % result) == {}


def test_a_refused_request_is_final() -> None:
    body = (
        b'{"chart":{"result":null,"error":{"code":"Unprocessable","description":"no such range"}}}'
    )
    with pytest.raises(SourceFailedError, match="no such range"):
        read_chart("X", 422, body)
