import math
from datetime import date, timedelta
from unittest import mock

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.market import calendars, flags, quality
from tickerlake.market.bars import HISTORY, PRICES, QUARANTINE, RAW

NYSE = calendars.of("AAPL")
DAYS = NYSE.schedule.filter(pl.col("session") >= date(2013, 2, 4))["session"].to_list()
DAY = DAYS[10]
HOLIDAY = date(2013, 2, 18)
TODAY = date(2013, 3, 8)


def judge(*rows, exchange=NYSE, **settings) -> quality.Judged:
    settings = {"today": TODAY, "last_closed": date(2013, 3, 7), **settings}
    found = bars(*rows)
    denied = exchange.denied(found["session"].to_numpy())
    return quality.judge(found, denied, **settings)


def flat(session: date, close: float, **fields: object) -> dict[str, object]:
    return bar(session, close, open=close, high=close, low=close, volume=0, **fields)


UNUSABLE = {
    "the close is null": ("no_close", bar(DAY) | {"close": None}),
    "the close is NaN": ("no_close", bar(DAY) | {"close": math.nan}),
    "the close is infinite": ("no_close", bar(DAY) | {"close": math.inf}),
    "the close is 0": ("no_close", bar(DAY) | {"close": 0.0}),
    "a share has a negative close": ("close_not_positive", bar(DAY) | {"close": -1.0}),
    "a price is larger than any": ("price_beyond_reason", bar(DAY) | {"high": 1e308}),
    "a price is smaller than any": ("price_beyond_reason", bar(DAY) | {"close": 5e-324}),
    "the low is above the high": ("low_above_high", bar(DAY) | {"low": 101.5, "high": 101.0}),
    "the session is in the future": ("in_the_future", bar(TODAY + timedelta(3))),
    "a holiday repeats the close before": ("filler", flat(HOLIDAY, 100.0)),
    "the newest session has nothing but a close": (
        "placeholder",
        bar(date(2013, 3, 7)) | {"open": 0.0, "high": 0.0, "low": 0.0, "volume": 0},
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_quarantined_with_the_reason(name):
    reason, wrong = UNUSABLE[name]
    before = bar(date(2013, 2, 15))
    found = judge(before, wrong)
    assert found.good["session"].to_list() == [before["session"]]
    assert reason in found.bad["reasons"][0].split(",")
    assert found.good.schema == pl.Schema(RAW)
    assert found.bad.schema == pl.Schema(QUARANTINE)


@pytest.mark.parametrize(("days", "reasons"), [(0, []), (1, ["in_the_future"])])
def test_a_session_of_today_is_not_in_the_future(days, reasons):
    asked = bar(TODAY + timedelta(days))
    # alone, and in an answer that must be looked at row by row
    for others in ([], [bar(DAY) | {"close": None}]):
        found = judge(*others, asked, last_closed=TODAY)
        bad = found.bad.filter(pl.col("session") == asked["session"])
        assert bad["reasons"].to_list() == reasons


def test_of_duplicates_the_last_is_kept():
    found = judge(bar(DAY, 1.0), bar(DAY, 2.0), bar(DAY, 3.0))
    assert found.good["close"].to_list() == [3.0]
    assert found.bad["close"].to_list() == [1.0, 2.0]
    assert found.bad["reasons"].to_list() == ["duplicate", "duplicate"]


def test_every_check_is_tried():
    assert quality.CHECKS.keys() == {"duplicate", *(name for name, _ in UNUSABLE.values())}


def test_a_future_may_have_a_negative_price():
    row = bar(DAY, -37.63, open=17.73, high=17.85, low=-40.32)
    found = judge(row, may_be_negative=True)
    assert found.bad.is_empty()
    assert quality.repair(found.good)["flags"].to_list() == [""]


KEPT = {
    "a filler's day with a range": bar(HOLIDAY),
    "a filler's day with volume": flat(HOLIDAY, 100.0) | {"volume": 1},
    "a filler's day with another close": flat(HOLIDAY, 101.0),
    "an old session with nothing but a close": bar(DAY)
    | {"open": 0.0, "high": 0.0, "low": 0.0, "volume": 0},
    "the newest session with a close and volume": bar(date(2013, 3, 7))
    | {"open": 0.0, "high": 0.0, "low": 0.0},
    "no volume": bar(DAY) | {"volume": None},
    "an impossible dividend": bar(DAY) | {"dividend": -1.0},
}


@pytest.mark.parametrize("name", KEPT)
def test_a_real_bar_is_kept_as_it_came(name):
    rows = [bar(date(2013, 2, 15)), KEPT[name]]
    found = judge(*rows)
    assert found.bad.is_empty()
    assert found.good.equals(bars(*rows).sort("session"))


def test_a_filler_across_the_seam_is_told_by_the_close_that_is_held():
    assert judge(flat(HOLIDAY, 100.0), close_before=100.0).good.is_empty()
    assert judge(flat(HOLIDAY, 100.0), close_before=90.0).bad.is_empty()


REPAIRED = {
    "all is well": ({}, "", {}),
    "the open is above the high": ({"open": 120.0}, "range_widened", {"high": 120.0}),
    "the close is below the low": ({"low": 100.5}, "range_widened", {"low": 100.0}),
    "the open is 0": ({"open": 0.0}, "open_unknown", {"open": None}),
    "the open is null": ({"open": None}, "open_unknown", {"open": None}),
    "the high is null": ({"high": None}, "range_unknown", {"high": 100.0}),
    "the low is 0": ({"low": 0.0, "open": 99.5}, "range_unknown", {"low": 99.5}),
    "nothing but the close": (
        {"open": 0.0, "high": 0.0, "low": 0.0},
        "open_unknown,range_unknown",
        {"open": None, "high": 100.0, "low": 100.0},
    ),
    "no volume": ({"volume": None}, "volume_unknown", {"volume": 0}),
    "negative volume": ({"volume": -5}, "volume_unknown", {"volume": 0}),
    "a negative dividend": ({"dividend": -0.1}, "event_unknown", {"dividend": 0.0}),
    "a split into no shares": ({"split": None}, "event_unknown", {"split": 1.0}),
    "a foreign dividend": (
        {"dividend": 0.5, "dividend_currency": "EUR"},
        "dividend_currency",
        {"dividend": 0.5},
    ),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_what_is_known_to_be_wrong_is_repaired_and_flagged(name):
    wrong, flags, right = REPAIRED[name]
    row = bar(DAY) | wrong
    [repaired] = quality.repair(bars(row)).to_dicts()
    assert repaired == row | right | {"flags": flags}


prices = st.none() | st.sampled_from([0.0, -1.0, 1.0, 100.0]) | st.floats(allow_nan=True)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "session": st.dates(DAY - timedelta(12), TODAY + timedelta(3)),
            **dict.fromkeys(PRICES, prices),
            "volume": st.none() | st.integers(-2, 2),
            **dict.fromkeys(("dividend", "capital_gain", "split"), prices),
            "currency": st.none() | st.just("USD"),
            "dividend_currency": st.none() | st.just("EUR"),
            "source": st.just("test"),
        }
    ),
    max_size=8,
)


