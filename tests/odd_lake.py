"""A lake of all that a report could stumble over."""

from datetime import UTC, date, datetime, time

import polars as pl
from helpers import bar, bars

from tickerlake.lake import Lake
from tickerlake.market import calendars
from tickerlake.market.bars import rounded
from tickerlake.sources import Fetched, Listing
from tickerlake.stages.extract import extract
from tickerlake.stages.transform import transform

LAST = date(2013, 3, 1)
"""A Friday."""

SESSIONS = {
    "ONE": 1,
    "TWO": 2,
    "LONG": 40 * 252,
    "TINY": 300,
    "BIG": 300,
    "FLAT": 300,
    "CL=F": 300,
    "GAPPY": 300,
    "BTC-USD": 300,
    "^NOZONE": 40,
    "CON.DE": 60,
    "A&B": 30,
    "0700.HK": 60,
    "STALE": 200,
}
LEVELS = {"TINY": 1e-6, "BIG": 1e6}
WITHOUT_BARS = "BAD"
NAMES = {
    "ONE": "<script>document.title = 'broken'</script>",
    "TWO": "Quote \" and ' & <b>bold</b>",
    "LONG": "\u202eleft to right\u202c",
    "TINY": "</script><img src=x onerror=\"document.title='broken'\">",
    "BIG": "A very long name " * 8,
    "FLAT": "{{ 7 * 7 }} ${x} `y`",
    "GAPPY": "\u05e9\u05dc\u05d5\u05dd",
}
"""What people call them: hostile, some of them."""


def closes(ticker: str, count: int) -> list[float]:
    if ticker == "FLAT":
        return [10.0] * count
    steps = [((n * 7919 + len(ticker)) % 101 - 50) / 2500 for n in range(count)]
    value, found = LEVELS.get(ticker, 100.0), []
    for step in steps:
        value *= 1 + step
        found.append(value)
    if ticker == "CL=F":
        found[-40:-35] = [-37.63, -12.0, -3.0, 2.0, 5.0]
    return found


def rows(ticker: str) -> list[dict[str, object]]:
    schedule = calendars.of(ticker).schedule["session"]
    if schedule.is_empty():
        schedule = pl.date_range(date(2012, 1, 2), LAST, eager=True)
        schedule = schedule.filter(schedule.dt.weekday() <= 5)
    days = schedule.filter(schedule <= LAST).to_list()[-SESSIONS[ticker] :]
    if ticker == "STALE":
        days = days[:-30]
    found = []
    for number, (day, close) in enumerate(zip(days, closes(ticker, len(days)), strict=True)):
        size = abs(close) * 0.01
        one = bar(day, close, open=close - size / 2, high=close + size, low=close - size)
        found.append(one | {"volume": 1_000_000 + number % 17 * 90_000})
    if ticker == "LONG":
        found[-400]["dividend"] = 1.25
        found[-300]["split"] = 2.0
    if ticker == "GAPPY":
        found[-50]["open"] = 0.0
        found[-20] |= {"close": None}
        del found[-100:-90]
    return found


class Odd:
    """A source of odd bars; `revised` changes some of them."""

    name = "odd"

    def __init__(self, *, revised: bool = False) -> None:
        self.revised = revised

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        if symbol == WITHOUT_BARS:
            return Fetched(bars(bar(LAST, 1.0) | {"close": None}), Listing(currency="USD"))
        found = rows(symbol)
        if self.revised and symbol == "BIG":
            found[-2] |= {"volume": 77}
        frame = rounded(bars(*found)).filter(pl.col("session").is_between(start, end))
        return Fetched(frame, Listing(name=NAMES.get(symbol), currency="USD"))


def evening(day: date = LAST) -> datetime:
    return datetime.combine(day, time(23, 30), UTC)


def fill(lake: Lake, *, revised: bool = False, tickers: list[str] | None = None) -> None:
    """Fetch all odd tickers, and transform them."""
    names = tickers or [*SESSIONS, WITHOUT_BARS]
    start = date(2013, 2, 25) if revised else date(1970, 1, 2)
    end = LAST if revised else None
    extract(lake, Odd(revised=revised), names, as_of=evening(), start=start, end=end, workers=1)
    transform(lake)
