"""What happens to a request: it waits for its turn, may be sent to a replay, and is retried.

yfinance would mistake an outage for a delisting, and would retry what is refused. So the session
raises when an answer is not a chart.
"""

import logging
import math
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from curl_cffi.requests.exceptions import RequestException
from tenacity import RetryCallState, Retrying, before_sleep_log, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from tickerlake.errors import RateLimitedError, SourceFailedError, SourceUnreachableError
from tickerlake.sources.yahoo.answers import ChartAnswer, TransientError, read_chart
from tickerlake.sources.yahoo.session import BodyTooLongError, explain_unreachable

if TYPE_CHECKING:
    from curl_cffi.requests import Response

    from tickerlake.sources.yahoo.pacer import Pacer
    from tickerlake.sources.yahoo.session import Send

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 120.0
"""Seconds. When Yahoo wants a longer pause, the ticker fails, and another run has to fetch it."""

_PAUSE_TO_BACKOFF: Final = 5
"""A 429 concerns all requests: its pause is this many times longer than that after a failure."""

_LONGEST_BACKOFF: Final = 60.0
_UNREACHABLE_RETRIES: Final = 1
_UNREACHABLE_BACKOFF: Final = 0.2
_NO_COOKIE_FOR: Final = 30.0
"""Seconds for which yfinance may not ask for cookies after a host could not be reached."""

_CHART: Final = "/v8/finance/chart/"
_CRUMB: Final = "/v1/test/getcrumb"
SEARCH: Final = "/v1/finance/search"


class Client:
    """Judges the requests of yfinance (`session.Judge`), from any thread."""

    def __init__(
        self, url: str | None, pacer: "Pacer", workers: int, retries: int, backoff: float
    ) -> None:
        """Take the settings.

        Args:
            url: where a replay listens; None is Yahoo itself.
            pacer: the budget of requests.
            workers: the requests in flight at the same time, at most.
            retries: how often a failed request for a chart is retried.
            backoff: seconds before the first retry, at most; doubled for each further one.
        """
        self._url = url.rstrip("/") if url else None
        self.pacer = pacer
        self._in_flight = threading.BoundedSemaphore(workers)
        self._retries = retries
        self._backoff = backoff
        self._wait = wait_random_exponential(multiplier=backoff, max=_LONGEST_BACKOFF)
        self._no_cookie_until = -math.inf

    def judge(self, send: "Send", url: str) -> "Response | ChartAnswer":
        """See `session.Judge`.

        Raises:
            SourceError: no chart came.
            OSError: no cookie or crumb came; yfinance continues without one.
        """
        asked = urlsplit(url)
        target = url
        if self._url:
            target = self._url + (asked._replace(scheme="", netloc="").geturl() or "/")
        path = unquote(asked.path)
        if path.startswith(_CHART):
            return self._get_chart(send, url, target, path.removeprefix(_CHART))
        if path == SEARCH:
            return self._send(send, target)
        return self._get_cookie(send, target, is_crumb=path.endswith(_CRUMB))

    def _get_cookie(self, send: "Send", url: str, *, is_crumb: bool) -> "Response":
        if time.monotonic() < self._no_cookie_until:
            raise ConnectionError("there was no network a moment ago")
        try:
            response = self._send(send, url)
        except RequestException as error:
            if explain_unreachable(error, url):
                self._no_cookie_until = time.monotonic() + _NO_COOKIE_FOR
            raise
        if is_crumb and (
            response.status_code >= HTTPStatus.BAD_REQUEST or "<html" in response.text
        ):
            # yfinance would use the text of this answer as the crumb from now on; after this
            # error it continues without a crumb, which charts do not need
            raise ConnectionError(f"no crumb: HTTP {response.status_code}")
        return response

    def _get_chart(
        self, send: "Send", url: str, target: str, symbol: str
    ) -> "Response | ChartAnswer":
        attempts = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=self._is_enough,
            wait=self._choose_pause,
            before_sleep=before_sleep_log(log, logging.INFO),
            reraise=True,
        )
        try:
            for attempt in attempts:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    response = self._try_chart(send, target, symbol, number)
                    if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                        return response  # yfinance gets a new crumb, and asks again
                    chart = read_chart(symbol, response.status_code, response.content)
                    return ChartAnswer(url, chart)
        except TransientError as failure:
            raise failure.error from failure
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _is_enough(self, state: RetryCallState) -> bool:
        most = _UNREACHABLE_RETRIES if _is_unreachable(state) else self._retries
        return state.attempt_number > min(most, self._retries)

    def _choose_pause(self, state: RetryCallState) -> float:
        pause = self._wait(state)
        return min(pause, _UNREACHABLE_BACKOFF) if _is_unreachable(state) else pause

    def _try_chart(self, send: "Send", url: str, symbol: str, number: int) -> "Response":
        try:
            response = self._send(send, url)
        except BodyTooLongError as error:
            raise SourceFailedError(f"{symbol}: Yahoo's answer is {error}") from error
        except RequestException as error:
            cause = explain_unreachable(error, url) or SourceFailedError(f"{symbol}: {error}")
            raise TransientError(cause) from error
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self._pause(response.headers.get("Retry-After"), number)
        return response

    def _send(self, send: "Send", url: str) -> "Response":
        self.pacer.wait()
        with self._in_flight:
            return send(url)

    def _pause(self, wanted: str | None, number: int) -> None:
        seconds = retry_after(wanted, datetime.now(UTC))
        if seconds is None:
            seconds = self._backoff * _PAUSE_TO_BACKOFF * 2 ** (number - 1)
        if seconds > LONGEST_PAUSE:
            raise RateLimitedError(f"Yahoo wants no requests for {seconds:.0f} s")
        log.warning("Yahoo wants fewer requests; all wait for %.1f s", seconds)
        self.pacer.pause(seconds)
        raise TransientError(RateLimitedError("Yahoo wants fewer requests, even after a pause"))


def _is_unreachable(state: RetryCallState) -> bool:
    failure = state.outcome.exception() if state.outcome else None
    return isinstance(failure, TransientError) and isinstance(failure.error, SourceUnreachableError)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for; None if absent or unreadable."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header, now)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(moment: str, now: datetime) -> float | None:
    try:
        return max((parsedate_to_datetime(moment) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date; a date without a zone
        return None
