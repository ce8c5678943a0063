"""Show: what a terminal draws of a few tickers."""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from tickerlake.errors import UsageError
from tickerlake.lake import Lake, present
from tickerlake.lake.time_travel import State
from tickerlake.market import symbols
from tickerlake.stages.facts import Facts, facts
from tickerlake.stages.status import expect, status

_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})(d|wk|mo|y)")
_MONTHS: Final = {"mo": 1, "y": 12}
_DAYS: Final = {"d": 1, "wk": 7}


@dataclass(frozen=True)
class Shown:
    """A ticker, and the rows of `daily` in the period that is drawn: at least the last one.

    `stamp` is that of the lake's state.
    """

    facts: Facts
    rows: pl.DataFrame
    stamp: str


def show(
    lake: Lake, names: Sequence[str], period: str, workers: int, state: State | None = None
) -> list[Shown]:
    """Read what there is to draw of some tickers, in their order.

    Args:
        lake: the lake.
        names: the symbols, as a user typed them; none means all that the lake holds.
        period: how much is drawn, back from the last bar: see `begin`.
        workers: how many tickers are read at the same time.
        state: a past state to draw; None is the present.

    Raises:
        UsageError: the lake does not hold one of them, or the period is not one.
        StoreError, CorruptObjectError: as their names say.
    """
    begin(period, date.max)
    asked = symbols.parse(names)
    seen = state or present.look(lake)
    expect(seen, asked)
    held = status(lake, workers, names=asked or None, state=seen)
    found = {each.ticker: each for each in held.tickers}
    missing = [name for name in asked if name not in found]
    if missing:
        raise UsageError(f"{missing[0]} has no bars yet")

    def one(name: str) -> Shown:
        known = facts(found[name], seen.history(name))
        return Shown(known, _rows(known, period), held.stamp)

    return [one(name) for name in asked or found]


def begin(period: str, last: date) -> date:
    """Return the first day of a period that ends on a day.

    Args:
        period: `max`, `ytd`, or a number and a unit: 5d, 6wk, 6mo, 2y.
        last: the period's last day.

    Raises:
        UsageError: it is not a period.

    >>> begin("6mo", date(2013, 8, 31)), begin("ytd", date(2013, 3, 1))
    (datetime.date(2013, 2, 28), datetime.date(2013, 1, 1))
    """
    if period == "max":
        return date.min
    if period == "ytd":
        return last.replace(month=1, day=1)
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise UsageError(f"{period!r} is not a period such as 5d, 6wk, 6mo, 2y, ytd or max")
    number, unit = int(match[1]), match[2]
    if unit in _DAYS:
        return last - timedelta(days=min(number * _DAYS[unit], (last - date.min).days))
    months = last.year * 12 + last.month - 1 - number * _MONTHS[unit]
    if months < 12:  # noqa: PLR2004 - the year 1
        return date.min
    year, month = divmod(months, 12)
    days = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(last.day, days))


def _rows(known: Facts, period: str) -> pl.DataFrame:
    rows = known.rows
    if rows.is_empty():
        return rows
    return rows.filter(pl.col("session") > begin(period, rows["session"][-1]))
