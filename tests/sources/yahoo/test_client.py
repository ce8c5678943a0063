"""What becomes of a request: repeated, paused, given up; and what it costs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from curl_cffi.const import CurlECode
from curl_cffi.requests.exceptions import DNSError

from sources.served import NEW_YORK, Served, at, chart, opened
from sources.yahoo.fake_time import FakeTime
from tickerlake.errors import (
    RateLimitedError,
    SourceFailedError,
    SourceUnreachableError,
    UnknownSymbolError,
)
from tickerlake.sources.replay import CHART, Fault, Replay
from tickerlake.sources.yahoo import LONGEST_PAUSE, Yahoo
from tickerlake.sources.yahoo.client import SEARCH, Client, retry_after
from tickerlake.sources.yahoo.pacer import Pacer

FRIDAY = date(2005, 2, 25)
START, END = date(2005, 2, 14), date(2005, 3, 10)


def fetch(yahoo: Yahoo, ticker: str = "AAPL", start: date = START, end: date = END) -> pl.DataFrame:
    return yahoo.fetch(ticker, start, end, NEW_YORK).bars


def charts(replay: Replay) -> int:
    return sum(path.startswith(CHART) for path, _ in replay.requests)


def test_one_request_a_ticker_and_two_for_all(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yfinance import data

    monkeypatch.setattr(data.SingletonMeta, "_instances", {})  # as in a new process
    with opened(replay.url) as yahoo, ThreadPoolExecutor(8) as threads:
        tickers = ["AAPL", "GOOG", "IBM", "MSFT"] * 4
        frames = list(threads.map(lambda ticker: fetch(yahoo, ticker), tickers))
    assert {frame.height for frame in frames} == {14}
    assert charts(replay) == len(tickers)
    assert len(replay.requests) <= len(tickers) + 2


def test_without_a_crumb_it_goes_on(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    from yfinance import data

    monkeypatch.setattr(data.SingletonMeta, "_instances", {})
    replay.faults = [Fault(kind="no_crumb")]
    with opened(replay.url) as yahoo:
        assert fetch(yahoo).height == 14
        replay.faults.clear()
        fetch(yahoo)
    crumbs = [query.get("crumb") for path, query in replay.requests if path.startswith(CHART)]
    assert crumbs == [None, "replay-crumb"]


def test_an_old_crumb_is_renewed(replay: Replay, yahoo: Yahoo) -> None:
    fetch(yahoo)
    replay.requests.clear()
    replay.faults = [Fault(kind="unauthorized", times=1)]
    assert fetch(yahoo).height == 14
    assert charts(replay) == 2
    assert any(path.endswith("getcrumb") for path, _ in replay.requests)


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
    with opened(replay.url, retries=1, timeout=0.1) as yahoo, pytest.raises(SourceFailedError):
        fetch(yahoo)
    assert charts(replay) == 2


def test_nobody_listens() -> None:
    with Replay() as gone:
        pass
    with opened(gone.url) as yahoo, pytest.raises(SourceUnreachableError, match="no connection to"):
        fetch(yahoo)


class Unplugged:
    """Stands in for the session: no host can be reached, or only those that have charts."""

    def __init__(self, charts: bool = False) -> None:
        self.charts = charts
        self.sent: list[str] = []

    def __call__(self, url: str) -> Any:
        self.sent.append(url)
        if self.charts and "query" in url:
            return SimpleNamespace(status_code=200, content=CHARTED, text="crumb", headers={})
        raise DNSError("Could not resolve host", CurlECode.COULDNT_RESOLVE_HOST)


CHARTED = b'{"chart":{"result":[{"meta":{"symbol":"X"}}],"error":null}}'
HOST = "https://query2.finance.yahoo.com"


def test_without_a_network_a_chart_is_asked_for_twice_and_a_cookie_once() -> None:
    client = Client(None, Pacer(1e9), workers=1, retries=4, backoff=1.0)
    send = Unplugged()
    for _ in range(3):
        for url in ("https://fc.yahoo.com", "https://guce.yahoo.com/consent"):
            with pytest.raises(OSError, match=r"network|resolve"):
                client.judge(send, url)
        with pytest.raises(SourceUnreachableError, match="no address for query2"):
            client.judge(send, f"{HOST}{CHART}X")
    assert send.sent.count("https://fc.yahoo.com") == 1
    assert "https://guce.yahoo.com/consent" not in send.sent
    assert send.sent.count(f"{HOST}{CHART}X") == 6


def test_a_blocked_cookie_host_keeps_nobody_from_charts_and_search() -> None:
    client = Client(None, Pacer(1e9), workers=1, retries=4, backoff=1.0)
    send = Unplugged(charts=True)
    with pytest.raises(OSError, match="resolve"):
        client.judge(send, "https://fc.yahoo.com")
    assert client.judge(send, f"{HOST}{CHART}X").chart == {"meta": {"symbol": "X"}}
    assert client.judge(send, f"{HOST}{SEARCH}?q=X").status_code == 200


# --- suggestions


def test_search_suggests_symbols(replay: Replay, yahoo: Yahoo) -> None:
    assert yahoo.search("APPL")[0] == "AAPL"
    assert yahoo.search("msf")[0] == "MSFT"
    assert yahoo.search("ZZZZZZ") == []
    assert charts(replay) == 0


def test_search_never_raises(served: Served) -> None:
    with opened(served.url) as client:
        assert client.search("APPL") == []  # a 404 without a body
        served.server.shutdown()
        served.server.server_close()
        assert client.search("APPL") == []


def test_an_unknown_symbol_is_asked_for_once(replay: Replay, yahoo: Yahoo) -> None:
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        fetch(yahoo, "NOPE")
    assert charts(replay) == 1


def test_answers_are_not_kept(replay: Replay, yahoo: Yahoo) -> None:
    replay.faults = [Fault(kind="dropped", session=FRIDAY)]
    assert FRIDAY not in fetch(yahoo)["session"]
    replay.faults.clear()
    assert FRIDAY in fetch(yahoo)["session"]
    with Replay(now=replay.now) as other, opened(other.url) as second:
        assert fetch(second).height == 14
        assert charts(other) == 1


def test_a_429_holds_up_all_threads(replay: Replay) -> None:
    time = FakeTime()
    replay.faults = [Fault(kind="rate_limited", times=1, retry_after="30")]
    with opened(replay.url) as yahoo, ThreadPoolExecutor(4) as threads:
        yahoo._client.pacer = Pacer(1e9, clock=time.clock, sleep=time.sleep)
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
        ("nan", None),
        ("inf", None),
        ("-5", 0.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, datetime(2005, 2, 28, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(("backoff", "number", "seconds"), [(1.0, 1, 5), (1.0, 3, 20), (0.5, 2, 5)])
def test_a_429_without_a_time_holds_up_all_for_longer_than_a_failure(
    backoff: float, number: int, seconds: float
) -> None:
    time = FakeTime()
    pacer = Pacer(1e9, clock=time.clock, sleep=time.sleep)
    client = Client(None, pacer, workers=1, retries=4, backoff=backoff)
    answers = [SimpleNamespace(status_code=429, content=b"", headers={})] * number
    before = time.now
    for answer in answers[:-1]:
        with pytest.raises(Exception, match="fewer requests"):
            client._try_chart(lambda _, answer=answer: answer, "u", "X", 1)
        pacer.wait()
        before = time.now
    with pytest.raises(Exception, match="fewer requests"):
        client._try_chart(lambda _: answers[-1], "u", "X", number)
    pacer.wait()
    assert time.now - before == pytest.approx(seconds, abs=0.01)


def test_no_row_is_outside_the_window_that_was_asked_for(served: Served) -> None:
    """The request covers the days in every time zone, so bars of adjacent days may come."""
    days = [date(2026, 2, day) for day in (2, 3, 4, 5, 6)]
    for zone in (NEW_YORK, "Australia/Sydney", "Asia/Tokyo", "Europe/London", "UTC"):
        events = {
            "dividends": [{"date": at(day, zone), "amount": 1.0} for day in days],
            "splits": [{"date": at(days[0], zone), "numerator": 2, "denominator": 1}],
        }
        closes = {day: float(number) for number, day in enumerate(days, start=1)}
        served.put(chart("X", closes, zone=zone, events=events))
        with opened(served.url) as yahoo:
            found = yahoo.fetch("X", days[1], days[3], zone)
        assert found.bars["session"].to_list() == days[1:4]
        assert found.bars["dividend"].to_list() == [1.0] * 3
        assert found.previous_close == 1.0


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (1, 2), (2, 2), (9, 2)])
def test_without_a_network_no_more_is_tried_than_was_allowed(retries: int, asked: int) -> None:
    client = Client(None, Pacer(1e9), workers=1, retries=retries, backoff=0.0)
    send = Unplugged()
    with pytest.raises(SourceUnreachableError):
        client.judge(send, f"{HOST}{CHART}X")
    assert len(send.sent) == asked


def test_a_replay_is_not_asked_through_a_proxy(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens where the environment says that the proxy is."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with opened(replay.url, retries=0) as yahoo:
        assert fetch(yahoo).height == 14


def test_a_volume_that_is_not_known_is_null_and_one_of_nothing_is_zero(
    served: Served, client: Yahoo
) -> None:
    told = chart("X", {date(2005, 2, day): 1.0 for day in (14, 15, 16)})
    told["indicators"]["quote"][0]["volume"] = [None, 0, 7]
    served.put(told)
    assert fetch(client, "X")["volume"].to_list() == [None, 0, 7]
