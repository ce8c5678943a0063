"""A generated life of tickers with all that happens to real ones, at every grain.

After every evening the lake equals a rebuild from raw; at the end it holds what the source says,
and running again changes nothing. `TICKERLAKE_LONG_TESTS=1` tries many more lives.
"""

import os
from datetime import date, timedelta
from typing import Final

import polars as pl
import pytest
from helpers import bars, new_lake, objects
from hypothesis import given, settings
from hypothesis import strategies as st
from world import FIRST, TICKERS, World, evening, happenings

from tickerlake.lake import history
from tickerlake.market import calendars, quality
from tickerlake.market.bars import PRICES, rounded
from tickerlake.stages import extract, lifecycle, transform, verify

LIVES: Final = 40 if os.environ.get("TICKERLAKE_LONG_TESTS") else 3


def live(lake, world: World, day: date, tickers=tuple(TICKERS)):
    world.today = day
    report = extract.extract(lake, world, tickers, as_of=evening(day), start=FIRST, workers=2)
    done = transform.transform(lake)
    assert done.exit_code == 0
    return report


@pytest.mark.parametrize("grain", ["day", "month", "year"])
@given(events=happenings, leaps=st.lists(st.integers(1, 5), min_size=6, max_size=6))
@settings(max_examples=LIVES, deadline=None)
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
