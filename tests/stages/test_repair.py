"""Damage of every kind: the others go on, verify names the object, and repair repairs it."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from helpers import bar, bars, new_lake, objects
from small_market import (
    SESSIONS,
    START,
    STEPS,
    Market,
    Steady,
    evening,
    fetch,
    in_turn,
    run,
    state,
)

from tickerlake.engines import Refreshed, Task, Work
from tickerlake.errors import (
    CorruptObjectError,
    LakeFormatError,
    NoLakeError,
    SourceFailedError,
    UnknownSymbolError,
)
from tickerlake.lake import (
    Lake,
    checkpointing,
    history,
    layout,
    manifests,
    notes,
    open_lake,
    time_travel,
)
from tickerlake.lake.by_ticker import ByTicker
from tickerlake.lake.checkpoints import Checkpoint
from tickerlake.lake.layout import Grain
from tickerlake.sources import Fetched
from tickerlake.stages import extract, lifecycle, repair, transform, verify
from tickerlake.stages.findings import Finding

TODAY = STEPS[2]


@pytest.fixture
def lived(tmp_path) -> Lake:
    lake = new_lake(str(tmp_path / "lake"), "month")
    for day in STEPS[:3]:
        run(lake, day)
    return lake


def mend(lake: Lake, source: object = None, *, prune: bool = False) -> repair.Report:
    source = source or Market(TODAY)
    return repair.repair(lake, source, as_of=evening(TODAY), workers=1, prune=prune, engine=in_turn)


def one(lake: Lake, prefix: str, part: str = "") -> str:
    """The newest object below a prefix."""
    return max(key for key in lake.store.keys(prefix) if part in key)


def blob(lake: Lake, number: int = -1) -> str:
    """A blob of ticker A that a run lists; the last one by default."""
    run_id = manifests.all_ids(lake.store)[number]
    [(partition, name), *_] = manifests.read(lake.store, run_id).tickers["A"].blobs.items()
    return layout.blob(layout.RAW, partition, "A", name)


OBJECTS: dict[str, Callable[[Lake], str]] = {
    "the newest blob": blob,
    "an older blob": lambda lake: blob(lake, 0),
    "a history": lambda _: layout.history("A"),
    "a partition": lambda lake: one(lake, layout.DAILY, "ticker=A"),
    "a receipt": lambda lake: one(lake, layout.RECEIPTS),
    "the newest manifest": lambda lake: one(lake, layout.RUNS),
}
DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "empty": lambda _: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "garbage": lambda _: b"\x00garbage" * 9,
    "missing": lambda _: None,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", OBJECTS)
def test_damage_is_named_and_mended(lived, name, damage):
    before = state(lived)
    key = OBJECTS[name](lived)
    damaged = DAMAGE[damage](lived.store.get(key))
    if damaged is None:
        lived.store.delete([key])
    else:
        lived.store.put(key, damaged)
    findings = verify.verify(lived, workers=1)
    is_pending = (name, damage) == ("a receipt", "missing")
    named = [finding for finding in findings if finding.key == key or is_pending]
    assert [finding.kind for finding in named], findings
    assert all("`tickerlake" in str(finding) for finding in findings)
    # the other ticker goes on
    report = transform.transform(lived)
    assert not any(each.error for name, each in report.refreshed.items() if name != "A")
    mended = mend(lived)
    assert mended.left == []
    assert mended.done or is_pending
    assert prices(state(lived)) == prices(before)
    assert verify.verify(lived, workers=1) == []
    run(lived, STEPS[3])
    assert verify.verify(lived, workers=1) == []


def prices(found: dict[str, object]) -> dict[str, object]:
    """A state without the moments of the fetches, which change when a bar is fetched again."""
    return {
        key: [row[:12] for row in value] if isinstance(value, list) else value
        for key, value in found.items()
    }


def test_a_blob_whose_rows_nobody_has_is_lost_and_a_commit_says_so(lived):
    """Of the first run, whose correction has replaced a row: the history does not have it."""

    class Gone(Market):
        def fetch(self, *_: object) -> Fetched:
            raise UnknownSymbolError("delisted")

    key = blob(lived, 0)
    lived.store.delete([key])
    # nobody but the damaged run has them
    report = mend(lived, Gone(TODAY))
    assert any(f"{key}: lost; run" in line for line in report.done)
    [run_id] = [
        run_id
        for run_id in manifests.all_ids(lived.store)
        if manifests.read(lived.store, run_id).lost
    ]
    assert manifests.read(lived.store, run_id).lost == (key,)
    assert report.left == []
    everything = manifests.read_all(lived.store, manifests.all_ids(lived.store))
    assert key not in {
        layout.blob(layout.RAW, partition, ticker, name)
        for manifest in everything
        for ticker, entry in manifest.tickers.items()
        for partition, name in entry.blobs.items()
    }
    assert mend(lived, Gone(TODAY)).done == []


@pytest.mark.parametrize("again", [Steady, Market])
def test_a_blob_of_a_retired_ticker_is_fetched_again_whatever_has_split_since(tmp_path, again):
    lake = new_lake(str(tmp_path / "lake"), "month")
    extract.extract(lake, Steady(STEPS[0]), ["A"], as_of=evening(STEPS[0]), start=START, workers=1)
    key = blob(lake)
    whole = lake.store.get(key)
    lifecycle.retire(lake, "A", STEPS[0])
    lake.store.put(key, b"garbage")
    report = repair.repair(
        lake, again(STEPS[-1]), as_of=evening(STEPS[-1]), workers=1, engine=in_turn
    )
    assert report.left == []
    transform.transform(lake, engine=in_turn)
    held = history.load(lake, "A")
    assert held.retired == STEPS[0]
    assert held.bars["session"].to_list() == SESSIONS[:4]
    is_same = again is Steady
    assert (lake.store.get(key) == whole) == is_same
    assert verify.verify(lake, workers=1) == []


def test_a_damaged_pending_blob_leaves_its_ticker_behind_until_it_is_repaired(lived, caplog):
    reference = state(lived)
    fetch(lived, STEPS[3])
    key = blob(lived)
    whole = lived.store.get(key)
    lived.store.put(key, b"garbage")
    report = transform.transform(lived)
    assert report.exit_code == 3
    assert report.refreshed["A"].error.startswith(key)
    assert "`tickerlake repair`" in report.refreshed["A"].error
    assert manifests.pending_ids(lived.store) == []
    [behind] = lived.store.keys(layout.BEHIND)
    found = state(lived)
    assert found["A"] == reference["A"]
    assert found["B"] != reference["B"]
    caplog.clear()
    assert transform.transform(lived).behind == {"A": report.refreshed["A"].error}
    assert "A is behind" in caplog.text
    assert behind in {finding.key for finding in verify.verify(lived, workers=1)}
    # restored by hand, from a backup
    lived.store.put(key, whole)
    assert transform.transform(lived).exit_code == 0
    assert list(lived.store.keys(layout.BEHIND)) == []
    assert verify.verify(lived, workers=1) == []


def test_a_damaged_blob_does_not_count_as_there(lived):
    """Extraction writes it again when it gets the same rows."""
    key = blob(lived)
    run_id = manifests.all_ids(lived.store)[-1]
    lived.store.put(key, b"garbage")
    lived.store.delete([layout.run(run_id), layout.receipt(run_id)])
    transform.transform(lived, rebuild=True)
    fetch(lived, STEPS[2])
    assert transform.transform(lived).exit_code == 0
    assert verify.verify(lived, workers=1) == []


# ---- what engines see


def add(lake: Lake, key: str, data: bytes = b"x") -> str:
    path = Path(lake.store.url, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return key


def kinds(findings: list[Finding]) -> dict[str, str]:
    return {finding.key: finding.kind for finding in findings}


def test_a_second_file_in_a_folder_is_a_stray_and_pruned(lived):
    copy = lived.store.get(layout.history("A"))
    strays = [
        add(lived, "history/ticker=A/history 2.parquet", copy),
        add(lived, "history/ticker=A/history.sync-conflict.parquet", copy),
        add(lived, "refined/daily/date=2013-01/ticker=A/data.parquet#1", copy),
        add(lived, "refined/daily/date=2013-01/ticker=A/part-0.parquet", copy),
        add(lived, "raw/date=2013-01/ticker=A/copy.parquet", copy),
        add(lived, "refined/daily/date=2013-01/ticker=A/README"),
        add(lived, "refined/daily/.old/date=2013-01/ticker=A/data.parquet", copy),
    ]
    add(lived, "history/_SUCCESS")
    add(lived, "raw/.DS_Store")
    add(lived, "raw/_runs/notes.txt")
    findings = verify.verify(lived, workers=1)
    assert kinds(findings) == dict.fromkeys(strays, "stray")
    assert all("--prune" in str(finding) for finding in findings)
    report = mend(lived)
    assert sorted(report.strays) == sorted(strays)
    assert kinds(verify.verify(lived, workers=1)) == dict.fromkeys(strays, "stray")
    assert mend(lived, prune=True).left == []
    assert verify.verify(lived, workers=1) == []
    assert Path(lived.store.url, "raw/_runs/notes.txt").exists()


def test_blobs_of_runs_that_died_are_pruned_after_a_day(lived):
    fetch(lived, STEPS[3])
    key = blob(lived)
    run_id = manifests.all_ids(lived.store)[-1]
    lived.store.delete([layout.run(run_id)])
    assert verify.verify(lived, workers=1) == []
    assert mend(lived, prune=True).orphans == []
    assert lived.store.get(key)
    yesterday = time.time() - 2 * 24 * 3600
    os.utime(Path(lived.store.url, key), (yesterday, yesterday))
    assert key in mend(lived).orphans
    assert mend(lived, prune=True).orphans
    assert lived.store.get(key) is None


def test_a_partition_that_should_not_exist_is_removed(lived):
    data = lived.store.get(layout.daily("2013-01", "A"))
    for partition, ticker in (("1999-01", "A"), ("2013-01", "NOBODY")):
        add(lived, layout.daily(partition, ticker), data)
    add(lived, layout.history("NOBODY"), lived.store.get(layout.history("A")))
    assert set(kinds(verify.verify(lived, workers=1)).values()) == {"derived"}
    assert mend(lived).left == []
    assert "NOBODY" not in " ".join(objects(lived))


def test_a_pending_run_is_no_false_alarm(lived):
    fetch(lived, STEPS[3])
    run_id = manifests.pending_ids(lived.store)[0]
    assert kinds(verify.verify(lived, workers=1)) == {layout.run(run_id): "pending"}
    transform.transform(lived)
    assert verify.verify(lived, workers=1) == []
    # as if it had been killed before the receipt, and before any partition
    lived.store.delete([layout.receipt(run_id)])
    assert kinds(verify.verify(lived, workers=1)) == {layout.run(run_id): "pending"}
    partition = layout.daily("2013-02", "A")
    lived.store.delete([partition])
    assert kinds(verify.verify(lived, workers=1)) == {layout.run(run_id): "pending"}
    transform.transform(lived)
    assert verify.verify(lived, workers=1) == []


def test_counts_that_were_edited_in_a_manifest(lived):
    run_id = manifests.all_ids(lived.store)[0]
    before = lived.store.get(layout.run(run_id))
    edited = json.loads(before)
    edited["tickers"]["A"]["new"] += 5
    lived.store.put(layout.run(run_id), json.dumps(edited).encode())
    [finding] = verify.verify(lived, workers=1)
    assert (finding.kind, finding.key) == ("counts", layout.run(run_id))
    assert mend(lived).left == []
    assert lived.store.get(layout.run(run_id)) == before


class Refused(Market):
    """A market one of whose rows can't be used."""

    def fetch(self, symbol, start, end, timezone) -> Fetched:
        found = super().fetch(symbol, start, end, timezone).bars
        return Fetched(pl.concat([found, bars(bar(found["session"][-1], -1.0))]))


