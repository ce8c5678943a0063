"""Readers of ours beside transforms: whatever happens meanwhile, they see one moment."""

import itertools
import os
import threading
from collections.abc import Callable
from datetime import date

import boto3
import polars as pl
import pytest
from helpers import bar, bars, new_lake, read_as_spark
from pyspark.sql.types import StructType
from small_market import SESSIONS, STEPS, evening, fetch, in_turn, run, state

from tickerlake.engines.spark_datasource import Tickerlake
from tickerlake.errors import TickerlakeError
from tickerlake.lake import Lake, blobs, frames, history, layout, manifests, open_lake, snapshot
from tickerlake.lake.frames import Wanted
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.store import Store
from tickerlake.stages import transform
from tickerlake.stages.query import query

TICKERS = ["A", "B", "C"]
LONG = bool(os.environ.get("TICKERLAKE_LONG_TESTS"))
TABLES = ("daily", "history")
BEFORE = date(2013, 1, 4)
"""A session that the market does not serve."""
COLUMNS = ["ticker", "session", "open", "close", "volume", "split"]


def by_spark(lake: Lake, table: str) -> list[tuple]:
    """What Spark's data source gives, without a JVM."""
    kinds = ["string", "date", "double", "double", "long", "double"]
    schema = StructType()
    for name, kind in zip(COLUMNS, kinds, strict=True):
        schema.add(name, kind)
    reader = Tickerlake({"path": lake.store.url, "table": table}).reader(schema)
    found = read_as_spark(reader)
    return found.sort(COLUMNS).rows() if found.height else []


def answers(lake: Lake) -> list[list[tuple]]:
    sql = "select ticker, session, open, close, volume, split from {} order by all"
    listing = "select ticker, first_session, last_session, sessions from tickers order by all"
    said = [query(lake, sql.format(table)).rows() for table in TABLES]
    in_python = [
        frames.read(lake, table, None, frames.Wanted(columns=tuple(COLUMNS))).sort(COLUMNS).rows()
        for table in TABLES
    ]
    assert in_python == said
    assert [by_spark(lake, table) for table in TABLES] == said
    return [*said, query(lake, listing).rows()]


@pytest.mark.parametrize("grain", layout.GRAINS)
def test_a_query_at_any_write_of_a_transform_sees_its_end(tmp_path, monkeypatch, grain):
    """The run is committed; so it is seen at once and as a whole, even before its transform."""
    check(new_lake(str(tmp_path / "lake"), grain), monkeypatch, 60 if grain == "day" else 6)


@pytest.mark.usefixtures("aws")
def test_so_does_one_on_s3(monkeypatch):
    boto3.client("s3").create_bucket(Bucket="moments")
    check(new_lake("s3://moments/lake", "year"), monkeypatch, 9)


def check(lake: Lake, monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    run(lake, STEPS[2], TICKERS)
    fetch(lake, STEPS[3], TICKERS)  # a split
    found = [answers(lake)]
    writes, inside = itertools.count(), threading.local()
    originals = {name: getattr(Store, name) for name in ("put", "put_new", "replace", "delete")}

    def spied(original: Callable) -> Callable:
        def write(self, *arguments):
            answer = original(self, *arguments)
            if next(writes) % every == 0 and not hasattr(inside, "reading"):
                inside.reading = True
                found.append(answers(open_lake(lake.store.url)))
                del inside.reading
            return answer

        return write

    with monkeypatch.context() as patch:
        for name, original in originals.items():
            patch.setattr(Store, name, spied(original))
        assert transform.transform(lake, engine=in_turn).exit_code == 0
    assert len(found) > 2
    after = answers(lake)
    assert [number for number, each in enumerate(found) if each != after] == []


def test_a_transform_that_ends_while_a_query_is_reading_is_not_seen(tmp_path, monkeypatch):
    """The run that it processes is newer than the moment of the query."""
    from tickerlake.stages import query as stage

    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[2], TICKERS)
    before = answers(lake)
    original, happened = stage.create, []

    def late(*arguments):
        if not happened:
            happened.append(True)
            run(lake, STEPS[3], TICKERS)
        return original(*arguments)

    monkeypatch.setattr(stage, "create", late)
    sql = "select ticker, session, open, close, volume, split from daily order by all"
    assert query(lake, sql).rows() == before[0]
    assert query(lake, sql).rows() == answers(lake)[0] != before[0]


