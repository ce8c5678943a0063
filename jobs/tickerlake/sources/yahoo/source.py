"""Yahoo as a source of bars."""

from datetime import date
from typing import Final, Self

import polars as pl

from tickerlake.errors import SourceError, SourceFailedError
from tickerlake.market.bars import RAW, SIGNIFICANT_DIGITS, rounded
from tickerlake.sources import Fetched
from tickerlake.sources.yahoo.chart import Chart
from tickerlake.sources.yahoo.client import SEARCH, Client
from tickerlake.sources.yahoo.events import read_events
from tickerlake.sources.yahoo.pacer import Pacer
from tickerlake.sources.yahoo.patches import load_yfinance
from tickerlake.sources.yahoo.session import JudgedSession
from tickerlake.sources.yahoo.tap import ChartTap, read_history

_SEARCH: Final = f"https://query2.finance.yahoo.com{SEARCH}"


class Yahoo:
    """Yahoo, or a replay of it. A context manager, for use from any thread.

    There can be only one at a time in a process, because yfinance has one session per process.
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
            retries: how often a failed request is retried (once when Yahoo can't be reached).
            timeout: seconds to wait for an answer.
            backoff: seconds before the first retry, at most; doubled for each further one.
        """
        load_yfinance()
        self._timeout = timeout
        self._client = Client(url, Pacer(requests_per_second), workers, retries, backoff)
        self._session = JudgedSession(self._client.judge, redirected=url is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        """Fetch bars, with one request; see `Source.fetch`.

        Args:
            symbol: as Yahoo spells it, in capitals.
            start: the first session.
            end: the last session.
            timezone: of the exchange, for an answer that names none.

        Returns:
            What Yahoo has for the sessions in [start, end]; no rows if it has nothing. What it does
            not know is null: prices, volume, the amount of a dividend, the ratio of a split without
            numbers of shares.

        Raises:
            UnknownSymbolError: Yahoo does not know the symbol.
            RateLimitedError: Yahoo still wanted fewer requests after all pauses.
            SourceUnreachableError: there is no network, or nothing listens.
            SourceFailedError: no chart came, even after retries.
        """
        try:
            tap = ChartTap(symbol, timezone, self._session)
            bars = read_history(tap, start, end, session=self._session, timeout=self._timeout)
            return _to_fetched(to_raw(bars, tap.chart), tap.chart, start, end)
        except SourceError:
            raise
        except Exception as error:  # an odd chart makes yfinance stumble in any way
            text = f"{symbol}: Yahoo's answer does not have the shape of a chart"
            raise SourceFailedError(text) from error

    def search(self, text: str) -> list[str]:
        """Return symbols that Yahoo suggests for a text, best first; none when it can't be asked.

        Args:
            text: a symbol that may be misspelt, or a company's name.
        """
        options = {"q": text, "quotesCount": 6, "newsCount": 0, "enableFuzzyQuery": "true"}
        try:
            answer = self._session.get(_SEARCH, params=options)
            return [str(quote["symbol"]) for quote in answer.json()["quotes"] if "symbol" in quote]
        except Exception:  # noqa: BLE001 - a suggestion is not worth an error
            return []


def to_raw(bars: pl.DataFrame, chart: Chart) -> pl.DataFrame:
    """Join bars with the events and the currency of their chart.

    Args:
        bars: rows of `tap.HISTORY`, sorted by session.
        chart: the chart that they are from.

    Returns:
        Rows of `market.bars.RAW`, sorted by session.
    """
    closes = list(bars.select("session", "close").drop_nulls().iter_rows())
    joined = bars.join(read_events(chart, closes), on="session", how="full", coalesce=True)
    rows = joined.with_columns(
        pl.col("dividend", "capital_gain").fill_null(0.0).fill_nan(None),
        pl.col("split").fill_null(1.0).fill_nan(None),
        currency=pl.lit(chart.currency, pl.String),
        source=pl.lit(Yahoo.name),
    )
    return rounded(rows.select(RAW.keys())).sort("session", maintain_order=True)


def _to_fetched(rows: pl.DataFrame, chart: Chart, start: date, end: date) -> Fetched:
    current_session, open_until = chart.current_period or (None, None)
    return Fetched(
        bars=rows.filter(pl.col("session").is_between(start, end)),
        listing=chart.listing(),
        open_until=open_until,
        current_session=current_session,
        last_trade=chart.last_trade,
        previous_close=_previous_close(rows, chart, start),
    )


def _previous_close(rows: pl.DataFrame, chart: Chart, start: date) -> float | None:
    """Return the last close before a session, from a row before it or from what the chart says.

    The window of the request begins up to a day and a half before `start`. Before a ticker's first
    session there was no close; Yahoo then gives the first one.
    """
    before = rows.filter(pl.col("session") < start)["close"].drop_nulls()
    if not before.is_empty():
        return float(before[-1])
    first = chart.listing().first_trade_date
    if chart.previous_close is None or (first is not None and start <= first):
        return None
    return float(f"{chart.previous_close:.{SIGNIFICANT_DIGITS}g}")
