"""The declared columns of every table, and the rounding that decides when two values are the same.

Prices are in the quote currency per share, on the split basis that the table's notes state. Volume
is in shares. `session` is the trading session's date at the exchange. No file holds the partition
columns (`date`, `ticker`): they are in the path.
"""

from typing import Final

import polars as pl

PRICES: Final = ("open", "high", "low", "close")

BAR: Final[dict[str, pl.DataType]] = {
    "session": pl.Date(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Int64(),
    "dividend": pl.Float64(),
    "capital_gain": pl.Float64(),
    "split": pl.Float64(),
    "currency": pl.String(),
    "dividend_currency": pl.String(),
}
"""A bar: what the market did in a session. `dividend` is cash per share, and `capital_gain` what a
fund distributed besides, 0 if none; `split` is the new shares for each old one, on its ex-date, 1
if none. `dividend_currency` is null unless the dividend was paid in another currency
than the price's."""

RAW: Final[dict[str, pl.DataType]] = {**BAR, "source": pl.String()}
"""What a source said about a bar, split-adjusted as of the fetch."""

QUARANTINE: Final[dict[str, pl.DataType]] = {**RAW, "reasons": pl.String()}
"""A row that failed a check, with the failed checks' names, separated by commas."""

HISTORY: Final[dict[str, pl.DataType]] = {
    **RAW,
    "as_of": pl.Datetime("us", "UTC"),
    "basis_factor": pl.Float64(),
    "flags": pl.String(),
}
"""The newest version of a bar, on today's split basis. `basis_factor` is what the fetched prices
were divided by (and the volume multiplied by) to get there: 1 unless a split came after the
fetch. `flags` are names from `market.flags.FLAGS`, separated by commas; empty when all is well."""

EVENT: Final[dict[str, pl.DataType]] = {
    "as_of": pl.Datetime("us", "UTC"),
    "run_id": pl.String(),
    "event": pl.String(),
    "session": pl.Date(),
    "old": pl.Float64(),
    "new": pl.Float64(),
    "detail": pl.String(),
}
"""The fields of an event; see `market.listing.Event`."""

TICKERS: Final[dict[str, pl.DataType]] = {
    "name": pl.String(),
    "exchange": pl.String(),
    "instrument_type": pl.String(),
    "currency": pl.String(),
    "timezone": pl.String(),
    "first_trade_date": pl.Date(),
    "listed_since": pl.Date(),
    "first_session": pl.Date(),
    "last_session": pl.Date(),
    "sessions": pl.Int64(),
    "gaps": pl.List(pl.Date()),
    "retired": pl.Date(),
    "renamed_to": pl.String(),
    "events": pl.List(pl.Struct(EVENT)),
}
"""What is known of a ticker, from the source's answers, its bars, and the commits on its life."""

SIGNIFICANT_DIGITS: Final = 6
"""Yahoo's values wobble in the 7th digit from one call to the next (yfinance #1057, #1038,
#1871)."""


def rounded(frame: pl.DataFrame) -> pl.DataFrame:
    """Round prices and dividends to `SIGNIFICANT_DIGITS`, so a wobble makes no new version."""
    return frame.with_columns(
        pl.col(*PRICES, "dividend", "capital_gain").round_sig_figs(SIGNIFICANT_DIGITS)
    )
