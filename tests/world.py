"""A source whose past changes: restatements, splits, late dividends, halts, bad rows."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from helpers import bar, bars
from hypothesis import strategies as st

from tickerlake.errors import UnknownSymbolError
from tickerlake.market import calendars
from tickerlake.market.bars import PRICES, rounded
from tickerlake.market.listing import Listing
from tickerlake.sources import Fetched

TICKERS = {"AAPL": "USD", "VOD.L": "GBp", "QAN.AX": "AUD", "RELIANCE.NS": "INR"}
FIRST = date(2026, 2, 2)
DAYS = 24


def sessions(ticker: str) -> list[date]:
    known = calendars.of(ticker).schedule["session"]
    return known.filter(known >= FIRST).head(60).to_list()


@dataclass
class World:
    """A source whose past changes: what it serves depends on the day on which it is asked."""

    today: date = FIRST
    events: list[tuple[date, str, str, float]] = field(default_factory=list)
    """(the day from which it is known, ticker, kind, size)"""
    gone: set[str] = field(default_factory=set)
    asked: int = 0
    name: str = "world"

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        self.asked += 1
        if symbol in self.gone:
            raise UnknownSymbolError(f"nobody knows {symbol}")
        rows = self.truth(symbol)
        frame = rounded(bars(*rows)).filter(pl.col("session").is_between(start, end))
        zone = calendars.of(symbol).timezone
        return Fetched(frame, Listing(timezone=zone, currency=TICKERS.get(symbol)))

    def truth(self, symbol: str) -> list[dict[str, object]]:
        origin = "AAPL" if symbol == "NEW" else symbol
        currency = TICKERS[origin]
        rows = {
            day: bar(day, 100.0 + (n * 7 + len(origin)) % 11, currency=currency)
            for n, day in enumerate(sessions(origin))
            if day <= self.today
        }
        for known, ticker, kind, size in self.events:
            if ticker == origin and known <= self.today:
                _happen(rows, kind, size, known)
        return [rows[day] for day in sorted(rows)]


Rows = dict[date, dict[str, object]]


def _scale(rows: Rows, days: list[date], factor: float, **fields: object) -> None:
    for day in days:
        prices = {name: rows[day][name] for name in PRICES if rows[day][name] is not None}
        rows[day] |= {name: price * factor for name, price in prices.items()} | fields


def _split(rows: Rows, earlier: list[date], later: list[date], size: float) -> None:
    _scale(rows, earlier, 1 / size)
    rows[later[0]]["split"] *= size


def _halt(rows: Rows, later: list[date]) -> None:
    for day in later[:7]:
        rows.pop(day)


def _trade_on_saturday(rows: Rows, known: date, size: float) -> None:
    day = known + timedelta(days=5 - known.weekday())
    rows[day] = bar(day, 50 + size, currency=next(iter(rows.values()))["currency"])


def _happen(rows: Rows, kind: str, size: float, known: date) -> None:
    earlier = [day for day in rows if day < known]
    later = [day for day in sorted(rows) if day >= known]
    if not later or len(earlier) < 7:
        return
    first = rows[later[0]]
    KINDS[kind](rows, earlier, later, size, known, first)


KINDS = {
    "restatement": lambda rows, earlier, _, size, *__: _scale(rows, earlier, size),
    "pounds": lambda rows, _, __, size, *___: _scale(rows, list(rows), size, currency="GBP"),
    "split": lambda rows, earlier, later, size, *_: _split(rows, earlier, later, size),
    "gain": lambda *of: of[-1].update(capital_gain=of[3], dividend=of[3] / 2),
    "late dividend": lambda rows, earlier, _, size, *__: rows[earlier[-6]].update(dividend=size),
    "odd range": lambda *of: of[-1].update(open=1.0),
    "no open": lambda *of: of[-1].update(open=0.0),
    "no close": lambda *of: of[-1].update(close=None),
    "weekend": lambda rows, _, __, size, known, ___: _trade_on_saturday(rows, known, size),
    "halt": lambda rows, _, later, *__: _halt(rows, later),
}
happenings = st.lists(
    st.tuples(
        st.integers(2, DAYS - 2).map(lambda n: FIRST + timedelta(n)),
        st.sampled_from(list(TICKERS)),
        st.sampled_from(list(KINDS)),
        st.sampled_from([0.01, 0.93, 2.0, 7.0, 0.4714]),
    ),
    max_size=6,
)


def evening(day: date) -> datetime:
    return datetime.combine(day, time(23, 30), ZoneInfo("America/New_York")).astimezone(UTC)