@given(ROWS, st.booleans())
def test_every_row_is_kept_or_quarantined_and_what_is_kept_can_be_used(rows, may_be_negative):
    found = judge(*rows, may_be_negative=may_be_negative)
    assert found.good.height + found.bad.height == len(rows)
    assert found.good["session"].is_unique().all()
    assert all(set(text.split(",")) <= quality.CHECKS.keys() for text in found.bad["reasons"])
    repaired = quality.repair(found.good)
    assert (repaired["low"] <= repaired["high"]).all()
    for name in ("open", "close"):
        inside = repaired.filter(pl.col(name).is_not_null())
        assert inside[name].is_between(inside["low"], inside["high"]).all()
    for name in ("high", "low", "close", "volume", "dividend", "capital_gain", "split"):
        assert repaired[name].is_finite().all()
        assert not repaired[name].has_nulls()
    names = {name for text in repaired["flags"] for name in text.split(",") if name}
    assert names <= flags.FLAGS.keys()
    # what has been repaired stays as it is
    again = quality.repair(repaired.select(RAW.keys()))
    assert again.select(set(RAW) - {"flags"}).equals(repaired.select(set(RAW) - {"flags"}))


# ---- flags that depend on other bars


def history(*rows: dict[str, object]) -> pl.DataFrame:
    repaired = quality.repair(bars(*rows))
    return repaired.with_columns(
        as_of=pl.lit(None, HISTORY["as_of"]), basis_factor=pl.lit(1.0)
    ).select(HISTORY.keys())


