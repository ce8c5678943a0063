"""The HTTP session for yfinance: it sends one request, and reads an answer of bounded length.

What to do with the answer, and whether to ask again, is the client's business (`client`).
"""

from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from curl_cffi.const import CurlECode, CurlOpt
from curl_cffi.requests import Session

from tickerlake.errors import SourceUnreachableError
from tickerlake.sources.yahoo.patches import make_cookie

if TYPE_CHECKING:
    from curl_cffi.requests import Response
    from curl_cffi.requests.exceptions import RequestException

    from tickerlake.sources.yahoo.answers import ChartAnswer

LONGEST_BODY: Final = 16 * 2**20
"""Bytes of a decoded body. A century of daily bars is 4 MB; a compressed answer can unpack to any
size."""

LONGEST_CONNECT: Final = 3.0
"""Seconds for name lookup and connection; without a network, some systems would wait minutes."""

_COOKIES: Final = CookieJar()
"""One for all sessions of the process: yfinance keeps the crumb, which belongs to the cookie."""


class BodyTooLongError(OSError):
    """An answer is longer than `LONGEST_BODY`."""


class Send(Protocol):
    """Sends a request, once."""

    def __call__(self, url: str) -> "Response":
        """Send it to a URL, which may not be the one that yfinance wanted."""


class Judge(Protocol):
    """Decides what yfinance gets for a request."""

    def __call__(self, send: Send, url: str) -> "Response | ChartAnswer":
        """Send a request, as often as it takes, and judge the answer.

        Args:
            send: sends the request, once.
            url: the URL that yfinance wants.
        """


class JudgedSession(Session):  # type: ignore[type-arg]
    """A session that asks a judge about every request of yfinance."""

    def __init__(self, judge: Judge, *, redirected: bool) -> None:
        """Open a session; nothing is sent yet.

        Args:
            judge: see `Judge`.
            redirected: requests go to a replay of Yahoo.
        """
        if redirected:
            _COOKIES.set_cookie(make_cookie())
        # a replay is nearby: it is never behind a proxy that the environment may name
        direct = {CurlOpt.NOPROXY: "*"} if redirected else {}
        super().__init__(impersonate="chrome", cookies=_COOKIES, curl_options=direct)
        self._judge = judge

    def request(self, method: Any, url: str, **options: Any) -> Any:  # type: ignore[override]
        """Send a request through the judge; the other arguments are those of `Session`."""
        total = float(options.pop("timeout", None) or LONGEST_CONNECT)
        connect = min(LONGEST_CONNECT, total)

        def send(url: str) -> "Response":
            body = bytearray()

            def receive(chunk: bytes) -> int:
                if len(body) + len(chunk) > LONGEST_BODY:
                    raise BodyTooLongError(f"longer than {LONGEST_BODY // 2**20} MiB")
                body.extend(chunk)
                return len(chunk)

            response: Response = super(JudgedSession, self).request(
                method,
                url,
                content_callback=receive,
                timeout=(connect, total - connect),
                **options,
            )
            response.content = bytes(body)
            return response

        return self._judge(send, url)


def explain_unreachable(error: "RequestException", url: str) -> SourceUnreachableError | None:
    """Return what is wrong when a request did not get as far as its host; None if it did."""
    host = urlsplit(url).netloc
    text = str(error)
    if error.code == CurlECode.COULDNT_RESOLVE_HOST or "Resolving timed out" in text:
        reason = f"no address for {urlsplit(url).hostname}"
    elif error.code in (CurlECode.COULDNT_RESOLVE_PROXY, CurlECode.PROXY):
        reason = "the proxy that the environment names does not answer"
    elif error.code == CurlECode.COULDNT_CONNECT:
        reason = f"no connection to {host}"
    elif error.code == CurlECode.OPERATION_TIMEDOUT and "Connection timed out" in text:
        reason = f"{host} does not answer"
    else:
        return None
    return SourceUnreachableError(f"Yahoo can't be reached: {reason}")
