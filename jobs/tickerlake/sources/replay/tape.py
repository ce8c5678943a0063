"""Recorded bars of one ticker as arrays, from which charts are cut."""

from datetime import date, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

NEW_YORK: Final = ZoneInfo("America/New_York")
OPENS: Final = time(9, 30)
CLOSES: Final = time(16, 0)

PRICES: Final = ("open", "high", "low", "close")
VALUES: Final = (*PRICES, "volume")

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Tape:
    """One ticker's bars, one value per session.

    Attributes:
        sessions: ascending.
        opens: the opening bell of each session, in seconds since 1970.
        closes: the closing bell.
        values: prices and volume as traded, by name.
        dividends, gains, splits: the numbers of the sessions that have an event, and its size.
        currency: of prices and cash.
        kept: the share of a holding's value that is left after the cash paid up to each session.
    """

    def __init__(self, bars: pl.DataFrame) -> None:
        """Take bars.

        Args:
            bars: columns of `recording.SCHEMA`, and perhaps `capital_gain`, in any order.
        """
        if "capital_gain" not in bars.columns:
            bars = bars.with_columns(capital_gain=pl.lit(0.0))
        bars = bars.sort("session")
        self.sessions: list[date] = bars["session"].to_list()
        self.opens = _seconds(bars["session"], OPENS)
        self.closes = _seconds(bars["session"], CLOSES)
        self.values = {name: bars[name].cast(pl.Float64).to_numpy() for name in VALUES}
        self.dividends = _events(bars["dividend"], 0.0)
        self.gains = _events(bars["capital_gain"], 0.0)
        self.splits = _events(bars["split"], 1.0)
        self.currency: str | None = bars["currency"][0]
        before = bars["close"].shift(1) / bars["split"]
        paid = bars["dividend"] + bars["capital_gain"]
        self.kept = (1 - paid / before).fill_null(1.0).cum_prod().to_numpy()


def _seconds(sessions: pl.Series, hour: time) -> Ints:
    """Return an hour in New York on each session, in seconds since 1970."""
    return sessions.dt.combine(hour).dt.replace_time_zone(NEW_YORK.key).dt.epoch("s").to_numpy()


def _events(column: pl.Series, neutral: float) -> list[tuple[int, float]]:
    """Return the numbers of the sessions at which a column is not neutral, and its values."""
    return [(number, value) for number, value in enumerate(column) if value != neutral]