@pytest.mark.parametrize(
    "edit", [{"quarantined": 7}, {"quarantined": 0}, {"new": 1, "quarantined": 3}, {"corrected": 2}]
)
def test_whichever_count_was_edited_is_put_right(tmp_path, edit):
    lake = new_lake(str(tmp_path / "lake"), "month")
    source, as_of = Refused(STEPS[0]), evening(STEPS[0])
    extract.extract(lake, source, ["A"], as_of=as_of, start=START, workers=1)
    transform.transform(lake, engine=in_turn)
    [key] = lake.store.keys(layout.RUNS)
    before = json.loads(lake.store.get(key))
    edited = json.loads(lake.store.get(key))
    edited["tickers"]["A"].update(edit)
    lake.store.put(key, json.dumps(edited).encode())
    assert set(kinds(verify.verify(lake, workers=1)).values()) == {"counts"}
    assert mend(lake, source).left == []
    after = json.loads(lake.store.get(key))
    counts = after["tickers"]["A"]["new"] + after["tickers"]["A"]["corrected"]
    assert counts == before["tickers"]["A"]["new"]
    assert after["tickers"]["A"]["quarantined"] == before["tickers"]["A"]["quarantined"] > 0
    assert verify.verify(lake, workers=1) == []


EDITS: dict[str, Callable[[dict], object]] = {
    "a partition that leads elsewhere": lambda run: run["tickers"]["A"].update(
        blobs={"../..": "x"}
    ),
    "a digest that leads elsewhere": lambda run: run["tickers"]["A"].update(
        quarantine={"2013-01": "../x"}
    ),
    "no month": lambda run: run["tickers"]["A"].update(blobs={"2013-99": "0" * 32}),
    "a NUL": lambda run: run["tickers"]["A"].update(blobs={"2013-01": "a\0b"}),
    "a ticker that leads elsewhere": lambda run: run["tickers"].update(
        {"../A": run["tickers"]["A"]}
    ),
    "a ticker without a name": lambda run: run["tickers"].update({"": run["tickers"]["A"]}),
    "a split by nothing": lambda run: run["tickers"]["A"].update(splits={"2013-01-08": 0.0}),
    "no time zone": lambda run: run.update(as_of="2013-01-22T22:30:00"),
    "another run's id": lambda run: run.update(run_id="20130101T000000000000Z-abcdef"),
}


