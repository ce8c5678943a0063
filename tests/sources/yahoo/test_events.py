"""Dividends, capital gains and splits: nothing is lost, nothing is counted twice."""

import math
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sources.served import NEW_YORK, at, chart
from tickerlake.market.currencies import MINOR_UNITS, find_unit
from tickerlake.sources.yahoo.chart import Chart
from tickerlake.sources.yahoo.events import Cash, is_counted_twice, read_events, settle

DAY = date(2005, 2, 28)
EVE = DAY - timedelta(days=3)
amounts = st.integers(1, 10**6).map(lambda number: number / 1000)
codes = st.sampled_from([*MINOR_UNITS, "GBP", "USD", "EUR", "ILS", ""])


def read(
    listed: dict[str, list[dict[str, Any]]],
    closes: dict[date, float] | None = None,
    zone: str = NEW_YORK,
    **meta: Any,
) -> list[dict[str, Any]]:
    result = chart("X", {}, zone=zone, events=listed, **meta)
    return (
        read_events(Chart("X", result, zone), sorted((closes or {}).items()))
        .sort("session")
        .to_dicts()
    )


def paid(amount: float | None, session: date = DAY, **fields: object) -> dict[str, Any]:
    return {"date": at(session), "amount": amount, **fields}


def test_events_of_one_day_add_up() -> None:
    splits = [
        {"date": at(DAY), "numerator": 2, "denominator": 1},
        {"date": at(DAY), "numerator": 3, "denominator": 2},
    ]
    (row,) = read({"dividends": [paid(0.5), paid(0.25)], "splits": splits})
    assert row == {
        "session": DAY,
        "dividend": 0.75,
        "capital_gain": 0.0,
        "split": 3.0,
        "dividend_currency": None,
    }


@pytest.mark.parametrize(
    "split", [{"numerator": 2, "denominator": 0}, {"numerator": 0, "denominator": 1}, {}]
)
def test_a_split_of_no_shares_and_a_dividend_of_no_amount_are_unknown(split: dict) -> None:
    (row,) = read({"dividends": [paid(None)], "splits": [{"date": at(DAY), **split}]})
    assert math.isnan(row["split"])
    assert math.isnan(row["dividend"])


def test_there_may_be_no_events_in_any_way() -> None:
    for none in (None, {}, {"dividends": None}, {"splits": {}, "capitalGains": {}}):
        result = chart("X", {}) | {"events": none}
        assert read_events(Chart("X", result, NEW_YORK), []).is_empty()


@given(st.lists(st.tuples(st.booleans(), amounts, codes), min_size=1, max_size=6), codes)
def test_whatever_the_currencies_no_cash_is_lost(
    payments: list[tuple[bool, float, str]], price_currency: str
) -> None:
    listed: dict[str, list[dict[str, Any]]] = {"dividends": [], "capitalGains": []}
    given_by_currency: dict[str, float] = {}
    for is_gain, amount, code in payments:
        listed["capitalGains" if is_gain else "dividends"].append(paid(amount, currency=code))
        unit = find_unit(code or price_currency)
        given_by_currency[unit.currency] = (
            given_by_currency.get(unit.currency, 0.0) + amount / unit.per_one
        )
    # the price fell by so much that all of it must have been paid
    (row,) = read(listed, {EVE: 2e9, DAY: 1.0}, currency=price_currency or None)
    # cash in other currencies can't be compared with the price
    assume(not row["dividend_currency"] or not listed["capitalGains"])
    stored: dict[str, float] = {}
    told = row["dividend_currency"] or ""
    in_price = "" if told.startswith("+") else told
    for amount, code in [
        (row["dividend"] + row["capital_gain"], in_price or price_currency),
        *((float(part), code) for part, code in pairs(told)),
    ]:
        unit = find_unit(code)
        stored[unit.currency] = stored.get(unit.currency, 0.0) + amount / unit.per_one
    stored = {code: amount for code, amount in stored.items() if amount}
    assert stored == pytest.approx(given_by_currency, rel=1e-5)


def pairs(told: str) -> list[tuple[str, str]]:
    words = told.split() if told.startswith("+") else []
    return list(zip(words[::2], words[1::2], strict=True))


@given(amounts, amounts, st.booleans())
def test_whether_the_dividend_includes_the_gain_or_not_the_total_is_what_was_paid(
    dividend: float, gain: float, included: bool
) -> None:
    served = round(dividend + gain, 3) if included else dividend
    drop = dividend + gain
    result = settle(Cash({"USD": served}, {"USD": gain}), "USD", drop)
    assert result.capital_gain == gain
    assert result.dividend == pytest.approx(dividend, rel=1e-5, abs=1e-6 * gain)


