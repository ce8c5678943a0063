"""Cards: what the overview needs to know of each ticker, and what it draws of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from tickerlake.market.arrays import YEAR
from tickerlake.stages.facts import Facts
from tickerlake.stages.status import Ticker

POINTS: Final = 60
"""Of a line as small as a word."""


@dataclass(frozen=True)
class Card:
    """What the overview needs to know of a ticker.

    Attributes:
        held: what the lake holds of it.
        name, exchange, currency, close, change_ratio: see `Facts`.
        line: closes of the last year, thinned to `POINTS`.
        months: which months have bars, gaps, flags and quarantined rows.
        year: the last year's rows, with the columns of `breadth.COLUMNS`.
    """

    held: Ticker
    name: str
    exchange: str
    currency: str
    close: float | None
    change_ratio: float | None
    line: Sequence[float]
    months: dict[str, list[int]]
    year: pl.DataFrame

    @property
    def ticker(self) -> str:
        """The symbol."""
        return self.held.ticker


def card(facts: Facts, columns: Sequence[pl.Expr]) -> Card:
    """Return what the overview needs to know of a ticker.

    Args:
        facts: the ticker.
        columns: what `year` is to have.
    """
    year = facts.rows.tail(YEAR)
    return Card(
        held=facts.held,
        name=facts.name,
        exchange=facts.exchange,
        currency=facts.currency,
        close=facts.close,
        change_ratio=facts.change_ratio,
        line=thinned(year["close"].to_list()),
        months=_months(facts),
        # gathered, since a slice would keep the memory of all the rows
        year=year.select(
            pl.lit(facts.ticker).alias("ticker"),
            *(column.gather(pl.int_range(pl.len())) for column in columns),
        ),
    )


def thinned(values: Sequence[float], points: int = POINTS) -> list[float]:
    """Return a series with at most so many points, the first and the last among them.

    >>> thinned([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    if len(values) <= points:
        return list(values)
    return [values[round(i * (len(values) - 1) / (points - 1))] for i in range(points)]


def path(values: Sequence[float], width: float, height: float) -> str:
    """Return a series of at least one value as the path of an SVG.

    >>> path([1.0, 3.0, 2.0], 10, 4)
    'M0 4 5 0 10 2'
    """
    if len(values) == 1:
        values = [values[0], values[0]]
    low, high = min(values), max(values)
    size = high - low

    def y(value: float) -> float:
        return height - (value - low) / size * height if size else height / 2

    steps = len(values) - 1
    return "M" + " ".join(
        f"{_short(number * width / steps)} {_short(y(value))}"
        for number, value in enumerate(values)
    )


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def month(day: date) -> int:
    """Number the months since the year 0."""
    return day.year * 12 + day.month - 1


def month_name(number: int) -> str:
    """Undo `month`.

    >>> month_name(month(date(2013, 3, 1)))
    '2013-03'
    """
    return f"{number // 12:04}-{number % 12 + 1:02}"


def _months(facts: Facts) -> dict[str, list[int]]:
    def distinct(days: Iterable[date]) -> list[int]:
        return sorted({month(day) for day in days})

    return {
        "bars": distinct(facts.rows["session"]),
        "gaps": distinct(facts.held.gaps),
        "flags": distinct(each.session for each in facts.flagged),
        "quarantine": distinct(each.session for each in facts.known.rejected),
    }


def strip(months: Sequence[int], first: int) -> str:
    """Return months as an SVG path along a line, a unit for each month.

    >>> strip([24, 25, 27], 24)
    'M0 0h2M3 0h1'
    """
    return "".join(f"M{begin - first} 0h{length}" for begin, length in _stretches(months))


def _stretches(months: Sequence[int]) -> Iterator[tuple[int, int]]:
    begin = end = None
    for each in months:
        if begin is not None and each == end:
            end += 1
            continue
        if begin is not None and end is not None:
            yield begin, end - begin
        begin, end = each, each + 1
    if begin is not None and end is not None:
        yield begin, end - begin
