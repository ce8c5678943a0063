"""How bars get through yfinance, which parses prices well but events badly: on two paths.

    read_history                         asks for the bars of a window
      │                        ▲
      │                        │ a frame of bars
    yfinance: PriceHistory ────┤         makes the URL and its parameters; parses prices
      │ get(url, params)       │
      ▼                        │ the cut-down answer: prices and volumes, dated by session
    ChartTap ──────────────────┴──────▶  tap.chart, kept aside: events, currency, trading hours ...
      │ get(url, params)       ▲
      ▼                        │ ChartAnswer: the whole chart
    yfinance: YfData ──────────┤         adds cookie and crumb
      │ request(url)           │
      ▼                        │
    JudgedSession, Client ─────┘         waits for its turn, retries, raises if it is not a chart

What comes out at the top and what was kept aside are joined in `source`.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tickerlake.errors import SourceFailedError
from tickerlake.market.bars import PRICES
from tickerlake.sources.yahoo.answers import ChartAnswer
from tickerlake.sources.yahoo.chart import UNKNOWN_VOLUME, Chart
from tickerlake.sources.yahoo.patches import load_yfinance

if TYPE_CHECKING:
    from pandas import DataFrame as PandasFrame

    from tickerlake.sources.yahoo.session import JudgedSession

HISTORY: Final[dict[str, pl.DataType]] = {
    "session": pl.Date(),
    **dict.fromkeys(PRICES, pl.Float64()),
    "volume": pl.Int64(),
}
"""What comes through yfinance."""

_FIRST_DAY: Final = date(1800, 1, 1)
_LAST_DAY: Final = date(2200, 1, 1)
"""Pandas, which yfinance uses, can't count far beyond these."""

_HOUR: Final = 3600


class NoBarsError(Exception):
    """The chart has no bars; raised through yfinance, which would report a missing symbol."""


class ChartTap:
    """The connection that yfinance is given for one request: it keeps the chart that arrives.

    Attributes:
        symbol: the one that is asked for.
        chart: the chart; set once `get` has returned, or has raised `NoBarsError`.
    """

    chart: Chart

    def __init__(self, symbol: str, timezone: str, session: "JudgedSession") -> None:
        """Take what the request needs.

        Args:
            symbol: the one that is asked for.
            timezone: of the exchange, for a chart that names none.
            session: sends the request.
        """
        self.symbol = symbol
        self._timezone = timezone
        self._connection = load_yfinance().data.YfData(session=session)

    def get(self, url: str, params: dict[str, Any], timeout: float) -> "CutDownAnswer":
        """Ask for a chart, keep it, and return what yfinance needs of it."""
        answer = self._connection.get(url, params, timeout)
        if not isinstance(answer, ChartAnswer):
            raise SourceFailedError(
                f"{self.symbol}: Yahoo refuses the request (HTTP {answer.status_code})"
            )
        self.chart = Chart(self.symbol, answer.chart, self._timezone)
        if not self.chart.columns:
            raise NoBarsError(self.symbol)
        return CutDownAnswer(self.chart.for_yfinance())

    # yfinance calls this method for past windows, and would cache the answer: a correction would
    # never be seen
    cache_get = get


@dataclass(frozen=True)
class CutDownAnswer:
    """What `PriceHistory` uses of an HTTP response."""

    result: dict[str, Any]
    text: str = ""

    def json(self) -> dict[str, Any]:
        """Return the body."""
        return {"chart": {"result": [self.result], "error": None}}


def read_history(
    tap: ChartTap, start: date, end: date, *, session: "JudgedSession", timeout: float
) -> pl.DataFrame:
    """Let yfinance request and parse the bars of a window, with one request.

    The window in seconds covers the days from `start` to `end` in every time zone, so the
    exchange's zone need not be known, and its midnights need not exist. Bars of adjacent days may
    therefore come, too.

    Args:
        tap: keeps the chart.
        start: the first session.
        end: the last session.
        session: sends the request.
        timeout: seconds to wait for an answer.

    Returns:
        Rows of `HISTORY`, sorted by session.
    """
    history = load_yfinance().scrapers.history.PriceHistory(tap, tap.symbol, "UTC", session=session)
    try:
        frame = history.history(
            start=_midnight(max(start, _FIRST_DAY)) - 14 * _HOUR,
            end=_midnight(min(end, _LAST_DAY)) + (24 + 12) * _HOUR,
            interval="1d",
            auto_adjust=False,
            actions=True,
            repair=False,
            keepna=True,
            timeout=timeout,
        )
    except NoBarsError:
        return pl.DataFrame(schema=HISTORY)
    return _to_polars(frame)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _to_polars(history: "PandasFrame") -> pl.DataFrame:
    """Return the bars of a frame from yfinance, whose index is midnights in UTC."""
    bars = pl.DataFrame(
        {
            "session": history.index.tz_localize(None).to_numpy("datetime64[D]"),  # type: ignore[attr-defined]
            **{name: history[name.capitalize()].to_numpy() for name in (*PRICES, "volume")},
        },
        nan_to_null=True,
    )
    volume = pl.col("volume").cast(pl.Int64)
    return bars.with_columns(volume.replace(UNKNOWN_VOLUME, None)).cast(HISTORY)  # type: ignore[arg-type]
