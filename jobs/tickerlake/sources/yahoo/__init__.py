"""Daily bars from Yahoo, by way of yfinance.

yfinance parses; what it does not do well is done here, in the HTTP session that it is given. The
session keeps to a budget of requests that all threads share, tries again what failed in passing,
and raises when an answer is no chart: yfinance would take an outage for a delisting, and remember
the broken answer.
"""

import atexit
import importlib
import json
import logging
import math
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from http.cookiejar import Cookie, CookieJar
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import polars as pl

from tickerlake.errors import (
    RateLimitedError,
    SourceError,
    SourceFailedError,
    UnknownSymbolError,
)
from tickerlake.market.bars import PRICES, rounded
from tickerlake.sources import Fetched

if TYPE_CHECKING:
    from curl_cffi.requests import Response, Session
    from pandas import DataFrame as PandasFrame

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 120.0
"""Seconds. When Yahoo wants a longer pause, the ticker fails, and is for another run."""

_PAUSE_TO_BACKOFF: Final = 5
"""A 429 is meant for everybody: so many times longer than the wait after another failure."""

_LONGEST_BACKOFF: Final = 60.0
_CHART: Final = "/v8/finance/chart/"
_CRUMB: Final = "/v1/test/getcrumb"
_META: Final = ("currency", "exchangeTimezoneName", "instrumentType")
_COOKIES: Final = CookieJar()
"""One for all sessions of the process: yfinance keeps the crumb, which belongs to the cookie."""