def test_a_manifest_that_cannot_be_is_damage(lived):
    before = state(lived)
    key = one(lived, layout.RUNS)
    good = lived.store.get(key)
    for name, edit in EDITS.items():
        run = json.loads(good)
        edit(run)
        lived.store.put(key, json.dumps(run).encode())
        with pytest.raises(CorruptObjectError, match=key):
            pytest.fail(f"{name}: {manifests.read(lived.store, layout.run_id(key))}")
    assert kinds(verify.verify(lived, workers=1))[key] == "manifest"
    assert mend(lived).left == []
    assert prices(state(lived)) == prices(before)


def test_rows_of_another_type_are_a_difference(lived):
    """Of a float, engines that take one file's schema for all make an error or nonsense."""
    key = one(lived, layout.DAILY, "ticker=A")
    before = lived.store.get(key)
    buffer = io.BytesIO()
    pl.read_parquet(before).with_columns(pl.col("volume").cast(float)).write_parquet(buffer)
    lived.store.put(key, buffer.getvalue())
    assert kinds(verify.verify(lived, workers=1)) == {key: "derived"}
    assert mend(lived).left == []
    assert lived.store.get(key) == before


def test_notes_and_receipts_that_make_no_sense(lived):
    before = state(lived)
    newest = manifests.all_ids(lived.store)[-1]
    receipt = layout.receipt(newest)
    unknown = layout.behind("ZZ", newest)
    naive = layout.recheck("20130101T000000000000Z-abcdef")
    lived.store.put(receipt, lived.store.get(min(lived.store.keys(layout.RECEIPTS))))
    lived.store.put(unknown, b"garbage")
    lived.store.put(naive, b'{"at": "2013-01-01T00:00:00", "tickers": {"A": ["2013-01"]}}')
    assert transform.transform(lived).behind.keys() == {"ZZ"}
    found = kinds(verify.verify(lived, workers=1))
    assert found == {receipt: "receipt", unknown: "behind", naive: "note"}
    assert mend(lived).left == []
    assert verify.verify(lived, workers=1) == []
    assert state(lived) == before


