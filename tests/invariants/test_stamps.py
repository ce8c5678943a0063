"""A stamp is a promise: whatever carries one is read again with it, to the last value.

A generated life leaves runs pending, lets others arrive late, and compares every way of reading the
lake with the same way of reading `at` the stamp. `TICKERLAKE_LONG_TESTS=1` lives more lives.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from helpers import new_lake
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_market import SESSIONS, SPLIT, STEPS, fetch, in_turn, run

import tickerlake as tl
from tickerlake.api import runs
from tickerlake.api.results import Frame
from tickerlake.api.tables import Tables
from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, frames, history, layout, manifests, present, time_travel
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.settings import ExtractSettings, SourceSettings
from tickerlake.stages import query as querying
from tickerlake.stages import transform
from tickerlake.stages.check import check
from tickerlake.stages.show import show
from tickerlake.stages.status import status

LONG = bool(os.environ.get("TICKERLAKE_LONG_TESTS"))
NAMES = ["A", "B"]
NOW = datetime(2013, 3, 4, 22, 30, tzinfo=UTC)
DAYS = [SESSIONS[3], SESSIONS[4], SESSIONS[10], SPLIT, SESSIONS[-1]]

lives = st.lists(
    st.tuples(
        st.sampled_from(["fetch", "fetch", "run"]),
        st.sampled_from(DAYS),  # so some arrive late
        st.sampled_from([["A"], ["B"], NAMES]),
    ),
    min_size=1,
    max_size=4,
)


def read(tables: Tables, views: Sequence[str] = ()) -> dict[str, Frame]:
    """Every way of reading that gives a frame."""
    found = {name: tables.read(name, None, None, None, None) for name in TABLES}
    found |= {f"{name} of B": tables.read(name, "B", None, None, None) for name in TABLES}
    for name in (*TABLES, *views):
        found[f"{name} in SQL"] = tables.sql(f"select * from {name} order by all")
    return found


def same(lake: Lake, *views: str) -> None:
    now = Tables(lake)
    held = sorted(now.held())
    if "B" not in held:
        return
    found = read(now, views)
    found |= {f"log of {name}": now.log(name) for name in held}
    [stamp] = {frame.stamp for frame in found.values()} | {now.stamp}
    then = now.at(stamp)
    again = read(then, views) | {f"log of {name}": then.log(name) for name in held}
    for name, frame in found.items():
        assert_frame_equal(frame, again[name], check_exact=True)
        assert again[name].stamp == stamp
    described(lake, then.state)


def described(lake: Lake, state: time_travel.State) -> None:
    """The same for what describes the lake."""
    now, then = status(lake, 1, as_of=NOW), status(lake, 1, as_of=NOW, state=state)
    assert (now.stamp, now.tickers, now.runs) == (then.stamp, then.tickers, then.runs)
    assert check(lake, 1) == check(lake, 1, state=state)
    drawn, before = show(lake, (), "max", 1), show(lake, (), "max", 1, state)
    assert [each.facts.ticker for each in drawn] == [each.facts.ticker for each in before]
    for one, other in zip(drawn, before, strict=True):
        assert one.stamp == other.stamp == state.stamp
        assert_frame_equal(one.rows, other.rows, check_exact=True)


@settings(max_examples=100 if LONG else 8)
@given(lives, st.sampled_from(list(VIEWS)))
def test_what_carries_a_stamp_is_read_again_with_it(life, view):
    lake = new_lake("memory://", "month")
    for action, day, names in life:
        (run if action == "run" else fetch)(lake, day, names)
    same(lake, view)


def test_so_is_a_lake_with_one_run_that_is_not_transformed():
    lake = new_lake("memory://", "year")
    fetch(lake, STEPS[2], ["B"])
    same(lake)
    assert status(lake, 1).stamp == time_travel.stamp(manifests.all_ids(lake.store))
    assert [each.sessions for each in status(lake, 1).tickers] == [11]
    assert Tables(lake).read("daily", "B", None, None, None).height == 11


def test_an_empty_lake_has_the_stamp_of_no_runs():
    lake = new_lake("memory://", "year")
    assert Tables(lake).stamp == status(lake, 1).stamp == time_travel.stamp([])


@pytest.mark.parametrize("way", ["daily", "raw", "sql", "sql of raw"])
def test_so_is_what_is_read_while_another_run_is_committed(way, monkeypatch):
    lake = new_lake("memory://", "month")
    run(lake, STEPS[2], NAMES)
    happened = []

    def beside(original):
        def call(*arguments, **options):
            if not happened:
                happened.append(True)
                run(lake, STEPS[3], NAMES)
            return original(*arguments, **options)

        return call

    def reading(tables: Tables) -> Frame:
        if way.startswith("sql"):
            name = "raw" if way.endswith("raw") else "daily"
            return tables.sql(f"select * from {name} order by all")
        return tables.read(way, None, None, None, None)

    with monkeypatch.context() as patch:
        patch.setattr(querying, "create", beside(querying.create))
        patch.setattr(frames, "read", beside(frames.read))
        found = reading(Tables(lake))
    assert happened
    again = reading(Tables(lake).at(found.stamp))
    assert_frame_equal(found, again, check_exact=True)


def test_so_is_a_status_beside_a_transform():
    lake = new_lake("memory://", "month")
    run(lake, STEPS[2], NAMES)
    seen = present.look(lake)
    run(lake, STEPS[4], NAMES)
    now = status(lake, 1, as_of=NOW, state=seen)
    then = time_travel.resolve(lake, seen.stamp)
    assert now.tickers == status(lake, 1, as_of=NOW, state=then).tickers
    assert {each.last for each in now.tickers} == {STEPS[2]}


def test_a_ticker_that_a_transform_failed_to_bring_up_to_date_is_seen_up_to_date():
    lake = new_lake("memory://", "month")
    run(lake, STEPS[2], NAMES)
    fetch(lake, STEPS[3], NAMES)

    def failing(lake, work, tasks):
        for done in in_turn(lake, work, [each for each in tasks if each.ticker == "A"]):
            yield done
        for each in tasks:
            if each.ticker != "A":
                yield type(done)(each.ticker, error="the store did not answer")

    assert transform.transform(lake, engine=failing).exit_code == 3
    assert manifests.pending_ids(lake.store) == []
    same(lake)
    assert {each.last for each in status(lake, 1).tickers} == {STEPS[3]}


def test_with_the_stamp_of_a_damaged_lake_the_past_says_what_is_damaged(caplog):
    lake = new_lake("memory://", "month")
    run(lake, STEPS[2], NAMES)
    fetch(lake, STEPS[3], NAMES)
    [run_id] = manifests.pending_ids(lake.store)
    [(partition, name), *_] = manifests.read(lake.store, run_id).tickers["B"].blobs.items()
    key = layout.blob(layout.RAW, partition, "B", name)
    lake.store.put(key, b"garbage")
    found = Tables(lake).read("daily", "B", None, None, None)
    assert "B may be from before the last run" in caplog.text
    with pytest.raises(CorruptObjectError, match=name):
        Tables(lake).at(found.stamp).read("daily", "B", None, None, None)


def test_a_run_from_python_returns_the_stamp_of_the_lake_that_it_leaves(tmp_path):
    source = SourceSettings(True, None, as_of=datetime(2013, 3, 1, 23, tzinfo=UTC))
    start = datetime(2013, 2, 1, tzinfo=UTC).date()
    folder = str(tmp_path / "lake")
    done = runs.run(ExtractSettings(folder, ("AAPL",), None, start, None, "year", 2, source))
    assert tl.open(folder).stamp == done.stamp
    assert tl.open(folder).at(done.stamp).daily("AAPL").height == done.new


@pytest.mark.parametrize("pending", [False, True])
def test_what_ends_after_a_look_is_not_seen(pending):
    """Whoever describes a wide lake ticker by ticker does so while transforms end."""
    lake = new_lake("memory://", "month")
    for step in STEPS[:2]:
        fetch(lake, step)
        if not pending:
            transform.transform(lake)
    seen = present.look(lake)
    known = {name: seen.history(name) for name in NAMES}
    run(lake, STEPS[2])
    run(lake, SPLIT)
    assert present.look(lake).stamp != seen.stamp
    for name, before in known.items():
        assert history.is_same(seen.history(name), before)
        assert seen.summary(name).bars["session"].equals(before.bars["session"])
        assert not history.is_same(history.load(lake, name), before)
