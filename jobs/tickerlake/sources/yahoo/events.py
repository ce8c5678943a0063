"""What a chart says about dividends, capital gains and splits, as one row per session.

yfinance's own columns of events are not used: if Yahoo has no bar of an event's session, yfinance
moves the event to the session before; and it drops currencies.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

import polars as pl

from tickerlake.market import currencies
from tickerlake.market.bars import SIGNIFICANT_DIGITS
from tickerlake.market.currencies import Payment
from tickerlake.sources.yahoo.chart import Chart

EVENTS: Final[dict[str, pl.DataType]] = {
    "session": pl.Date(),
    "dividend": pl.Float64(),
    "capital_gain": pl.Float64(),
    "split": pl.Float64(),
    "dividend_currency": pl.String(),
}
"""Columns of `market.bars.RAW`. What Yahoo announces without an amount is NaN."""


class Cash(NamedTuple):
    """Cash per share, by the currency that it was paid in."""

    dividends: dict[str, float]
    capital_gains: dict[str, float]


@dataclass
class _Day:
    dividends: list[Mapping[str, Any]] = field(default_factory=list)
    capital_gains: list[Mapping[str, Any]] = field(default_factory=list)
    split: float = 1.0


def read_events(chart: Chart, closes: Sequence[tuple[date, float]]) -> pl.DataFrame:
    """Read the events of a chart.

    Args:
        chart: the chart.
        closes: the sessions with a close, ascending, and their closes.

    Returns:
        Rows of `EVENTS`, one per session, in no particular order.
    """
    days: defaultdict[date, _Day] = defaultdict(_Day)
    for event in chart.events("dividends"):
        days[chart.date_of(event["date"])].dividends.append(event)
    for event in chart.events("capitalGains"):
        days[chart.date_of(event["date"])].capital_gains.append(event)
    for event in chart.events("splits"):
        days[chart.date_of(event["date"])].split *= _ratio(event)
    rows = []
    for session, day in days.items():
        cash = Cash(
            _add_up(day.dividends, chart.currency), _add_up(day.capital_gains, chart.currency)
        )
        drop = _price_drop(closes, session, chart.previous_close)
        dividend, gain, currency = settle(cash, chart.currency, drop)
        rows.append((session, dividend, gain, day.split, currency))
    return pl.DataFrame(rows, EVENTS, orient="row")


def settle(cash: Cash, currency: str | None, drop: float | None) -> Payment:
    """Decide how the cash of one session is stored.

    Args:
        cash: what Yahoo announces; amounts in units of the price's currency are in the price's.
        currency: of the price; the key of the amounts whose currency Yahoo does not say.
        drop: how far the price fell from the close before; None when there is no such pair.

    >>> settle(Cash({"USD": 1.9}, {"USD": 1.8}), "USD", drop=1.9)
    Payment(dividend=0.1, capital_gain=1.8, dividend_currency=None)
    """
    base = currency or ""
    paid = {
        code: _tell_apart(
            cash.dividends.get(code, 0.0),
            cash.capital_gains.get(code, 0.0),
            drop if code == base else None,
        )
        for code in cash.dividends | cash.capital_gains
    }
    return currencies.settle(paid, base)


def _tell_apart(dividend: float, gain: float, drop: float | None) -> tuple[float, float]:
    """Return a dividend without the capital gain that it may include, and the gain."""
    if is_counted_twice(dividend, gain, drop):
        return float(f"{dividend - gain:.{SIGNIFICANT_DIGITS}g}"), gain
    return dividend, gain


def is_counted_twice(dividend: float, gain: float, drop: float | None) -> bool:
    """Return whether a dividend of Yahoo's includes the capital gain of the same session.

    Sometimes it does (yfinance #2666: VWILX, 2025-12-17, a dividend of 7.857 and a gain of 6.42,
    where 1.437 and 6.42 were paid). The price tells the two apart: it falls by what is paid.
    Without prices to compare, a dividend that is large enough to include the gain does.

    Args:
        dividend: cash per share, according to Yahoo.
        gain: the capital gain in the same currency.
        drop: how far the price fell.
    """
    if not gain > 0 or not dividend >= gain:
        return False
    return drop is None or drop < dividend + gain / 2


def _price_drop(
    closes: Sequence[tuple[date, float]], session: date, previous_close: float | None
) -> float | None:
    number = bisect_left(closes, session, key=lambda row: row[0])
    before = closes[number - 1][1] if number else previous_close
    if before is None or number == len(closes):
        return None
    return before - closes[number][1]


def _add_up(payments: Iterable[Mapping[str, Any]], price_currency: str | None) -> dict[str, float]:
    """Sum amounts by currency; those in units of the price's currency are converted to it."""
    totals: defaultdict[str, float] = defaultdict(float)
    for payment in payments:
        amount = payment.get("amount")
        value = math.nan if amount is None else float(amount)
        code = payment.get("currency") or price_currency or ""
        if price_currency:
            converted = currencies.convert(value, code, price_currency)
            code, value = (code, value) if converted is None else (price_currency, converted)
        totals[code] += value
    return dict(totals)


def _ratio(event: Mapping[str, Any]) -> float:
    """Return the new shares for each old one; NaN for a split without numbers of shares."""
    numerator, denominator = event.get("numerator"), event.get("denominator")
    if numerator and denominator:
        return float(numerator) / float(denominator)
    return math.nan
