"""Compaction: fewer objects, and nothing that can be read changes, whoever dies or races."""

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from functools import cache, partial
from types import SimpleNamespace

import polars as pl
import pytest
from helpers import Counting, Intercepted, new_lake, objects, read_as_spark, tickerlake
from polars.testing import assert_frame_equal
from small_market import SESSIONS, TICKERS, Steady, evening, fetch, in_turn, run, state

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import (
    Lake,
    blobs,
    checkpointing,
    compaction,
    frames,
    layout,
    manifests,
    packs,
    time_travel,
)
from tickerlake.lake.frames import Wanted
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import digest
from tickerlake.lake.store import Store
from tickerlake.market.bars import RAW
from tickerlake.stages import compact, query, repair, transform, verify
from tickerlake.stages.relations import Past

DAYS = SESSIONS[3::3]
GRACE = compact.GRACE
LONG = bool(os.environ.get("TICKERLAKE_LONG_TESTS"))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every partition is closed at once, and every pack is old."""
    monkeypatch.setattr(compact, "CLOSED_AFTER", timedelta(days=-400))
    monkeypatch.setattr(compact, "GRACE", timedelta(days=-1))
    monkeypatch.setattr(checkpointing, "TAIL", 6)
    monkeypatch.setattr(checkpointing, "KEPT", 2)


def lived(url: str = "memory://", grain: str = "month") -> Lake:
    lake = new_lake(url, grain)
    for day in DAYS:
        run(lake, day)
    return lake


def compacted(lake: Lake) -> compact.Report:
    """Pack, and delete what was packed."""
    report = compact.compact(lake, workers=1)
    assert report.exit_code == 0
    again = compact.compact(lake, workers=1)
    assert again.packed == 0
    assert again.deleted == report.packed
    return report


def seen(lake: Lake) -> dict[str, object]:
    """Everything that can be read, now and then."""
    past = time_travel.resolve(lake, evening(DAYS[len(DAYS) // 2]))
    raw = "select * from raw order by all"
    return {
        **state(lake),
        "raw": frames.read(lake, "raw", None, Wanted()).rows(),
        "sql": query.query(lake, raw).rows(),
        "filtered": query.query(
            lake, "select * from raw where session < '2013-01-20' order by all"
        ).rows(),
        "past": query.query(lake, raw, tables=Past(past)).rows(),
        "history then": frames.read(lake, "history", past, Wanted()).rows(),
        "stamp": time_travel.newest(lake).stamp,
        "found": verify.verify(lake, workers=1),
    }


@pytest.mark.parametrize("grain", ["month", "year"])
def test_nothing_that_can_be_read_changes(tmp_path, grain):
    lake = lived(str(tmp_path / "lake"), grain)
    before, many = seen(lake), len(list(lake.store.keys(layout.RAW)))
    report = compacted(lake)
    assert report.packed > 20
    assert seen(lake) == before
    assert before["found"] == []
    few = [key for key in lake.store.keys(layout.RAW) if key.endswith(".parquet")]
    assert all(key.endswith(f"/{layout.PACK}") for key in few)
    assert len(few) < many / 3
    assert transform.transform(lake, rebuild=True, engine=in_turn).exit_code == 0
    assert seen(lake) == before
    run(lake, DAYS[-1])
    assert seen(lake) == before


def test_other_engines_read_a_pack_as_any_file_of_raw(tmp_path):
    lake = lived(str(tmp_path / "lake"))
    files = f"{tmp_path}/lake/raw/date=*/ticker=*/*.parquet"
    before = pl.read_parquet(files, hive_partitioning=False)
    compacted(lake)
    after = pl.read_parquet(files, hive_partitioning=False)
    assert_frame_equal(after, before, check_row_order=False)


def test_spark_reads_the_blobs_of_a_pack(tmp_path):
    """Its tasks, without a cluster."""
    types = pytest.importorskip("pyspark.sql.types")
    from tickerlake.engines.spark_datasource import Tickerlake

    lake = lived(str(tmp_path / "lake"))
    names = ("ticker", "run_id", "close")
    columns = types.StructType(
        [
            types.StructField("ticker", types.StringType()),
            types.StructField("run_id", types.StringType()),
            types.StructField("close", types.DoubleType()),
        ]
    )

    def rows() -> list[tuple[object, ...]]:
        reader = Tickerlake({"path": lake.store.url, "table": "raw"}).reader(columns)
        return sorted(read_as_spark(reader).rows())

    before = rows()
    compacted(lake)
    assert rows() == before
    assert before == sorted(frames.read(lake, "raw", None, Wanted(columns=names)).rows())


def test_a_rebuild_reads_one_object_of_raw_for_each_partition():
    lake = lived(grain="year")
    compacted(lake)
    counting = Counting(lake.store)
    assert transform.transform(Lake(counting, "year"), rebuild=True).exit_code == 0
    raw = {key: count for key, count in counting.reads.items() if key.startswith("raw/date=")}
    assert raw == {layout.pack("2013", ticker): 1 for ticker in TICKERS}


def test_a_partition_that_is_not_over_for_long_is_left_alone(monkeypatch):
    lake = lived()
    monkeypatch.setattr(compact, "CLOSED_AFTER", timedelta(days=14))
    compacted(lake)
    packed = [key for key in lake.store.keys(layout.RAW) if key.endswith(layout.PACK)]
    assert packed
    assert {layout.values(key)["date"] for key in packed} == {"2013-01"}


def let_pass(monkeypatch: pytest.MonkeyPatch, lake: Lake, hours: int) -> None:
    """Set the clock of a compaction by the store's, which dates packs."""
    packs = [each for each in lake.store.find(layout.RAW) if each.key.endswith(layout.PACK)]
    now = max(each.modified for each in packs) + hours * 3600
    monkeypatch.setattr(compact, "time", SimpleNamespace(time=lambda: now))


