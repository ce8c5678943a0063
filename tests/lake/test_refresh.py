"""One ticker's refresh: what is owed, what changes, and who was faster."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from helpers import bar, bars, new_lake, objects

from tickerlake.lake import (
    Lake,
    blobs,
    derived,
    history,
    index,
    layout,
    manifests,
    notes,
    refresh,
)
from tickerlake.lake.backlog import Settled
from tickerlake.lake.fold import Delivery, History, fold_all
from tickerlake.lake.history import Span
from tickerlake.lake.layout import Grain
from tickerlake.lake.manifests import Entry, Manifest, Order
from tickerlake.lake.refresh import LATE

DAY = date(2026, 2, 2)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return new_lake(str(tmp_path / "lake"), "month")


def commit(lake: Lake, minutes: int, *rows: dict[str, object], **fields: object) -> Manifest:
    entry = Entry(
        **{"outcome": "ok", "start": DAY, "end": DAY, "new": len(rows), "splits": {},
           "blobs": blobs.write(lake, layout.RAW, "A", bars(*rows)), **fields}
    )  # fmt: skip
    manifest = Manifest(
        run_id=manifests.new_run_id(),
        as_of=datetime(2026, 2, 2, 22, minutes, tzinfo=UTC),
        source="test",
        tickers={"A": entry},
    )
    manifests.commit(lake.store, manifest)
    return manifest


def settled(*runs: Manifest) -> Settled:
    return Settled(frozenset(each.run_id for each in runs))


def test_what_is_owed_stays_owed_until_its_runs_have_receipts(lake):
    """Three transforms in a row die before their receipts, and the partitions are lost."""
    first = commit(lake, 0, bar(DAY))
    second = commit(lake, 1, bar(DAY + timedelta(40)))
    third = commit(lake, 2, bar(DAY + timedelta(80)))
    for manifest in (first, second, third):
        refresh.refresh(lake, "A", [manifest], Settled())
    stored = history.load_stored(lake, "A")
    assert stored.folded == tuple(sorted(each.run_id for each in (first, second, third)))
    assert stored.owed == Span("2026-02", "2026-04")
    keys = [layout.daily(f"2026-0{month}", "A") for month in (2, 3, 4)]
    before = objects(lake, layout.DAILY)
    lake.store.delete(keys)
    done = refresh.refresh(lake, "A", [], Settled())
    assert set(done.partitions) == {"2026-02", "2026-03", "2026-04", derived.LISTING}
    assert objects(lake, layout.DAILY) == before
    assert refresh.refresh(lake, "A", [], settled(first, second, third)).partitions == ()


def test_who_dies_before_it_deletes_a_partition_owes_that(lake, monkeypatch):
    """A restated past can begin later, and leave partitions without any rows."""
    first = commit(lake, 0, bar(DAY), bar(DAY + timedelta(40)))
    refresh.refresh(lake, "A", [first], Settled())
    second = commit(lake, 1, bar(DAY + timedelta(40), 3.0), restated="another company")

    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(derived, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        refresh.refresh(lake, "A", [second], settled(first))
    monkeypatch.undo()
    assert history.load_stored(lake, "A").gone == ("2026-02",)
    assert layout.daily("2026-02", "A") in objects(lake, layout.DAILY)
    done = refresh.refresh(lake, "A", [], settled(first))
    assert {"2026-02", "2026-03"} <= {*done.partitions}
    assert [*objects(lake, layout.DAILY)] == [layout.daily("2026-03", "A")]


def test_who_finds_unfinished_work_says_so(lake):
    manifest = commit(lake, 0, bar(DAY))
    assert not refresh.refresh(lake, "A", [manifest], Settled()).overtook
    assert refresh.refresh(lake, "A", [manifest], Settled()).overtook
    assert not refresh.refresh(lake, "A", [], settled(manifest)).overtook


@pytest.mark.parametrize("grain", layout.GRAINS)
@pytest.mark.parametrize(
    ("name", "value"),
    [("close", 7.0), ("currency", None), ("currency", "EUR"), ("volume", 7),
     ("dividend_currency", "EUR"), ("split", 2.0)],
)  # fmt: skip
def test_any_value_that_changes_changes_its_partition(grain, name, value):
    days = [DAY, DAY + timedelta(40), DAY + timedelta(400)]
    rows = [bar(day) for day in days]
    changed = [rows[0], rows[1] | {name: value}, rows[2]]
    second, third = (layout.partition_of(day, grain) for day in days[1:])
    assert parts(rows, rows, grain) == set()
    for old, new in ((rows, changed), (changed, rows)):
        assert second in parts(new, old, grain)
    assert third in parts(rows, rows[:2], grain)
    assert third in parts(rows[:2], rows, grain)


def parts(new: list[dict[str, object]], old: list[dict[str, object]], grain: Grain) -> set[str]:
    def held(rows: list[dict[str, object]]) -> History:
        order = Order(datetime(2026, 2, 2, tzinfo=UTC), "1")
        delivery = Delivery(order, Entry(outcome="ok", splits={}), bars(*rows))
        return fold_all(History(), [delivery])

    return derived.update(held(new), held(old), grain)[1]


def test_a_rebuild_of_what_is_right_writes_nothing(lake):
    manifest = commit(lake, 0, bar(DAY), bar(DAY + timedelta(40)))
    refresh.refresh(lake, "A", [manifest], Settled())
    version = history.load_stored(lake, "A").version
    found = [(each.key, each.version) for each in lake.store.find(layout.DAILY)]
    stored = derived.stored(lake)["A"]
    done = refresh.rebuild(lake, "A", [manifest], settled(manifest), version, stored)
    assert done.partitions == ()
    assert [(each.key, each.version) for each in lake.store.find(layout.DAILY)] == found
    assert history.load_stored(lake, "A").version == version


def faster(monkeypatch: pytest.MonkeyPatch, when: str, rival) -> None:
    """Let a rival act at a moment of a rebuild or a derivation."""
    if when == "before it begins":
        rival()
        return
    module, name = {
        "when it has read the history": (history, "rebuild"),
        "just before it replaces it": (refresh, "_replace"),
    }[when]
    work, rivals = getattr(module, name), iter([True])

    def beaten(*arguments):
        if next(rivals, False):
            rival()
        return work(*arguments)

    monkeypatch.setattr(module, name, beaten)


MOMENTS = ["before it begins", "when it has read the history", "just before it replaces it"]


@pytest.mark.parametrize("when", MOMENTS)
def test_a_rebuild_undoes_no_transform_that_was_faster(lake, monkeypatch, when):
    first = commit(lake, 0, bar(DAY, 1.0))
    refresh.refresh(lake, "A", [first], Settled())
    stored = history.load_stored(lake, "A")
    wrong = replace(stored.history, bars=stored.history.bars.with_columns(close=9.0))
    version = lake.store.replace(
        layout.history("A"), history.encode(replace(stored, history=wrong)), stored.version
    )
    second = commit(lake, 1, bar(DAY, 2.0))
    faster(monkeypatch, when, lambda: refresh.refresh(lake, "A", [second], Settled()))
    done = refresh.rebuild(lake, "A", [first], settled(first), version, {"2026-02"})
    assert done == LATE
    assert history.load(lake, "A").bars["close"].to_list() == [2.0]
    assert notes.rechecks(lake.store) == {}


@pytest.mark.parametrize("when", MOMENTS)
def test_a_derivation_undoes_no_transform_that_was_faster(lake, monkeypatch, when):
    first = commit(lake, 5, bar(DAY, 1.0))
    refresh.refresh(lake, "A", [first], Settled())
    version = history.load_stored(lake, "A").version
    late = commit(lake, 1, bar(DAY + timedelta(1), 3.0))
    second = commit(lake, 9, bar(DAY, 2.0))
    faster(monkeypatch, when, lambda: refresh.refresh(lake, "A", [second], Settled()))
    assert refresh.derive(lake, "A", [late, first], settled(first), version) == LATE
    assert history.load(lake, "A").bars["close"].to_list() == [2.0]
    version = history.load_stored(lake, "A").version
    refresh.derive(lake, "A", [late, first, second], settled(first), version)
    assert history.load(lake, "A").bars["close"].to_list() == [2.0, 3.0]


def test_a_late_restatement_takes_partitions_away(lake):
    """It replaces all that was held before, so sessions of the run before it go."""
    first = commit(lake, 1, bar(DAY), bar(DAY + timedelta(40)))
    third = commit(lake, 9, bar(DAY, 2.0))
    refresh.refresh(lake, "A", [first, third], Settled())
    assert derived.stored(lake) == {"A": {"2026-02", "2026-03", derived.LISTING}}
    late = commit(lake, 5, bar(DAY, 3.0), restated="moved")
    version = history.load_stored(lake, "A").version
    refresh.derive(lake, "A", [first, late, third], settled(first, third), version)
    assert derived.stored(lake) == {"A": {"2026-02", derived.LISTING}}


def test_a_derivation_also_writes_what_a_dead_process_owes(lake):
    first = commit(lake, 5, bar(DAY + timedelta(40)))
    refresh.refresh(lake, "A", [first], Settled())
    before = objects(lake, layout.DAILY)
    lake.store.delete([*before])
    late = commit(lake, 1, bar(DAY + timedelta(80)))
    version = history.load_stored(lake, "A").version
    done = refresh.derive(lake, "A", [late, first], Settled(), version)
    assert set(done.partitions) == {"2026-03", "2026-04", derived.LISTING}
    assert before.items() < objects(lake, layout.DAILY).items()
    assert done.overtook
    version = history.load_stored(lake, "A").version
    again = refresh.derive(lake, "A", [late, first], settled(late, first), version, {"2026-03"})
    assert (set(again.partitions), again.overtook) == ({"2026-03"}, False)


def test_whatever_was_done_the_outcome_tells_the_history_that_is_stored(lake):
    def tells(done: refresh.Outcome) -> bool:
        stored = history.load_stored(lake, "A")
        return (done.version, done.known) == (stored.version, index.encode(stored.history))

    first = commit(lake, 5, bar(DAY))
    late = commit(lake, 1, bar(DAY + timedelta(40)))
    both = settled(first, late)
    assert tells(refresh.refresh(lake, "A", [first], Settled()))
    assert tells(refresh.refresh(lake, "A", [], settled(first)))
    version = history.load_stored(lake, "A").version
    for _ in ("late", "nothing"):
        done = refresh.derive(lake, "A", [late, first], settled(first), version)
        assert tells(done)
        version = done.version
    stored = derived.stored(lake)["A"]
    assert tells(refresh.rebuild(lake, "A", [late, first], both, version, stored))
    lake.store.put(layout.daily("2026-02", "A"), b"garbage")
    done = refresh.rebuild(lake, "A", [late, first], both, version, stored)
    assert done.partitions == ("2026-02",)
    assert tells(done)
    done = refresh.rebuild(lake, "A", [first], both, version, stored)
    assert set(done.partitions) == {"2026-03", derived.LISTING}
    assert tells(done)
    done = refresh.rebuild(lake, "A", [], both, done.version, {"2026-02", derived.LISTING})
    assert (set(done.partitions), done.version) == ({"2026-02", derived.LISTING}, None)
    assert objects(lake, layout.HISTORY, layout.DAILY, layout.TICKERS) == {}
    assert notes.rechecks(lake.store) == {}
