"""A market in memory, for lakes of many tickers."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from tickerlake.lake import Lake
from tickerlake.market import calendars
from tickerlake.market.bars import RAW
from tickerlake.sources import Fetched
from tickerlake.stages import extract

TICKERS = [*(f"T{number:03}" for number in range(298)), "^GSPC", "BRK-B"]
SCHEDULE = calendars.of("T000").schedule["session"]
DAYS = SCHEDULE.filter(SCHEDULE.is_between(date(2012, 11, 1), date(2013, 2, 28)))
SPLIT = date(2013, 2, 14)


class Market:
    """A source in memory. Histories differ in length; every third ticker splits 2:1 in February."""

    name = "market"

    def __init__(self, today: date) -> None:
        self.today = today

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        number = TICKERS.index(symbol)
        random = np.random.default_rng(number)
        days = DAYS.tail(len(DAYS) - number % 50)
        close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, len(days))))
        splits = number % 3 == 0
        if splits and self.today < SPLIT:
            close = close * 2
        rows = {
            "session": days,
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": random.integers(10**5, 10**7, len(days)),
            "dividend": np.zeros(len(days)),
            "capital_gain": np.zeros(len(days)),
            "split": np.where((days == SPLIT) & splits, 2.0, 1.0),
            "currency": ["USD"] * len(days),
            "dividend_currency": [None] * len(days),
            "source": ["market"] * len(days),
        }
        held = pl.DataFrame(rows, schema=RAW)
        return Fetched(held.filter(pl.col("session").is_between(start, min(end, self.today))))


def evening(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)


def deliver(lake: Lake, day: date, tickers: Sequence[str] = TICKERS) -> None:
    market = Market(day)
    extract.extract(lake, market, tickers, as_of=evening(day), start=DAYS[0], workers=2)
