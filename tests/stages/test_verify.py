"""Verify is the judge of most other tests: here one thing at a time is damaged."""

from dataclasses import replace
from datetime import UTC, date, datetime
from unittest import mock

import polars as pl
import pytest
from helpers import bar, bars, new_lake
from small_market import STEPS, fetch, in_turn, run

from tickerlake.lake import (
    Lake,
    blobs,
    checkpointing,
    checkpoints,
    derived,
    history,
    layout,
    manifests,
)
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Order, Rejected
from tickerlake.lake.parquet import from_parquet, to_parquet
from tickerlake.market.listing import Event
from tickerlake.stages import transform, verify
from tickerlake.stages.verify import Finding

DAY = date(2013, 1, 15)
AWARE = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def lived(tmp_path) -> Lake:
    lake = new_lake(str(tmp_path / "lake"), "month")
    for day in STEPS[:2]:
        run(lake, day)
    assert verify.verify(lake, workers=1) == []
    return lake


def found(lake: Lake) -> list[tuple[str, str]]:
    return [(each.kind, each.key) for each in verify.verify(lake, workers=2)]


def column(name: str, value: object) -> object:
    """A change of one value of the first bar."""

    def change(held: History) -> History:
        first = pl.col("session") == held.bars["session"][0]
        changed = pl.when(first).then(pl.lit(value)).otherwise(pl.col(name))
        return replace(held, bars=held.bars.with_columns(changed.cast(held.bars[name].dtype)
                                                         .alias(name)))  # fmt: skip

    return change


