from datetime import date, timedelta

import polars as pl
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.market import events

DAY = date(2024, 3, 11)
NOTHING = dict.fromkeys(("open", "high", "low", "close", "volume"))


def event(session: date, **fields: object) -> dict[str, object]:
    return bar(session) | NOTHING | fields


def test_an_event_of_a_day_without_a_bar_goes_to_the_next_bar():
    rows = [bar(DAY), event(DAY + timedelta(1), dividend=1.0, split=2.0), bar(DAY + timedelta(3))]
    carried = events.carry(bars(*rows))
    assert carried["session"].to_list() == [DAY, DAY + timedelta(3)]
    assert carried["dividend"].to_list() == [0.0, 1.0]
    assert carried["split"].to_list() == [1.0, 2.0]


def test_an_event_after_the_last_bar_waits():
    assert events.carry(bars(bar(DAY), event(DAY + timedelta(1), dividend=1.0))).equals(
        bars(bar(DAY))
    )


def test_a_foreign_dividend_keeps_its_currency():
    rows = [event(DAY, dividend=0.5, dividend_currency="USD"), bar(DAY + timedelta(1))]
    [carried] = events.carry(bars(*rows)).to_dicts()
    assert (carried["dividend"], carried["dividend_currency"]) == (0.5, "USD")


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([1.0, 2.0, 0.5])
        ),
        max_size=12,
    )
)
def test_no_event_before_the_last_bar_is_lost_and_none_is_invented(days):
    rows = [
        (bar if priced else event)(
            DAY + timedelta(n), dividend=cash, capital_gain=cash, split=ratio
        )
        for n, (priced, cash, ratio) in enumerate(days)
    ]
    given_rows = bars(*rows)
    carried = events.carry(given_rows)
    priced = given_rows.filter(pl.col("close").is_not_null())
    assert carried["session"].to_list() == priced["session"].to_list()
    if priced.is_empty():
        return
    until = given_rows.filter(pl.col("session") <= priced["session"][-1])
    for name in ("dividend", "capital_gain"):
        assert carried[name].sum() == until[name].sum()
    assert carried["split"].product() == until["split"].product()
    facts = ["session", "open", "high", "low", "close", "volume", "currency", "source"]
    assert carried.select(facts).equals(priced.select(facts))