def test_a_run_that_arrives_late_is_part_of_the_moment(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[3], ["A"])
    fetch(lake, STEPS[1], ["A", "B"])  # as of an earlier evening
    found = answers(lake)
    assert transform.transform(lake).exit_code == 0
    assert found == answers(lake)


def test_a_damaged_blob_of_a_pending_run_leaves_the_ticker_as_it_was(tmp_path, caplog):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[2], TICKERS)
    before = answers(lake)
    fetch(lake, STEPS[3], TICKERS)
    [run_id] = manifests.pending_ids(lake.store)
    [(partition, name), *_] = manifests.read(lake.store, run_id).tickers["A"].blobs.items()
    lake.store.put(layout.blob(layout.RAW, partition, "A", name), b"garbage")
    found = answers(lake)
    assert "A may be from before the last run" in caplog.text
    for old, new in zip(before, found, strict=True):
        assert [row for row in new if row[0] == "A"] == [row for row in old if row[0] == "A"]
        assert [row for row in new if row[0] == "B"] != [row for row in old if row[0] == "B"]


def test_of_a_damaged_ticker_the_files_that_are_left_are_read(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[3], ["A"])
    before = frames.read(lake, "daily", None, Wanted(("A",)))
    fetch(lake, STEPS[4], ["A"])
    [run_id] = manifests.pending_ids(lake.store)
    [(partition, name), *_] = manifests.read(lake.store, run_id).tickers["A"].blobs.items()
    lake.store.put(layout.blob(layout.RAW, partition, "A", name), b"garbage")
    lake.store.delete([layout.daily("2013-01", "A")])
    left = before.filter(pl.col("session") >= date(2013, 2, 1))
    assert 0 < left.height < before.height
    assert frames.read(lake, "daily", None, Wanted(("A",))).equals(left)


def test_a_reader_in_a_loop_beside_transforms(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, SESSIONS[10], TICKERS)
    errors: list[BaseException] = []

    def live() -> None:
        try:
            for day in SESSIONS[11:21] if LONG else SESSIONS[11:16]:
                run(lake, day, TICKERS)
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=live)
    thread.start()
    reader, seen = open_lake(lake.store.url), []
    sql = "select ticker, max(session) as last, count(*) as n from daily group by ticker"
    while thread.is_alive():
        try:
            rows = query(reader, sql).rows()
        except TickerlakeError as error:
            errors.append(error)
            break
        seen.append({row[1:] for row in rows})
        assert len(rows) == len(TICKERS)
    thread.join()
    assert errors == []
    assert all(len(moments) == 1 for moments in seen), seen
    assert state(lake, TICKERS)