def test_what_was_packed_is_deleted_after_a_day(monkeypatch):
    lake = lived()
    monkeypatch.setattr(compact, "GRACE", timedelta(days=1))
    before = set(lake.store.keys(layout.RAW))
    assert compact.compact(lake, workers=1).packed
    let_pass(monkeypatch, lake, hours=0)
    assert compact.compact(lake, workers=1) == compact.Report()
    assert before < set(lake.store.keys(layout.RAW))
    assert verify.verify(lake, workers=1) == []


@pytest.mark.parametrize(("hours", "is_deleted"), [(0, False), (23, False), (25, True)])
def test_readers_have_a_day_for_what_they_have_listed(monkeypatch, hours, is_deleted):
    lake = new_lake("memory://", "month")
    for day in DAYS[:2]:
        run(lake, day)
    packed = compact.compact(lake, workers=1).packed
    assert packed
    monkeypatch.setattr(compact, "GRACE", GRACE)
    let_pass(monkeypatch, lake, hours)
    assert compact.compact(lake, workers=1).deleted == (packed if is_deleted else 0)


def test_a_lake_by_day_has_nothing_to_compact(tmp_path):
    lake = lived(str(tmp_path / "lake"), "day")
    before = objects(lake)
    assert compact.compact(lake, workers=1).is_needless
    assert objects(lake) == before
    done = tickerlake("compact", "--lake", lake.store.url)
    assert (done.returncode, done.stdout) == (
        0,
        "Nothing to compact: in a lake by day, an object holds one bar by definition.\n",
    )


def test_the_command_says_what_it_did(tmp_path):
    lake = lived(str(tmp_path / "lake"))
    done = tickerlake("compact", "--lake", lake.store.url)
    assert done.stdout.startswith("Packed ")
    assert "deleted 0 blobs" in done.stdout
    done = tickerlake("compact", "--lake", lake.store.url)
    assert done.stdout.startswith("Packed 0 blobs, deleted ")
    [key, *_] = [key for key in lake.store.keys(layout.RAW) if key.endswith(layout.PACK)]
    lake.store.put(key, b"garbage")
    fetch(lake, DAYS[-1])
    [(name, _)] = blobs.write(lake, layout.RAW, layout.values(key)["ticker"], row()).items()
    assert name
    done = tickerlake("compact", "--lake", lake.store.url)
    assert done.returncode == 3
    assert key in done.stderr


def row() -> pl.DataFrame:
    [answer] = [Steady(DAYS[0]).fetch("A", DAYS[0], DAYS[0], "").bars]
    return answer.with_columns(volume=pl.lit(7, pl.Int64)).select(RAW.keys())


