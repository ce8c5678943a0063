"""The lake on S3 and the events by a queue, with LocalStack in a container."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime

import boto3
import pytest
from helpers import new_lake, objects, until

from tickerlake import app
from tickerlake.aws import watch as queues
from tickerlake.errors import ConflictError, EventError, StoreError
from tickerlake.lake import Lake, history, layout, manifests, notes, open_lake, refresh
from tickerlake.lake.store import open_store
from tickerlake.settings import TransformSettings, WatchSettings
from tickerlake.sources.replay import Replay
from tickerlake.sources.yahoo import Yahoo
from tickerlake.stages import extract, transform, verify

pytestmark = pytest.mark.docker

TICKERS = ["AAPL", "MSFT"]
START = date(2012, 11, 1)
EVENINGS = [datetime(2013, 2, day, 22, 30, tzinfo=UTC) for day in (1, 4, 5, 6, 7, 8)]


@pytest.fixture
def replay() -> Iterator[Replay]:
    with Replay() as replay:
        yield replay


@pytest.fixture
def run(replay) -> Iterator[Callable[..., extract.Report]]:
    """Extract from the replay, in the evening of a day."""
    with Yahoo(url=replay.url, requests_per_second=1000, workers=2) as yahoo:

        def run(lake: Lake, evening: datetime) -> extract.Report:
            replay.now = evening
            report = extract.extract(lake, yahoo, TICKERS, as_of=evening, start=START, workers=2)
            assert report.exit_code == 0
            return report

        yield run


def process(lake: Lake) -> None:
    assert transform.transform(lake).exit_code == 0


@pytest.fixture
def local(tmp_path) -> Lake:
    return new_lake(str(tmp_path / "lake"), "month")


@pytest.fixture
def lived(local, run) -> Lake:
    """A lake on disk after some evenings: what the one on S3 must equal."""
    for evening in EVENINGS:
        run(local, evening)
        process(local)
    return local


def state(lake: Lake) -> dict[str, object]:
    """What readers see: everything but the moments of the commits."""
    return {
        **objects(lake, "refined/daily/"),
        **{ticker: history.read(lake, ticker)[0].bars.rows() for ticker in TICKERS},
    }


def blobs(lake: Lake) -> dict[str, bytes]:
    return {key: data for key, data in objects(lake, "raw/").items() if layout.RUNS not in key}


def stamps(bucket: str) -> dict[str, object]:
    """When each object of a bucket was last put."""
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket)
    assert not listed["IsTruncated"]
    return {each["Key"]: (each["LastModified"], each["ETag"]) for each in listed["Contents"]}


def copy(found: dict[str, bytes], lake: Lake) -> None:
    for key, data in found.items():
        lake.store.put(key, data)


# ---- the lake on S3


def test_a_lake_on_s3_equals_one_on_disk(place, run, lived):
    there = place()
    lake = new_lake(there.url(), "month")
    for evening in EVENINGS:
        run(lake, evening)
        process(lake)
        assert verify.verify(lake, workers=4) == []
    assert state(lake) == state(lived)
    assert blobs(lake) == blobs(lived)
    before = stamps(there.bucket)
    assert run(lake, EVENINGS[-1]).manifests == []
    process(lake)
    assert stamps(there.bucket) == before


def test_of_many_that_create_at_once_one_wins(place):
    url = place().url()
    stores = [open_store(url) for _ in range(20)]
    for turn in range(10):
        start = threading.Barrier(len(stores))

        def create(number: int, key: str, start: threading.Barrier) -> bool:
            start.wait()
            return stores[number].put_new(key, b"%d" % number)

        with ThreadPoolExecutor(len(stores)) as pool:
            tasks = [pool.submit(create, n, f"{turn}", start) for n in range(len(stores))]
        won = [number for number, task in enumerate(tasks) if task.result()]
        assert len(won) == 1
        assert stores[0].get(f"{turn}") == b"%d" % won[0]


def test_of_many_that_replace_at_once_one_wins(place):
    url = place().url()
    stores = [open_store(url) for _ in range(20)]
    stores[0].put("key", b"first")
    for _ in range(10):
        _, version = stores[0].get_versioned("key")
        start = threading.Barrier(len(stores))

        def replace(number: int, version: str, start: threading.Barrier) -> bool:
            start.wait()
            try:
                stores[number].replace("key", b"%d %b" % (number, version.encode()), version)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(len(stores)) as pool:
            tasks = [pool.submit(replace, n, version, start) for n in range(len(stores))]
        [winner] = [number for number, task in enumerate(tasks) if task.result()]
        assert stores[0].get("key") == b"%d %b" % (winner, version.encode())
    stores[0].delete(["key"])
    with pytest.raises(ConflictError):
        stores[0].replace("key", b"", version)


def test_a_bucket_that_is_not_there_is_named(place):
    place()
    with pytest.raises(StoreError, match="s3://not-there/lake failed"):
        open_lake("s3://not-there/lake")


# ---- transforms that meet


def test_transforms_with_different_pending_manifests_lose_no_update(place, lived):
    """All read the history before anyone replaces it: one wins, the others do it again."""
    url = place().url()
    lake = new_lake(url, "month")
    copy(objects(lived, "raw/"), lake)
    pending = manifests.pending(lake)
    assert len(pending) == len(EVENINGS)
    meeting = threading.Barrier(len(pending))
    conflicts = []

    def fold(ticker: str, manifest: manifests.Manifest) -> None:
        own = open_lake(url)
        replace, first = own.store.replace, [True]

        def replace_when_all_have_read(key: str, data: bytes, version: str | None) -> str:
            if first.pop() if first else False:
                meeting.wait(30)
            try:
                return replace(key, data, version)
            except ConflictError:
                conflicts.append(manifest.run_id)
                raise

        own.store.replace = replace_when_all_have_read
        refresh.refresh(own, ticker, [manifest])

    for ticker in TICKERS:
        conflicts.clear()
        with ThreadPoolExecutor(len(pending)) as pool:
            tasks = [pool.submit(fold, ticker, manifest) for manifest in pending]
        for task in tasks:
            task.result()
        assert len(set(conflicts)) == len(pending) - 1
    process(lake)
    assert state(lake) == state(lived)
    assert verify.verify(lake, workers=4) == []


def test_transforms_beside_an_extraction_that_goes_on(place, run, lived):
    url = place().url()
    lake = new_lake(url, "month")
    done = threading.Event()

    def transformer() -> None:
        own = open_lake(url)
        while not done.is_set():
            process(own)

    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(transformer) for _ in range(3)]
        try:
            for evening in EVENINGS:
                run(lake, evening)
        finally:
            done.set()
        for task in tasks:
            task.result()
    process(lake)
    assert state(lake) == state(lived)
    assert verify.verify(lake, workers=4) == []


COMMAND = [sys.executable, "-m", "tickerlake"]


def test_transforms_in_processes_of_their_own(place, lived):
    url = place().url()
    lake = new_lake(url, "month")
    copy(objects(lived, "raw/"), lake)
    processes = [
        subprocess.Popen([*COMMAND, "transform", "--lake", url], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        _, complaints = process.communicate(timeout=120)
        assert process.returncode == 0, complaints
    assert manifests.pending_ids(lake.store) == []
    assert state(lake) == state(lived)
    assert verify.verify(lake, workers=4) == []


# ---- runs that die


def test_an_extraction_killed_in_mid_upload_is_not_there_for_readers(place, replay, tmp_path):
    url = place().url()
    arguments = [
        *("--yahoo-url", replay.url, "--tickers", ",".join(TICKERS)),
        *("--start", "2012-05-01", "--workers", "1"),
    ]
    lake = new_lake(url, "day")
    process = subprocess.Popen(
        [*COMMAND, "extract", "--lake", url, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: any(lake.store.keys("raw/")))
    process.kill()
    process.wait()
    uploaded = blobs(lake)
    assert objects(lake, "raw/_runs/") == {}
    assert transform.transform(lake).processed == []
    assert objects(lake, "refined/", "tickers/", "history/") == {}

    undisturbed = str(tmp_path / "undisturbed")
    for each in (url, undisturbed):
        subprocess.run([*COMMAND, "run", "--lake", each, *arguments], check=True)
    expected = open_lake(undisturbed)
    assert uploaded.items() < blobs(lake).items()
    assert blobs(lake) == blobs(expected)
    assert state(lake) == state(expected)
    assert verify.verify(lake, workers=4) == []


# ---- events


class Watcher:
    """`tickerlake watch` in a thread, and the transforms that it ran."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.handled: list[list[str]] = []
        self.done = threading.Event()
        self.sqs = boto3.client("sqs")

    def run(self) -> None:
        for handled in app.watch(WatchSettings(self.queue, workers=2)):
            self.handled.append(handled)
            if self.done.is_set():
                return

    def stop(self) -> None:
        self.done.set()
        # it looks up only when there is a message
        self.send({"Event": "s3:TestEvent"})

    def send(self, event: object) -> None:
        body = event if isinstance(event, str) else json.dumps(event)
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)