class Pacer:
    """A budget of requests that threads share: one every 1/rate seconds, the first at once.

    Nothing is saved up in a quiet time.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with a full budget.

        Args:
            rate: requests a second, over all threads.
            clock: seconds, from anywhere.
            sleep: waits for a number of seconds.
        """
        self._interval = 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._resume = self._next

    def wait(self) -> None:
        """Wait for this thread's turn."""
        slot = self._take()
        while True:
            self._sleep(max(slot - self._clock(), 0.0))
            if slot >= self._resume:
                return
            # a pause began while this thread waited: queue up again behind it
            slot = self._take()

    def pause(self, seconds: float) -> None:
        """Let no thread start a request for so long."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)

    def _take(self) -> float:
        with self._lock:
            slot = max(self._next, self._resume, self._clock())
            self._next = slot + self._interval
            return slot


class _AgainError(Exception):
    """A failure that may pass; `error` is what it is if it does not."""

    def __init__(self, error: SourceError) -> None:
        super().__init__(str(error))
        self.error = error


class _NoBarsError(Exception):
    """The chart has no bars; raised past yfinance, to which that is a missing symbol."""


class _Client:
    """What the session does with a request of yfinance."""

    def __init__(
        self, url: str | None, pacer: Pacer, workers: int, retries: int, backoff: float
    ) -> None:
        self._url = url
        self._pacer = pacer
        self._in_flight = threading.BoundedSemaphore(workers)
        self._retries = retries
        self._backoff = backoff
        self._thread = threading.local()

    def take_chart(self) -> dict[str, Any]:
        """The chart that this thread got; once, lest an old one is taken for a new one."""
        chart: dict[str, Any] = self._thread.chart
        del self._thread.chart
        return chart

    def send(self, request: "Callable[[str], Response]", url: str) -> "Response":
        """Send a request for a URL of Yahoo, and judge the answer.

        Args:
            request: sends a request for a URL, once.
            url: as yfinance has it.
        """
        from tenacity import (
            Retrying,
            before_sleep_log,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        asked = urlsplit(url)
        path = unquote(asked.path)
        if self._url:
            url = self._url.rstrip("/") + (asked._replace(scheme="", netloc="").geturl() or "/")
        if path.endswith(_CRUMB):
            return self._crumb(request, url)
        if not path.startswith(_CHART):
            return self._once(request, url)
        symbol = path.removeprefix(_CHART)
        attempts = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=stop_after_attempt(self._retries + 1),
            wait=wait_random_exponential(multiplier=self._backoff, max=_LONGEST_BACKOFF),
            before_sleep=before_sleep_log(log, logging.INFO),
            reraise=True,
        )
        try:
            for attempt in attempts:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    return self._chart(request, url, symbol, number)
        except _AgainError as failure:
            raise failure.error from failure
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, request: "Callable[[str], Response]", url: str) -> "Response":
        self._pacer.wait()
        with self._in_flight:
            return request(url)

    def _crumb(self, request: "Callable[[str], Response]", url: str) -> "Response":
        response = self._once(request, url)
        if response.status_code >= HTTPStatus.BAD_REQUEST or "<html" in response.text:
            # yfinance would send the text of this answer as the crumb ever after; after this
            # error it goes on without one, which charts do not need
            raise ConnectionError(f"no crumb: HTTP {response.status_code}")
        return response

    def _chart(
        self, request: "Callable[[str], Response]", url: str, symbol: str, number: int
    ) -> "Response":
        from curl_cffi.requests.exceptions import RequestException

        try:
            response = self._once(request, url)
        except RequestException as error:
            raise _AgainError(SourceFailedError(f"{symbol}: {error}")) from error
        status = response.status_code
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return response  # yfinance renews the crumb, and asks again
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._pause(response.headers.get("Retry-After"), number)
        self._thread.chart = chart = read_chart(symbol, status, response.content)
        if not chart.get("timestamp"):
            raise _NoBarsError(symbol)
        response.json = lambda **_: {"chart": {"result": [_prices(chart)], "error": None}}  # type: ignore[method-assign]
        return response

    def _pause(self, wanted: str | None, number: int) -> None:
        seconds = retry_after(wanted, datetime.now(UTC))
        if seconds is None:
            seconds = self._backoff * _PAUSE_TO_BACKOFF * 2 ** (number - 1)
        if seconds > LONGEST_PAUSE:
            raise RateLimitedError(f"Yahoo wants no requests for {seconds:.0f} s")
        log.warning("Yahoo wants fewer requests; all wait for %.1f s", seconds)
        self._pacer.pause(seconds)
        raise _AgainError(RateLimitedError("Yahoo wants fewer requests, also after a pause"))


class Yahoo:
    """Yahoo, or a replay of it. A context manager; one at a time in a process, for any threads.

    One at a time, because yfinance has one session a process.
    """

    name = "yahoo"

    def __init__(
        self,
        *,
        url: str | None = None,
        requests_per_second: float,
        workers: int,
        retries: int = 4,
        timeout: float = 30.0,
        backoff: float = 1.0,
    ) -> None:
        """Load yfinance, and open a session. Nothing is requested yet.

        Args:
            url: where a replay of Yahoo listens; None is Yahoo itself.
            requests_per_second: the budget that all threads share.
            workers: the requests in flight at the same time, at most.
            retries: how often a failed request is repeated.
            timeout: seconds to wait for an answer.
            backoff: seconds to wait before the first repetition, at most; doubled for each other.
        """
        self._yfinance = _yfinance()
        # pandas warns of what yfinance does at every turn
        warnings.filterwarnings("ignore", module=r"yfinance\b")
        self._timeout = timeout
        self._client = _Client(url, Pacer(requests_per_second), workers, retries, backoff)
        self._session = _session(self._client, redirected=url is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        """Fetch bars, with one request.

        Args:
            symbol: as Yahoo spells it, in capitals.
            start: the first session.
            end: the last session.
            timezone: of the exchange, for example `America/New_York`.

        Returns:
            What Yahoo has of the sessions in [start, end], sorted by session, on the split basis
            of now, rounded (`schema.RAW`); no rows, if it has nothing. Also the bar of a session
            that is not over. What Yahoo does not know is null: prices, and the ratio of a split
            that is of no shares. A split or a dividend of a session without a bar has a row of its
            own, without prices. Volume that Yahoo does not know is 0.

        Raises:
            UnknownSymbolError: Yahoo does not know the symbol.
            RateLimitedError: Yahoo still wanted fewer requests after all pauses.
            SourceFailedError: no chart came, however often it was asked for.
        """
        try:
            bars = self._history(symbol, start, end, timezone)
            raw = to_raw(bars, self._client.take_chart())
        except SourceError:
            raise
        except Exception as error:  # an odd chart makes yfinance stumble in any way
            raise SourceFailedError(f"{symbol}: can't read Yahoo's answer: {error!r}") from error
        return Fetched(raw.filter(pl.col("session").is_between(start, end)))

    def _history(self, symbol: str, start: date, end: date, timezone: str) -> pl.DataFrame:
        _seed_timezone(symbol, timezone)
        ticker = self._yfinance.Ticker(symbol, session=self._session)
        try:
            history = ticker.history(
                start=start,
                end=end + timedelta(days=1),
                interval="1d",
                auto_adjust=False,
                actions=True,
                repair=False,
                keepna=True,
                timeout=self._timeout,
            )
        except _NoBarsError:
            return pl.DataFrame(schema=_HISTORY)
        return _bars(history)


_HISTORY: Final[dict[str, pl.DataType]] = {
    "session": pl.Date(),
    **dict.fromkeys(PRICES, pl.Float64()),
    "volume": pl.Int64(),
}


def _bars(history: "PandasFrame") -> pl.DataFrame:
    """The bars (`_HISTORY`) of a frame of yfinance, whose index is the exchange's midnights."""
    return pl.DataFrame(
        {
            "session": history.index.tz_localize(None).to_numpy("datetime64[D]"),  # type: ignore[attr-defined]
            **{name: history[name.capitalize()].to_numpy() for name in (*PRICES, "volume")},
        },
        nan_to_null=True,
    ).cast(_HISTORY)  # type: ignore[arg-type]


