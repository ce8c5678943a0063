"""A market of a few tickers in memory, with a split and a correction, for lakes that suffer."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
from helpers import bar, bars, objects

from tickerlake.engines import Refreshed, Task, Work
from tickerlake.lake import Lake, history
from tickerlake.market import calendars
from tickerlake.sources import Fetched
from tickerlake.stages import extract, transform

TICKERS = ["A", "B"]
START = date(2013, 1, 7)
DAYS = calendars.of("A").schedule.filter(pl.col("session").is_between(START, date(2013, 2, 28)))
SESSIONS = DAYS["session"].to_list()
SPLIT = date(2013, 2, 14)
STEPS = [SESSIONS[3], SESSIONS[4], SESSIONS[10], SPLIT, SESSIONS[-1]]
"""Evenings of a life in which each is different from the others."""


class Market:
    """A source in memory: every ticker splits 2:1 in mid-February, and is corrected once."""

    name = "market"

    def __init__(self, today: date) -> None:
        self.today = today

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        known = self.today >= SPLIT
        rows = [
            bar(
                session,
                (80.0 if known or session >= SPLIT else 160.0) + number + len(symbol),
                split=2.0 if session == SPLIT else 1.0,
                volume=1000 + (number == 3 and self.today > session + timedelta(days=1)),
            )
            for number, session in enumerate(SESSIONS)
            if start <= session <= min(end, self.today)
        ]
        return Fetched(bars(*rows))


class Steady(Market):
    """A market whose bars do not depend on the days on which they were fetched."""

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        rows = []
        for number, session in enumerate(SESSIONS):
            if start <= session <= min(end, self.today):
                factor = 1 if session >= SPLIT or self.today >= SPLIT else 2
                close = (80.0 + number + len(symbol)) * factor
                split = 2.0 if session == SPLIT else 1.0
                around = {"high": close + factor, "low": close - factor}
                rows.append(bar(session, close, **around, split=split, volume=1000 // factor))
        return Fetched(bars(*rows))


def evening(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)


def in_turn(lake: Lake, work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
    """An engine without threads: when it is killed, nothing goes on behind its back."""
    do = work(lake, tasks)
    for task in tasks:
        yield do(task)


def fetch(lake: Lake, day: date, tickers: Sequence[str] = TICKERS) -> extract.Report:
    """Extract what there is on an evening."""
    return extract.extract(lake, Market(day), tickers, as_of=evening(day), start=START, workers=1)


def run(lake: Lake, day: date, tickers: Sequence[str] = TICKERS) -> None:
    """Extract what there is on an evening, and transform it."""
    fetch(lake, day, tickers)
    report = transform.transform(lake, engine=in_turn)
    assert report.exit_code == 0


def state(lake: Lake, tickers: Sequence[str] = TICKERS) -> dict[str, object]:
    """What readers see: everything but the moments of the commits."""
    return {
        **objects(lake, "refined/daily/"),
        **{ticker: history.load(lake, ticker).bars.rows() for ticker in tickers},
    }


def prices(found: dict[str, object]) -> dict[str, object]:
    """A state without the moments of the fetches: they depend on the days that were extracted."""
    return {
        key: [row[:12] for row in value] if isinstance(value, list) else value
        for key, value in found.items()
    }
