"""A generated life of tickers with all that happens to real ones, at every grain.

After every evening the lake equals a rebuild from raw; at the end it holds what the source says,
and running again changes nothing.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from helpers import bar, bars, new_lake, objects
from hypothesis import given, settings
from hypothesis import strategies as st

from tickerlake.errors import UnknownSymbolError
from tickerlake.lake import history
from tickerlake.market import calendars, quality
from tickerlake.market.bars import PRICES, rounded
from tickerlake.sources import Fetched, Listing
from tickerlake.stages import extract, lifecycle, transform, verify

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


def live(lake, world: World, day: date, tickers=tuple(TICKERS)):
    world.today = day
    report = extract.extract(lake, world, tickers, as_of=evening(day), start=FIRST, workers=2)
    done = transform.transform(lake)
    assert done.exit_code == 0
    return report


@pytest.mark.parametrize("grain", ["day", "month", "year"])
@given(events=happenings, leaps=st.lists(st.integers(1, 5), min_size=6, max_size=6))
@settings(max_examples=6, deadline=None)
def test_a_life(grain, events, leaps, tmp_path_factory):
    lake = new_lake(str(tmp_path_factory.mktemp("life") / "lake"), grain)
    world = World(events=sorted(events))
    day = FIRST
    for leap in leaps:
        day += timedelta(leap)
        live(lake, world, day)
        assert verify.verify(lake, workers=2) == []
    for _ in range(2):  # the evening after a split the source's own numbers come
        day += timedelta(3)
        live(lake, world, day)
    assert verify.verify(lake, workers=2) == []
    before, asked = objects(lake), world.asked
    report = live(lake, world, day)
    assert not report.manifests
    assert objects(lake) == before
    assert world.asked - asked <= len(TICKERS)
    for ticker in TICKERS:
        _holds_what_the_source_says(lake, world, ticker)


def _holds_what_the_source_says(lake, world: World, ticker: str) -> None:
    held = history.load(lake, ticker).bars
    said = quality.repair(rounded(bars(*(row for row in world.truth(ticker) if row["close"]))))
    exchange = calendars.of(ticker)
    closed = exchange.sessions(FIRST, evening(world.today))
    said = said.filter(pl.col("session") <= closed[-1])
    assert held["session"].to_list() == said["session"].to_list()
    assert held["currency"].to_list() == said["currency"].to_list()
    for name in ("close", "dividend", "capital_gain", "split"):
        assert held[name].to_list() == pytest.approx(said[name].to_list(), rel=1e-5), name
    off = held.filter(pl.col("flags").str.contains("off_calendar"))["session"].to_list()
    assert off == [day for day in held["session"] if day.weekday() > 4]


def test_a_renamed_ticker_goes_on_under_its_new_name(any_grain):
    lake, world = any_grain, World(events=[(date(2026, 2, 10), "AAPL", "split", 2.0)])
    for day in (date(2026, 2, 9), date(2026, 2, 10), date(2026, 2, 11)):
        live(lake, world, day, ["AAPL"])
    old = history.load(lake, "AAPL")
    change = date(2026, 2, 12)
    lifecycle.rename(lake, "AAPL", "NEW", change)
    assert transform.transform(lake).exit_code == 0
    assert verify.verify(lake, workers=2) == []
    new = history.load(lake, "NEW")
    facts = [*PRICES, "session", "volume", "dividend", "split", "flags"]
    assert new.bars.select(facts).equals(old.bars.select(facts))
    assert new.splits == old.splits
    world.gone.add("AAPL")
    asked = world.asked
    report = live(lake, world, date(2026, 2, 13), ["AAPL", "NEW"])
    assert report.exit_code == 0
    assert world.asked == asked + 1
    assert history.load(lake, "AAPL").bars.equals(old.bars)
    assert history.load(lake, "AAPL").renamed_to == "NEW"
    assert history.load(lake, "NEW").bars["session"][-1] == date(2026, 2, 13)
    assert verify.verify(lake, workers=2) == []
    before = objects(lake, "history/", "refined/daily/")
    transform.transform(lake, rebuild=True)
    assert objects(lake, "history/", "refined/daily/") == before


def test_a_retired_ticker_costs_no_request_and_keeps_its_history(any_grain):
    lake, world = any_grain, World()
    live(lake, world, date(2026, 2, 9), ["AAPL", "VOD.L"])
    held = history.load(lake, "VOD.L").bars
    lifecycle.retire(lake, "VOD.L")
    assert transform.transform(lake).exit_code == 0
    world.gone.add("VOD.L")
    asked = world.asked
    report = live(lake, world, date(2026, 2, 10), ["AAPL", "VOD.L"])
    assert report.exit_code == 0
    assert world.asked == asked + 1
    assert history.load(lake, "VOD.L").bars.equals(held)
    assert verify.verify(lake, workers=2) == []


def test_a_ticker_that_is_lost_for_long_is_suggested_for_retirement(lake):
    world = World(gone={"QAN.AX"})
    warnings = []
    for n in range(16):
        report = live(lake, world, FIRST + timedelta(n), ["AAPL", "VOD.L", "QAN.AX"])
        warnings.append(any("tickerlake retire QAN.AX" in text for text in report.warnings))
    assert warnings[-1]
    assert not any(warnings[:9])