@contextmanager
def watcher(queue: str) -> Iterator[Watcher]:
    watcher = Watcher(queue)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(watcher.run)
        try:
            yield watcher
        finally:
            watcher.stop()
        running.result(60)


@pytest.fixture
def transforms(monkeypatch) -> list[list[str]]:
    """The runs that each transform started by the watcher has processed."""
    processed = []
    transform_run = app.transform

    def record(settings: TransformSettings) -> transform.Report:
        report = transform_run(settings)
        processed.append(report.processed)
        return report

    monkeypatch.setattr(app, "transform", record)
    monkeypatch.setattr(queues, "LONG_POLL", 1)
    return processed


def messages(queue: str) -> int:
    """Messages that a queue holds, also those in work."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def receive(queue: str, count: int) -> list[str]:
    """Take messages from a queue."""
    sqs, bodies = boto3.client("sqs"), []

    def complete() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", ()):
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(bodies) >= count

    until(complete)
    assert len(bodies) == count
    return bodies


def test_each_manifest_leads_to_one_transform(place, run, lived, transforms):
    there = place()
    lake = new_lake(there.url(), "month")
    committed = []
    with watcher(there.queue) as watching:
        for evening in EVENINGS:
            committed += [manifest.run_id for manifest in run(lake, evening).manifests]
            until(lambda: manifests.pending_ids(lake.store) == [])
            until(lambda: messages(there.queue) == 0)
    assert transforms == [[run_id] for run_id in committed]
    # S3's test event comes first, the last is the one that ends the test
    assert watching.handled == [[], *([run_id] for run_id in committed), []]
    assert messages(there.dead) == 0
    assert state(lake) == state(lived)
    assert verify.verify(lake, workers=4) == []


def test_a_backlog_is_handled_by_one_transform(place, run, lived, transforms):
    there = place()
    lake = new_lake(there.url(), "month")
    committed = [run(lake, evening).manifests[0].run_id for evening in EVENINGS]
    with watcher(there.queue) as watching:
        until(lambda: len(watching.handled) == 1 + len(committed))
    assert transforms == [committed]
    assert state(lake) == state(lived)


def test_events_that_come_again_change_nothing(place, run, transforms):
    there = place()
    lake = new_lake(there.url(), "month")
    for evening in EVENINGS[:3]:
        run(lake, evening)
    _, *events = receive(there.queue, 4)
    with watcher(there.queue) as watching:
        for event in events:
            watching.send(event)
        until(lambda: len(watching.handled) == 3)
        before = stamps(there.bucket)
        for event in [*events, *reversed(events), events[0]]:
            watching.send(event)
        until(lambda: len(watching.handled) == 10)
    assert stamps(there.bucket) == before
    assert len(transforms) == 1
    assert messages(there.dead) == 0


@pytest.mark.parametrize("order", [(2, 0, 1), (2, 1, 0), (1, 0, 2)])
def test_manifests_and_events_that_come_late(place, run, local, transforms, order):
    """An older run is committed after a newer one, and its event comes after the newer one's."""
    there = place()
    lake = new_lake(there.url(), "month")
    late = []
    for evening in EVENINGS[:3]:
        late += run(local, evening).manifests
        process(local)
    with watcher(there.queue):
        copy(blobs(local), lake)
        for each in order:
            before = len(transforms)
            key = layout.run(late[each].run_id)
            lake.store.put_new(key, local.store.get(key))
            until(lambda before=before: len(transforms) > before)
    assert transforms == [[late[each].run_id] for each in order]
    assert state(lake) == state(local)
    assert verify.verify(lake, workers=4) == []


