"""The fold: what one delivery does to a history, fact by fact."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.lake.fold import Delivery, History, fold_all
from tickerlake.lake.fold import fold as fold_one
from tickerlake.lake.history import Stored, encode
from tickerlake.lake.manifests import Entry, Order, Rejected
from tickerlake.market import quality
from tickerlake.market.flags import Flag
from tickerlake.market.listing import Listing

DAYS = [date(2026, 2, 2) + timedelta(n) for n in range(10)]
MOMENT = datetime(2026, 2, 2, 22, tzinfo=UTC)


def fold(*deliveries: tuple[dict[str, object], list[date]]) -> History:
    """Fold entries and the sessions that they deliver."""
    return fold_all(
        History(),
        [
            Delivery(
                Order(MOMENT + timedelta(minutes=n), str(n)),
                Entry(**{"outcome": "ok", "splits": {}, **fields}),
                bars(*(bar(day) for day in sessions)),
            )
            for n, (fields, sessions) in enumerate(deliveries)
        ],
    )


def window(first: int, last: int, *gaps: int, **more: object) -> dict[str, object]:
    gap_days = tuple(DAYS[n] for n in gaps)
    return {"start": DAYS[first], "end": DAYS[last], "gaps": gap_days, **more}


def test_a_session_that_arrives_is_no_gap():
    held = fold((window(0, 4, 2, 3), [DAYS[0], DAYS[1], DAYS[4]]), ({}, [DAYS[2]]))
    assert held.gaps == (DAYS[3],)


def test_gaps_of_a_window_replace_those_that_were_known_in_it():
    first = (window(0, 6, 1, 3, 5), [DAYS[0], DAYS[6]])
    assert fold(first, (window(2, 4), [DAYS[4]])).gaps == (DAYS[1], DAYS[5])
    assert fold(first, (window(3, 5, 4), [DAYS[5]])).gaps == (DAYS[1], DAYS[4])
    assert fold(first, (window(1, 1), [])).gaps == (DAYS[3], DAYS[5])
    assert fold(first, (window(7, 8, 8), [DAYS[7]])).gaps == (DAYS[1], DAYS[3], DAYS[5], DAYS[8])


@pytest.mark.parametrize(("second", "since"), [(2, 2), (7, 5), (5, 5), (None, 5)])
def test_since_is_the_earliest_day_that_was_asked_for(second, since):
    later = {} if second is None else window(second, 9)
    assert fold((window(5, 9), [DAYS[6]]), (later, [])).since == DAYS[since]
    assert fold((later, []), (window(5, 9), [DAYS[6]])).since == DAYS[since]


def test_flags_of_the_run_are_set_on_their_bars():
    flags = (Flag(DAYS[1], "off_calendar"), Flag(DAYS[1], "timezone"), Flag(DAYS[2], "timezone"))
    held = fold((window(0, 3, flags=flags), DAYS[:4]))
    assert held.bars["flags"].to_list() == ["", "off_calendar,timezone", "timezone", ""]


def test_a_delivery_brings_a_retired_ticker_back():
    first = (window(0, 2), DAYS[:3])
    retired = (window(2, 2, retired=DAYS[2], renamed_to="B"), [])
    assert fold(first, retired).retired == DAYS[2]
    assert fold(first, retired).renamed_to == "B"
    again = fold(first, retired, (window(2, 3), DAYS[2:4]))
    assert (again.retired, again.renamed_to) == (None, None)


def test_who_asks_for_nothing_says_nothing_about_splits_and_gaps():
    """As a run that only notes that a ticker is retired, or one with rows from elsewhere."""
    first = (window(0, 4, 2, splits={DAYS[1]: 3.0}), [DAYS[0], DAYS[1], DAYS[4]])
    for second in (({"retired": DAYS[4]}, []), ({}, [DAYS[5]])):
        held = fold(first, second)
        assert (held.splits, held.since, held.gaps) == ({DAYS[1]: 3.0}, DAYS[0], (DAYS[2],))


def test_a_restated_past_leaves_nothing_behind():
    """What was refused stays refused, and the zone and what has happened stay known."""
    bad = (Rejected(DAYS[8], "no_close", "0" * 8),)
    said = {"name": "Old", "currency": "GBp"}
    before = (
        window(0, 6, 5, splits={DAYS[3]: 2.0}, rejected=bad, timezone="Europe/London",
               listing=Listing(**said)),
        DAYS[:5],
    )  # fmt: skip
    after = (window(2, 4, 3, restated="GBp became GBP"), [DAYS[2], DAYS[4]])
    held, alone = fold(before, after), fold(after)
    assert held.bars["session"].to_list() == [DAYS[2], DAYS[4]]
    assert (held.splits, held.since, held.gaps) == ({}, DAYS[2], (DAYS[3],))
    assert (held.listing, alone.listing) == (Listing(), Listing())
    assert (held.rejected, held.timezone) == (bad, "Europe/London")
    assert [each.event for each in held.events] == ["restated"]
    assert alone.events == ()  # nothing was held


def test_what_happens_is_told_when_it_happens():
    first = (window(0, 4, splits={DAYS[1]: 3.0}, renamed_from="OLD"), DAYS[:5])
    known = {"splits": {DAYS[1]: 3.0}}
    split = (window(1, 5, splits={DAYS[1]: 3.0, DAYS[5]: 2.0}), [DAYS[5]])
    withdrawn = (window(1, 6, **known), [DAYS[6]])
    retired = (window(6, 6, retired=DAYS[7], renamed_to="NEW"), [])
    same = (window(6, 7, retired=DAYS[7], renamed_to="NEW"), [DAYS[7]])
    back = (window(7, 8), [DAYS[8]])
    told = fold(first, split, withdrawn, retired, same, back).events
    assert [(each.run_id, each.event, each.session, each.old, each.new, each.detail)
            for each in told] == [
        ("0", "renamed_from", None, None, None, "OLD"),
        ("1", "split", DAYS[5], 1.0, 2.0, None),
        ("2", "split", DAYS[5], 2.0, 1.0, None),
        ("3", "renamed_to", None, None, None, "NEW"),
        ("3", "retired", DAYS[7], None, None, None),
        ("5", "resumed", None, None, None, None),
    ]  # fmt: skip
    assert told[1].as_of == MOMENT + timedelta(minutes=1)


def test_a_zone_that_is_not_stated_is_not_forgotten():
    first = (window(0, 2, timezone="Asia/Tokyo"), DAYS[:3])
    assert fold(first, (window(2, 3), [DAYS[3]])).timezone == "Asia/Tokyo"
    moved = (window(2, 3, timezone="Asia/Seoul"), [DAYS[3]])
    assert fold(first, moved).timezone == "Asia/Seoul"


@given(st.data())
def test_many_deliveries_at_once_are_the_same_as_one_after_the_other(data):
    """With corrections, odd bars, flags, splits, restatements, gaps, and empty deliveries."""
    odd = st.sampled_from(
        [{}, {}, {}, {"open": 0.0}, {"open": None}, {"close": 200.0}, {"volume": -1}]
    )
    deliveries = []
    for number in range(data.draw(st.integers(1, 12))):
        first = data.draw(st.integers(0, 9))
        last = data.draw(st.integers(first, 9))
        sessions = [day for day in DAYS[first : last + 1] if data.draw(st.booleans())]
        rows = [
            bar(day, **{"close": data.draw(st.sampled_from([1.0, 100.0])), **data.draw(odd)})
            for day in sessions
        ]
        split = data.draw(st.sampled_from([{}, {}, {}, {DAYS[5]: 2.0}]))
        entry = Entry(
            outcome="ok",
            start=DAYS[first],
            end=DAYS[last],
            splits=split,
            restated=data.draw(st.sampled_from(["", "", "", "why"])),
            flags=[Flag(day, "timezone") for day in sessions if data.draw(st.integers(0, 9)) == 0],
            gaps=[DAYS[last]] if DAYS[last] not in sessions else [],
        )
        order = Order(MOMENT + timedelta(minutes=number), str(number))
        deliveries.append(Delivery(order, entry, bars(*rows)))
    single = History()
    for each in deliveries:
        single = fold_one(single, each)
    gaps = pl.Series("session", single.gaps, pl.Date)
    single = replace(single, bars=quality.flag_context(single.bars, single.splits, gaps))
    assert encode(Stored(fold_all(History(), deliveries))) == encode(Stored(single))


FACTS = {"name": "Meta", "exchange": "NasdaqGS", "instrument_type": "EQUITY", "currency": "USD",
         "timezone": "Asia/Tokyo", "first_trade_date": DAYS[0]}  # fmt: skip


@pytest.mark.parametrize("fact", FACTS)
def test_what_an_answer_leaves_out_stays_known(fact):
    """Whichever fact it is, and even when the answer says nothing at all of the ticker."""
    said, silent = Listing(**FACTS), Listing(**(FACTS | {fact: None}))
    for later in (silent, Listing(), None):
        held = fold((window(0, 1, listing=said), []), (window(1, 2, listing=later), []))
        assert held.listing == said
    newer = replace(said, **{fact: DAYS[1] if fact == "first_trade_date" else "other"})
    held = fold((window(0, 1, listing=said), []), (window(1, 2, listing=newer), []))
    assert held.listing == newer
