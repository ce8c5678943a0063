"""Breadth: how the market as a whole has done, from the last year of every ticker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import polars as pl

from tickerlake.stages.report.cards import Card

COLUMNS: Final = (
    pl.col("session"),
    pl.col("return_1d"),
    pl.col("close"),
    (pl.col("close") > pl.col("sma_50")).alias("above_50"),
    (pl.col("close") > pl.col("sma_200")).alias("above_200"),
    (pl.col("high") >= pl.col("high_252")).alias("high"),
    (pl.col("low") <= pl.col("low_252")).alias("low"),
)
"""What breadth needs of a ticker's rows; null where it is not known."""

MOST: Final = 5
"""How many of the best, and of the worst."""

_MOST_HAVE: Final = 0.5
"""A session counts when at least this share of the tickers has a bar: on a Sunday, few do."""


class Mover(NamedTuple):
    """A ticker and its change in the session."""

    ticker: str
    name: str
    close: float
    change: float
    line: Sequence[float]


@dataclass(frozen=True)
class Breadth:
    """The market's newest session, and shares of tickers above their averages in the last year.

    Attributes:
        session: the newest session that most tickers have.
        up, down, unchanged: how many tickers rose, fell or did neither.
        highs, lows: how many reached the highest or lowest price of 252 sessions.
        above_50, above_200: by session, the share that closed above the mean of as many sessions;
            of those that have one.
        sessions: those of `above_50` and `above_200`.
        best, worst: the largest moves up, and down.
    """

    session: date
    up: int
    down: int
    unchanged: int
    highs: int
    lows: int
    sessions: Sequence[date]
    above_50: Sequence[float | None]
    above_200: Sequence[float | None]
    best: Sequence[Mover]
    worst: Sequence[Mover]


def breadth(cards: Sequence[Card]) -> Breadth | None:
    """Return the breadth of the market; None when there is no bar."""
    rows = pl.concat([each.year for each in cards]) if cards else pl.DataFrame()
    if rows.is_empty():
        return None
    held = sum(each.year.height > 0 for each in cards)
    days = (
        rows.group_by("session")
        .agg(
            pl.len().alias("tickers"),
            (pl.col("return_1d") > 0).sum().alias("up"),
            (pl.col("return_1d") < 0).sum().alias("down"),
            (pl.col("return_1d") == 0).sum().alias("unchanged"),
            pl.col("high", "low").sum(),
            pl.col("above_50", "above_200").mean(),
        )
        .filter(pl.col("tickers") >= held * _MOST_HAVE)
        .sort("session")
    )
    if days.is_empty():
        return None
    last = days.row(-1, named=True)
    best, worst = _movers(cards, rows.filter(pl.col("session") == last["session"]))
    return Breadth(
        session=last["session"],
        up=last["up"],
        down=last["down"],
        unchanged=last["unchanged"],
        highs=last["high"],
        lows=last["low"],
        sessions=days["session"].to_list(),
        above_50=days["above_50"].to_list(),
        above_200=days["above_200"].to_list(),
        best=best,
        worst=worst,
    )


def _movers(cards: Sequence[Card], rows: pl.DataFrame) -> tuple[list[Mover], list[Mover]]:
    by_ticker = {each.ticker: each for each in cards}
    moves = [
        Mover(ticker, by_ticker[ticker].name, close, change, by_ticker[ticker].line)
        for ticker, close, change in rows.drop_nulls("return_1d")
        .select("ticker", "close", "return_1d")
        .sort("return_1d", "ticker", descending=[True, False])
        .iter_rows()
    ]
    return (
        [each for each in moves if each.change > 0][:MOST],
        [each for each in sorted(moves, key=lambda each: each.change) if each.change < 0][:MOST],
    )


def share_path(values: Sequence[float | None]) -> str:
    """Return shares as the path of an SVG that is as wide as there are sessions, and 100 high.

    >>> share_path([None, 0.25, 1.0]), share_path([None])
    ('M1 75L2 0', '')
    """
    path, is_down = "", False
    for number, value in enumerate(values):
        if value is not None:
            path += f"{'L' if is_down else 'M'}{number} {100 - value * 100:.4g}"
        is_down = value is not None
    return path
