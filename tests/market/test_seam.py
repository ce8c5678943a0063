from datetime import date

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import assume, given
from hypothesis import strategies as st

from tickerlake.market import calendars, quality, seam, splits
from tickerlake.market.bars import HISTORY

SCHEDULE = calendars.of("VOD.L").schedule
DAYS = SCHEDULE.filter(pl.col("session") >= date(2024, 1, 2))["session"].head(60).to_list()


def fetched(*rows: dict[str, object]) -> pl.DataFrame:
    return quality.repair(bars(*rows))


def held(*rows: dict[str, object], factor: float = 1.0) -> pl.DataFrame:
    return (
        fetched(*rows)
        .with_columns(as_of=pl.lit(None, HISTORY["as_of"]), basis_factor=pl.lit(factor))
        .select(HISTORY.keys())
    )


def walk(count: int = 20, price: float = 100.0, **fields: object) -> list[dict[str, object]]:
    return [bar(day, price + n % 7, **fields) for n, day in enumerate(DAYS[:count])]


def scaled(row: dict[str, object], factor: float) -> dict[str, object]:
    return row | {name: row[name] * factor for name in ("open", "high", "low", "close")}


def test_the_same_answer_restates_nothing():
    assert seam.restatement(fetched(*walk()), held(*walk())) == ""


@given(st.floats(1e-3, 1e3), st.integers(2, 20), st.integers(2, 20))
def test_a_past_that_moved_by_one_factor_is_restated(factor, moved, overlap):
    assume(abs(factor - 1) > 1e-3)
    rows = walk()
    moved = min(moved, overlap)
    answer = [scaled(row, factor if n < moved else 1) for n, row in enumerate(rows[-overlap:])]
    assert "moved by a factor of" in seam.restatement(fetched(*answer), held(*rows))


@given(st.integers(0, 19), st.floats(0.5, 2))
def test_a_correction_of_one_bar_is_none(number, factor):
    rows = walk()
    answer = [scaled(row, factor if n == number else 1) for n, row in enumerate(rows)]
    assert seam.restatement(fetched(*answer), held(*rows)) == ""


@given(st.floats(-3e-7, 3e-7))
def test_a_wobble_in_the_seventh_digit_is_none(wobble):
    answer = [scaled(row, 1 + wobble) for row in walk()]
    assert seam.restatement(fetched(*answer), held(*walk())) == ""


def test_another_currency_restates_the_past():
    answer = [scaled(row, 1 / 100) for row in walk(currency="GBP")]
    assert (
        seam.restatement(fetched(*answer), held(*walk(currency="GBp")))
        == "the currency GBp became GBP"
    )


def test_a_currency_that_is_not_stated_is_not_another_one():
    assert seam.restatement(fetched(*walk(currency=None)), held(*walk())) == ""
    assert seam.restatement(fetched(*walk()), held(*walk(currency=None))) == ""


@given(st.lists(st.floats(10, 1000), min_size=20, max_size=20))
def test_another_owner_of_the_symbol_restates_the_past(closes):
    rows = walk()
    assume(
        sum(abs(close / row["close"] - 1) > 0.01 for close, row in zip(closes, rows, strict=True))
        >= 11
    )
    answer = [bar(row["session"], close) for row, close in zip(rows, closes, strict=True)]
    assert seam.restatement(fetched(*answer), held(*rows)) != ""


@pytest.mark.parametrize(("previous", "restated"), [(106.0, False), (53.0, True), (None, False)])
def test_without_a_session_in_common_the_previous_close_tells(previous, restated):
    rows = [bar(DAYS[0], 100.0), bar(DAYS[1], 106.0)]
    answer = fetched(bar(DAYS[2], 53.0), bar(DAYS[3], 54.0))
    assert bool(seam.restatement(answer, held(*rows), previous)) == restated


