"""Recorded daily bars of five US stocks, 2000-2013, as traded; README.md names their origin."""

from importlib.resources import files
from typing import Final

import polars as pl

SCHEMA: Final[dict[str, pl.DataType]] = {
    "ticker": pl.String(),
    "session": pl.Date(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Int64(),
    "dividend": pl.Float64(),
    "split": pl.Float64(),
    "currency": pl.String(),
}
"""Prices in `currency` per share and volume in shares, both unadjusted: what the tape said that
day. `dividend` is the cash paid per share, on its ex-date, 0 if none; `split` is the new shares for
each old one, on its ex-date, 1 if none."""

NAMES: Final = {
    "AAPL": "Apple Inc.",
    "FB": "Facebook, Inc.",
    "GOOG": "Google Inc.",
    "IBM": "International Business Machines Corporation",
    "MSFT": "Microsoft Corporation",
}
"""What the companies were called in 2013."""

FILE: Final = "bars.parquet"


def load() -> pl.DataFrame:
    """Return the recorded bars (`SCHEMA`), sorted by ticker and session."""
    return pl.read_parquet((files(__name__) / FILE).read_bytes())
