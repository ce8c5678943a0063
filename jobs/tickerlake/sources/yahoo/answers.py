"""What an answer to a chart request means: a chart, an error, or one that may pass."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from tickerlake.errors import SourceError, SourceFailedError, UnknownSymbolError

GRANULARITY: Final = "1d"


class TransientError(Exception):
    """A failure that may pass.

    Attributes:
        error: what to raise when it does not pass.
    """

    def __init__(self, error: SourceError) -> None:
        super().__init__(str(error))
        self.error = error


def read_chart(symbol: str, status: int, body: bytes) -> dict[str, Any]:
    """Read the answer to a chart request.

    Args:
        symbol: the one that was asked for.
        status: the HTTP status.
        body: the answer's body.

    Returns:
        The element of `chart.result`; empty when there is none, because there were no sessions.

    Raises:
        UnknownSymbolError: Yahoo does not know the symbol.
        SourceFailedError: Yahoo refuses the request, or answers with another chart.
        TransientError: the answer is not a chart; asking again may help.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TransientError(SourceFailedError(f"{symbol}: Yahoo answers HTTP {status}"))
    try:
        chart = json.loads(body)["chart"]
        error, results = chart.get("error"), chart["result"]
        if not error:
            result = dict(results[0] or {}) if results else {}
            _check_asked(symbol, result.get("meta") or {})
            return result
        description = str(error["description"])
    # RecursionError: JSON nested deeper than Python can read
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as malformed:
        text = f"{symbol}: Yahoo answers nonsense (HTTP {status}): {body[:80]!r}"
        raise TransientError(SourceFailedError(text)) from malformed
    if "Data doesn't exist" in description:
        return {}
    raise _refusal(symbol, status, description)


def _refusal(symbol: str, status: int, description: str) -> Exception:
    if status == HTTPStatus.NOT_FOUND or "No data found" in description:
        return UnknownSymbolError(f"Yahoo does not know {symbol}: {description}")
    failure = SourceFailedError(f"{symbol}: Yahoo says: {description}")
    return failure if status >= HTTPStatus.BAD_REQUEST else TransientError(failure)


def _check_asked(symbol: str, meta: Mapping[str, Any]) -> None:
    """Refuse a chart other than the one that was asked for."""
    answered = str(meta.get("symbol") or symbol)
    if answered.upper() != symbol.upper():
        raise SourceFailedError(f"{symbol}: Yahoo answers with the chart of {answered}")
    granularity = str(meta.get("dataGranularity") or GRANULARITY)
    if granularity != GRANULARITY:
        raise SourceFailedError(f"{symbol}: Yahoo answers with {granularity} bars, not daily ones")


@dataclass(frozen=True)
class ChartAnswer:
    """A chart that has arrived, in place of an HTTP response.

    Attributes:
        url: the one that yfinance wanted, at which it looks for a consent page.
        chart: see `read_chart`.
        status_code: yfinance would retry the request after any other.
    """

    url: str
    chart: dict[str, Any]
    status_code: int = HTTPStatus.OK
