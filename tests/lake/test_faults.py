"""A store that falters: what S3 may answer, what a disk may refuse, and what must come of it."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import boto3
import faults
import pytest
from faults import KINDS, Proxy
from filelock import FileLock
from helpers import new_lake, point_to, tickerlake
from small_market import STEPS, fetch, in_turn, run, state

from tickerlake.errors import (
    BadSettingError,
    ConflictError,
    CorruptObjectError,
    LakeFormatError,
    StoreError,
)
from tickerlake.lake import Lake, disk, layout, manifests, open_lake
from tickerlake.lake.store import open_store
from tickerlake.stages import transform, verify

REQUESTS = [
    ("PUT", "/raw/date="),
    ("GET", "/raw/date="),
    ("PUT", "/raw/_runs/"),
    ("GET", "/raw/_runs/"),
    ("PUT", "/history/"),
    ("GET", "/history/"),
    ("PUT", "/refined/daily/"),
    ("PUT", "/refined/_runs/"),
    ("PUT", "_lake.json"),
    ("GET", "prefix="),  # a listing
]


@pytest.fixture
def s3(moto, monkeypatch, tmp_path) -> Iterator[Proxy]:
    """S3 behind a proxy that can make requests fail; its bucket is `bucket`."""
    with faults.proxy(moto) as proxied:
        point_to(proxied.url, monkeypatch)
        boto3.client("s3").create_bucket(Bucket=bucket(tmp_path))
        yield proxied


def bucket(tmp_path) -> str:
    return tmp_path.name.replace("_", "-").lower()[-60:].strip("-")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, object]:
    lake = new_lake(str(tmp_path_factory.mktemp("undisturbed") / "lake"), "month")
    for day in STEPS[:2]:
        run(lake, day)
    return state(lake)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_on_each_kind_of_request_makes_no_difference(s3, tmp_path, undisturbed, kind):
    pending = list(REQUESTS)

    def choose(method: str, key: str) -> str | None:
        for request in pending:
            if request[0] == method and request[1] in key:
                pending.remove(request)
                return kind
        return None

    s3.choose = choose
    lake = new_lake(f"s3://{bucket(tmp_path)}/lake", "month")
    for day in STEPS[:2]:
        run(lake, day)
    assert pending == []
    seen = {(method, part) for method, part in REQUESTS for each in s3.seen if part in each[2]}
    assert seen, "nothing was injected"
    s3.choose = faults.never
    assert state(lake) == undisturbed
    assert verify.verify(lake, workers=2) == []


def test_a_store_that_wants_a_fifth_of_all_requests_slowed_down(s3, tmp_path, undisturbed):
    s3.choose = faults.sometimes(0.2, ("503",), seed=1)
    lake = new_lake(f"s3://{bucket(tmp_path)}/lake", "month")
    for day in STEPS[:2]:
        run(lake, day)
    assert len(s3.seen) > 5
    s3.choose = faults.never
    assert state(lake) == undisturbed


def test_a_409_means_try_again(s3, tmp_path):
    store = open_store(f"s3://{bucket(tmp_path)}/lake")
    s3.choose = faults.once("409", "PUT", "/a")
    assert store.put_new("a", b"1")
    assert store.get("a") == b"1"
    version = store.get_versioned("a").version
    s3.choose = faults.once("409", "PUT", "/a")
    store.replace("a", b"2", version)
    assert store.get("a") == b"2"
    s3.choose = lambda method, _: "409" if method == "PUT" else None
    with pytest.raises(StoreError, match="try again"):
        store.put_new("b", b"1")
    assert [kind for kind, *_ in s3.seen].count("409") > 3


@pytest.mark.parametrize("kind", ["500 after", "reset after"])
def test_a_put_whose_answer_was_lost_is_recognised(s3, tmp_path, kind):
    store = open_store(f"s3://{bucket(tmp_path)}/lake")
    s3.choose = faults.once(kind, "PUT", "/a")
    assert store.put_new("a", b"1")
    s3.choose = faults.once(kind, "PUT", "/a")
    version = store.replace("a", b"2", store.get_versioned("a").version)
    assert version == store.get_versioned("a").version
    assert next(store.find("")).version == version
    with pytest.raises(ConflictError):
        store.replace("a", b"3", "an older one")
    assert not store.put_new("a", b"2")


def test_a_put_that_keeps_failing_fails_one_ticker(s3, tmp_path, undisturbed):
    lake = new_lake(f"s3://{bucket(tmp_path)}/lake", "month")
    run(lake, STEPS[0])
    fetch(lake, STEPS[1])
    s3.choose = lambda method, key: "500" if method == "PUT" and "ticker=A/history" in key else None
    report = transform.transform(lake, engine=in_turn)
    assert report.exit_code == 3
    assert list(report.refreshed) == ["A", "B"]
    assert not report.refreshed["B"].error
    assert manifests.pending_ids(lake.store) == []
    s3.choose = faults.never
    assert transform.transform(lake).exit_code == 0
    assert state(lake) == undisturbed
    assert list(lake.store.keys(layout.BEHIND)) == []


def test_a_store_that_is_gone_is_not_asked_for_every_ticker(s3, tmp_path, monkeypatch):
    lake = new_lake(f"s3://{bucket(tmp_path)}/lake", "month")
    tickers = [f"T{number}" for number in range(6)]
    fetch(lake, STEPS[0], tickers)
    s3.choose = lambda method, key: "500" if method == "GET" and "/history/ticker=" in key else None
    monkeypatch.setattr("tickerlake.lake.retries.PATIENCE", 0)
    monkeypatch.setattr("tickerlake.stages.rounds.GIVE_UP_AFTER", 2)
    with pytest.raises(StoreError, match="tickers in a row failed"):
        transform.transform(lake, engine=in_turn)
    s3.choose = faults.never
    assert len(manifests.pending_ids(lake.store)) == 1


def test_an_endpoint_at_which_nothing_listens(monkeypatch):
    point_to("http://127.0.0.1:9", monkeypatch)
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"nothing listens at http://127\.0\.0\.1:9$"):
        open_lake("s3://bucket/lake")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("url", ["nonsense", "localhost:4566", "http://", "ftp://x", "http://a:b"])
def test_an_endpoint_that_is_no_url(monkeypatch, url):
    point_to(url, monkeypatch)
    with pytest.raises(BadSettingError, match=r"AWS_ENDPOINT_URL is .* not a URL such as"):
        open_lake("s3://bucket/lake")


HANGING = """
import signal, sys
from tickerlake.lake import open_lake
from tickerlake.lake.store import open_store
def end(number, _):
    print("ended", flush=True)
    import os; os._exit(128 + number)
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
open_store("s3://bucket/lake").get("a")
"""


def test_a_signal_ends_a_request_that_is_not_answered(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        point_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        process = subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"begun\n"
        time.sleep(1)
        process.terminate()
        start = time.monotonic()
        assert process.wait(20) == 128 + signal.SIGTERM
        assert time.monotonic() - start < 5
        process.stdout.close()


# ---- a folder


REFUSALS = {
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "it is read-only",
    errno.EACCES: "you may not write or read there",
    errno.EDQUOT: "quota",
}


@pytest.mark.parametrize("number", REFUSALS)
def test_a_disk_that_refuses_is_a_sentence(lake, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(disk.os, "fsync", refuse)
        with pytest.raises(StoreError, match=REFUSALS[number]):
            lake.store.put("history/ticker=A/history.parquet", b"1")
    assert list(lake.store.keys("history/")) == []
    assert list((disk_folder(lake) / disk.STAGING).iterdir()) == []


def disk_folder(lake: Lake):
    return lake.store._objects.folder


def test_a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="is a file, not a folder"):
        open_store(str(tmp_path / "file"))
    with pytest.raises(StoreError, match="file"):
        new_lake(str(tmp_path / "file" / "below"))
    store = open_store(str(tmp_path))
    with pytest.raises(StoreError, match="a file is where a folder should be"):
        store.put("file/below", b"1")


def test_a_lock_that_somebody_holds_is_a_sentence(lake, monkeypatch):
    monkeypatch.setattr(disk, "LOCK_SECONDS", 0.2)
    lake.store.put("a", b"1")
    version = lake.store.get_versioned("a").version
    with (disk_folder(lake) / "a").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="held by another process"):
            lake.store.replace("a", b"2", version)
        lake.store.put("b", b"1")
        lake.store.replace("b", b"2", lake.store.get_versioned("b").version)
    assert lake.store.get("a") == b"1"
    lake.store.replace("a", b"2", version)


def test_who_waits_for_a_lock_looks_a_few_times_and_gives_up_after_its_seconds(lake, monkeypatch):
    """Told by a clock that stands still but for the waits themselves."""
    now, waits = [0.0], []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds
        assert now[0] <= disk.LOCK_SECONDS + 1

    monkeypatch.setattr(
        disk, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=wait, time_ns=time.time_ns)
    )
    lake.store.put("a", b"1")
    version = lake.store.get_versioned("a").version
    with (disk_folder(lake) / "a").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=f"for {disk.LOCK_SECONDS:.0f} seconds"):
            lake.store.replace("a", b"2", version)
    assert sum(waits) >= disk.LOCK_SECONDS


def test_a_lock_in_the_way_is_a_sentence_where_there_are_no_hard_links(lake, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links")

    monkeypatch.setattr(disk, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(os, "link", refused)
    with (
        FileLock(disk_folder(lake) / disk.LOCK),
        pytest.raises(StoreError, match="held by another process"),
    ):
        lake.store.put_new("a", b"1")
    (disk_folder(lake) / disk.LOCK).unlink(missing_ok=True)
    (disk_folder(lake) / disk.LOCK).mkdir()
    with pytest.raises(StoreError, match=r"\.lock"):
        lake.store.put_new("a", b"1")
    assert lake.store.get("a") is None


@pytest.mark.parametrize("obstacle", ["a folder", "a link to nothing"])
@pytest.mark.parametrize("kind", ["history", "partition", "blob"])
def test_what_is_no_file_in_an_objects_place_fails_one_ticker(tmp_path, obstacle, kind):
    lake = new_lake(str(tmp_path / "lake"), "year")
    fetch(lake, STEPS[0])
    [blob] = [key for key in lake.store.keys(layout.RAW) if "ticker=A/" in key]
    key = {"history": layout.history("A"), "partition": layout.daily("2013", "A"), "blob": blob}[
        kind
    ]
    path = tmp_path / "lake" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if obstacle == "a folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    report = transform.transform(lake)
    if (kind, obstacle) == ("partition", "a link to nothing"):
        assert report.exit_code == 0, "a put replaces a link"
        return
    assert report.exit_code == 3
    assert str(path) in report.refreshed["A"].error
    assert "tickerlake repair" in report.refreshed["A"].error
    with pytest.raises(CorruptObjectError):
        lake.store.get(key)


def test_files_are_flushed_and_staged_where_no_reader_looks(lake, monkeypatch):
    seen = []

    def spy(_: int) -> None:
        seen.append(sorted(str(p.relative_to(disk_folder(lake))) for p in files(lake)))

    def files(lake):
        return [path for path in disk_folder(lake).rglob("*") if path.is_file()]

    monkeypatch.setattr(disk.os, "fsync", spy)
    for data in (b"1", b"2"):
        lake.store.put("refined/daily/date=2013/ticker=A/data.parquet", data)
    lake.store.put_new("raw/date=2013/ticker=A/x.parquet", b"1")
    staged = [[name for name in names if name.startswith(disk.STAGING)] for names in seen]
    assert [len(names) for names in staged] == [1, 1, 1], "each is flushed before it is named"
    assert not [name for names in seen for name in names if "#" in name]


def test_what_a_killed_process_was_writing_is_removed_by_the_next(tmp_path):
    lake = new_lake(str(tmp_path / "lake"))
    dead = subprocess.Popen(["true"])
    dead.wait()
    staging = tmp_path / "lake" / disk.STAGING
    mine = f"{socket.gethostname()}@{os.getpid()}-99"
    theirs = f"{socket.gethostname()}@{dead.pid}-0"
    elsewhere = f"another-machine@{dead.pid}-0"  # where this number may be alive
    staging.mkdir(exist_ok=True)
    for name in (mine, theirs, elsewhere):
        (staging / name).write_bytes(b"half")
    open_lake(lake.store.url).store.put("history/x", b"1")
    assert {path.name for path in staging.iterdir()} == {mine, elsewhere}


# ---- _lake.json


def test_a_lake_that_has_runs_but_no_marker_is_refused(tmp_path):
    lake = new_lake(str(tmp_path / "lake"), "month")
    fetch(lake, STEPS[0])
    lake.store.delete([layout.LAKE])
    for attempt in (lambda: new_lake(lake.store.url), lambda: open_lake(lake.store.url)):
        with pytest.raises(LakeFormatError, match=r"_lake\.json.*tickerlake repair"):
            attempt()
    assert lake.store.get(layout.LAKE) is None


def test_an_older_lake_is_refused(tmp_path):
    lake = new_lake(str(tmp_path / "lake"))
    lake.store.put(layout.LAKE, b'{"format": 2, "grain": "day"}')
    done = tickerlake("status", "--lake", lake.store.url)
    assert done.returncode == 1
    assert "has format 2" in done.stderr
    assert "extract into a new lake" in done.stderr


def test_alien_files_are_ignored_and_named(tmp_path, caplog):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[0])
    before = state(lake)
    aliens = [
        "raw/.DS_Store",
        "raw/_runs/notes.txt",
        "raw/_runs/notes.json",
        "raw/_runs/20130101T000000000000Z-abcdef (conflicted copy).json",
        "history/_SUCCESS",
        "history/ticker=A/.DS_Store",
        "history/ticker=^A/history.parquet",
        "refined/daily/_SUCCESS",
        "refined/daily/date=2013-01/Thumbs.db",
        "refined/_runs/.DS_Store",
        "quarantine/.DS_Store",
    ]
    for key in aliens:
        path = tmp_path / "lake" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert state(lake) == before
    run(lake, STEPS[1])
    warned = " ".join(record.getMessage() for record in caplog.records)
    assert "raw/_runs/notes.txt" in warned
    for command in ("status", "transform"):
        done = tickerlake(command, "--lake", lake.store.url)
        assert done.returncode in (0, 3), done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("s3")
def test_folder_objects_that_the_s3_console_makes_are_ignored(tmp_path):
    lake = new_lake(f"s3://{bucket(tmp_path)}/lake", "month")
    run(lake, STEPS[0])
    before = state(lake)
    folders = ("", "raw/", "raw/_runs/", "history/", "history/ticker=0700.HK/", "refined/daily/")
    for key in folders:
        boto3.client("s3").put_object(Bucket=bucket(tmp_path), Key=f"lake/{key}", Body=b"")
    assert state(lake) == before
    run(lake, STEPS[1])
    assert verify.verify(lake, workers=1) == []


@pytest.mark.parametrize("number", [4, 99])
@pytest.mark.parametrize(
    "command",
    [["status"], ["transform"], ["run", "FB", "--offline"], ["query", "select 1"], ["verify"]],
    ids=lambda words: words[0],
)
def test_a_lake_of_a_newer_format_is_refused(tmp_path, command, number):
    lake = new_lake(str(tmp_path / "lake"), "year", sample=True)
    marker = json.loads(lake.store.get(layout.LAKE)) | {"format": number}
    lake.store.put(layout.LAKE, json.dumps(marker).encode())
    before = sorted(tmp_path.rglob("*"))
    done = tickerlake(*command, "--lake", lake.store.url)
    assert done.returncode == 1
    assert f"has format {number}" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_living_process_is_writing_stays(tmp_path):
    lake = new_lake(str(tmp_path / "lake"))
    staging = tmp_path / "lake" / disk.STAGING
    mine = staging / f"{socket.gethostname()}@{os.getpid()}-99"
    elsewhere = staging / "another-machine@1-0"
    for path in (mine, elsewhere):
        path.write_bytes(b"half")
    open_store(lake.store.url).put("raw/x", b"1")
    assert mine.exists()
    assert elsewhere.exists()