CHANGES = {
    "open": column("open", 1.5),
    "close": column("close", 1.5),
    "volume": column("volume", 1),
    "split": column("split", 3.0),
    "as_of": column("as_of", AWARE),
    "basis_factor": column("basis_factor", 2.0),
    "flags": column("flags", "open_unknown"),
    "source": column("source", "somebody"),
    "a bar less": lambda held: replace(held, bars=held.bars[1:]),
    "no bars": lambda held: replace(held, bars=held.bars[:0]),
    "splits": lambda held: replace(held, splits={DAY: 2.0}),
    "since": lambda held: replace(held, since=date(1999, 1, 1)),
    "gaps": lambda held: replace(held, gaps=(DAY,)),
    "rejected": lambda held: replace(held, rejected=(Rejected(DAY, "no_close", "0"),)),
    "timezone": lambda held: replace(held, timezone="Mars/Olympus"),
    "retired": lambda held: replace(held, retired=DAY),
    "renamed_to": lambda held: replace(held, renamed_to="C"),
    "listing": lambda held: replace(held, listing=replace(held.listing, name="Another Inc.")),
    "events": lambda held: replace(held, events=(Event(AWARE, held.last.run_id, "resumed"),)),
    "last": lambda held: replace(held, last=Order(AWARE, held.last.run_id)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_history_that_says_anything_else_is_a_finding(lived, name):
    stored = history.load_stored(lived, "A")
    wrong = replace(stored, history=CHANGES[name](stored.history))
    assert not history.is_same(wrong.history, stored.history)
    lived.store.put(layout.history("A"), history.encode(wrong))
    assert found(lived) == [("derived", layout.history("A"))]


def test_every_fact_of_a_history_is_tried():
    from dataclasses import fields

    assert {each.name for each in fields(History)} - {"bars"} <= CHANGES.keys()


def test_any_value_of_a_partition_that_differs_is_a_finding(lived):
    key = layout.daily("2013-01", "B")
    right = from_parquet(lived.store.get(key), key)
    for name in ("close", "volume", "flags", "sma_20"):
        wrong = pl.lit(None) if right[name][-1] is not None else pl.lit(1)
        value = wrong.cast(right[name].dtype).alias(name)
        lived.store.put(key, to_parquet(right.with_columns(value)))
        assert found(lived) == [("derived", key)]
    lived.store.put(key, to_parquet(right[1:]))
    assert found(lived) == [("derived", key)]


def test_a_blob_with_good_rows_of_another_name_is_a_finding(lived):
    """It is whole Parquet, and even of the right columns: only its name tells."""
    run_id = manifests.all_ids(lived.store)[0]
    entry = manifests.read(lived.store, run_id).tickers["A"]
    [(partition, name)] = entry.blobs.items()
    key = layout.blob(layout.RAW, partition, "A", name)
    rows = from_parquet(lived.store.get(key), key)
    assert blobs.is_whole(to_parquet(rows), name)
    lived.store.put(key, to_parquet(rows.with_columns(pl.col("close") * 2)))
    assert found(lived) == [("blob", key)]
    lived.store.put(key, to_parquet(bars(bar(DAY))))
    assert found(lived) == [("blob", key)]


@pytest.mark.parametrize("kind", ["pending", "undisturbed"])
def test_a_pending_run_hides_no_damage(lived, kind):
    if kind == "pending":
        fetch(lived, STEPS[2])
    pending = [("pending", layout.run(each)) for each in manifests.pending_ids(lived.store)]
    assert found(lived) == pending
    key = layout.daily("2013-01", "A")
    lived.store.put(key, to_parquet(from_parquet(lived.store.get(key), key)[1:]))
    assert sorted(found(lived)) == sorted([("derived", key), *pending])


@pytest.mark.parametrize("field", ["new", "corrected", "quarantined"])
def test_counts_that_are_wrong_are_a_finding(lived, field):
    run_id = manifests.all_ids(lived.store)[0]
    manifest = manifests.read(lived.store, run_id)
    entry = manifest.tickers["A"]
    if field == "quarantined":
        names = blobs.write(lived, layout.QUARANTINE, "A", bars(bar(DAY)))
        entry = entry.model_copy(update={"quarantine": names, "quarantined": 1})
        checkpointing.rewrite(
            lived.store, manifest.model_copy(update={"tickers": {**manifest.tickers, "A": entry}})
        )
        assert found(lived) == []
    wrong = entry.model_copy(update={field: getattr(entry, field) + 1})
    tickers = {**manifest.tickers, "A": wrong}
    checkpointing.rewrite(lived.store, manifest.model_copy(update={"tickers": tickers}))
    assert found(lived) == [("counts", layout.run(run_id))]


def test_a_run_that_is_gone_is_a_finding_and_its_receipt_tells(lived):
    run_id = manifests.all_ids(lived.store)[-1]
    lived.store.delete([layout.run(run_id)])
    assert ("manifest", layout.run(run_id)) in found(lived)


def test_each_finding_says_what_to_do():
    key = layout.run("20130301T223000000000Z-0a1b2c")
    remedies = {"pending": "transform", "stray": "repair --prune", "derived": "repair"}
    for kind, remedy in remedies.items():
        assert f"`tickerlake {remedy}`" in str(Finding(kind, key, "is odd"))


def test_progress_names_every_ticker_once(lived):
    named: list[str] = []
    verify.verify(lived, workers=2, progress=named.append)
    assert sorted(named) == ["A", "B"]


def test_what_a_dead_transform_owes_is_no_finding_and_all_else_is(tmp_path, monkeypatch):
    """It has replaced a history, but has written nothing that follows from it."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, date(2013, 2, 8))
    fetch(lake, date(2013, 2, 12))
    monkeypatch.setattr(derived, "put", mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        transform.transform(lake, engine=in_turn)
    monkeypatch.undo()
    pending = [("pending", layout.run(each)) for each in manifests.pending_ids(lake.store)]
    owed = [layout.listing("A"), layout.daily("2013-02", "A")]
    key = layout.daily("2013-01", "A")
    whole = lake.store.get(key)
    for each in owed:
        lake.store.put(each, b"garbage")
    assert found(lake) == pending
    lake.store.put(key, b"garbage")
    assert found(lake) == [("derived", key), *pending]
    lake.store.put(key, whole)
    transform.transform(lake)
    assert found(lake) == []
    for each in owed:
        lake.store.put(each, b"garbage")
    assert sorted(found(lake)) == sorted(("derived", each) for each in owed)


def test_a_damaged_archive_of_manifests_is_a_finding(lived, monkeypatch):
    monkeypatch.setattr(checkpointing, "TAIL", 2)
    monkeypatch.setattr(checkpointing, "KEPT", 1)
    run(lived, STEPS[2])
    known = checkpoints.load(lived.store)
    run_id = min(known.run_ids)
    assert found(lived) == []
    key = layout.archived(run_id)
    whole = lived.store.get(key)
    lived.store.put(key, b"garbage")
    [finding] = verify.verify(lived, workers=1)
    assert finding == Finding("checkpoint", key, "is missing or can't be read", run_id=run_id)
    lived.store.put(key, whole)
    assert found(lived) == []
    lived.store.put(layout.CHECKPOINT, b"garbage")
    assert found(lived) == [("checkpoint", layout.CHECKPOINT)]
