"""Which grain suits a lake: the one rule of `plan` and `extract`."""

from typing import Final

from tickerlake.lake.layout import GRAINS, Grain
from tickerlake.stages import counted

MOST_PARTITIONS: Final = 100_000
"""A query over all of `daily` opens a file for each partition of each ticker: so many take some
twenty seconds on a laptop, and cost sixty cents of Athena's requests."""

SESSIONS: Final = 252
"""In a year."""

_IN_A_YEAR: Final[dict[Grain, int]] = {"day": SESSIONS, "month": 12, "year": 1}


def partitions(tickers: int, years: float, grain: Grain) -> int:
    """Return how many partitions `daily` has, roughly."""
    return round(tickers * years * _IN_A_YEAR[grain])


def better(tickers: int, years: float, grain: Grain) -> Grain | None:
    """Return the finest grain that suits a lake better than its own; None when its own will do.

    >>> better(50, 2, "day"), better(500, 10, "day"), better(60_000, 30, "month")
    (None, 'month', 'year')
    """
    if partitions(tickers, years, grain) <= MOST_PARTITIONS:
        return None
    coarser = GRAINS[GRAINS.index(grain) + 1 :]
    suits = (each for each in coarser if partitions(tickers, years, each) <= MOST_PARTITIONS)
    return next(suits, coarser[-1] if coarser else None)


def advice(tickers: int, years: float, grain: Grain) -> str:
    """Return a sentence when another grain suits a lake better; '' when its own will do."""
    found = better(tickers, years, grain)
    if found is None:
        return ""
    period = counted(max(1, round(years)), "year")
    return (
        f"a lake by {grain} of {counted(tickers, 'ticker')} and {period} has"
        f" {partitions(tickers, years, grain):,} files of `daily`, which every full scan opens, and"
        f" its grain can't be changed: --grain {found} suits it better"
    )
