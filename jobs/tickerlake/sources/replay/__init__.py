"""A replay of Yahoo's chart API: it answers from recorded bars what Yahoo would have said then.

The real yfinance runs against it, offline. It can be told to be as faulty as Yahoo is at times.

What is simpler than in the world: every ticker trades from 09:30 to 16:00 New York time, on the
days that the recording has.
"""

import json
import logging
import math
import sys
import threading
import time
import urllib.request
from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from fractions import Fraction
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tickerlake.errors import SourceFailedError
from tickerlake.sources.replay import recording

log = logging.getLogger(__name__)

END: Final = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
"""The evening of the recording's last session."""

CHART: Final = "/v8/finance/chart/"
CRUMB: Final = "/v1/test/getcrumb"

NEW_YORK: Final = ZoneInfo("America/New_York")
_OPEN: Final = time_of_day(9, 30)
_CLOSE: Final = time_of_day(16, 0)
_HOURS: Final = {
    "pre": (time_of_day(4, 0), _OPEN),
    "regular": (_OPEN, _CLOSE),
    "post": (_CLOSE, time_of_day(20, 0)),
}
_RANGES: Final = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
_PRICES: Final = ("open", "high", "low", "close")
_VALUES: Final = (*_PRICES, "volume")
_WOBBLE: Final = 3e-7

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

Kind = Literal[
    "no_crumb",  # 429 where the crumb is to be had; not counted
    "rate_limited",  # 429; with `retry_after`, the header Retry-After
    "unauthorized",  # 401, as for an old crumb
    "server_error",  # 500 with HTML
    "slow",  # the answer comes `seconds` late
    "html",  # 200 with a page in the place of JSON
    "truncated",  # 200, and the JSON breaks off
    "empty",  # 200 without a result, and without an error
    "null_row",  # `session` has no prices and no volume
    "null_close",  # `session` has no close
    "dropped",  # `session` is missing
    "duplicated",  # the last row comes twice
    "wrong",  # `field` of `session` is `value`
    "late_split",  # splits are served `days` days after their ex-date
    "wobble",  # prices differ in the 7th digit from one answer to the next
]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to be wrong. It strikes requests for charts.

    Attributes:
        kind: see `Kind`.
        ticker: the one it strikes; None is every one.
        times: the answers it spoils. It is counted down in `Replay.faults`, and leaves at 0. None
            is for as long as it is listed.
        since: the first New York date on the replay's clock that it is in force; None is always.
        until: the date from which it is no longer.
        session: the session that it falsifies.
        field: with `wrong`: open, high, low, close or volume.
        value: with `wrong`: the wrong value, unadjusted.
        days: with `late_split`.
        seconds: with `slow`.
        retry_after: with `rate_limited`: seconds, or an HTTP date.
    """

    kind: Kind
    ticker: str | None = None
    times: int | None = None
    since: date | None = None
    until: date | None = None
    session: date | None = None
    field: Literal["open", "high", "low", "close", "volume"] = "volume"
    value: float = 0.0
    days: int = 0
    seconds: float = 0.0
    retry_after: str | None = None

    def strikes(self, ticker: str, today: date) -> bool:
        """Whether it is in force for a ticker on a date."""
        return (
            self.ticker in (None, ticker)
            and (self.since is None or self.since <= today)
            and (self.until is None or today < self.until)
        )


class _Tape:
    """One ticker's bars as arrays, one value a session."""

    def __init__(self, bars: pl.DataFrame) -> None:
        bars = bars.sort("session")
        self.sessions: list[date] = bars["session"].to_list()
        self.opens = _seconds(bars["session"], _OPEN)
        self.closes = _seconds(bars["session"], _CLOSE)
        self.values = {name: bars[name].cast(pl.Float64).to_numpy() for name in _VALUES}
        self.dividends = _numbered(bars["dividend"], 0.0)
        self.splits = _numbered(bars["split"], 1.0)
        self.currency: str | None = bars["currency"][0]
        before = bars["close"].shift(1) / bars["split"]
        # what the dividends up to each session left of a holding's value
        self.kept = (1 - bars["dividend"] / before).fill_null(1.0).cum_prod().to_numpy()