def test_a_blob_that_no_run_lists_is_not_packed():
    lake = lived()
    [(partition, name)] = blobs.write(lake, layout.RAW, "A", row()).items()
    compacted(lake)
    assert name not in packs.load(lake, partition, "A").blobs
    assert lake.store.get(layout.blob(layout.RAW, partition, "A", name))


def test_a_damaged_blob_is_not_packed():
    lake = lived()
    key = next(key for key in sorted(lake.store.keys(layout.RAW)) if key.endswith(".parquet"))
    lake.store.put(key, b"garbage")
    compact.compact(lake, workers=1)
    compact.compact(lake, workers=1)
    assert lake.store.get(key) == b"garbage"
    assert [each.key for each in verify.verify(lake, workers=1)] == [key]


def test_a_blob_with_other_rows_is_not_packed():
    lake = lived()
    [key, other, *_] = sorted(key for key in lake.store.keys(layout.RAW) if "ticker=A" in key)
    lake.store.put(key, lake.store.get(other))
    compact.compact(lake, workers=1)
    held = packs.load(lake, layout.values(key)["date"], "A").blobs
    assert layout.digest(key) not in held
    assert all(digest(rows) == name for name, rows in held.items())


def test_nothing_is_deleted_that_a_pack_does_not_hold():
    lake = lived()
    compact.compact(lake, workers=1)
    held = packs.load(lake, "2013-01", "A").blobs
    [first, *_] = held
    wrong = held[first].with_columns(close=pl.col("close") + 1)
    lake.store.put(layout.pack("2013-01", "A"), packs.encode({**held, first: wrong}))
    [failed] = compact.compact(lake, workers=1).failed
    assert "tickerlake repair" in failed
    assert lake.store.get(layout.blob(layout.RAW, "2013-01", "A", first))


def test_a_single_blob_is_found_in_its_pack():
    lake = lived(grain="year")
    before = frames.read(lake, "raw", None, Wanted())
    compacted(lake)
    manifest = time_travel.newest(lake).manifests()[0]
    entry = manifest.tickers["A"]
    rows = blobs.read(lake, "A", entry)
    assert rows.rows() == [row[3:] for row in before.rows() if row[:2] == ("A", manifest.run_id)]


@pytest.mark.parametrize("damage", ["garbage", "gone", "other rows"])
def test_a_damaged_pack_is_found_and_repaired(damage):
    lake = lived()
    compacted(lake)
    before = prices(lake)
    key = layout.pack("2013-02", "A")
    held = packs.load(lake, "2013-02", "A").blobs
    match damage:
        case "garbage":
            lake.store.put(key, b"garbage")
        case "gone":
            lake.store.delete([key])
        case _:
            [first, *_] = held
            wrong = held[first].with_columns(close=pl.col("close") + 1)
            lake.store.put(key, packs.encode({**held, first: wrong}))
    assert key in {each.key for each in verify.verify(lake, workers=1)} or damage == "gone"
    assert verify.verify(lake, workers=1)
    source, as_of = Steady(DAYS[-1]), evening(DAYS[-1])
    report = repair.repair(lake, source, as_of=as_of, workers=1, engine=in_turn)
    assert report.left == []
    assert prices(lake) == before


def prices(lake: Lake) -> list[object]:
    return [frames.read(lake, "history", None, Wanted((each,)))["close"].to_list() for each in "AB"]


class Killed(BaseException):
    """As by SIGKILL."""


class Dying(Intercepted):
    """A store that lets others act before its n-th write, and dies before or after it."""

    def __init__(self, inner: Store, at: int, fate: str, rival: object = None) -> None:
        super().__init__(inner)
        self.at, self.fate, self.rival, self.number = at, fate, rival, 0

    def _write(self, method: str, *arguments: object) -> object:
        self.number += 1
        if self.number == self.at and self.rival:
            self.rival()
        if self.number == self.at and self.fate == "before":
            raise Killed
        answer = self._really(method, *arguments)
        if self.number == self.at and self.fate == "after":
            raise Killed
        return answer

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            self._write("delete", [key])


def one_more_day(lake: Lake) -> None:
    """An extract and a transform, which makes a checkpoint, too."""
    run(lake, SESSIONS[-1])


def young() -> Lake:
    """A lake with blobs of January that are packed and still loose, and loose ones of February."""
    lake = new_lake("memory://", "month")
    for key, data in _young().items():
        lake.store.put(key, data)
    return lake


