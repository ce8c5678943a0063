"""The chart that Yahoo would have served of a tape at a moment.

Every ticker trades from 09:30 to 16:00 New York time, on the days that the recording has.
"""

import math
from bisect import bisect_right
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np

from tickerlake.sources.replay.faults import Fault, falsify, has, split_delay, wobble
from tickerlake.sources.replay.recording import NAMES
from tickerlake.sources.replay.tape import CLOSES, NEW_YORK, OPENS, PRICES, VALUES, Floats, Tape

_HOURS: Final = {
    "pre": (time(4, 0), OPENS),
    "regular": (OPENS, CLOSES),
    "post": (CLOSES, time(20, 0)),
}
_RANGES: Final = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")


class Snapshot:
    """What is known of a tape at a moment, in the form in which Yahoo gives it."""

    def __init__(self, ticker: str, tape: Tape, now: datetime, faults: list[Fault]) -> None:
        """Look at a tape.

        Args:
            ticker: its symbol.
            tape: the recorded bars; the first session has opened.
            now: the moment; aware.
            faults: the ones in force.
        """
        self._ticker = ticker
        self._tape = tape
        self._now = now.astimezone(NEW_YORK)
        self._seconds = int(now.timestamp())
        self._faults = faults
        today = self._now.date()
        # sessions that have opened, and sessions up to today: an ex-date begins at midnight
        self._opened = int(np.searchsorted(tape.opens, self._seconds, side="right"))
        self._dated = bisect_right(tape.sessions, today)
        delay = split_delay(faults)
        self._splits = [
            (number, ratio)
            for number, ratio in tape.splits
            if tape.sessions[number] + delay <= today
        ]
        self._market_time = int(min(self._seconds, tape.closes[self._opened - 1]))

    def window(self, query: dict[str, str]) -> tuple[int, int]:
        """Return the window [start, end) of a query, in seconds since 1970; one day by default."""
        if "period1" in query:
            return int(query["period1"]), int(query["period2"])
        return int(self._tape.opens[self._opened - 1]), self._seconds + 1

    def chart(self, start: int, end: int, request: int) -> dict[str, Any]:
        """Return the chart of a window.

        Args:
            start: in seconds since 1970.
            end: exclusive.
            request: the number of the request, which decides the sign of a wobble.
        """
        tape = self._tape
        first, last = (int(number) for number in np.searchsorted(tape.opens, [start, end]))
        rows = slice(first, min(last, self._opened))
        sessions = tape.sessions[rows]
        values = {name: tape.values[name][rows].copy() for name in VALUES}
        timestamps = tape.opens[rows].copy()
        if sessions and sessions[-1] == self._now.date():
            # until the day is over, its bar is dated by its last trade
            timestamps[-1] = self._market_time
            if (elapsed := self._elapsed()) < 1:
                _take_back(values, elapsed)
        served = falsify(sessions, values, self._faults)
        factor = self._factor(rows)
        prices = {name: values[name] / factor for name in PRICES}
        if has(self._faults, "wobble"):
            off = wobble(len(sessions), request)
            prices = {name: price * off for name, price in prices.items()}
        total = prices["close"] * tape.kept[self._dated - 1] / tape.kept[rows]
        quote = {name: _numbers(price[served]) for name, price in prices.items()}
        volume = _numbers(np.rint(values["volume"] * factor)[served])
        return {
            "meta": self._meta(first),
            "timestamp": timestamps[served].tolist(),
            "events": self._events(start, end),
            "indicators": {
                "quote": [{**quote, "volume": volume}],
                "adjclose": [{"adjclose": _numbers(total[served])}],
            },
        }

    def _elapsed(self) -> float:
        """Return how much of the latest session is over, 0 to 1."""
        opens, closes = (each[self._opened - 1] for each in (self._tape.opens, self._tape.closes))
        return float((self._market_time - opens) / (closes - opens))

    def _factor(self, rows: slice) -> Floats:
        """Return what the splits since divide the prices of the rows by."""
        factor = np.ones(max(rows.stop - rows.start, 0))
        for number, ratio in self._splits:
            factor[: max(number - rows.start, 0)] *= ratio
        return factor

    def _events(self, start: int, end: int) -> dict[str, Any]:
        opens = self._tape.opens
        splits = {
            str(opens[number]): self._split(number, ratio)
            for number, ratio in self._splits
            if start <= opens[number] < end
        }
        found = {
            "dividends": self._payments(self._tape.dividends, start, end),
            "capitalGains": self._payments(self._tape.gains, start, end),
            "splits": splits,
        }
        return {name: events for name, events in found.items() if events}

    def _payments(self, cash: list[tuple[int, float]], start: int, end: int) -> dict[str, Any]:
        opens = self._tape.opens
        return {
            str(opens[number]): {
                "amount": amount / math.prod(ratio for day, ratio in self._splits if day > number),
                "date": int(opens[number]),
            }
            for number, amount in cash
            if number < self._dated and start <= opens[number] < end
        }

    def _split(self, number: int, ratio: float) -> dict[str, Any]:
        shares = Fraction(ratio).limit_denominator(1000)
        return {
            "date": int(self._tape.opens[number]),
            "numerator": float(shares.numerator),
            "denominator": float(shares.denominator),
            "splitRatio": f"{shares.numerator}:{shares.denominator}",
        }

    def _meta(self, first: int) -> dict[str, Any]:
        offset = self._now.utcoffset() or timedelta()
        zone = {"timezone": self._now.tzname(), "gmtoffset": int(offset.total_seconds())}
        return {
            "currency": self._tape.currency,
            "symbol": self._ticker,
            "exchangeName": "NMS",
            "fullExchangeName": "NasdaqGS",
            "instrumentType": "MUTUALFUND" if self._tape.gains else "EQUITY",
            "firstTradeDate": int(self._tape.opens[0]),
            "regularMarketTime": self._market_time,
            "hasPrePostMarketData": True,
            **zone,
            "exchangeTimezoneName": NEW_YORK.key,
            "longName": NAMES.get(self._ticker, f"{self._ticker} as recorded"),
            "chartPreviousClose": self._previous_close(first),
            "priceHint": 2,
            "currentTradingPeriod": {
                name: {**zone, "start": self._at(start), "end": self._at(end)}
                for name, (start, end) in _HOURS.items()
            },
            "dataGranularity": "1d",
            "range": "",
            "validRanges": list(_RANGES),
        }

    def _previous_close(self, first: int) -> float:
        """Return the close before a row; before the first row, as Yahoo does, that of the first."""
        number = min(max(first - 1, 0), self._opened - 1)
        return float(
            self._tape.values["close"][number] / self._factor(slice(number, number + 1))[0]
        )

    def _at(self, hour: time) -> int:
        return int(datetime.combine(self._now.date(), hour, NEW_YORK).timestamp())


def _take_back(values: dict[str, Floats], elapsed: float) -> None:
    """Set the last row back to what it was after a part of its session."""
    start, high, low, close = (values[name][-1] for name in PRICES)
    price = start + (close - start) * elapsed
    values["close"][-1] = round(price, 2)
    values["high"][-1] = round(max(start, price, start + (high - start) * elapsed), 2)
    values["low"][-1] = round(min(start, price, start + (low - start) * elapsed), 2)
    values["volume"][-1] *= elapsed


def _numbers(values: Floats) -> list[float | None]:
    """Return values as JSON has them: null for what is not known."""
    return [None if math.isnan(value) else value for value in values.tolist()]