def _seconds(sessions: pl.Series, hour: time_of_day) -> Ints:
    """An hour in New York on each session, in seconds since 1970."""
    return sessions.dt.combine(hour).dt.replace_time_zone(NEW_YORK.key).dt.epoch("s").to_numpy()


def _numbered(column: pl.Series, neutral: float) -> list[tuple[int, float]]:
    """The sessions' numbers at which a column has more to say than `neutral`, and what."""
    return [(number, value) for number, value in enumerate(column) if value != neutral]


class Replay:
    """Yahoo's chart API over recorded bars, at a moment that the owner sets.

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
            bars: columns of `recording.SCHEMA`; None is the recording.
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
        self._tapes = {str(ticker): _Tape(part) for (ticker,), part in bars.group_by("ticker")}

    def __enter__(self) -> Self:
        self._server = _Server(self._address, self)
        thread = threading.Thread(
            # the poll interval is what the end of the block waits for
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
            raise RuntimeError("the replay does not listen yet; use it in a `with` block")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve_forever(self) -> None:
        """Serve in this thread, until the process ends."""
        with _Server(self._address, self) as server:
            host, port = server.server_address[:2]
            log.info("replaying %d tickers at http://%s:%d", len(self._tapes), host, port)
            server.serve_forever()

    def answer(self, target: str) -> "_Answer":
        """Answer a GET request.

        Args:
            target: path and query, as in the request line.
        """
        url = urlsplit(target)
        path, query = unquote(url.path), {k: v[-1] for k, v in parse_qs(url.query).items()}
        if path == "/health":
            return _Answer(HTTPStatus.OK, _json({"now": self.now.isoformat()}))
        with self._lock:
            self.requests.append((path, query))
            number = len(self.requests)
        time.sleep(self._latency)
        if path == CRUMB:
            if any(fault.kind == "no_crumb" for fault in self.faults):
                return _too_many()
            return _Answer(HTTPStatus.OK, b"replay-crumb", "text/plain")
        if path == "/":  # the page that Yahoo sets its cookie with; it is a 404 there too
            return _Answer(HTTPStatus.NOT_FOUND, b"", "text/html")
        if not path.startswith(CHART):
            return _error(HTTPStatus.NOT_FOUND, "Not Found", f"no such page: {path}")
        return self._chart(path.removeprefix(CHART), query, number)

    def _chart(self, ticker: str, query: dict[str, str], number: int) -> "_Answer":
        now = self.now
        faults = self._striking(ticker, now.astimezone(NEW_YORK).date())
        if spoilt := _spoilt(faults):
            return spoilt
        tape = self._tapes.get(ticker)
        if tape is None or tape.opens[0] > now.timestamp():
            return _error(
                HTTPStatus.NOT_FOUND, "Not Found", "No data found, symbol may be delisted"
            )
        moment = _Moment(tape, now, _delay(faults))
        start, end = moment.window(query)
        result = moment.result(ticker, start, end, faults, number)
        if not result["timestamp"] and not result["events"]:
            description = f"Data doesn't exist for startDate = {start}, endDate = {end}"
            return _error(HTTPStatus.BAD_REQUEST, "Bad Request", description)
        body = _json({"chart": {"result": [result], "error": None}})
        if any(fault.kind == "truncated" for fault in faults):
            body = body[: len(body) // 2]
        return _Answer(HTTPStatus.OK, body)

    def _striking(self, ticker: str, today: date) -> list[Fault]:
        """The faults in force, counting down those that strike a number of times."""
        with self._lock:
            striking = [fault for fault in self.faults if fault.strikes(ticker, today)]
            for fault in striking:
                if fault.times is not None:
                    at = self.faults.index(fault)
                    left = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                    self.faults[at : at + 1] = left
            return striking


def clock(url: str) -> datetime:
    """What the clock of a replay shows.

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