@given(st.sampled_from([2.0, 4.0, 0.1, 1.5, 0.4714]), st.integers(1, 19), st.booleans())
def test_a_split_that_is_announced_restates_nothing(ratio, number, adjusted):
    """Whether the source has adjusted its prices yet or not."""
    day = DAYS[number]
    before = [scaled(row, ratio if n < number else 1) for n, row in enumerate(walk())]
    answer = [
        scaled(row, 1 if adjusted or n >= number else ratio)
        | ({"split": ratio} if n == number else {})
        for n, row in enumerate(walk())
    ]
    known = held(*before)
    rebased = splits.rebase(known, splits.changes({}, {day: ratio}, DAYS[0]))
    assert seam.restatement(fetched(*answer), rebased) == ""


def sessions(found: seam.Differences) -> list[tuple[date, bool]]:
    return sorted(zip(found.sessions.tolist(), found.is_new.tolist(), strict=True))


def test_new_and_corrected_bars_are_told_apart():
    rows = walk(5)
    answer = [*rows[:4], rows[4] | {"volume": 7}, bar(DAYS[5])]
    found = seam.differences(fetched(*answer), held(*rows), DAYS[0])
    assert sessions(found) == [(DAYS[4], False), (DAYS[5], True)]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"volume": 7}, False),
        ({"close": 99.5}, False),
        ({"dividend": 0.5}, True),
        ({"capital_gain": 0.5}, True),
        ({"split": 2.0}, True),
        ({"dividend_currency": "EUR"}, True),
    ],
    ids=str,
)
def test_before_the_re_read_window_only_events_are_compared(change, seen):
    rows = walk(5)
    answer = [rows[0] | change, *rows[1:]]
    found = seam.differences(fetched(*answer), held(*rows), DAYS[2])
    assert bool(sessions(found)) == seen


def test_a_withdrawn_dividend_is_a_difference_wherever_it_is():
    rows = walk(5)
    known = [rows[0] | {"dividend": 0.5}, *rows[1:]]
    found = seam.differences(fetched(*rows), held(*known), DAYS[4])
    assert sessions(found) == [(DAYS[0], False)]


def test_a_bar_that_was_repaired_is_no_difference():
    odd = [row | {"open": 120.0} for row in walk(5)]
    assert sessions(seam.differences(fetched(*odd), held(*odd), DAYS[0])) == []


def test_the_sources_own_numbers_replace_rebased_ones_but_not_while_they_are_old():
    known = splits.rebase(held(*walk(5, 200.0)), {DAYS[5]: 2.0})
    served_new = fetched(*walk(5, 100.0))
    assert len(sessions(seam.differences(served_new, known, DAYS[0]))) == 5
    # even when they are equal, to the last digit
    equal = [scaled(row, 0.5) | {"volume": 2000} for row in walk(5, 200.0)]
    assert len(sessions(seam.differences(fetched(*equal), known, DAYS[0]))) == 5
    served_old = fetched(*walk(5, 200.0))
    assert sessions(seam.differences(served_old, known, DAYS[0])) == []


@pytest.mark.parametrize("ratio", [1.0005, 1.01, 1.05, 0.99])
def test_after_a_small_split_the_sources_own_numbers_are_taken_too(ratio):
    """Of a stock dividend, the old and the new basis are hardly apart."""
    old = walk(5, 200.0)
    known = splits.rebase(held(*old), {DAYS[5]: ratio})
    served_new = fetched(*(scaled(row, 1 / ratio) for row in old))
    assert len(sessions(seam.differences(served_new, known, DAYS[0]))) == 5
    assert sessions(seam.differences(fetched(*old), known, DAYS[0])) == []


def test_prices_that_were_adjusted_before_the_split_was_announced_are_not_old():
    """The source moved the past first, and announced the split later."""
    rows = [*walk(5, 100.0), bar(DAYS[5], 101.0)]
    known = splits.rebase(held(*rows), {DAYS[5]: 2.0})
    answer = fetched(*rows[:5], rows[5] | {"split": 2.0})
    found = seam.differences(answer, known, DAYS[0])
    assert len(sessions(found)) == 6