@pytest.mark.parametrize(
    ("dividend", "gain", "drop", "twice"),
    [
        (7.857, 6.42, 7.9, True),  # VWILX, 2025-12-17: 1.437 and 6.42 were paid
        (7.857, 6.42, 14.1, False),
        (0.1, 1.8, 1.9, False),  # the smaller one can't include the larger one
        (0.1, 1.8, 0.0, False),
        (2.0, 2.0, 2.0, True),
        (2.0, 1.0, None, True),  # nothing to compare with
        (1.0, 0.0, 1.0, False),
        (math.nan, 1.0, 1.0, False),
        (1.0, math.nan, 1.0, False),
    ],
)
def test_counted_twice(dividend: float, gain: float, drop: float | None, twice: bool) -> None:
    assert is_counted_twice(dividend, gain, drop) is twice


@pytest.mark.parametrize("closes", [{EVE: 20.0, DAY: 18.0}, {DAY: 18.0}, {EVE: 20.0}, {}])
def test_a_gain_that_the_dividend_includes_is_counted_once(closes: dict[date, float]) -> None:
    listed = {"dividends": [paid(2.0)], "capitalGains": [paid(1.5)]}
    (row,) = read(listed, closes, chartPreviousClose=20.0)
    assert (row["dividend"], row["capital_gain"]) == (0.5, 1.5)


def test_the_close_before_the_window_tells_a_separate_gain() -> None:
    listed = {"dividends": [paid(2.0)], "capitalGains": [paid(1.5)]}
    (row,) = read(listed, {DAY: 16.5}, chartPreviousClose=20.0)
    assert (row["dividend"], row["capital_gain"]) == (2.0, 1.5)


def test_units_of_one_currency_are_converted_and_others_are_kept() -> None:
    assert read({"dividends": [paid(0.5, currency="GBP")]}, currency="GBp")[0]["dividend"] == 50
    assert read({"dividends": [paid(50.0, currency="GBX")]}, currency="GBP")[0]["dividend"] == 0.5
    (row,) = read({"dividends": [paid(0.5, currency="USD")]}, currency="GBp")
    assert (row["dividend"], row["dividend_currency"]) == (0.5, "USD")
    (row,) = read(
        {"dividends": [paid(0.5, currency="USD"), paid(0.1, currency="EUR")]}, currency="GBp"
    )
    assert (row["dividend"], row["dividend_currency"]) == (0.0, "+0.1 EUR +0.5 USD")
    listed = {"dividends": [paid(0.5)], "capitalGains": [paid(0.25, currency="EUR")]}
    (row,) = read(listed, currency="USD")
    assert (row["dividend"], row["capital_gain"]) == (0.5, 0.0)
    assert row["dividend_currency"] == "+0.25 EUR"
    (row,) = read({"capitalGains": listed["capitalGains"]}, currency="USD")
    assert (row["capital_gain"], row["dividend_currency"]) == (0.0, "+0.25 EUR")


@pytest.mark.parametrize(
    "zone",
    ["Pacific/Auckland", "Australia/Sydney", "Asia/Tokyo", "Asia/Kolkata", "Europe/London", "UTC",
     NEW_YORK],
)  # fmt: skip
@pytest.mark.parametrize("day", [date(2026, 2, 4), date(2026, 7, 8)])
def test_an_event_is_of_the_day_at_the_exchange(zone: str, day: date) -> None:
    """The bell of Sydney rings at 23:00 UTC of the day before."""
    moment = at(day, zone)
    listed = {
        "dividends": [{"date": moment, "amount": 0.5}],
        "capitalGains": [{"date": moment, "amount": 0.75}],
        "splits": [{"date": moment, "numerator": 3, "denominator": 2}],
    }
    (row,) = read(listed, zone=zone)
    assert row["session"] == day
    assert (row["dividend"], row["capital_gain"], row["split"]) == (0.5, 0.75, 1.5)


def test_the_drop_is_from_the_close_before() -> None:
    """2.00 and 1.50 were paid, and the price fell by as much, from 20.00, not from 16.60."""
    listed = {"dividends": [paid(2.0)], "capitalGains": [paid(1.5)]}
    earlier = {EVE - timedelta(days=1): 16.6, EVE: 20.0}
    (row,) = read(listed, {**earlier, DAY: 16.5})
    assert (row["dividend"], row["capital_gain"]) == (2.0, 1.5)
    (row,) = read(listed, {**earlier, DAY: 18.0})
    assert (row["dividend"], row["capital_gain"]) == (0.5, 1.5)
