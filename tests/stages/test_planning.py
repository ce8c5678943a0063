"""Which sessions are asked for."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.lake import index
from tickerlake.lake.fold import History
from tickerlake.lake.index import Known
from tickerlake.market import calendars
from tickerlake.market.bars import HISTORY
from tickerlake.stages.planning import Request, Window, plan, plan_nothing

START = date(2013, 1, 2)
LAST = date(2013, 3, 1)
NOW = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
NYSE = calendars.of("AAPL")


def held_until(
    day: date, *, start: date = START, without: tuple[date, ...] = (), factor: float = 1.0
) -> History:
    sessions = NYSE.schedule.filter(pl.col("session").is_between(start, day))["session"]
    rows = [bar(session) for session in sessions if session not in without]
    frame = bars(*rows).select(
        pl.all(),
        as_of=pl.lit(NOW, dtype=HISTORY["as_of"]),
        basis_factor=pl.lit(factor),
        flags=pl.lit(""),
    )
    return History(frame, since=start, gaps=without)


def wanted(held: History, *, start: date | None = None, as_of: datetime = NOW) -> Window | None:
    return plan(index.known(held), NYSE, as_of, start, None)


def test_a_new_ticker_is_fetched_from_the_start():
    assert wanted(History(), start=START) == Window(START, LAST, START)
    assert wanted(History(), start=date(2013, 3, 2)) is None


def test_without_a_start_a_new_ticker_reaches_two_years_back():
    assert wanted(History()) == Window(date(2011, 3, 2), LAST, date(2011, 3, 2))


def test_a_ticker_is_due_when_a_session_has_closed_since():
    assert wanted(held_until(LAST)) is None
    assert wanted(held_until(date(2013, 2, 27))) == Window(date(2013, 2, 21), LAST, START)


def test_a_gap_is_asked_for_again_when_the_ticker_is_due_anyway():
    gap = date(2013, 1, 15)
    assert wanted(held_until(LAST, without=(gap,))) is None
    with_gap = held_until(date(2013, 2, 27), without=(gap,))
    assert wanted(with_gap) == Window(gap, LAST, START)
    late = wanted(with_gap, as_of=NOW + timedelta(days=400))
    assert late is not None
    assert late.start > gap


def test_events_are_compared_for_a_year():
    long = held_until(date(2013, 2, 27), start=date(2009, 1, 2))
    assert wanted(long) == Window(date(2013, 2, 21), LAST, date(2012, 3, 1))


@pytest.mark.parametrize(
    ("gap", "is_asked_for"), [(date(2012, 3, 1), True), (date(2012, 2, 29), False)]
)
def test_a_gap_of_a_year_ago_is_the_oldest_that_is_asked_for_again(gap, is_asked_for):
    held = held_until(date(2013, 2, 27), start=date(2011, 1, 3), without=(gap,))
    found = wanted(held)
    assert found == Window(gap if is_asked_for else date(2013, 2, 21), LAST, date(2012, 3, 1))


def test_after_a_split_the_whole_past_is_fetched():
    assert wanted(held_until(date(2013, 2, 27), factor=2.0)) == Window(START, LAST, START)


def test_an_earlier_start_extends_what_is_held_once():
    earlier = date(2010, 1, 4)
    held = held_until(LAST)
    assert wanted(held, start=earlier) == Window(earlier, LAST, earlier)
    asked = History(held.bars, since=earlier)
    assert wanted(asked, start=earlier) is None
    assert wanted(asked, start=START) is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (date(2013, 1, 10), date(2013, 1, 20), (date(2013, 1, 10), date(2013, 1, 20))),
        (date(2005, 1, 3), date(2005, 2, 1), (date(2005, 1, 3), START)),
        (date(2013, 6, 3), date(2013, 7, 1), (LAST, date(2013, 7, 1))),
        (date(2005, 1, 3), date(2013, 7, 1), (date(2005, 1, 3), date(2013, 7, 1))),
    ],
    ids=["inside", "long before", "long after", "around"],
)
def test_an_explicit_window_is_widened_until_it_touches_what_is_held(start, end, expected):
    window = plan(index.known(held_until(LAST)), NYSE, NOW, start, end)
    assert window is not None
    assert (window.start, window.end) == expected
    assert bool(window.note) == ((start, end) != expected)


@given(st.dates(date(2000, 1, 1), date(2013, 12, 31)), st.integers(0, 400))
def test_no_window_leaves_a_hole(start, days):
    held = held_until(LAST)
    window = plan(index.known(held), NYSE, NOW, start, start + timedelta(days))
    assert window is not None
    assert window.start <= held.bars["session"][-1]
    assert window.end >= held.bars["session"][0]


def test_after_its_calendar_ends_every_weekday_may_be_a_session():
    exchange = calendars.of("RELIANCE.NS")
    assert exchange.ends is not None
    after = datetime.combine(exchange.ends + timedelta(days=15), NOW.time(), UTC)
    window = plan(Known(), exchange, after, exchange.ends, None)
    assert window is not None
    assert window.end > exchange.ends + timedelta(days=10)


def test_an_earlier_start_also_brings_the_newest_sessions():
    earlier = date(2010, 1, 4)
    held = held_until(date(2013, 2, 25))
    assert wanted(held, start=earlier) == Window(earlier, LAST, earlier)


@pytest.mark.parametrize("ticker", ["AAPL", "BHP.AX", "7203.T", "VOD.L", "EURUSD=X", "BTC-USD"])
def test_a_single_rebased_bar_is_enough_to_fetch_the_whole_past(ticker):
    """The newest bars came after the split."""
    exchange = calendars.of(ticker)
    days = [date(2013, 1, 7) + timedelta(7 * week + n) for week in range(4) for n in range(5)]
    for number in (0, 10, 18, 19):
        factors = [0.5 if n <= number else 1.0 for n in range(len(days))]
        frame = bars(*(bar(day) for day in days)).select(
            pl.all(),
            as_of=pl.lit(NOW, dtype=HISTORY["as_of"]),
            basis_factor=pl.Series(factors),
            flags=pl.lit(""),
        )
        known = index.known(History(frame, since=days[0]))
        window = plan(known, exchange, NOW, None, None)
        assert window is not None
        assert (window.start, window.asked_from) == (days[0], days[0])


@pytest.mark.parametrize("ticker", ["AAPL", "BHP.AX", "COMI.CA", "EURUSD=X", "BTC-USD"])
def test_about_five_sessions_are_read_again_whether_there_is_a_calendar_or_not(ticker):
    exchange = calendars.of(ticker)
    for last in (date(2013, 2, 14), date(2013, 2, 15), date(2013, 2, 19)):
        known = Known(first=date(2012, 1, 9), last=last, since=date(2012, 1, 9))
        window = plan(known, exchange, NOW, None, None)
        assert window is not None
        assert timedelta(days=4) <= last - window.start <= timedelta(days=8)


@pytest.mark.parametrize("is_repair", [False, True])
def test_of_a_retired_ticker_only_a_repair_fetches_anything(lake, is_repair):
    known = Known(first=START, last=date(2013, 2, 20), since=START, retired=date(2013, 2, 20))
    request = Request(lake, object(), (), NOW, START, date(2013, 2, 20), is_repair=is_repair)
    entry = plan_nothing(request, "AAPL", known)
    if is_repair:
        assert entry is None
    else:
        assert entry is not None
        assert entry.reason == "retired on 2013-02-20"


@pytest.mark.parametrize(("days", "is_asked"), [(364, True), (365, True), (366, False)])
def test_a_gap_is_asked_for_again_for_a_year(days, is_asked):
    gap = LAST - timedelta(days)
    first, last = date(2010, 1, 4), date(2013, 2, 27)
    known = Known(first=first, last=last, since=first, gaps=(date(2010, 6, 1), gap))
    usual = date(2013, 2, 21)
    window = plan(known, NYSE, NOW, None, None)
    start = gap if is_asked else usual
    assert window == Window(start, LAST, min(start, LAST - timedelta(365)))


def test_where_there_is_no_calendar_a_week_is_read_again():
    nowhere = replace(NYSE, days=(), closes=(), ends=None)
    known = Known(first=date(2013, 2, 20), last=date(2013, 2, 27), since=date(2013, 2, 20))
    window = plan(known, nowhere, NOW, None, None)
    assert window == Window(date(2013, 2, 20), date(2013, 2, 28), date(2013, 2, 20))


def test_after_its_calendar_has_ended_a_week_is_read_again():
    """The last session that it knows is read again by the calendar, the next one is not."""
    ends = date(2013, 2, 26)
    ended = replace(NYSE, ends=ends)
    for last, start in ((ends, date(2013, 2, 20)), (date(2013, 2, 27), date(2013, 2, 20))):
        known = Known(first=START, last=last, since=START)
        window = plan(known, ended, NOW, None, None)
        assert window is not None
        assert window.start == start