def context(*rows, splits=None, gaps=()) -> list[str]:
    found = quality.flag_context(
        history(*rows), splits or {}, pl.Series("session", gaps, dtype=pl.Date)
    )
    return found["flags"].to_list()


JUMPS = {
    "an ordinary day": ([100.0, 101.0, 99.0], {}, ["", "", ""]),
    "half the price": ([100.0, 50.5], {}, ["", "missed_split"]),
    "double the price": ([50.0, 101.0], {}, ["", "missed_split"]),
    "a hundredth": ([100.0, 1.01], {}, ["", "unit_error"]),
    "a hundredfold and back": ([100.0, 9990.0, 100.0], {}, ["", "unit_error", "unit_error"]),
    "a crash of no common ratio": ([100.0, 82.0], {}, ["", ""]),
    "an odd ratio that nobody announced": ([100.0, 221.0], {}, ["", ""]),
    "an odd ratio that was announced": (
        [100.0, 221.0],
        {DAYS[1]: 0.4714},
        ["", "missed_split"],
    ),
    "an announced ratio, weeks from its day": (
        [100.0, 221.0],
        {DAYS[1] + timedelta(60): 0.4714},
        ["", ""],
    ),
    "a negative price": ([20.0, -37.0, 10.0], {}, ["", "", ""]),
    "no bar": ([], {}, []),
}


@pytest.mark.parametrize("name", JUMPS)
def test_odd_jumps_are_flagged(name):
    closes, splits, expected = JUMPS[name]
    rows = [
        bar(day, close, high=close + abs(close) / 10, low=close - abs(close) / 10)
        for day, close in zip(DAYS, closes, strict=False)
    ]
    assert context(*rows, splits=splits) == expected


@given(st.floats(1.5, 150), st.booleans(), st.floats(-0.03, 0.03), st.integers(-20, 20))
def test_a_jump_that_an_announced_split_explains_is_flagged(ratio, reverse, move, days):
    ratio = 1 / ratio if reverse else ratio
    rows = [bar(DAYS[0], 100.0), bar(DAYS[1], 100.0 / ratio * (1 + move))]
    [_, flag] = context(*rows, splits={DAYS[1] + timedelta(days): ratio})
    assert flag == "missed_split"


def test_a_large_dividend_is_flagged_and_a_foreign_one_is_not_compared():
    rows = [bar(DAYS[0]), bar(DAYS[1], dividend=31.0), bar(DAYS[2], dividend=29.0)]
    assert context(*rows) == ["", "large_dividend", ""]
    foreign = bar(DAYS[1], dividend=3100.0, dividend_currency="JPY")
    assert context(bar(DAYS[0]), foreign) == ["", "dividend_currency"]


@pytest.mark.parametrize(("missing", "flag"), [(5, ""), (6, "after_gap")])
def test_the_first_bar_after_a_halt_is_flagged(missing, flag):
    rows = [bar(DAYS[0]), bar(DAYS[missing + 1]), bar(DAYS[missing + 2])]
    assert context(*rows, gaps=DAYS[1 : missing + 1]) == ["", flag, ""]


def test_flags_that_no_longer_hold_go_and_the_others_stay():
    flagged = history(bar(DAYS[0]), bar(DAYS[1]) | {"open": None}).with_columns(
        flags=pl.Series(["unit_error", "open_unknown,after_gap,off_calendar"])
    )
    none = pl.Series("session", [], dtype=pl.Date)
    found = quality.flag_context(flagged, {}, none)
    assert found["flags"].to_list() == ["", "open_unknown,off_calendar"]
    assert quality.flag_context(found, {}, none).equals(found)


