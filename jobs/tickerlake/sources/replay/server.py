"""The replay itself: a small HTTP server with a clock that its caller sets."""

import json
import logging
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from datetime import date, datetime
from difflib import get_close_matches
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl

from tickerlake import settings
from tickerlake.errors import SourceFailedError
from tickerlake.sources.replay import recording
from tickerlake.sources.replay.answers import Answer, refuse, refuse_too_many, spoil, to_json
from tickerlake.sources.replay.chart import Snapshot
from tickerlake.sources.replay.faults import Fault, has
from tickerlake.sources.replay.tape import NEW_YORK, Tape

log = logging.getLogger(__name__)

END: Final = settings.RECORDED
"""The evening of the recording's last session."""

CHART: Final = "/v8/finance/chart/"
CRUMB: Final = "/v1/test/getcrumb"
SEARCH: Final = "/v1/finance/search"


class Replay:
    """Yahoo's chart API over recorded bars, at a moment that the caller sets.

    Use it as a context manager: it serves from a thread, until the block ends.

    Attributes:
        now: the clock. Aware; set it at any time.
        faults: what is wrong at present. Change it at any time.
        requests: path and query of each request so far, in their order.
    """

    def __init__(
        self,
        bars: pl.DataFrame | None = None,
        *,
        now: datetime = END,
        latency: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Take bars to serve; nothing listens yet.

        Args:
            bars: columns of `recording.SCHEMA`, and perhaps `capital_gain`; None is the recording.
            now: what the clock shows; aware.
            latency: seconds that every answer takes.
            host: the address to listen on.
            port: the port to listen on; 0 is any free one.
        """
        self.now = now
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._latency = latency
        self._address = (host, port)
        self._lock = threading.Lock()
        self._server: _Server | None = None
        bars = recording.load() if bars is None else bars
        self._tapes = {str(ticker): Tape(part) for (ticker,), part in bars.group_by("ticker")}

    def __enter__(self) -> Self:
        self._server = _Server(self._address, self)
        thread = threading.Thread(
            # the end of the block waits for the poll interval
            target=self._server.serve_forever,
            args=(0.02,),
            name="replay",
            daemon=True,
        )
        thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        """The address to give to `Yahoo(url=...)`."""
        if self._server is None:
            raise RuntimeError("the replay is not listening yet; use it in a `with` block")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve_forever(self) -> None:
        """Serve in this thread, until the process ends."""
        with _Server(self._address, self) as server:
            host, port = server.server_address[:2]
            log.info("replaying %d tickers at http://%s:%d", len(self._tapes), host, port)
            server.serve_forever()

    def answer(self, target: str) -> Answer:
        """Answer a GET request.

        Args:
            target: path and query, as in the request line.
        """
        url = urlsplit(target)
        path, query = unquote(url.path), {k: v[-1] for k, v in parse_qs(url.query).items()}
        if path == "/health":
            return Answer(HTTPStatus.OK, to_json({"now": self.now.isoformat()}))
        with self._lock:
            self.requests.append((path, query))
            number = len(self.requests)
        time.sleep(self._latency)
        if path.startswith(CHART):
            return self._chart(path.removeprefix(CHART), query, number)
        return self._answer_other(path, query)

    def _answer_other(self, path: str, query: dict[str, str]) -> Answer:
        if path == CRUMB:
            if has(self.faults, "no_crumb"):
                return refuse_too_many()
            return Answer(HTTPStatus.OK, b"replay-crumb", "text/plain")
        if path == SEARCH:
            found = get_close_matches(query.get("q", "").upper(), self._tapes, n=6, cutoff=0.5)
            return Answer(HTTPStatus.OK, to_json({"quotes": [{"symbol": name} for name in found]}))
        if path == "/":  # the page that Yahoo sets its cookie with; it is a 404 there too
            return Answer(HTTPStatus.NOT_FOUND, b"", "text/html")
        return refuse(HTTPStatus.NOT_FOUND, "Not Found", f"no such page: {path}")

    def _chart(self, ticker: str, query: dict[str, str], number: int) -> Answer:
        now = self.now
        faults = self._strike(ticker, now.astimezone(NEW_YORK).date())
        if spoilt := spoil(faults):
            return spoilt
        tape = self._tapes.get(ticker)
        if tape is None or tape.opens[0] > now.timestamp():
            return refuse(
                HTTPStatus.NOT_FOUND, "Not Found", "No data found, symbol may be delisted"
            )
        snapshot = Snapshot(ticker, tape, now, faults)
        start, end = snapshot.window(query)
        chart = snapshot.chart(start, end, number)
        if not chart["timestamp"] and not chart["events"]:
            description = f"Data doesn't exist for startDate = {start}, endDate = {end}"
            return refuse(HTTPStatus.BAD_REQUEST, "Bad Request", description)
        body = to_json({"chart": {"result": [chart], "error": None}})
        return Answer(HTTPStatus.OK, body[: len(body) // 2] if has(faults, "truncated") else body)

    def _strike(self, ticker: str, today: date) -> list[Fault]:
        """Return the faults in force, counting down those that strike a number of times."""
        with self._lock:
            striking = [fault for fault in self.faults if fault.strikes(ticker, today)]
            for fault in striking:
                if fault.times is not None:
                    number = self.faults.index(fault)
                    left = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                    self.faults[number : number + 1] = left
            return striking


def clock(url: str) -> datetime:
    """Return what the clock of a replay shows.

    Args:
        url: where it listens.

    Raises:
        SourceFailedError: it does not answer.
    """
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:  # noqa: S310
            return datetime.fromisoformat(json.load(answer)["now"])
    except (OSError, ValueError, KeyError) as error:
        raise SourceFailedError(f"there is no replay of Yahoo at {url}: {error}") from error


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one piece
    server: "_Server"

    def do_GET(self) -> None:
        answer = self.server.replay.answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.retry_after is not None:
            self.send_header("Retry-After", answer.retry_after)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], replay: Replay) -> None:
        self.replay = replay
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - inherited
        error = sys.exception()
        # it is no error if a client did not wait for a slow answer
        level = logging.DEBUG if isinstance(error, ConnectionError) else logging.ERROR
        log.log(level, "%s was not answered", client_address, exc_info=error)
