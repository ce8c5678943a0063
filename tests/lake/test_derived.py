"""Only what can differ is compared: that must find the same partitions as comparing everything."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickerlake.lake import derived, layout
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.manifests import Order
from tickerlake.lake.parquet import to_parquet
from tickerlake.market.bars import HISTORY
from tickerlake.market.listing import Listing

FIRST = date(2020, 11, 2)


def row(number: int, close: float) -> dict[str, object]:
    return {
        "session": FIRST + timedelta(days=number), "open": close, "high": close + 1,
        "low": close - 1, "close": close, "volume": 1000 + number, "dividend": 0.0,
        "capital_gain": 0.0, "split": 1.0, "currency": "USD", "dividend_currency": None,
        "source": "test", "as_of": datetime(2026, 1, 1, tzinfo=UTC), "basis_factor": 1.0,
        "flags": "",
    }  # fmt: skip


rows = st.dictionaries(st.integers(0, 90), st.floats(10, 99).map(lambda x: round(x, 2)))
edits = st.lists(
    st.tuples(
        st.integers(0, 95),
        st.sampled_from(["add", "drop", "close", "volume", "open", "flags", "as_of", "source"]),
    ),
    max_size=4,
)


def held(found: dict[int, dict[str, object]], run: str) -> History:
    bars = pl.DataFrame([found[number] for number in sorted(found)], schema=HISTORY)
    return History(bars, last=Order(datetime(2026, 1, 1, tzinfo=UTC), run))


def edited(before: dict[int, dict[str, object]], changes: list) -> dict[int, dict[str, object]]:
    values = {
        "close": 20.5, "volume": 7, "open": None, "flags": "off_calendar",
        "as_of": datetime(2026, 2, 1, tzinfo=UTC), "source": "other",
    }  # fmt: skip
    after = dict(before)
    for number, what in changes:
        if what == "add":
            after[number] = row(number, 50.0)
        elif what == "drop":
            after.pop(number, None)
        elif number in after:
            after[number] = {**after[number], what: values[what]}
    return after


@pytest.mark.parametrize("grain", ["day", "month", "year"])
@given(rows, edits)
@settings(max_examples=80, deadline=None)
def test_what_changes_is_what_a_comparison_of_everything_finds(grain, closes, changes):
    before = {number: row(number, close) for number, close in closes.items()}
    compare(held(before, "a"), held(edited(before, changes), "b"), grain)


@pytest.mark.parametrize("grain", ["day", "month", "year"])
@pytest.mark.parametrize("added", [{0}, {20, 60}, {60, 299}, {280}, {280, 290}])
@pytest.mark.parametrize("dropped", [set(), {30}])
def test_where_no_price_ever_moves_only_the_beginnings_of_features_differ(grain, added, dropped):
    """A bar more, and what was null is there a session earlier; all other values are the same."""
    still = {number: row(number, 50.0) | {"volume": 1000} for number in range(300)}
    before = {number: each for number, each in still.items() if number not in added}
    after = {number: each for number, each in still.items() if number not in dropped}
    compare(held(before, "a"), held(after, "b"), grain)


def compare(old: History, new: History, grain: Grain) -> None:
    given, found = derived.update(new, old, grain)
    ours, theirs = (derived.expected(each, derived.refined(each), grain) for each in (new, old))
    assert dict(given.encoded()) == {part: to_parquet(each) for part, each in ours.items()}
    differing = {
        part
        for part in ours.keys() | theirs.keys()
        if part not in ours or part not in theirs or not ours[part].equals(theirs[part])
    }
    assert found == differing


def test_a_ticker_is_quoted_in_the_currency_of_its_last_bar():
    """Unless the source says so itself; an exchange may pass from one currency to another."""
    found = {number: row(number, 20.0) | {"currency": each} for number, each in enumerate("GGE")}
    said = held(found, "run")
    assert derived.listing(said)["currency"].to_list() == ["E"]
    told = replace(said, listing=Listing(currency="G"))
    assert derived.listing(told)["currency"].to_list() == ["G"]


def test_only_a_gap_before_the_last_bar_is_one():
    gaps = tuple(FIRST + timedelta(days=number) for number in (1, 3, 5, 6))
    said = replace(held({number: row(number, 20.0) for number in (0, 2, 5)}, "run"), gaps=gaps)
    assert derived.listing(said)["gaps"].to_list() == [list(gaps[:2])]


def test_the_parts_that_are_stored_are_told_by_ticker(lake):
    """A ticker may have a history alone, or parts alone."""
    parts = {"A": ["2024", "2025"], "B": ["2025", "2026"], "C": ["2025"], "D": []}
    for ticker, dates in parts.items():
        for value in dates:
            lake.store.put(layout.daily(value, ticker), b"")
    for ticker in ("A", "B"):
        lake.store.put(layout.listing(ticker), b"")
    for ticker in ("A", "D"):
        lake.store.put(layout.history(ticker), b"")
    assert derived.stored(lake) == {
        "A": {"2024", "2025", derived.LISTING},
        "B": {"2025", "2026", derived.LISTING},
        "C": {"2025"},
        "D": frozenset(),
    }