def test_every_flag_is_documented_with_a_sentence():
    assert all(text.endswith(".") for text in flags.FLAGS.values())
    assert set(flags.CONTEXTUAL) <= flags.FLAGS.keys()


EVENTS = {"dividend": 0.0, "capital_gain": 0.0, "split": 1.0}
"""The events and their neutral values."""


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, -0.5, -1e-300])
@pytest.mark.parametrize("name", EVENTS)
def test_impossible_events_are_dropped(name, value):
    [row] = quality.repair(bars(bar(DAY) | {name: value})).to_dicts()
    assert (row[name], row["flags"]) == (EVENTS[name], "event_unknown")


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_0_is_none_but_a_split_of_0_can_not_be(name, zero):
    [row] = quality.repair(bars(bar(DAY) | {name: zero})).to_dicts()
    assert row["flags"] == ("event_unknown" if name == "split" else "")
    assert row[name] == EVENTS[name]


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({"volume": 0}, ""),
        ({"volume": -1}, "volume_unknown"),
        ({"volume": None}, "volume_unknown"),
        ({"open": 99.0, "high": 100.0, "low": 99.0}, ""),
        ({"open": 98.999}, "range_widened"),
        ({"open": 101.001}, "range_widened"),
        ({"open": 100.0, "high": 100.0, "low": 100.0}, ""),
        ({"high": 99.999}, "range_widened"),
        ({"low": 100.001}, "range_widened"),
        ({"open": math.nan}, "open_unknown"),
        ({"open": -0.0}, "open_unknown"),
        ({"high": math.inf}, "range_unknown"),
        ({"low": -math.inf}, "range_unknown"),
    ],
    ids=str,
)
def test_borders_of_what_is_repaired(change, flags):
    [row] = quality.repair(bars(bar(DAY) | change)).to_dicts()
    assert row["flags"] == flags
    assert row["low"] <= row["close"] <= row["high"]


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 10.0, 20.0, 50.0])
@pytest.mark.parametrize("move", [-0.05, -0.041, -0.039, 0.0, 0.039, 0.041, 0.05])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_jump_is_flagged_up_to_4_percent_from_a_common_ratio(ratio, move, reverse):
    jump = ratio * (1 + move)
    [_, flag] = context(bar(DAYS[0], 100.0), bar(DAYS[1], 100.0 * jump if reverse else 100 / jump))
    assert flag == ("missed_split" if abs(move) < 0.04 else "")


@given(ROWS | st.lists(st.sampled_from(DAYS[:12]).map(bar), max_size=4), st.booleans())
def test_a_usual_answer_is_judged_as_row_by_row(rows, may_be_negative):
    """What can be seen at a glance is what the checks say."""
    found = bars(*rows)
    denied = NYSE.denied(found["session"].to_numpy())
    facts = {"last_closed": TODAY, "may_be_negative": may_be_negative, "today": TODAY}
    at_a_glance = quality.judge(found, denied, **facts)
    with mock.patch.object(quality, "_is_plain", return_value=False):
        one_by_one = quality.judge(found, denied, **facts)
    assert at_a_glance.good.equals(one_by_one.good)
    assert at_a_glance.bad.equals(one_by_one.bad)
    assert at_a_glance.bad.schema == one_by_one.bad.schema


# ---- borders


@pytest.mark.parametrize("name", PRICES)
@pytest.mark.parametrize(
    ("price", "is_beyond"),
    [(1e-12, False), (0.99e-12, True), (1e12, False), (1.01e12, True), (0.0, False),
     (-1e12, False), (-1.01e12, True), (None, False), (math.nan, False)],
)  # fmt: skip
def test_prices_beyond_reason(name, price, is_beyond):
    for others in ([], [bar(DAYS[0]) | {"close": None}]):
        found = judge(*others, bar(DAY) | {name: price}).bad.filter(pl.col("session") == DAY)
        reasons = {each for text in found["reasons"] for each in text.split(",")}
        assert ("price_beyond_reason" in reasons) == is_beyond


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ["filler"]),
        ({"close": 100.0009}, ["filler"]),
        ({"close": 100.0011}, []),
        ({"close": 99.9989}, []),
        ({"volume": None}, ["filler"]),
        ({"volume": -1}, ["filler"]),
        ({"volume": 1}, []),
        ({"open": None, "high": 0.0, "low": math.nan}, ["filler"]),
        ({"open": 100.5}, []),
        ({"high": 100.5}, []),
        ({"low": 99.5}, []),
    ],
    ids=str,
)
def test_what_a_filler_is(change, reasons):
    """On a day without a session: the close before, and nothing else."""
    close = change.get("close", 100.0)
    row = flat(HOLIDAY, close) | change
    assert judge(bar(date(2013, 2, 15)), row).bad["reasons"].to_list() == reasons
    assert judge(row, close_before=100.0).bad["reasons"].to_list() == reasons
    if "close" in change:  # nothing to compare with
        assert judge(row).bad["reasons"].to_list() == ["filler"]
    session = row | {"session": date(2013, 2, 19)}
    assert judge(bar(date(2013, 2, 15)), session).bad.is_empty()


