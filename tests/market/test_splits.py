from datetime import UTC, date, datetime

import polars as pl
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.market.bars import HISTORY
from tickerlake.market.splits import announced, changes, rebase

RATIOS = st.sampled_from([2.0, 3.0, 1.5, 0.1, 7.0, 20.0])
DAYS = st.dates(date(2005, 1, 3), date(2005, 3, 31))


def held(*rows: dict[str, object]) -> pl.DataFrame:
    return bars(*rows).select(
        pl.all(),
        as_of=pl.lit(datetime(2005, 1, 1, tzinfo=UTC), dtype=HISTORY["as_of"]),
        basis_factor=pl.lit(1.0),
    )


def test_a_split_divides_what_came_before_it():
    before, on = (
        bar(date(2005, 2, 25), 88.99, dividend=0.5, volume=101),
        bar(date(2005, 2, 28), 44.86, split=2.0, volume=200),
    )
    rebased = rebase(held(before, on), {date(2005, 2, 28): 2.0})
    assert rebased["close"].to_list() == [44.495, 44.86]
    assert rebased["dividend"].to_list() == [0.25, 0.0]
    assert rebased["volume"].to_list() == [202, 200]
    assert rebased["split"].to_list() == [1.0, 2.0]
    assert rebased["basis_factor"].to_list() == [2.0, 1.0]


def test_an_announcement_withdraws_only_inside_its_window():
    known = {date(2003, 2, 18): 2.0, date(2005, 2, 28): 2.0}
    assert changes(known, {}, date(2004, 1, 1)) == {date(2005, 2, 28): 0.5}
    assert changes(known, known, date(2000, 1, 1)) == {}
    assert changes({}, known, date(2000, 1, 1)) == known


@given(st.dictionaries(DAYS, RATIOS, max_size=4))
def test_a_split_that_comes_and_goes_leaves_no_trace_in_the_factor(splits):
    start = date(2005, 1, 1)
    before = held(*(bar(day, 100.0) for day in (date(2005, 1, 10), date(2005, 2, 10))))
    there = rebase(before, changes({}, splits, start))
    back = rebase(there, changes(splits, {}, start))
    assert back["basis_factor"].to_list() == [1.0, 1.0]


@given(st.dictionaries(DAYS, RATIOS, max_size=4), st.dictionaries(DAYS, RATIOS, max_size=4))
def test_changes_are_in_the_order_of_their_dates(known, announced):
    """Factors are products, whose last bit depends on the order."""
    found = changes(known, announced, date(2005, 1, 1))
    assert list(found) == sorted(found)


def test_every_amount_per_share_is_divided():
    row = bar(date(2005, 2, 25), 88.0, dividend=0.5, capital_gain=0.25, volume=101)
    [rebased] = rebase(held(row), {date(2005, 2, 28): 0.5}).to_dicts()
    for name in ("open", "high", "low", "close", "dividend", "capital_gain"):
        assert rebased[name] == 2 * row[name], name
    assert rebased["volume"] == 50


def test_only_ratios_that_can_be_are_announced():
    """In the order of their days; a reverse split is one, too."""
    ratios = [1.0, 0.5, 0.0, -2.0, float("nan"), float("inf"), None, 0.999, 1.001, 2.0]
    days = [date(2005, 3, 1 + number) for number in range(len(ratios))]
    rows = bars(*(bar(day, split=ratio) for day, ratio in zip(days, ratios, strict=True)))
    expected = {days[1]: 0.5, days[7]: 0.999, days[8]: 1.001, days[9]: 2.0}
    assert announced(rows) == expected
    assert list(announced(rows[::-1])) == list(expected)
    assert announced(rows[:1]) == {}