def test_a_ticker_that_failed_is_said_to_be_tried_again(lived):
    newest = manifests.all_ids(lived.store)[-1]
    note = notes.Behind(ticker="A", run_id=newest, reason="there was no network")
    notes.put_behind(lived.store, note)
    [finding] = verify.verify(lived, workers=1)
    assert str(finding).endswith(
        "there was no network; once that is put right, `tickerlake transform` catches up"
    )
    assert transform.transform(lived).exit_code == 0
    assert verify.verify(lived, workers=1) == []


def lying(data: bytes) -> bytes:
    """The same rows with statistics of other ones: two files of equal layout, crossed."""
    table = pq.read_table(io.BytesIO(data))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="none", use_dictionary=False)
    honest = buffer.getvalue()
    low = min(each.as_py() for each in table["close"])
    import struct

    old, new = struct.pack("<d", low), struct.pack("<d", low + 3)
    start = honest.rindex(b"PAR1") - int.from_bytes(honest[-8:-4], "little") - 4
    footer = honest[start:].replace(old, new)
    assert footer != honest[start:]
    return honest[:start] + footer


@pytest.mark.parametrize(
    "find", [lambda lake: one(lake, layout.DAILY, "ticker=A"), blob], ids=["partition", "blob"]
)
def test_a_footer_that_lies_is_seen_and_mended(lived, find):
    key = find(lived)
    before = lived.store.get(key)
    lived.store.put(key, lying(before))
    rows = [pl.read_parquet(io.BytesIO(data)) for data in (before, lived.store.get(key))]
    assert rows[0].equals(rows[1])
    [finding] = verify.verify(lived, workers=1)
    assert finding.key == key
    assert "statistics are wrong (" in finding.text
    assert mend(lived).left == []
    assert lived.store.get(key) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_quarantine_is_named_and_declared_lost(tmp_path, damage):
    lake = new_lake(str(tmp_path / "lake"), "month")
    source, as_of = Refused(STEPS[0]), evening(STEPS[0])
    extract.extract(lake, source, ["A"], as_of=as_of, start=SESSIONS[0], workers=1)
    transform.transform(lake)
    key = one(lake, layout.QUARANTINE)
    before = state(lake, ["A"])
    damaged = DAMAGE[damage](lake.store.get(key))
    lake.store.delete([key])
    if damaged is not None:
        lake.store.put(key, damaged)
    assert kinds(verify.verify(lake, workers=1)) == {key: "quarantine"}
    assert mend(lake).left == []
    assert state(lake, ["A"]) == before
    assert lake.store.get(key) is None