@pytest.mark.parametrize(
    ("change", "is_bad"),
    [
        ({}, True),
        ({"volume": None}, True),
        ({"volume": -1}, True),
        ({"volume": 1}, False),
        ({"open": 100.0}, False),
        ({"high": 100.0}, False),
        ({"low": 100.0}, False),
        ({"open": None, "high": math.inf, "low": math.nan}, True),
        ({"session": date(2013, 3, 8)}, True),
        ({"session": date(2013, 3, 6)}, False),
    ],
    ids=str,
)
def test_what_a_placeholder_is(change, is_bad):
    row = bar(date(2013, 3, 7), open=0.0, high=0.0, low=0.0, volume=0) | change
    found = judge(bar(DAY), row).bad["reasons"].to_list()
    assert found == (["placeholder"] if is_bad else [])


@pytest.mark.parametrize(
    ("jump", "flag"),
    [(69.9, ""), (70.1, "unit_error"), (100.0, "unit_error"), (142.9, "unit_error"), (143.1, "")],
)
def test_from_where_to_where_a_jump_is_one_of_units(jump, flag):
    for closes in ([1.0, jump], [jump, 1.0]):
        rows = [bar(day, close) for day, close in zip(DAYS, closes, strict=False)]
        assert context(*rows) == ["", flag]
    announced = {DAYS[1]: jump}
    known = "missed_split" if jump else flag
    assert context(bar(DAYS[0], jump), bar(DAYS[1], 1.0), splits=announced) == ["", known]


@pytest.mark.parametrize(
    ("ratio", "move", "days", "flag"),
    [
        (2.21, 0.0, 0, "missed_split"),
        (2.21, 0.099, 0, "missed_split"),
        (2.21, -0.089, 0, "missed_split"),
        (2.21, 0.101, 0, ""),
        (2.21, -0.101, 0, "missed_split"),  # it is near 2
        (2.21, 0.0, 30, "missed_split"),
        (2.21, 0.0, -30, "missed_split"),
        (2.21, 0.0, 31, ""),
        (2.21, 0.0, -31, ""),
        (1.2, 0.0, 0, ""),
        (1.21, 0.0, 0, "missed_split"),
        (1 / 1.21, 0.0, 0, "missed_split"),
    ],
)
def test_what_an_announced_split_explains(ratio, move, days, flag):
    size = max(ratio, 1 / ratio) * (1 + move)
    rows = [bar(DAYS[0], 100.0), bar(DAYS[1], 100.0 * size)]
    assert context(*rows, splits={DAYS[1] + timedelta(days): ratio}) == ["", flag]


@pytest.mark.parametrize(
    ("before", "dividend", "flag"),
    [
        (100.0, 30.0, ""),
        (100.0, 30.01, "large_dividend"),
        (100.0, 0.0, ""),
        (-100.0, 1.0, ""),
        (None, 99.0, ""),
    ],
)
def test_from_where_on_a_dividend_is_large(before, dividend, flag):
    rows = [] if before is None else [bar(DAYS[0], before, low=-200.0, high=200.0)]
    last = bar(DAYS[1], 100.0 if before != -100.0 else -101.0, dividend=dividend)
    last |= {"low": -200.0, "high": 200.0}
    assert context(*rows, last)[-1] == flag