def to_raw(bars: pl.DataFrame, chart: dict[str, Any]) -> pl.DataFrame:
    """Join bars and what else a chart says.

    yfinance's own columns of events are not used: it moves the event of a session that Yahoo has no
    bar of to the session before.

    Args:
        bars: session, prices and volume.
        chart: what Yahoo said, the element of `chart.result`.

    Returns:
        Rows of `schema.RAW`, sorted by session.
    """
    joined = bars.join(events(chart), on="session", how="full", coalesce=True)
    return rounded(
        joined.select(
            *_HISTORY,
            pl.col("dividend").fill_null(0.0),
            capital_gain=pl.lit(0.0),
            split=pl.col("split").fill_null(1.0).fill_nan(None),
            currency=pl.lit(chart.get("meta", {}).get("currency"), pl.String),
            dividend_currency=pl.lit(None, pl.String),
            source=pl.lit(Yahoo.name),
        )
    ).sort("session", maintain_order=True)


def events(chart: dict[str, Any]) -> pl.DataFrame:
    """The dividends and splits of a chart.

    Returns:
        session, dividend (cash a share; their sum, if there are more of a session), split (ratio;
        NaN, if it is of no shares); one row a session, no order.
    """
    found = chart.get("events") or {}
    rows = [
        (event["date"], float(event["amount"]), 1.0)
        for event in (found.get("dividends") or {}).values()
    ] + [
        (event["date"], 0.0, _ratio(event["numerator"], event["denominator"]))
        for event in (found.get("splits") or {}).values()
    ]
    zone = ZoneInfo(chart["meta"]["exchangeTimezoneName"]) if rows else UTC
    dated = [(datetime.fromtimestamp(at, zone).date(), *values) for at, *values in rows]
    schema = {"session": pl.Date, "dividend": pl.Float64, "split": pl.Float64}
    return (
        pl.DataFrame(dated, schema, orient="row")
        .group_by("session")
        .agg(pl.col("dividend").sum(), pl.col("split").product())
    )


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if numerator and denominator else math.nan