@pytest.mark.parametrize("obstacle", ["a folder", "a link to nothing"])
@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_in_an_objects_place_is_moved_aside(lived, name, obstacle):
    before = state(lived)
    key = OBJECTS[name](lived)
    path = Path(lived.store.url, key)
    path.unlink()
    if obstacle == "a folder":
        path.mkdir()
        (path / "precious").write_text("keep")
    else:
        path.symlink_to("nowhere")
    assert kinds(verify.verify(lived, workers=1))[key]
    assert mend(lived).left == []
    assert prices(state(lived)) == prices(before)
    if obstacle == "a folder":
        assert [each.read_text() for each in Path(lived.store.url).rglob("precious")] == ["keep"]


@pytest.mark.parametrize("grain", layout.GRAINS)
@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"[]", b'{"format": 3, "grain": "week"}', b'{"format": "3"}']
)
def test_the_marker_is_written_again_with_the_right_grain(tmp_path, grain: Grain, data):
    lake = new_lake(str(tmp_path / "lake"), grain)
    fetch(lake, STEPS[0])
    lake.store.delete([layout.LAKE])
    if data is not None:
        lake.store.put(layout.LAKE, data)
    with pytest.raises(LakeFormatError, match="tickerlake repair"):
        open_lake(lake.store.url)
    again, done = repair.open_damaged(lake.store.url)
    assert again.grain == grain
    assert "written again" in done
    assert repair.open_damaged(lake.store.url)[1] == ""


