"""Which runs a state is made of, its stamp, and states that a lake can't give any more."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from helpers import bar, bars, new_lake
from small_market import SESSIONS, SPLIT, TICKERS, evening, fetch, run

from tickerlake.errors import CorruptObjectError, LostStateError, UsageError
from tickerlake.lake import (
    Lake,
    blobs,
    frames,
    history,
    layout,
    manifests,
    snapshot,
    time_travel,
)
from tickerlake.lake.frames import Wanted
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.stages import repair, transform

DAYS = [SESSIONS[3], SESSIONS[4], SPLIT, SESSIONS[-1]]


class Gone:
    """A source that knows nothing any more."""

    name = "gone"

    def fetch(self, symbol, start, end, timezone):
        from tickerlake.sources import Fetched

        return Fetched(bars(bar(SESSIONS[0], 1.0)))


@pytest.fixture
def lived() -> Lake:
    lake = new_lake("memory://", "month")
    for day in DAYS:
        run(lake, day)
    return lake


def ids(state: time_travel.State) -> list[str]:
    return list(state.runs)


def test_a_stamp_depends_on_which_runs_there_are_and_on_nothing_else(lived):
    runs = manifests.all_ids(lived.store)
    shuffled = random.Random(1).sample(runs, len(runs))
    assert time_travel.stamp(shuffled) == time_travel.stamp(runs) == time_travel.newest(lived).stamp
    found = {time_travel.stamp(runs[:number]) for number in range(len(runs) + 1)}
    assert len(found) == len(runs) + 1
    transform.transform(lived, rebuild=True)
    assert time_travel.newest(lived).stamp == time_travel.stamp(runs)


@pytest.mark.parametrize("lacking", range(3))
def test_a_state_that_was_seen_while_a_commit_was_under_way_is_found(lived, lacking):
    runs = manifests.all_ids(lived.store)
    seen = [run_id for run_id in runs if run_id != runs[lacking]]
    assert ids(time_travel.resolve(lived, time_travel.stamp(seen))) == seen


def test_the_stamp_of_the_present_has_pending_runs(lived):
    before = time_travel.newest(lived).stamp
    fetch(lived, SESSIONS[-2], ["C"])  # arrives late
    [pending] = manifests.pending_ids(lived.store)
    state = time_travel.newest(lived)
    assert pending in ids(state)
    assert before != state.stamp
    assert ids(time_travel.resolve(lived, state.stamp)) == ids(state)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        (evening(DAYS[1]), 2),
        (evening(DAYS[1]).replace(tzinfo=None), 2),
        (evening(DAYS[1]) - timedelta(microseconds=1), 1),
        (DAYS[1], 2),
        (f"{DAYS[1]}", 2),
        (f"{DAYS[1]}T22:30Z", 2),
        (f"{DAYS[1]}T22:30", 2),
        (f"{DAYS[1]}T23:30+01:00", 2),
        (f"{DAYS[1]}T22:29:59Z", 1),
        (f"{SPLIT}", 3),
        ("2100-01-01", 4),
    ],
)
def test_a_moment_takes_the_runs_up_to_then(lived, asked, number):
    runs = manifests.all_ids(lived.store)
    assert ids(time_travel.resolve(lived, asked)) == runs[:number]


@pytest.mark.parametrize("number", [2, 4])
def test_without_a_moment_a_state_is_seen_as_its_newest_run_saw_the_market(lived, number):
    """It decides which sessions have closed."""
    runs = manifests.all_ids(lived.store)[:number]
    for asked in (runs[-1], time_travel.stamp(runs)):
        assert time_travel.resolve(lived, asked).moment == evening(DAYS[number - 1])


def test_a_run_takes_those_committed_up_to_it_and_a_moment_those_that_saw_the_market_then(lived):
    entry = Entry(outcome="ok", start=DAYS[0], end=DAYS[0], splits={})
    late = Manifest(
        run_id=manifests.new_run_id(),
        as_of=evening(DAYS[1]) + timedelta(hours=1),
        source="late",
        tickers={"A": entry},
    )
    before = manifests.all_ids(lived.store)
    manifests.commit(lived.store, late)
    assert ids(time_travel.resolve(lived, before[-1])) == before
    newest = time_travel.resolve(lived, late.run_id)
    assert ids(newest) == [*before, late.run_id]
    assert [each.run_id for each in newest.manifests()] == [
        *before[:2],
        late.run_id,
        *before[2:],
    ]
    then = time_travel.resolve(lived, evening(DAYS[2]))
    assert ids(then) == [*before[:3], late.run_id]
    earlier = time_travel.resolve(lived, late.as_of)
    assert ids(earlier) == [*before[:2], late.run_id]
    # none is another's beginning, and all stamps are found
    for state in (earlier, then, time_travel.resolve(lived, before[2])):
        assert time_travel.resolve(lived, state.stamp).runs == state.runs


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("soon", "no moment such as"),
        ("2013-02-30", "no moment such as"),
        ("", "no moment such as"),
        ("20130201T000000000000Z-000000", "has no run"),
        ("2013-01-01", "knew nothing at 2013-01-01: its first run saw the market at 2013-01-10"),
        (datetime(1, 1, 1, tzinfo=UTC), "knew nothing"),
        (date(1, 1, 1), "knew nothing"),
    ],
)
def test_what_is_no_state(lived, asked, message):
    with pytest.raises(UsageError, match=message):
        time_travel.resolve(lived, asked)


def test_a_stamp_of_another_lake(lived):
    with pytest.raises(LostStateError, match="has the stamp 0123456789ab"):
        time_travel.resolve(lived, "0123456789ab")


def test_an_empty_lake_has_an_empty_state():
    lake = new_lake("memory://", "year")
    state = time_travel.resolve(lake, "2013-01-01")
    assert state.stamp == time_travel.newest(lake).stamp
    for name in ("raw", "history", "daily"):
        for found in (state, None):
            assert frames.read(lake, name, found, Wanted()).is_empty()


def test_a_lake_that_lost_a_blob_says_which_states_it_cannot_give(lived):
    old, new = time_travel.resolve(lived, DAYS[0]), time_travel.resolve(lived, DAYS[-1])
    manifest = old.manifests(["A"])[0]
    [(partition, name)] = manifest.tickers["A"].blobs.items()
    key = layout.blob(layout.RAW, partition, "A", name)
    lived.store.delete([key])
    with pytest.raises(CorruptObjectError, match="repair"):
        frames.read(lived, "daily", old, Wanted(("A",)))
    lived.store.delete([layout.history("A")])  # else it would be restored from there
    repair.repair(lived, Gone(), as_of=evening(SESSIONS[-1]), workers=1)
    for name in ("daily", "history", "raw"):
        for state in (old, new):
            with pytest.raises(LostStateError, match=f"can no longer give the state {state.stamp}"):
                frames.read(lived, name, state, Wanted(("A",)))
        assert frames.read(lived, name, old, Wanted(("B",))).height
    now = time_travel.newest(lived)
    assert frames.read(lived, "daily", now, Wanted()).equals(
        frames.read(lived, "daily", None, Wanted())
    )


def test_a_lake_that_lost_a_run_does_not_know_its_stamps(lived):
    runs = manifests.all_ids(lived.store)
    old, new = time_travel.resolve(lived, runs[0]).stamp, time_travel.newest(lived).stamp
    lived.store.put(layout.run(runs[1]), b"garbage")
    with pytest.raises(CorruptObjectError, match="not a run manifest"):
        time_travel.resolve(lived, DAYS[0])
    repair.repair(lived, Gone(), as_of=evening(SESSIONS[-1]), workers=1)
    assert ids(time_travel.resolve(lived, old)) == runs[:1]
    with pytest.raises(LostStateError, match="a run that it was made from is lost"):
        time_travel.resolve(lived, new)


def test_tickers_of_a_state(lived):
    state = time_travel.resolve(lived, DAYS[0])
    assert state.tickers() == TICKERS
    assert state.known(["A", "Z"]) == {"A"}
    unknown = Manifest(
        run_id=manifests.new_run_id(),
        as_of=evening(SESSIONS[-1]),
        source="test",
        tickers={"ZZ": Entry(outcome="unknown_symbol", reason="who?")},
    )
    manifests.commit(lived.store, unknown)
    assert time_travel.newest(lived).known(["A", "ZZ"]) == {"A"}
    run(lived, SESSIONS[-1], ["CC"])
    assert time_travel.newest(lived).tickers() == ["A", "B", "CC"]
    assert state.tickers() == TICKERS


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_run_that_ends_while_the_past_is_read_changes_nothing_of_it(lived, monkeypatch, number):
    """It is transformed after the present has been looked at, and before the history is read."""
    run_ids = manifests.all_ids(lived.store)
    state = time_travel.resolve(lived, run_ids[number])
    expected = history.rebuild(lived, "A", state.manifests())
    now, day = snapshot.now, SESSIONS[0] - timedelta(days=3)

    def then(store):
        taken = now(store)
        entry = Entry(
            outcome="ok",
            start=day,
            end=day,
            new=1,
            blobs=blobs.write(lived, layout.RAW, "A", bars(bar(day, 55.0))),
            splits={},
        )
        as_of = evening(DAYS[-1]) + timedelta(hours=1)
        run_id = manifests.new_run_id()
        another = Manifest(run_id=run_id, as_of=as_of, source="late", tickers={"A": entry})
        manifests.commit(lived.store, another)
        assert transform.transform(lived).exit_code == 0
        return taken

    monkeypatch.setattr(snapshot, "now", then)
    assert history.is_same(state.history("A"), expected)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_runs_that_are_not_transformed_yet_change_nothing_of_the_past(lived, number):
    state = time_travel.resolve(lived, manifests.all_ids(lived.store)[number])
    expected = {each: history.rebuild(lived, each, state.manifests()) for each in TICKERS}
    day = SESSIONS[0] - timedelta(days=3)
    for as_of in (evening(DAYS[0]) + timedelta(hours=1), evening(DAYS[-1]) + timedelta(hours=1)):
        entry = Entry(outcome="ok", start=day, end=SESSIONS[2], gaps=(day,), splits={})
        run_id = manifests.new_run_id()
        pending = Manifest(run_id=run_id, as_of=as_of, source="late", tickers={"A": entry})
        manifests.commit(lived.store, pending)
        for ticker in TICKERS:
            assert history.is_same(state.history(ticker), expected[ticker])