def read_chart(symbol: str, status: int, body: bytes) -> dict[str, Any]:
    """Read the answer to a chart request.

    Args:
        symbol: for messages.
        status: of HTTP.
        body: the answer.

    Returns:
        The element of `chart.result`; empty if there is none, since there were no sessions.

    Raises:
        UnknownSymbolError: Yahoo does not know the symbol.
        SourceFailedError: Yahoo refuses the request.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _AgainError(SourceFailedError(f"{symbol}: Yahoo answers HTTP {status}"))
    try:
        chart = json.loads(body)["chart"]
        error, results = chart["error"], chart["result"]
        if not error:
            return dict(results[0] or {}) if results else {}
        description = str(error["description"])
    except (ValueError, LookupError, TypeError) as malformed:
        text = f"{symbol}: Yahoo answers nonsense (HTTP {status}): {body[:80]!r}"
        raise _AgainError(SourceFailedError(text)) from malformed
    if "Data doesn't exist" in description:
        return {}
    if status == HTTPStatus.NOT_FOUND or "No data found" in description:
        raise UnknownSymbolError(f"Yahoo does not know {symbol}: {description}")
    failure = SourceFailedError(f"{symbol}: Yahoo says: {description}")
    if status >= HTTPStatus.BAD_REQUEST:
        raise failure
    raise _AgainError(failure)


def _prices(chart: dict[str, Any]) -> dict[str, Any]:
    """What yfinance is given of a chart: its work on the rest takes long, and is not used."""
    meta = {name: value for name, value in chart["meta"].items() if name in _META}
    return {**chart, "meta": meta, "events": {}}


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that a header Retry-After asks for; None if it is absent or unreadable."""
    if header is None:
        return None
    try:
        return float(header)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(header) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date; a date without a zone
        return None


def _session(client: _Client, *, redirected: bool) -> "Session[Response]":
    from curl_cffi.requests import Session

    class JudgingSession(Session):  # type: ignore[type-arg]
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> "Response":
            once = super().request
            return client.send(lambda target: once(method, target, *args, **kwargs), url)

    if redirected:
        # libcurl takes no cookie for yahoo.com from elsewhere, and without this one yfinance would
        # ask for it before every chart
        _COOKIES.set_cookie(_cookie())
    # a replay is near: never behind the proxy that the environment may name
    return JudgingSession(impersonate="chrome", cookies=_COOKIES, trust_env=not redirected)


def _cookie() -> Cookie:
    return Cookie(
        version=0,
        name="A3",
        value="replay",
        port=None,
        port_specified=False,
        domain=".yahoo.com",
        domain_specified=True,
        domain_initial_dot=True,
        path="/",
        path_specified=True,
        secure=True,
        expires=int(time.time()) + 86_400,
        discard=False,
        comment=None,
        comment_url=None,
        rest={},
    )


@cache
def _yfinance() -> ModuleType:
    """Import yfinance, which takes seconds, and set it up for this process."""
    yfinance = importlib.import_module("yfinance")
    yfinance.config.debug.hide_exceptions = False
    # its memory of answers: a window that was fetched before would never be seen corrected
    yfinance.data.YfData.cache_get = yfinance.data.YfData.get
    # its cache of zones and cookies; where it can't write one, it asks for a cookie every time
    folder = tempfile.mkdtemp(prefix="tickerlake-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yfinance.set_tz_cache_location(folder)
    return yfinance


_seeding: Final = threading.Lock()


def _seed_timezone(symbol: str, timezone: str) -> None:
    """Tell yfinance a symbol's zone, for which it would otherwise send a request of its own."""
    with _seeding:  # its database does not bear many threads at first
        zones = _yfinance().cache.get_tz_cache()
        if zones.lookup(symbol) != timezone:
            zones.store(symbol, timezone)
