"""What the index says of a ticker is what its history says, or it is not believed."""

from datetime import date

import pytest
from helpers import Counting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_market import SESSIONS, STEPS, TICKERS, Market, evening, fetch, run

from tickerlake.lake import Lake, history, index, layout, notes
from tickerlake.stages import extract, repair, transform, verify


def told(lake: Lake) -> dict[str, index.Known]:
    """What the histories say."""
    found = {ticker: history.load(lake, ticker) for ticker in TICKERS}
    return {ticker: index.known(each) for ticker, each in found.items() if each.last}


def test_after_every_transform_the_index_says_what_the_histories_say(lake):
    for step in STEPS:
        run(lake, step)
        assert index.read(lake.store) == told(lake)


def test_a_rebuild_and_a_transform_without_news_keep_it(lake):
    run(lake, STEPS[0])
    transform.transform(lake, rebuild=True)
    assert index.read(lake.store) == told(lake)
    transform.transform(lake)
    assert index.read(lake.store) == told(lake)


def test_a_history_that_was_replaced_is_not_in_the_index(lake):
    run(lake, STEPS[0])
    stored = history.load_stored(lake, "A")
    lake.store.put(layout.history("A"), history.encode(stored))
    assert index.read(lake.store).keys() == {"B"}
    lake.store.delete([layout.history("B")])
    assert index.read(lake.store) == {}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"format":1}x', b'{"format":2,"tickers":{}}'])
def test_a_damaged_index_is_ignored_and_written_again(lake, data):
    run(lake, STEPS[0])
    lake.store.put(layout.INDEX, data)
    assert index.read(lake.store) == {}
    assert fetch(lake, STEPS[0]).exit_code == 0
    run(lake, STEPS[1])
    assert index.read(lake.store) == told(lake)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fetch", "run", "transform", "forget", "damage"]),
            st.sampled_from(STEPS),
        ),
        max_size=6,
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_with_and_without_an_index_the_same_is_extracted(tmp_path_factory, life):
    """Whatever happened: the index never changes what an extraction does."""
    from helpers import new_lake

    with_index, without = (
        new_lake(str(tmp_path_factory.mktemp("lakes") / name), "year") for name in "ab"
    )
    day = SESSIONS[0]
    for what, step in life:
        day = max(day, step)
        entries = []
        for lake in (with_index, without):
            if lake is without or what == "forget":
                lake.store.delete([layout.INDEX])
            if what == "damage":
                lake.store.put(layout.INDEX, b"{")
            if what in ("fetch", "run"):
                report = extract.extract(lake, Market(day), TICKERS, as_of=evening(day), workers=1)
                entries.append(report.entries)
            if what != "fetch":
                transform.transform(lake)
        assert entries[:1] == entries[1:]


def test_when_nothing_is_due_no_history_is_read(lake):
    run(lake, STEPS[0])
    counting = Counting(lake.store)
    report = extract.extract(
        Lake(counting, lake.grain), Market(STEPS[0]), TICKERS, as_of=evening(STEPS[0]), workers=2
    )
    assert {each.reason for each in report.entries.values()} == {"up to date"}
    assert counting.reads == dict.fromkeys([layout.CHECKPOINT, layout.INDEX], 1)


def test_what_is_pending_counts_though_the_index_does_not_know_it(lake):
    run(lake, STEPS[0])
    fetch(lake, STEPS[1])
    report = fetch(lake, STEPS[1])
    assert {each.reason for each in report.entries.values()} == {"up to date"}
    assert not report.manifests


def test_a_ticker_that_is_behind_is_not_taken_for_what_it_was(lake):
    """Its history lacks a run that has a receipt; the note says so."""
    run(lake, STEPS[0])
    fetched = fetch(lake, STEPS[1]).manifests[0]
    blob = next(iter(fetched.tickers["A"].blobs.items()))
    key = layout.blob(layout.RAW, blob[0], "A", blob[1])
    data = lake.store.get(key)
    lake.store.put(key, b"damaged")
    assert transform.transform(lake).refreshed["A"].error
    assert notes.behind_ids(lake.store).keys() == {"A"}
    lake.store.put(key, data)
    report = fetch(lake, STEPS[1])
    assert report.entries["A"].reason == "up to date"
    transform.transform(lake)
    assert index.read(lake.store) == told(lake)
    assert index.read(lake.store)["A"].last >= date(2013, 1, 11)


def test_an_index_that_somebody_edited_is_found_and_repaired(lake):
    run(lake, STEPS[0])
    right = lake.store.get(layout.INDEX)
    lake.store.put(layout.INDEX, right.replace(b'"last":"2013', b'"last":"2014', 1))
    [finding] = verify.verify(lake, workers=1)
    assert (finding.key, finding.ticker) == (layout.INDEX, "A")
    report = repair.repair(lake, Market(STEPS[0]), as_of=evening(STEPS[0]), workers=1)
    assert report.left == []
    assert lake.store.get(layout.INDEX) == right
