"""What is read of an answer, and what is said when there is none."""

import gzip
import tracemalloc
import zlib
from datetime import date
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest
from curl_cffi.const import CurlECode
from curl_cffi.requests import Session
from curl_cffi.requests.exceptions import RequestException
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.served import CHART, NEW_YORK, Served, body, chart, opened, serving
from tickerlake.errors import SourceFailedError, SourceUnreachableError
from tickerlake.sources.yahoo import Yahoo, session
from tickerlake.sources.yahoo.client import SEARCH
from tickerlake.sources.yahoo.session import LONGEST_BODY, explain_unreachable

DAY = date(2025, 3, 5)


def fetch(yahoo: Yahoo, symbol: str = "X") -> object:
    return yahoo.fetch(symbol, DAY, DAY, NEW_YORK)


@given(size=st.integers(0, 5000), is_compressed=st.booleans())
@settings(max_examples=40, deadline=None)
def test_an_answer_is_read_up_to_a_bound(size: int, is_compressed: bool) -> None:
    bare = len(body(chart("X", {DAY: 1.0}, filler="")))
    answer = body(chart("X", {DAY: 1.0}, filler="x" * size))
    with (
        pytest.MonkeyPatch.context() as patch,
        serving() as served,
        opened(served.url, retries=0) as yahoo,
    ):
        patch.setattr(session, "LONGEST_BODY", bare + 2500)
        served.answers["X"] = (200, gzip.compress(answer) if is_compressed else answer)
        if size <= 2500:
            assert fetch(yahoo)
        else:
            with pytest.raises(SourceFailedError, match="X: Yahoo's answer is longer than"):
                fetch(yahoo)
            assert served.charts == ["X"]


def test_a_bomb_costs_little_and_is_not_asked_for_again(served: Served, client: Yahoo) -> None:
    press = zlib.compressobj(9, wbits=31)
    bomb = b"".join(press.compress(bytes(10**6)) for _ in range(500)) + press.flush()
    assert len(bomb) < 10**6
    served.answers["X"] = (200, bomb)
    tracemalloc.start()
    with pytest.raises(SourceFailedError, match="longer than 16 MiB"):
        fetch(client)
    assert tracemalloc.get_traced_memory()[1] < 3 * LONGEST_BODY
    tracemalloc.stop()
    assert served.charts == ["X"]


def test_a_century_of_bars_is_far_from_the_bound() -> None:
    row = f"-2208988800,{'123.456787109375,' * 5}1234567890,"
    assert 100 * 365 * len(row) < LONGEST_BODY / 3


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://nowhere.invalid", "no address for nowhere.invalid"),
        ("http://127.0.0.1:9", "no connection to 127.0.0.1:9"),
    ],
)
def test_without_a_network_it_is_said_at_once(url: str, says: str) -> None:
    begun = monotonic()
    with Yahoo(url=url, requests_per_second=100, workers=1) as yahoo:
        for symbol in ("AAPL", "MSFT", "IBM"):
            with pytest.raises(SourceUnreachableError) as caught:
                fetch(yahoo, symbol)
            assert str(caught.value) == f"Yahoo can't be reached: {says}"
    assert monotonic() - begun < 9


@pytest.mark.parametrize(
    ("code", "text", "says"),
    [
        (CurlECode.COULDNT_RESOLVE_HOST, "", "no address for query2.finance.yahoo.com"),
        (
            CurlECode.OPERATION_TIMEDOUT,
            "Resolving timed out after 3000 ms",
            "no address for query2",
        ),
        (CurlECode.OPERATION_TIMEDOUT, "Connection timed out after 3000 ms", "does not answer"),
        (CurlECode.COULDNT_CONNECT, "", "no connection to query2.finance.yahoo.com"),
        (CurlECode.COULDNT_RESOLVE_PROXY, "", "the proxy"),
        (CurlECode.OPERATION_TIMEDOUT, "Operation timed out with 0 bytes received", None),
        (CurlECode.RECV_ERROR, "", None),
        (CurlECode.RECV_ERROR, "Connection timed out after 3000 ms", None),
        (CurlECode.PROXY, "", "the proxy"),
    ],
)
def test_unreachable_or_merely_broken(code: CurlECode, text: str, says: str | None) -> None:
    error = RequestException(text, code)
    found = explain_unreachable(error, "https://query2.finance.yahoo.com/v8/finance/chart/X?a=b")
    assert says in str(found) if says else found is None


def test_how_long_each_request_waits(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds to connect, and then for the answer; a suggestion is not waited for."""
    asked: dict[str, object] = {}
    send = Session.request

    def request(self: object, method: str, url: str, **options: Any) -> object:
        asked[urlsplit(url).path] = options["timeout"]
        return send(self, method, url, **options)

    monkeypatch.setattr(Session, "request", request)
    served.put(chart("X", {DAY: 1.0}))
    with opened(served.url, timeout=7.5) as yahoo:
        fetch(yahoo)
        yahoo.search("APPL")
    assert asked[f"{CHART}X"] == (3.0, 4.5)
    assert asked[SEARCH] == (3.0, 0.0)
    with opened(served.url, timeout=2.0) as yahoo:
        fetch(yahoo)
    assert asked[f"{CHART}X"] == (2.0, 0.0)