def test_a_marker_that_names_another_grain_is_seen(lived):
    lived.store.put(layout.LAKE, b'{"format": 3, "grain": "day"}')
    [finding] = verify.verify(open_lake(lived.store.url), workers=1)
    assert finding.key == layout.LAKE
    assert "by day, but those of raw are by month" in finding.text
    again, _ = repair.open_damaged(lived.store.url)
    assert verify.verify(again, workers=1) == []


def test_a_marker_that_is_written_again_says_whose_bars_they_are(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month", sample=True)
    fetch(lake, STEPS[0])  # years ago, by the clock of the commit
    before = lake.store.get(layout.LAKE)
    lake.store.delete([layout.LAKE])
    assert repair.open_damaged(lake.store.url)[0].is_sample
    assert lake.store.get(layout.LAKE) == before


def test_a_folder_that_is_no_lake_is_not_made_one(tmp_path):
    with pytest.raises(NoLakeError):
        repair.open_damaged(str(tmp_path))


def test_a_recheck_that_cannot_be_read_leads_to_a_rebuild(lived):
    key = notes.put_recheck(lived.store, {"A": ["2013-01"]})
    lived.store.put(key, b"garbage")
    lived.store.put(layout.daily("2013-01", "A"), b"garbage")
    assert transform.transform(lived).exit_code == 0
    assert kinds(verify.verify(lived, workers=1))[key] == "note"
    assert mend(lived).left == []
    assert history.load(lived, "A").bars.height


def test_a_run_whose_manifest_and_receipt_are_damaged_is_lost_and_fetched_again(lived):
    before = state(lived)
    newest = manifests.all_ids(lived.store)[-1]
    lived.store.put(layout.run(newest), b"garbage")
    lived.store.put(layout.receipt(newest), b"garbage")
    found = kinds(verify.verify(lived, workers=1))
    assert found[layout.run(newest)] == "manifest"
    assert found[layout.receipt(newest)] == "receipt"
    report = mend(lived)
    assert report.left == []
    assert lived.store.get(layout.lost(newest)) == b"garbage"
    assert prices(state(lived)) == prices(before)
    assert verify.verify(lived, workers=1) == []


def test_a_repair_says_everything_that_it_did(lived):
    """Damage of every kind at once."""
    oldest, _, newest = manifests.all_ids(lived.store)
    receipt, partition = layout.receipt(newest), layout.daily("2013-01", "B")
    listing = layout.listing("B")
    lived.store.put(receipt, b"garbage")
    lived.store.put(partition, b"garbage")
    recheck = notes.put_recheck(lived.store, {"A": ["2013-01"]})
    lived.store.put(recheck, b"garbage")
    edited = manifests.read(lived.store, oldest)
    entry = edited.tickers["A"].model_copy(update={"new": 77})
    checkpointing.rewrite(
        lived.store, edited.model_copy(update={"tickers": {**edited.tickers, "A": entry}})
    )
    gone = blob(lived)
    lived.store.delete([gone])
    stray = layout.daily("2013-01", "B").replace(".parquet", "-copy.parquet")
    lived.store.put(stray, b"garbage")
    inside = Path(lived.store.url, listing)
    inside.unlink()
    inside.mkdir()
    report = mend(lived, prune=True)
    assert report.done == [
        f"{listing}: moved what was in its place out of the way",
        f"{receipt}: removed; its run is processed again",
        f"{layout.run(oldest)}: counts match its blobs again",
        f"{gone}: restored from the history",
        "B: rebuilt from raw",
        f"{recheck}: removed after everything was rebuilt",
        f"{stray}: removed",
    ]
    assert (report.strays, report.orphans, report.left) == ([stray], [], [])
    assert (report.exit_code, mend(lived, prune=True).done) == (0, [])


def test_rebuilt_tickers_are_named_in_order(lived):
    for ticker in ("A", "B"):
        lived.store.put(layout.daily("2013-01", ticker), b"garbage")

    def backwards(lake: Lake, work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
        yield from in_turn(lake, work, tasks[::-1])

    source = Market(TODAY)
    report = repair.repair(lived, source, as_of=evening(TODAY), workers=1, engine=backwards)
    assert report.done == ["A: rebuilt from raw", "B: rebuilt from raw"]


class Odd(Market):
    """Its ranges do not hold the closes, so that a history is not what the source said."""

    def fetch(self, *request: object) -> Fetched:
        return Fetched(super().fetch(*request).bars.with_columns(high=pl.col("close") * 0.995))


def test_rows_that_were_repaired_are_restored_from_the_source(tmp_path):
    """It has more rows than the run delivered; the history says which they were."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    for day in STEPS[:3]:
        extract.extract(lake, Odd(day), ["A"], as_of=evening(day), start=START, workers=1)
        transform.transform(lake)
    before = history.load(lake, "A")
    key = blob(lake)
    lake.store.delete([key])
    report = mend(lake, Odd(TODAY))
    assert f"{key}: restored from the source" in report.done
    assert report.left == []
    assert history.is_same(history.load(lake, "A"), before)


def test_a_blob_and_its_history_are_damaged(lived):
    before, key = state(lived), blob(lived)
    lived.store.put(key, b"garbage")
    lived.store.put(layout.history("A"), b"garbage")
    assert mend(lived).left == []
    assert prices(state(lived)) == prices(before)
    assert verify.verify(lived, workers=1) == []


@pytest.mark.parametrize("grain", ["day", "month"])
def test_what_was_lost_and_comes_again_with_the_same_rows_is_there(tmp_path, grain):
    """A blob is named after its rows: that of a later run has the name of the lost one."""

    class Away(Steady):
        def fetch(self, *_: object) -> Fetched:
            raise SourceFailedError("no answer")

    lake = new_lake(str(tmp_path / "lake"), grain)
    source, today = Steady(STEPS[0]), evening(STEPS[0])
    extract.extract(lake, source, ["A"], as_of=today, start=START, workers=1)
    transform.transform(lake)
    before, key = history.load(lake, "A"), blob(lake)
    lake.store.delete([key])
    lake.store.put(layout.history("A"), b"garbage")
    report = repair.repair(lake, Away(STEPS[0]), as_of=today, workers=1)
    assert any(f"{key}: lost; run" in line for line in report.done)
    lost = layout.values(key)["date"]
    held = history.load(lake, "A").bars
    assert lost not in {layout.partition_of(day, grain) for day in held["session"]}
    extract.extract(
        lake, source, ["A"], as_of=today, start=START, end=STEPS[0], workers=1, is_repair=True
    )
    assert lake.store.get(key) is not None
    for rebuild in (False, True):
        assert transform.transform(lake, rebuild=rebuild).exit_code == 0
        assert prices({"A": history.load(lake, "A").bars.rows()}) == prices(
            {"A": before.bars.rows()}
        )
        assert verify.verify(lake, workers=1) == []
    state = time_travel.newest(lake)
    assert state.history("A").bars.equals(history.load(lake, "A").bars)
    said = ByTicker(lake.store, state.runs, ["A"], Checkpoint()).of("A")
    assert [each.tickers["A"].blobs for each in said] == [
        each.tickers["A"].blobs for each in state.manifests({"A"}) if each.tickers
    ]
