"""The present of a lake: what it said when somebody looked, whatever has happened since."""

import pytest
from helpers import Counting, new_lake
from small_market import SPLIT, STEPS, TICKERS, fetch, run

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, manifests, present
from tickerlake.stages import transform


@pytest.fixture
def lived() -> Lake:
    lake = new_lake("memory://", "month")
    for day in STEPS[:3]:
        run(lake, day)
    return lake


def rows(seen: present.Present) -> dict[str, list[tuple[object, ...]]]:
    return {ticker: seen.history(ticker).bars.rows() for ticker in seen.tickers()}


def test_it_stays_as_it_was_when_somebody_looked(lived):
    """The next run brings a split, which changes every bar."""
    before, seen = rows(present.look(lived)), present.look(lived)
    run(lived, SPLIT, ["A"])
    assert rows(present.look(lived)) != before
    assert rows(seen) == before
    for ticker in TICKERS:
        sessions = [session for session, *_ in before[ticker]]
        assert seen.summary(ticker).bars["session"].to_list() == sessions
    assert seen.tickers() == TICKERS
    assert seen.stamp != present.look(lived).stamp
    assert seen.runs == manifests.all_ids(lived.store)[:-1]


def test_it_has_what_no_transform_has_processed(lived):
    fetch(lived, SPLIT, ["A", "CC"])
    seen = present.look(lived)
    pending = rows(seen)
    assert seen.tickers() == ["A", "B", "CC"]
    assert seen.summary("CC").bars["session"].to_list() == [day for day, *_ in pending["CC"]]
    assert [each.run_id for each in seen.pending] == manifests.pending_ids(lived.store)
    transform.transform(lived)
    assert rows(present.look(lived)) == pending


def test_of_a_ticker_without_news_one_object_is_read(lived):
    counting = Counting(lived.store)
    seen = present.look(Lake(counting, lived.grain))
    for ask in (seen.history, seen.summary):
        counting.reads.clear()
        ask("A")
        assert counting.reads == {layout.history("A"): 1}


def test_a_history_that_can_not_be_read_is_an_error(lived):
    seen, whole = present.look(lived), lived.store.get(layout.history("A"))
    lived.store.put(layout.history("A"), b"garbage")
    for ask in (seen.history, seen.summary):
        with pytest.raises(CorruptObjectError, match="tickerlake"):
            ask("A")
    lived.store.put(layout.history("A"), whole)
    fetch(lived, SPLIT)
    lived.store.put(layout.history("A"), b"garbage")
    with pytest.raises(CorruptObjectError, match="tickerlake"):
        present.look(lived).history("A")
    assert present.look(lived).history("B").bars.height