# ---- borders


def moved(ratio: float, count: int, number: int = 20) -> str:
    """What is said when the first closes of an answer are others by a ratio."""
    rows = walk(number)
    answer = [scaled(row, ratio) if n < count else row for n, row in enumerate(rows)]
    return seam.restatement(fetched(*answer), held(*rows))


@pytest.mark.parametrize(
    ("ratio", "count", "says"),
    [
        (1.00019, 20, ""),
        (1.00021, 20, f"the closes up to {DAYS[19]} moved by a factor of 1.00021"),
        (0.99979, 20, f"the closes up to {DAYS[19]} moved by a factor of 0.99979"),
        (100.0, 7, f"the closes up to {DAYS[6]} moved by a factor of 100"),
        (100.0, 2, f"the closes up to {DAYS[1]} moved by a factor of 100"),
        (100.0, 1, ""),
    ],
)
def test_by_how_much_and_for_how_long_a_past_must_move(ratio, count, says):
    assert moved(ratio, count) == says


@pytest.mark.parametrize(
    ("different", "number", "size", "says"),
    [
        (3, 6, 1.02, True),
        (3, 7, 1.02, False),
        (2, 4, 1.02, False),
        (3, 6, 1.004, False),
        (3, 6, 1.006, True),
        (4, 8, 0.98, True),
    ],
)
def test_how_many_closes_must_differ_and_by_how_much(different, number, size, says):
    """One after the other by another ratio, and none of the first two."""
    rows = walk(number)
    numbers = range(number - different, number)
    answer = [
        scaled(row, size ** (1 if n % 2 else -1) if n in numbers else 1)
        for n, row in enumerate(rows)
    ]
    said = seam.restatement(fetched(*answer), held(*rows))
    if says:
        assert said == f"{different} of {number} closes are different"
    else:
        assert said == ""


@pytest.mark.parametrize(
    ("previous", "says"),
    [
        (100.0, ""),
        (100.49, ""),
        (100.51, "the close before moved by a factor of 1.0051"),
        (99.49, "the close before moved by a factor of 0.9949"),
        (1.0, "the close before moved by a factor of 0.01"),
        (0.0, ""),
        (-100.0, ""),
        (None, ""),
    ],
)
def test_what_the_close_before_tells(previous, says):
    answer = fetched(bar(DAYS[2], 53.0))
    assert seam.restatement(answer, held(bar(DAYS[1], 100.0)), previous) == says
    assert seam.restatement(answer[:0], held(bar(DAYS[1], 100.0)), previous) == ""
    # nothing is held before it, or nothing that could be compared
    assert seam.restatement(answer, held(bar(DAYS[3], 100.0)), previous) == ""
    below = bar(DAYS[1], -100.0, low=-101.0, high=-99.0)
    assert seam.restatement(answer, held(below), previous) == ""


@pytest.mark.parametrize(
    ("ratio", "closes", "is_adjusted"),
    [
        (2.0, [50.0, 51.0], True),
        (2.0, [100.0, 51.0], False),
        (0.5, [50.0, 51.0], True),
        (0.5, [50.0, 99.0], False),
        (1.2, [120.0, 100.0], False),
        (1.19, [119.0, 100.0], True),  # too small to tell
        (1 / 1.2, [100.0, 120.0], False),
        (2.0, [-1.0, 51.0], True),
        (2.0, [100.0, 0.0], True),
    ],
)
def test_whether_closes_are_adjusted_for_a_split(ratio, closes, is_adjusted):
    rows = bars(*(bar(day, close) for day, close in zip(DAYS, closes, strict=False)))
    assert seam.is_adjusted(rows, DAYS[1], ratio) is is_adjusted
    for some in (rows[:1], rows[1:], rows[:0]):
        assert seam.is_adjusted(some, DAYS[1], ratio)