def test_what_is_seen_without_any_run_is_nothing(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month")
    assert snapshot.now(lake.store) == snapshot.Snapshot(frozenset(), {}, {})
    assert query(lake, "select * from daily").height == 0
    fetch(lake, STEPS[0], ["A"])
    assert query(lake, "select * from daily").height > 0


def elsewhere(lake: Lake) -> Lake:
    """The same lake, as another process has it."""
    return Lake(Store(lake.store.url, lake.store._objects), lake.grain)


def deliver(lake: Lake, day: date) -> None:
    """Commit a run that saw the market on an evening."""
    entries = {
        ticker: Entry(
            outcome="ok",
            start=BEFORE,
            end=BEFORE,
            new=1,
            blobs=blobs.write(lake, layout.RAW, ticker, bars(bar(BEFORE, 55.0))),
            splits={},
        )
        for ticker in "AB"
    }
    run_id = manifests.new_run_id()
    one = Manifest(run_id=run_id, as_of=evening(day), source="another", tickers=entries)
    manifests.commit(lake.store, one)


@pytest.mark.parametrize("day", [STEPS[1], STEPS[4]], ids=["late", "newer"])
def test_what_is_pending_of_a_ticker_counts_in_its_order(tmp_path, day):
    """A late run says nothing of the split that a newer one has announced."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[3], ["A"])
    deliver(lake, day)
    found = answers(lake)
    assert transform.transform(lake).exit_code == 0
    assert found == answers(lake)


@pytest.mark.parametrize("at", range(6))
def test_whatever_ends_while_the_moment_is_taken_its_histories_are_of_its_runs(monkeypatch, at):
    """A run is extracted and transformed between any two requests."""
    lake = new_lake("memory://", "year")
    run(lake, STEPS[0], TICKERS)
    requests = itertools.count()

    def then(request: Callable) -> Callable:
        def asked(*arguments):
            if next(requests) == at:
                run(elsewhere(lake), STEPS[1], TICKERS)
            return request(*arguments)

        return asked

    with monkeypatch.context() as patch:
        for name in ("find", "get_versioned"):
            patch.setattr(lake.store, name, then(getattr(lake.store, name)))
        taken = snapshot.now(lake.store)
    for ticker, version in taken.versions.items():
        stored = history.load_stored(lake, ticker)
        if stored.version == version:
            assert stored.history.last.run_id in taken.runs
            assert set(stored.folded) <= taken.runs


@pytest.mark.parametrize("day", [STEPS[1], STEPS[3]], ids=["late", "newer"])
@pytest.mark.parametrize("table", TABLES)
def test_spark_sees_nothing_of_a_run_that_ends_after_the_moment(tmp_path, monkeypatch, table, day):
    """Of a ticker that is held, and of one that comes with the run."""
    lake = new_lake(str(tmp_path / "lake"), "year")
    run(lake, STEPS[2], ["A"])
    before, now, ended = by_spark(lake, table), snapshot.now, []

    def then(store: Store) -> snapshot.Snapshot:
        taken = now(store)
        if not ended:
            ended.append(True)
            deliver(elsewhere(lake), day)
            assert transform.transform(lake, engine=in_turn).exit_code == 0
        return taken

    monkeypatch.setattr(snapshot, "now", then)
    assert by_spark(lake, table) == before
    assert by_spark(lake, table) != before


def test_a_task_of_spark_carries_nothing_about_other_tickers(tmp_path):
    """Each is sent to an executor, and a lake may have ten thousand tickers."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[0], TICKERS)
    fetch(lake, STEPS[1], TICKERS)
    taken = snapshot.now(lake.store)
    assert {*taken.pending} == {*taken.versions} == {*TICKERS}
    part = taken.of({"B"})
    assert {*part.pending} == {*part.versions} == {"B"}


@pytest.mark.parametrize("transformed", range(len(STEPS)))
def test_several_pending_runs_are_all_seen(transformed):
    """Transforms may be down for days, and extractions go on."""
    lake = new_lake("memory://", "month")
    for number, step in enumerate(STEPS):
        fetch(lake, step)
        if number < transformed:
            transform.transform(lake)
    tables = ("daily", "history", "raw", "tickers")
    before = {table: frames.read(lake, table, None, Wanted()) for table in tables}
    known = snapshot.now(lake.store).tickers
    transform.transform(lake)
    for table, rows in before.items():
        assert rows.equals(frames.read(lake, table, None, Wanted())), table
    assert known == snapshot.now(lake.store).tickers == ["A", "B"]


def test_whose_history_has_moved():
    """Whether it was replaced, added or removed."""
    lake = new_lake("memory://", "month")
    run(lake, STEPS[0], ["A", "C"])
    taken = snapshot.now(lake.store)
    assert snapshot.moved(lake.store, taken) == set()
    run(lake, STEPS[0], ["B"])
    assert snapshot.moved(lake.store, taken) == {"B"}
    run(lake, STEPS[1], ["A"])
    lake.store.delete([layout.history("C")])
    assert snapshot.moved(lake.store, taken) == {"A", "B", "C"}
    for ticker in "ABCD":
        expected = ticker != "D"
        assert snapshot.has_moved(lake.store, taken, ticker) is expected