@dataclass(frozen=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    media_type: str = "application/json"
    retry_after: str | None = None


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
        # a client that did not wait for a slow answer is no news
        level = logging.DEBUG if isinstance(error, ConnectionError) else logging.ERROR
        log.log(level, "%s was not answered", client_address, exc_info=error)


def _spoilt(faults: list[Fault]) -> _Answer | None:
    """Wait as long as the faults want; the answer that they give in the place of a chart."""
    time.sleep(sum(fault.seconds for fault in faults if fault.kind == "slow"))
    for fault in faults:
        match fault.kind:
            case "rate_limited":
                return _too_many(fault.retry_after)
            case "unauthorized":
                return _error(
                    HTTPStatus.UNAUTHORIZED, "Unauthorized", "Invalid Crumb", envelope="finance"
                )
            case "server_error":
                page = b"<html><body>Internal Server Error</body></html>"
                return _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, page, "text/html")
            case "html":
                page = b"<html><body>Will be right back...</body></html>"
                return _Answer(HTTPStatus.OK, page, "text/html")
            case "empty":
                return _Answer(HTTPStatus.OK, _json({"chart": {"result": [], "error": None}}))
            case _:
                pass
    return None


def _too_many(retry_after: str | None = None) -> _Answer:
    text = b"Edge: Too Many Requests"
    return _Answer(HTTPStatus.TOO_MANY_REQUESTS, text, "text/html", retry_after)


def _error(status: HTTPStatus, code: str, description: str, *, envelope: str = "chart") -> _Answer:
    error = {"code": code, "description": description}
    return _Answer(status, _json({envelope: {"result": None, "error": error}}))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _delay(faults: list[Fault]) -> timedelta:
    return timedelta(days=sum(fault.days for fault in faults if fault.kind == "late_split"))