@cache
def _young() -> dict[str, bytes]:
    lake = new_lake("memory://", "month")
    for day in SESSIONS[15:18]:
        run(lake, day)
    compact.compact(lake, workers=1)
    for day in SESSIONS[19:22]:
        run(lake, day)
    return objects(lake)


@pytest.mark.parametrize("step", ["compact", "transform"])
@pytest.mark.parametrize("fate", ["before", "after", "goes on"])
def test_killed_at_any_write_beside_others_it_ends_as_if_undisturbed(fate, step):
    """Before each write of one, the other runs from end to end; both are repeated afterwards."""
    compaction_of = partial(compact.compact, workers=1)
    first, rival = (
        (compaction_of, one_more_day) if step == "compact" else (one_more_day, compaction_of)
    )
    reference = young()
    one_more_day(reference)
    expected = state(reference)
    # to be killed after a write is to be killed before the next one: the fates share the writes
    every = 1 if LONG else 4 if step == "transform" else 1 if fate == "goes on" else 2
    for at in steps(first, every, 1 + (fate == "after") * every // 2):
        lake = young()
        store = Dying(lake.store, at, fate, partial(rival, lake))
        with suppress(Killed):
            first(Lake(store, lake.grain))
        one_more_day(lake)
        assert verify.verify(lake, workers=1) == [], at
        compact.compact(lake, workers=1)
        compact.compact(lake, workers=1)
        assert state(lake) == expected, at
        assert verify.verify(lake, workers=1) == [], at
        left = {key for key in lake.store.keys(layout.RAW) if key.endswith(".parquet")}
        assert all(key.endswith(layout.PACK) for key in left), at


def steps(first: object, every: int, begin: int) -> Iterator[int]:
    lake = young()
    store = Dying(lake.store, -1, "goes on")
    first(Lake(store, lake.grain))
    assert store.number > 2
    return iter(range(begin, store.number + 1, every))


def test_of_two_compactions_one_wins():
    lake = lived(grain="year")
    place = compaction.Place("2013", "A")
    names = [layout.digest(key) for key in lake.store.keys(layout.RAW) if "ticker=A" in key]
    pack = packs.load(lake, *place)
    compaction.compact(lake, place, names[:3], names, is_old=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "load", lambda *_: pack)
        assert compaction.compact(lake, place, names[3:], names, is_old=True) == (0, 0)
    assert packs.load(lake, *place).blobs.keys() == set(names[:3])


def test_a_pack_says_what_its_blobs_are():
    lake = new_lake("memory://", "year")
    held = {digest(each): each for each in (row(), row().with_columns(close=pl.lit(3.0)))}
    data = packs.encode(held)
    assert packs.decode(data, "").keys() == held.keys()
    assert all(digest(rows) == name for name, rows in packs.decode(data, "").items())
    assert packs.load(lake, "2013", "A") == ({}, None)


@pytest.mark.parametrize("lost", ["first", "last", "all", "one too many"])
def test_a_pack_with_other_rows_than_it_says_is_damage(lost):
    """Each blob would have rows of another."""
    held = {digest(each): each for each in (row(), row().with_columns(close=pl.lit(3.0)))}
    data = packs.encode(held)
    rows = pl.read_parquet(io.BytesIO(data))
    kept = {"first": rows[1:], "last": rows[:-1], "all": rows.clear()}
    changed = io.BytesIO()
    metadata = {"tickerlake.blobs": pl.read_parquet_metadata(io.BytesIO(data))["tickerlake.blobs"]}
    kept.get(lost, pl.concat([rows, rows[:1]])).write_parquet(changed, metadata=metadata)
    with pytest.raises(CorruptObjectError, match="other rows than it says"):
        packs.decode(changed.getvalue(), "key")


def test_a_late_blob_joins_the_pack_of_its_partition():
    """A correction of a closed month is a single blob beside the pack."""
    lake = lived()
    compacted(lake)
    before = packs.load(lake, "2013-01", "A").blobs
    [(partition, name)] = blobs.write(lake, layout.RAW, "A", row()).items()
    entry = Entry(
        outcome="ok", start=DAYS[0], end=DAYS[0], corrected=1, blobs={partition: name}, splits={}
    )
    run_id = manifests.new_run_id()
    late = Manifest(run_id=run_id, as_of=evening(SESSIONS[-1]), source="test", tickers={"A": entry})
    manifests.commit(lake.store, late)
    assert compact.compact(lake, workers=1).packed == 1
    assert compact.compact(lake, workers=1).deleted == 1
    held = packs.load(lake, partition, "A").blobs
    assert held.keys() == {*before, name}
    assert all(digest(rows) == each for each, rows in held.items())


def test_a_repair_puts_no_rows_under_the_name_of_others(monkeypatch):
    """Not even for a moment: a reader beside it would believe them."""
    lake = new_lake("memory://", "month")
    for day in SESSIONS[15:18]:
        run(lake, day)
    compacted(lake)
    held = packs.load(lake, "2013-01", "A").blobs
    [first, *_] = held
    wrong = held[first].with_columns(close=pl.col("close") + 1)
    lake.store.put(layout.pack("2013-01", "A"), packs.encode({**held, first: wrong}))
    put, seen = Store.put, []

    def spied(store: Store, key: str, data: bytes) -> None:
        seen.append((key, data))
        put(store, key, data)

    monkeypatch.setattr(Store, "put", spied)
    source, as_of = Steady(SESSIONS[17]), evening(SESSIONS[17])
    assert repair.repair(lake, source, as_of=as_of, workers=1, engine=in_turn).left == []
    written = [(layout.digest(key), data) for key, data in seen if key.startswith("raw/date=")]
    assert all(blobs.is_whole(data, name) for name, data in written)
    assert {name for name, _ in written} >= held.keys() - {first}


def test_many_blobs_of_one_pack_and_one_of_another_are_found():
    """Packs of which much is wanted are read before loose blobs, the others after them."""
    lake = lived()
    found = [each.tickers["A"] for each in time_travel.newest(lake).manifests({"A"})]
    early = [each for each in found if each.blobs.keys() == {"2013-01"}]
    [late, *_] = [each for each in found if "2013-02" in each.blobs]
    entries = [*early, late]
    assert len(early) > 1
    before = [blobs.read(lake, "A", each).rows() for each in entries]
    compacted(lake)
    fetched = blobs.fetch(lake, "A", entries)
    assert [blobs.decode("A", each, fetched).rows() for each in entries] == before


def test_loose_blobs_are_decoded_at_once_and_a_damaged_one_is_named(monkeypatch):
    lake = new_lake("memory://", "day")
    run(lake, DAYS[1])
    [manifest] = time_travel.newest(lake).manifests({"A"})
    entry = manifest.tickers["A"]
    rows = blobs.read(lake, "A", entry)
    assert rows.height == len(entry.blobs) > 2
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "_rows", None)  # decodes one alone
        assert blobs.read(lake, "A", entry).equals(rows)
    [(partition, name), *_] = entry.blobs.items()
    key = layout.blob(layout.RAW, partition, "A", name)
    for text in ("is missing", "is damaged"):
        if text == "is missing":
            lake.store.delete([key])
        else:
            lake.store.put(key, b"garbage")
        with pytest.raises(CorruptObjectError, match=text) as caught:
            blobs.read(lake, "A", entry)
        assert caught.value.key == key


@pytest.mark.parametrize(("day", "is_closed"), [("2013-02-14", False), ("2013-02-15", True)])
def test_a_partition_is_closed_two_weeks_after_its_last_day(monkeypatch, day, is_closed):
    """January ends on the 31st; the lake has seen the market up to a day in February."""
    monkeypatch.setattr(compact, "CLOSED_AFTER", timedelta(days=14))
    lake = new_lake("memory://", "month")
    for session in (*DAYS[:3], date.fromisoformat(day)):
        run(lake, session)
    report = compact.compact(lake, workers=2, progress=(named := []).append)
    assert bool(report.packed) is is_closed
    assert sorted(named) == (TICKERS if is_closed else [])


def test_what_a_compaction_did_adds_up():
    report = compact.Report()
    for outcome in (compaction.Outcome(3, 1), "a is damaged", compaction.Outcome(4, 2), "b, too"):
        report.note(outcome)
    assert report == compact.Report(7, 3, failed=["a is damaged", "b, too"])
    assert (report.exit_code, compact.Report(1, 1).exit_code) == (3, 0)
