"""A server in Yahoo's place that says what a test wants, and answers in the shape of Yahoo's."""

import gzip
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from tickerlake.sources.yahoo import Yahoo

CHART = "/v8/finance/chart/"
NEW_YORK = "America/New_York"


def at(session: date, zone: str = NEW_YORK, hour: time = time(9, 30)) -> int:
    """An hour of a session, in seconds since 1970."""
    local = datetime.combine(session, hour, ZoneInfo(zone))
    return int((local - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def chart(
    symbol: str,
    closes: Mapping[date, float | None],
    *,
    zone: str = NEW_YORK,
    hour: time = time(9, 30),
    events: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
    **meta: Any,
) -> dict[str, Any]:
    """A chart of flat bars; `meta` adds to what it says of the ticker, or replaces it."""
    values = list(closes.values())
    quote = {name: list(values) for name in ("open", "high", "low", "close")}
    volume = [None if value is None else 1000 for value in values]
    return {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": zone,
            "dataGranularity": "1d",
            **meta,
        },
        "timestamp": [at(session, zone, hour) for session in closes],
        "events": {
            kind: {str(number): event for number, event in enumerate(listed)}
            for kind, listed in (events or {}).items()
        },
        "indicators": {"quote": [{**quote, "volume": volume}]},
    }


def body(result: Mapping[str, Any] | None) -> bytes:
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def error(code: str, description: str) -> bytes:
    told = {"code": code, "description": description}
    return json.dumps({"chart": {"result": None, "error": told}}).encode()


class Served:
    """Answers each symbol with what `answers` has for it: a status and a body.

    Attributes:
        answers: by symbol; a body that begins like gzip is announced as such.
        charts: the symbols asked for so far.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.charts: list[str] = []
        handler = type("Handler", (_Handler,), {"served": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def put(self, result: dict[str, Any]) -> None:
        """Serve a chart under its own symbol."""
        self.answers[result["meta"]["symbol"]] = (200, body(result))

    def answer(self, path: str) -> tuple[int, bytes]:
        if path.endswith("getcrumb"):
            return 200, b"crumb"
        if not path.startswith(CHART):
            return 404, b""
        symbol = path.removeprefix(CHART)
        self.charts.append(symbol)
        missing = error("Not Found", "No data found, symbol may be delisted")
        return self.answers.get(symbol, (404, missing))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def do_GET(self) -> None:
        status, data = self.served.answer(unquote(urlsplit(self.path).path))
        self.send_response(status)
        if data.startswith(gzip.compress(b"")[:2]):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up has read enough


@contextmanager
def serving() -> Iterator[Served]:
    served = Served()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()


@contextmanager
def opened(url: str, retries: int = 2, timeout: float = 10.0) -> Iterator[Yahoo]:
    """The real client, in a hurry."""
    with Yahoo(
        url=url,
        requests_per_second=10_000,
        workers=8,
        retries=retries,
        timeout=timeout,
        backoff=0.001,
    ) as yahoo:
        yield yahoo