def test_an_older_event_after_a_newer_one(place, run, lived, transforms):
    there = place()
    lake = new_lake(there.url(), "month")
    committed = [run(lake, evening).manifests[0].run_id for evening in EVENINGS]
    _, *events = receive(there.queue, len(EVENINGS) + 1)
    with watcher(there.queue) as watching:
        for event in reversed(events):
            watching.send(event)
        until(lambda: len(watching.handled) == len(events))
    assert transforms == [committed]
    assert state(lake) == state(lived)


def test_a_lost_event_is_made_good_by_the_next(place, run, lived, transforms):
    there = place()
    lake = new_lake(there.url(), "month")
    lost = [run(lake, evening).manifests[0].run_id for evening in EVENINGS[:-1]]
    receive(there.queue, len(EVENINGS))
    with watcher(there.queue) as watching:
        last = run(lake, EVENINGS[-1]).manifests[0].run_id
        until(lambda: watching.handled == [[last]])
    assert transforms == [[*lost, last]]
    assert state(lake) == state(lived)


MALFORMED = ["no JSON {", "[]", "7", '{"detail": {}}', '{"Records": [{"s3": {}}]}']


def test_malformed_messages_end_in_the_dead_letter_queue(place, run, lived, transforms, caplog):
    there = place()
    lake = new_lake(there.url(), "month")
    with watcher(there.queue) as watching:
        for body in MALFORMED:
            watching.send(body)
        for evening in EVENINGS:
            run(lake, evening)
        until(lambda: manifests.pending_ids(lake.store) == [])
        until(lambda: messages(there.dead) == len(MALFORMED))
    assert sorted(receive(there.dead, len(MALFORMED))) == sorted(MALFORMED)
    assert sum(map(len, transforms)) == len(EVENINGS)
    assert state(lake) == state(lived)
    assert caplog.text.count("is left in the queue") >= len(MALFORMED)


