"""What the runs delivered for a ticker, and how it differs between two states."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from helpers import new_lake, tickerlake
from world import FIRST, World, evening

from tickerlake import reads
from tickerlake.errors import UsageError
from tickerlake.lake import Lake, manifests, time_travel
from tickerlake.lake.fold import Delivery, History
from tickerlake.lake.manifests import Entry, Order
from tickerlake.stages import extract, lifecycle, transform
from tickerlake.stages.log import Changed, Difference, diff, log
from tickerlake.stages.log import _delivered as told
from tickerlake.stages.query import query

SPLIT = date(2026, 2, 12)
CORRECTED = date(2026, 2, 19)
RESTATED = date(2026, 2, 25)
RENAMED = date(2026, 2, 27)
EVENTS = [
    (SPLIT, "AAPL", "split", 2.0),
    (CORRECTED, "AAPL", "late dividend", 0.5),
    (RESTATED, "AAPL", "restatement", 0.93),
]
RESTATEMENT = "the closes up to 2026-02-24 moved by a factor of 0.93"
LATE_DIVIDEND = date(2026, 2, 10)
"""The sixth session before it became known."""


@pytest.fixture(scope="module")
def lived() -> Lake:
    lake, world = new_lake("memory://", "month"), World(events=EVENTS)
    for n in range(9, 28):
        world.today = FIRST + timedelta(n)
        extract.extract(lake, world, ["AAPL"], as_of=evening(world.today), start=FIRST, workers=1)
    lifecycle.rename(lake, "AAPL", "NEW", RENAMED)
    assert transform.transform(lake).exit_code == 0
    return lake


def test_each_run_says_what_it_brought(lived):
    found = log(time_travel.newest(lived), "AAPL")
    assert [each.run_id for each in found] == manifests.all_ids(lived.store)
    first, *_, last = found
    assert (first.first, first.last, first.new, first.replaced) == (FIRST, date(2026, 2, 11), 8, 0)
    assert sum(each.new for each in found) == 19
    [split] = [each for each in found if each.splits]
    assert split.splits == {SPLIT: 2.0}
    assert split.rebased == 8
    # this world does not bring volumes to the new basis, as a source should: they are revised
    assert {each.column for each in split.revised} == {"volume"}
    [corrected] = [each for each in found if each.revised and not each.splits]
    assert corrected.as_of == evening(CORRECTED)
    assert corrected.revised == ((LATE_DIVIDEND, "dividend", 0.0, 0.5),)
    [restated] = [each for each in found if each.restated]
    assert restated.as_of == evening(RESTATED)
    assert (last.renamed_to, last.retired, last.source) == ("NEW", RENAMED, "tickerlake")
    [moved] = log(time_travel.newest(lived), "NEW")
    assert moved.renamed_from == "AAPL"
    assert moved.new == 18


def test_sql_tells_the_same(lived):
    found = query(
        lived,
        "select ticker, session, event, value, old, new, detail from revisions"
        " where value is null or value <> 'volume' order by ticker, as_of, event",
    )
    assert found.rows() == [
        ("AAPL", SPLIT, "split", None, 1.0, 2.0, None),
        ("AAPL", LATE_DIVIDEND, "revised", "dividend", 0.0, 0.5, None),
        ("AAPL", None, "restated", None, None, None, RESTATEMENT),
        ("AAPL", None, "renamed_to", None, None, None, "NEW"),
        ("AAPL", RENAMED, "retired", None, None, None, None),
        ("NEW", None, "renamed_from", None, None, None, "AAPL"),
    ]
    lifecycle_over = query(lived, "select distinct as_of_before is null, event from revisions")
    assert set(lifecycle_over.rows()) == {
        (event != "revised", event)
        for event in ("revised", "split", "restated", "renamed_to", "retired", "renamed_from")
    }


def test_a_split_alone_is_no_difference_but_a_late_dividend_is(lived):
    before = time_travel.resolve(lived, evening(date(2026, 2, 11)))
    split = time_travel.resolve(lived, evening(date(2026, 2, 18)))
    after = time_travel.resolve(lived, evening(CORRECTED))
    found = diff(before, split, "AAPL")
    assert found.added == (SPLIT, *(date(2026, 2, day) for day in (13, 17, 18)))
    assert (found.removed, found.splits) == ((), {SPLIT: 2.0})
    assert {each.column for each in found.changed} == {"volume"}
    assert [each.as_of for each in found.runs] == [
        evening(date(2026, 2, day)) for day in (12, 13, 17, 18)
    ]
    [changed] = diff(split, after, "AAPL").changed
    assert changed == (LATE_DIVIDEND, "dividend", 0.0, 0.5, evening(CORRECTED))


@pytest.mark.parametrize(
    ("start", "is_withdrawn"), [(SPLIT, True), (SPLIT + timedelta(1), False), (None, False)]
)
def test_a_split_that_a_run_no_longer_states_is_withdrawn(start, is_withdrawn):
    """If it asked for the day of the split; of a renamed ticker, no run asks for anything."""
    known = Order(evening(FIRST), "a")
    before = History(splits={SPLIT: 2.0}, last=known)
    later = Order(evening(RESTATED), "b")
    found = told(before, Delivery(later, Entry(outcome="ok", start=start), before.bars), before, "")
    assert found.splits == ({SPLIT: 0.5} if is_withdrawn else {})
    assert (found.first, found.last, found.new, found.replaced) == (None, None, 0, 0)


def test_the_way_back_is_the_opposite(lived):
    old = time_travel.resolve(lived, evening(date(2026, 2, 17)))
    new = time_travel.newest(lived)
    there, back = diff(old, new, "AAPL"), diff(new, old, "AAPL")
    assert back.removed == there.added
    assert back.runs == ()
    assert {each[:2] for each in back.changed} == {each[:2] for each in there.changed}
    assert diff(new, new, "AAPL").changed == ()


def test_a_ticker_that_is_not_there(lived):
    old = time_travel.resolve(lived, evening(date(2026, 2, 17)))
    with pytest.raises(UsageError, match="no delivery of NEW"):
        log(old, "NEW")
    with pytest.raises(UsageError, match="no delivery of MSFT"):
        diff(old, time_travel.newest(lived), "MSFT")
    assert len(diff(old, time_travel.newest(lived), "NEW").added) == 18
    gone = diff(time_travel.newest(lived), old, "NEW")
    assert (len(gone.removed), gone.runs) == (18, ())


def test_the_commands(tmp_path):
    lake = str(tmp_path / "lake")
    for as_of in ("2005-02-25T23:00Z", "2005-03-10T23:00Z"):
        arguments = ["--start", "2005-01-03", "--as-of", as_of, "--lake", lake, "--grain", "year"]
        assert tickerlake("run", "AAPL", "--offline", *arguments).returncode == 0
    told = tickerlake("log", "aapl", "--lake", lake).stdout
    assert "split 2 on 2005-02-28: 38 bars re-based" in told
    then = tickerlake("status", "--lake", lake, "--at", "2005-02-25").stdout
    stamp = then.partition("stamp ")[2][:12]
    assert "as of 2005-02-25 23:59:59 UTC" in then
    assert (
        tickerlake("status", "--lake", lake, "--at", stamp).stdout.partition("\n\n")[2]
        == (then.partition("\n\n")[2])
    )
    arguments = ["diff", "AAPL", "--lake", lake, "--from", stamp]
    assert "9 sessions added: 2005-02-28 to 2005-03-10." in tickerlake(*arguments).stdout
    [first] = json.loads(
        tickerlake("log", "AAPL", "--lake", lake, "--at", stamp, "--format", "json").stdout
    )
    assert first["new"] == 38
    assert len(json.loads(tickerlake(*arguments, "--format", "json").stdout)["added"]) == 9
    kinds = tickerlake("check", "--lake", lake, "--at", stamp, "--fail-on", "revisions")
    assert kinds.returncode == 0
    assert tickerlake("check", "--lake", lake, "--fail-on", "revisions").returncode == 1
    for wrong in (["log", "A B"], ["log", "IBM"], ["status", "--at", "soon"], ["diff", "AAPL"]):
        assert tickerlake(*wrong, "--lake", lake).returncode == 2
    assert tickerlake("status", "--lake", lake, "--at", "0" * 12).returncode == 1
    # the same state twice
    done = tickerlake(*arguments, "--to", stamp)
    assert "No bar differs." in done.stdout
    assert "added" not in done.stdout


SESSION = date(2013, 3, 1)
NOTHING = Difference("A", "0" * 12, "1" * 12, (), (), (), (), {})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (NOTHING, "No bar differs."),
        (replace(NOTHING, added=(SESSION,)), "1 session added: 2013-03-01."),
        (replace(NOTHING, removed=(SESSION,)), "1 session removed: 2013-03-01."),
        (replace(NOTHING, splits={SESSION: 2.0}), "Another split basis: split 2 on 2013-03-01."),
        (
            replace(NOTHING, changed=(Changed(SESSION, "close", 1.0, 2.0, evening(SESSION)),)),
            "2013-03-01",
        ),
    ],
    ids=["nothing", "added", "removed", "splits", "changed"],
)
def test_whatever_differs_is_said_and_nothing_else(monkeypatch, found, said):
    monkeypatch.setattr(reads, "diff", lambda *_: found)
    told = tickerlake("diff", "A", "--from", "2013-01-01").stdout
    assert said in told
    assert ("No bar differs." in told) == (found == NOTHING)


@pytest.mark.parametrize(("count", "first"), [(39, 0), (40, 0), (41, 1), (100, 60)])
def test_of_many_values_the_last_ones_are_shown(monkeypatch, count, first):
    days = [SESSION + timedelta(n) for n in range(count)]
    changed = tuple(Changed(day, "close", 1.0, 2.0, evening(FIRST)) for day in days)
    monkeypatch.setattr(reads, "diff", lambda *_: replace(NOTHING, changed=changed))
    shown = tickerlake("diff", "A", "--from", "2013-01-01").stdout
    assert [day for day in days if f"{day} " in shown] == days[first:]
    assert ("--all shows them all" in shown) == (count > 40)
    everything = tickerlake("diff", "A", "--from", "2013-01-01", "--all").stdout
    assert all(f"{day} " in everything for day in days)