class _Moment:
    """What of a tape is known at a moment, in the form that Yahoo gives it."""

    def __init__(self, tape: _Tape, now: datetime, split_delay: timedelta) -> None:
        self._tape = tape
        self._now = now.astimezone(NEW_YORK)
        self._seconds = int(now.timestamp())
        today = self._now.date()
        # sessions that have opened, and sessions up to today: an ex-date begins at midnight
        self._opened = int(np.searchsorted(tape.opens, self._seconds, side="right"))
        self._dated = bisect_right(tape.sessions, today)
        self._splits = [
            (at, ratio) for at, ratio in tape.splits if tape.sessions[at] + split_delay <= today
        ]
        self._dividends = [(at, cash) for at, cash in tape.dividends if at < self._dated]
        self._market_time = int(min(self._seconds, tape.closes[self._opened - 1]))

    def window(self, query: dict[str, str]) -> tuple[int, int]:
        """The window [start, end) asked for, in seconds since 1970: one day, if none is given."""
        if "period1" in query:
            return int(query["period1"]), int(query["period2"])
        return int(self._tape.opens[self._opened - 1]), self._seconds + 1

    def result(
        self, ticker: str, start: int, end: int, faults: list[Fault], number: int
    ) -> dict[str, Any]:
        """The chart of a window; `number` is the request's, which the wobble follows."""
        tape = self._tape
        first, last = np.searchsorted(tape.opens, [start, end])
        rows = slice(int(first), min(int(last), self._opened))
        sessions = tape.sessions[rows]
        values = {name: tape.values[name][rows].copy() for name in _VALUES}
        timestamps = tape.opens[rows].copy()
        if sessions and sessions[-1] == self._now.date():
            # until the day is over, its bar is dated by its last trade
            timestamps[-1] = self._market_time
            if (elapsed := self._elapsed()) < 1:
                _trade(values, elapsed)
        falsified = _falsify(sessions, values, faults)
        factor = self._factor(rows)
        adjusted = {name: values[name] / factor for name in _PRICES}
        if any(fault.kind == "wobble" for fault in faults):
            signs = 1 - 2 * ((np.arange(len(sessions)) + number) % 2)
            adjusted = {name: value * (1 + _WOBBLE * signs) for name, value in adjusted.items()}
        total = adjusted["close"] * tape.kept[self._dated - 1] / tape.kept[rows]
        quote = {name: _numbers(value[falsified]) for name, value in adjusted.items()}
        volume = _numbers(np.rint(values["volume"] * factor)[falsified])
        return {
            "meta": self._meta(ticker),
            "timestamp": timestamps[falsified].tolist(),
            "events": self._events(start, end),
            "indicators": {
                "quote": [{**quote, "volume": volume}],
                "adjclose": [{"adjclose": _numbers(total[falsified])}],
            },
        }

    def _elapsed(self) -> float:
        """How much of the latest session is over, 0 to 1."""
        opens, closes = (each[self._opened - 1] for each in (self._tape.opens, self._tape.closes))
        return float((self._market_time - opens) / (closes - opens))

    def _factor(self, rows: slice) -> Floats:
        """What the splits since divide the prices of the sessions by."""
        factor = np.ones(max(rows.stop - rows.start, 0))
        for at, ratio in self._splits:
            factor[: max(at - rows.start, 0)] *= ratio
        return factor

    def _events(self, start: int, end: int) -> dict[str, Any]:
        opens = self._tape.opens
        dividends: dict[str, Any] = {}
        splits: dict[str, Any] = {}
        for at, cash in self._dividends:
            if start <= opens[at] < end:
                amount = cash / math.prod(ratio for split, ratio in self._splits if split > at)
                dividends[str(opens[at])] = {"amount": amount, "date": int(opens[at])}
        for at, ratio in self._splits:
            if start <= opens[at] < end:
                shares = Fraction(ratio).limit_denominator(1000)
                splits[str(opens[at])] = {
                    "date": int(opens[at]),
                    "numerator": float(shares.numerator),
                    "denominator": float(shares.denominator),
                    "splitRatio": f"{shares.numerator}:{shares.denominator}",
                }
        found = {"dividends": dividends, "splits": splits}
        return {name: events for name, events in found.items() if events}

    def _meta(self, ticker: str) -> dict[str, Any]:
        offset = self._now.utcoffset() or timedelta()
        zone = {"timezone": self._now.tzname(), "gmtoffset": int(offset.total_seconds())}
        return {
            "currency": self._tape.currency,
            "symbol": ticker,
            "exchangeName": "NMS",
            "fullExchangeName": "NasdaqGS",
            "instrumentType": "EQUITY",
            "firstTradeDate": int(self._tape.opens[0]),
            "regularMarketTime": self._market_time,
            "hasPrePostMarketData": True,
            **zone,
            "exchangeTimezoneName": NEW_YORK.key,
            "priceHint": 2,
            "currentTradingPeriod": {
                name: {**zone, "start": self._at(start), "end": self._at(end)}
                for name, (start, end) in _HOURS.items()
            },
            "dataGranularity": "1d",
            "range": "",
            "validRanges": list(_RANGES),
        }

    def _at(self, hour: time_of_day) -> int:
        return int(datetime.combine(self._now.date(), hour, NEW_YORK).timestamp())


def _trade(values: dict[str, Floats], elapsed: float) -> None:
    """Take back the last row to what it was when a part of its session was over."""
    start, high, low, close = (values[name][-1] for name in _PRICES)
    price = start + (close - start) * elapsed
    values["close"][-1] = round(price, 2)
    values["high"][-1] = round(max(start, price, start + (high - start) * elapsed), 2)
    values["low"][-1] = round(min(start, price, start + (low - start) * elapsed), 2)
    values["volume"][-1] *= elapsed


def _falsify(sessions: list[date], values: dict[str, Floats], faults: list[Fault]) -> Ints:
    """Make the values as wrong as the faults want.

    Returns:
        The numbers of the rows to serve, in their order.
    """
    rows = list(range(len(sessions)))
    for fault in faults:
        if fault.kind == "duplicated":
            rows += rows[-1:]
        if fault.session not in sessions:
            continue
        at = sessions.index(fault.session)
        match fault.kind:
            case "null_row":
                for name in _VALUES:
                    values[name][at] = np.nan
            case "null_close":
                values["close"][at] = np.nan
            case "wrong":
                values[fault.field][at] = fault.value
            case "dropped":
                rows = [row for row in rows if row != at]
            case _:
                pass
    return np.array(rows, dtype=np.int64)


def _numbers(values: Floats) -> list[float | None]:
    """Values as JSON has them: null for what is not known."""
    return [None if math.isnan(value) else value for value in values.tolist()]
