"""What is left to do: runs without receipts, and notes that make exceptions."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from helpers import bar, bars
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.lake import Lake, backlog, blobs, layout, manifests, notes
from tickerlake.lake.backlog import Settled, Survey
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.notes import Behind, Recheck
from tickerlake.lake.parquet import to_parquet

DAY = date(2026, 2, 2)
MOMENT = datetime(2026, 2, 2, 22, tzinfo=UTC)


def name(number: int) -> str:
    return f"20260202T2200{number:02}000000Z-0a1b2c"


def commit(lake: Lake, number: int, *, done: bool = False) -> Manifest:
    entry = Entry(outcome="ok", start=DAY, splits={})
    manifest = Manifest(
        run_id=name(number), as_of=MOMENT, source="test", tickers={"A": entry, "B": entry}
    )
    manifests.commit(lake.store, manifest)
    if done:
        manifests.acknowledge(lake.store, manifest)
    return manifest


def behind(lake: Lake, number: int, reason: str = "no", damaged: str = "") -> None:
    note = Behind(ticker="A", run_id=name(number), reason=reason, damaged=damaged)
    notes.put_behind(lake.store, note)


def read(lake: Lake) -> backlog.Backlog:
    return backlog.read(lake.store, backlog.survey(lake.store))


def test_of_an_old_run_only_the_tickers_that_are_behind_are_read(lake):
    commit(lake, 1, done=True)
    commit(lake, 2, done=True)
    commit(lake, 3)
    behind(lake, 1)
    found = read(lake).manifests
    assert [(each.run_id, sorted(each.tickers)) for each in found] == [
        (name(1), ["A"]),
        (name(3), ["A", "B"]),
    ]


@pytest.mark.parametrize(("runs", "broken"), [(1, False), (5, False), (6, True)])
def test_a_ticker_is_retried_for_five_runs(lake, runs, broken):
    for number in range(runs):
        commit(lake, number, done=True)
        behind(lake, number, reason=f"no {number}")
    found = read(lake)
    assert found.broken.keys() == ({"A"} if broken else set())
    assert len(found.manifests) == (0 if broken else runs)


def test_the_newest_note_counts(lake):
    for number in (1, 2, 3):
        commit(lake, number, done=True)
        behind(lake, number, reason=f"reason {number}")
    note = notes.read_behind(lake.store, "A", [name(2), name(3), name(1)])
    assert note.reason == "reason 3"


def test_a_damaged_blob_counts_as_whole_only_with_its_own_rows(lake):
    rows, other = bars(bar(DAY)), bars(bar(DAY, 7.0))
    [(partition, digest)] = blobs.write(lake, layout.RAW, "A", rows).items()
    key = layout.blob(layout.RAW, partition, "A", digest)
    [(_, wrong)] = blobs.write(lake, layout.RAW, "A", other).items()
    whole = lake.store.get(key)
    commit(lake, 1, done=True)
    behind(lake, 1, damaged=key)
    for data, broken in (
        (b"garbage", True),
        (lake.store.get(layout.blob(layout.RAW, partition, "A", wrong)), True),
        (whole, False),
    ):
        lake.store.put(key, data)
        assert bool(read(lake).broken) is broken
    lake.store.delete([key])
    assert read(lake).broken.keys() == {"A"}


def test_a_manifest_that_can_not_be_read_is_told_and_the_others_go_on(lake):
    commit(lake, 1)
    lake.store.put(layout.run(name(2)), b"garbage")
    commit(lake, 3)
    found = read(lake)
    assert [each.run_id for each in found.manifests] == [name(1), name(3)]
    [damaged] = found.damaged
    assert layout.run(name(2)) in damaged
    assert "`tickerlake repair`" in damaged


def test_a_note_of_nonsense_is_damage(lake):
    commit(lake, 1, done=True)
    lake.store.put(layout.behind("A", name(1)), b"garbage")
    assert "`tickerlake repair`" in read(lake).broken["A"].reason


def test_a_note_that_is_written_while_the_lake_is_surveyed_is_seen(lake, monkeypatch):
    """Another transform writes its note, and then its receipt, between two listings of ours."""
    manifest = commit(lake, 1)
    find, steps = lake.store.find, iter([1, 2])

    def finding(prefix: str):
        found = list(find(prefix))
        if prefix in (layout.RECEIPTS, layout.BEHIND) and next(steps, None) == 1:
            behind(lake, 1)
            manifests.acknowledge(lake.store, manifest)
        return iter(found)

    monkeypatch.setattr(lake.store, "find", finding)
    surveyed = backlog.survey(lake.store)
    assert surveyed.pending == (name(1),) or surveyed.behind == {"A": [name(1)]}


def test_what_is_settled():
    runs = tuple(name(number) for number in range(9))
    receipts = frozenset(runs[number] for number in (1, 2, 5, 7))
    settled = Settled.from_survey(Survey(runs, receipts, {}))
    assert [run_id in settled for run_id in runs] == [number in (1, 2, 5, 7) for number in range(9)]
    cut = Settled(frozenset({runs[5], runs[7]}), runs[5], frozenset(set(runs) - receipts))
    assert [run_id in cut for run_id in runs] == [run_id in settled for run_id in runs]
    assert runs[1] not in Settled()


@given(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)), st.integers(1, 5))
def test_what_is_settled_travels_in_short_form(done, behind, kept):
    """Only the newest receipts are named, and whatever is older and not open has one, too."""
    runs = tuple(name(number) for number in range(13))
    surveyed = Survey(runs, frozenset(runs[number] for number in done), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog, "_RECENT", kept)
        settled = Settled.from_survey(surveyed)
    assert len(settled.recent) <= kept
    assert {run_id for run_id in runs if run_id in settled} == {*surveyed.receipts}
    late = {runs[number] for number in behind}
    assert {each for each in runs if each in settled.without(late)} == surveyed.receipts - late


def test_an_outline_weighs_what_is_delivered_and_names_who_is_behind(lake):
    told = {
        "A": Entry(outcome="ok", start=DAY, splits={}, new=2, corrected=3),
        "B": Entry(outcome="ok", start=DAY, new=1),
        "C": Entry(outcome="empty", start=DAY),
    }
    for number in (1, 2):
        each = Manifest(run_id=name(number), as_of=MOMENT, source="test", tickers=told)
        manifests.commit(lake.store, each)
    behind(lake, 0)
    found = backlog.outline(lake.store, backlog.survey(lake.store))
    delivering = {ticker for ticker, entry in told.items() if entry.delivers}
    assert found.bars.keys() == delivering < told.keys()
    assert found.bars["A"] == 10
    assert found.named == {"A": {name(1), name(2)}}
    assert [(each.run_id, each.tickers) for each in found.heads] == [(name(1), {}), (name(2), {})]


@pytest.mark.parametrize(("minutes", "old"), [(0, False), (59, False), (61, True)])
def test_a_recheck_is_young_for_an_hour(minutes, old):
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    assert Recheck(at=at, tickers={}).is_old is old


def test_two_rechecks_are_two(lake):
    keys = {notes.put_recheck(lake.store, {ticker: ["2026"]}) for ticker in "AB"}
    assert len(keys) == 2
    assert notes.rechecks(lake.store).keys() == keys


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("prefix", ["history", "daily", "tickers"])
def test_a_damaged_object_that_follows_from_raw_is_written_again(lake, prefix, is_there):
    """A history is needed whole; a partition or a row of `tickers` is only in the way."""
    key = {
        "history": layout.history("A"),
        "daily": layout.daily("2026", "A"),
        "tickers": layout.listing("A"),
    }[prefix]
    commit(lake, 1, done=True)
    behind(lake, 1, damaged=key)
    if is_there:
        lake.store.put(key, b"garbage")
        assert bool(read(lake).broken) is (prefix == "history")
        lake.store.put(key, to_parquet(bars(bar(DAY))))
        assert not read(lake).broken
    else:
        assert bool(read(lake).broken) is (prefix == "history")


def test_what_is_in_a_damaged_objects_place_keeps_its_ticker_waiting(lake):
    key = layout.daily("2026", "A")
    commit(lake, 1, done=True)
    behind(lake, 1, damaged=key)
    Path(lake.store.url, key).mkdir(parents=True)
    assert read(lake).broken.keys() == {"A"}
