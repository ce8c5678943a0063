from datetime import date, timedelta

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.market import quality
from tickerlake.market.bars import QUARANTINE, RAW

DAY = date(2013, 2, 25)
SESSIONS = pl.Series("session", [DAY + timedelta(n) for n in range(5)])
TODAY = DAY + timedelta(4)

FAULTS = {
    "null_price": {"close": None},
    "price_not_positive": {"low": 0.0},
    "outside_low_high": {"open": 120.0},
    "bad_volume": {"volume": -1},
    "bad_dividend": {"dividend": -0.1},
    "bad_split": {"split": float("inf")},
    "in_the_future": {"session": TODAY + timedelta(3)},
    "no_session": {"session": DAY - timedelta(2)},
}


def reasons(bad: pl.DataFrame) -> list[set[str]]:
    return [set(text.split(",")) for text in bad["reasons"]]


@pytest.mark.parametrize("name", quality.CHECKS)
def test_each_check_sends_its_row_to_quarantine_and_lets_others_pass(name):
    fine = bar(DAY + timedelta(1))
    wrong = {**bar(DAY), **FAULTS.get(name, {})}
    rows = [wrong, bar(DAY, 101.0), fine] if name == "duplicate" else [wrong, fine]
    good, bad = quality.check(bars(*rows), SESSIONS, TODAY)
    [found] = reasons(bad)
    assert name in found
    assert good["session"].to_list()[-1] == fine["session"]
    assert good.schema == pl.Schema(RAW)
    assert bad.schema == pl.Schema(QUARANTINE)


def test_a_row_names_all_checks_that_it_fails():
    wrong = bar(DAY - timedelta(2), close=float("nan"), volume=None)
    _, bad = quality.check(bars(wrong), SESSIONS, TODAY)
    assert {"null_price", "bad_volume", "no_session"} <= reasons(bad)[0]


def test_of_duplicates_the_last_is_kept():
    good, bad = quality.check(bars(bar(DAY, 1.0), bar(DAY, 2.0), bar(DAY, 3.0)), SESSIONS, TODAY)
    assert good["close"].to_list() == [3.0]
    assert bad["close"].to_list() == [1.0, 2.0]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "session": st.dates(DAY - timedelta(3), TODAY + timedelta(3)),
                **dict.fromkeys(
                    ("open", "high", "low", "close", "dividend", "split"),
                    st.none() | st.floats(allow_nan=True) | st.sampled_from([1.0, 100.0]),
                ),
                "volume": st.none() | st.integers(-2, 2),
                "currency": st.none() | st.just("USD"),
                "source": st.just("test"),
            }
        ),
        max_size=8,
    )
)
def test_every_row_is_kept_or_quarantined_with_a_reason(rows):
    good, bad = quality.check(bars(*rows), SESSIONS, TODAY)
    assert good.height + bad.height == len(rows)
    assert good["session"].is_unique().all()
    assert all(found <= quality.CHECKS.keys() and found for found in reasons(bad))
    again, none = quality.check(good, SESSIONS, TODAY)
    assert again.equals(good)
    assert none.is_empty()


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([100.0, 101.0, 99.0], []),
        ([100.0, 50.5], ["looks_like_missed_split"]),
        ([50.0, 101.0], ["looks_like_missed_split"]),
        ([100.0, 1.01], ["looks_like_unit_error"]),
        ([100.0, 9990.0, 100.0], ["looks_like_unit_error", "looks_like_unit_error"]),
        ([100.0, 82.0], []),
        ([], []),
    ],
)
def test_odd_jumps_are_flagged(closes, expected):
    rows = [bar(DAY + timedelta(n), close) for n, close in enumerate(closes)]
    flags = quality.suspicious(bars(*rows))
    assert [flag.reason.partition(":")[0] for flag in flags] == expected
