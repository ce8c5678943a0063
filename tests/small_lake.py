"""A small lake that has a bit of everything, for tests of what is said about it."""

import re
from datetime import UTC, date, datetime

import polars as pl
from helpers import bar, bars

from tickerlake.lake import Lake
from tickerlake.sources import Fetched, Listing
from tickerlake.stages.extract import extract
from tickerlake.stages.lifecycle import rename, retire
from tickerlake.stages.transform import transform

LAST = date(2013, 3, 1)
LISTINGS = {
    "PAYS": Listing("Pays & Splits", "NasdaqGS", "EQUITY", "USD", "America/New_York"),
    "SAP.DE": Listing("SAP", None, "EQUITY", "EUR", "Europe/Berlin"),
    "^ODD": Listing(),
}


class Small:
    """A source of a few tickers; on the second day, of other volumes."""

    name = "small"

    def __init__(self, later: bool = False) -> None:
        self.later = later

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        found = bars(*self.rows(symbol)).filter(pl.col("session").is_between(start, end))
        return Fetched(found, LISTINGS.get(symbol, Listing(currency="USD")))

    def rows(self, symbol: str) -> list[dict[str, object]]:
        days = pl.date_range(date(2012, 11, 1), LAST, eager=True)
        days = days.filter(days.dt.weekday() <= 5)
        holidays = {date(2012, 11, 22), date(2012, 12, 25), date(2013, 1, 1), date(2013, 1, 21)}
        holidays |= {date(2013, 2, 18)}
        rows = [
            bar(day, 100.0 + number % 9 - number % 4 * 0.5, volume=1_000 * (number + 1))
            for number, day in enumerate(day for day in days.to_list() if day not in holidays)
        ]
        match symbol:
            case "PAYS":
                rows[-70] |= {"capital_gain": 0.75}
                rows[-60] |= {"dividend": 0.5}
                rows[-15] |= {"dividend": 0.25}
                rows[-10] |= {"split": 2.0}
                del rows[-30:-28]
                rows[-5] |= {"close": None}
                rows[-3] |= {"open": 0.0}
                if self.later:
                    rows[-2] |= {"volume": 77}
            case "LATE":
                rows = rows[:-9]
            case "ONE":
                rows = rows[-1:]
            case "BAD":
                rows = [rows[-1] | {"close": None}]
            case "FLAT":
                rows = [bar(each["session"], 7.0) for each in rows[-3:]]
            case "^ODD" | "SAP.DE":
                rows = [*rows[-4:-1], rows[-1] | {"close": 111.0, "high": 111.0}]
        return rows


TICKERS = ["PAYS", "LATE", "ONE", "BAD", "FLAT", "^ODD", "SAP.DE", "GONE", "OLD"]


def fill(lake: Lake) -> None:
    """Fill a lake; the last run is not transformed."""
    begin = date(2012, 11, 1)
    moment = datetime(2013, 2, 28, 23, 30, tzinfo=UTC)
    extract(lake, Small(), TICKERS, as_of=moment, start=begin, workers=1)
    transform(lake)
    retire(lake, "GONE", None)
    rename(lake, "OLD", "NEW", date(2013, 2, 1))
    transform(lake)
    names = [each for each in TICKERS if each not in ("GONE", "OLD")] + ["NEW"]
    extract(lake, Small(later=True), names, as_of=moment.replace(month=3, day=1), workers=1)


VARIES = {
    r"\d{8}T\d{12}Z-[0-9a-f]{6}": "RUN",
    r"(?<![.\w])[0-9a-f]{12}\b": "STAMP",
}


def shared(text: str) -> str:
    """A text without what no two lakes share: the ids of runs, and stamps."""
    for pattern, word in VARIES.items():
        text = re.sub(pattern, word, text)
    return text
