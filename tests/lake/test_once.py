"""A run reads each history once, and loses nothing by it."""

import pytest
from helpers import Counting
from small_market import STEPS, TICKERS, fetch, in_turn, run

from tickerlake.lake import Lake, history, layout, once
from tickerlake.stages import transform, verify

KEYS = [layout.history(ticker) for ticker in TICKERS]


def test_a_run_reads_each_history_once(lake):
    run(lake, STEPS[0])
    counting = Counting(lake.store)
    kept = once.Histories()
    for stage in (lambda at: fetch(at, STEPS[1]), transform.transform):
        stage(kept.of(Lake(counting, lake.grain)))
    assert {key: counting.reads[key] for key in KEYS} == dict.fromkeys(KEYS, 1)
    assert verify.verify(lake, workers=1) == []


def test_a_history_that_was_replaced_in_the_meantime_is_read_again(lake):
    run(lake, STEPS[0])
    kept = once.Histories()
    fetch(kept.of(lake), STEPS[1])
    transform.transform(lake)  # another process is faster
    fetch(lake, STEPS[2])
    report = transform.transform(kept.of(lake), engine=in_turn)
    assert report.exit_code == 0
    assert history.load(lake, "A").bars["session"][-1] == STEPS[2]
    assert verify.verify(lake, workers=1) == []


@pytest.mark.parametrize(("room", "reads"), [(0, 4), (1, 3), (2, 2)])
def test_what_has_no_room_is_read_twice(lake, monkeypatch, room, reads):
    run(lake, STEPS[0])
    sizes = [len(lake.store.get(key) or b"") for key in KEYS]
    monkeypatch.setattr(once, "MOST", sum(sizes[:room]))
    counting, kept = Counting(lake.store), once.Histories()
    for _ in range(2):
        for key in KEYS:
            assert kept.of(Lake(counting, lake.grain)).store.get(key)
    assert sum(counting.reads[key] for key in KEYS) == reads


def test_the_room_of_a_history_that_was_handed_out_is_free_again(lake, monkeypatch):
    """Stages follow one another for as long as a process lives."""
    run(lake, STEPS[0])
    monkeypatch.setattr(once, "MOST", sum(len(lake.store.get(key) or b"") for key in KEYS))
    counting, kept = Counting(lake.store), once.Histories()
    store = kept.of(Lake(counting, lake.grain)).store
    for reads in (1, 1, 2, 2, 3, 3):
        assert all(store.get_versioned(key) for key in KEYS)
        assert {counting.reads[key] for key in KEYS} == {reads}