@pytest.mark.usefixtures("transforms")
def test_a_run_of_which_a_ticker_fails_is_left_to_the_next_event(place, run, caplog):
    """Neither the tickers that are well nor the queue are held up."""
    there = place()
    lake = new_lake(there.url(), "month")
    report = run(lake, EVENINGS[0])
    [(partition, name)] = list(report.manifests[0].tickers["AAPL"].blobs.items())[:1]
    key = layout.blob(layout.RAW, partition, "AAPL", name)
    data = lake.store.get(key)
    lake.store.delete([key])
    with watcher(there.queue):
        until(lambda: messages(there.queue) == 0)
        assert "is left in the queue" in caplog.text
        assert manifests.pending_ids(lake.store) == []
        assert notes.behind_ids(lake.store).keys() == {"AAPL"}
        assert objects(lake, "history/").keys() == {layout.history("MSFT")}
        # somebody repairs it, and the next event finds it healed
        lake.store.put(key, data)
        run(lake, EVENINGS[1])
        until(lambda: manifests.pending_ids(lake.store) == [])
        until(lambda: notes.behind_ids(lake.store) == {})
    assert messages(there.dead) == 0
    assert verify.verify(lake, workers=4) == []


def test_only_manifests_of_the_lake_are_events(place, run):
    there = place()
    for prefix in ("lake", "other"):
        lake = new_lake(there.url(prefix), "month")
        run(lake, EVENINGS[0])
        process(lake)
    receive(there.queue, 2)
    assert messages(there.queue) == 0


def test_a_queue_that_is_not_there_is_named(place):
    there = place()
    with pytest.raises(EventError, match=f"the queue {there.queue}-else failed: .*NonExistent"):
        next(app.watch(WatchSettings(f"{there.queue}-else", workers=1)))
