"""The Spark engine leaves the lake that the local one leaves, whatever happens to its workers."""

import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import boto3
import polars as pl
import pytest
from helpers import new_lake, objects, tables
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.types import StringType, StructType

from tickerlake.engines import Refreshed, Task
from tickerlake.engines import spark_datasource as datasource
from tickerlake.engines.spark import FIXED, balanced
from tickerlake.engines.spark import spark as on_spark
from tickerlake.errors import EngineError
from tickerlake.lake import Lake, history, open_lake
from tickerlake.lake.store import Store
from tickerlake.sources import replay, yahoo
from tickerlake.stages import extract, transform, verify
from tickerlake.stages.rounds import Job

from .market import SPLIT, TICKERS, deliver, evening

pytestmark = pytest.mark.spark


def copied(lake: Lake, folder: Path) -> Lake:
    shutil.copytree(lake.store.url, folder)
    return open_lake(str(folder))


def also_raw(lake: Lake, of: Lake) -> None:
    """Bring what was extracted into one lake into another one."""
    shutil.copytree(Path(of.store.url, "raw"), Path(lake.store.url, "raw"), dirs_exist_ok=True)


def assert_same(lake: Lake, other: Lake) -> None:
    one, two = tables(lake), tables(other)
    assert one.keys() == two.keys()
    assert [key for key in one if one[key] != two[key]] == []
    assert one


def histories(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """What histories say; a rebuilt one names other runs that had no receipt."""
    return {ticker: history.load(lake, ticker).bars.rows() for ticker in TICKERS}


@pytest.fixture
def local(tmp_path) -> Lake:
    return new_lake(str(tmp_path / "local"), "month")


@pytest.mark.parametrize("grain", ["day", "year"])
def test_the_recording(spark, tmp_path, grain):
    local = new_lake(str(tmp_path / "local"), grain)
    names = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    other = None
    for day in (date(2013, 2, 27), date(2013, 3, 1)):
        with (
            replay.Replay(now=evening(day)) as served,
            yahoo.Yahoo(url=served.url, requests_per_second=1000, workers=2) as source,
        ):
            start = date(2012, 11, 1)
            extract.extract(local, source, names, as_of=evening(day), start=start, workers=2)
        other = other or copied(local, tmp_path / "spark")
        also_raw(other, local)
        assert transform.transform(local).exit_code == 0
        assert transform.transform(other, engine=on_spark(spark)).exit_code == 0
        assert_same(local, other)
    assert not verify.verify(other, workers=2)


def test_300_tickers_full_load_increments_and_rebuild(spark, tmp_path, local):
    other = copied(local, tmp_path / "spark")
    for day in (date(2013, 2, 8), date(2013, 2, 11), SPLIT, date(2013, 2, 28)):
        deliver(local, day)
        also_raw(other, local)
        here = transform.transform(local)
        there = transform.transform(other, engine=on_spark(spark))
        assert there.refreshed == here.refreshed
        assert there.processed == here.processed
        assert len(there.refreshed) == 300
        assert_same(local, other)
    before, held = objects(other, "refined/", "tickers/"), histories(other)
    shutil.rmtree(Path(other.store.url, "history"))
    shutil.rmtree(Path(other.store.url, "refined/daily/date=2013-01"))
    stray = Path(other.store.url, "refined/daily/date=1999-01/ticker=T000/data.parquet")
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"stray")
    report = transform.transform(other, rebuild=True, engine=on_spark(spark))
    assert report.exit_code == 0
    assert objects(other, "refined/", "tickers/") == before
    assert histories(other) == held


@pytest.mark.usefixtures("aws")
def test_executors_open_the_drivers_s3(spark, monkeypatch):
    """Executors know neither region nor endpoint by themselves."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    there = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket="executors", CreateBucketConfiguration=there)
    lake = new_lake("s3://executors/a lake", "year")
    deliver(lake, SPLIT, ["T001", "^GSPC"])
    assert transform.transform(lake, engine=on_spark(spark)).exit_code == 0
    assert verify.verify(lake, workers=2) == []
    columns = StructType().add("ticker", StringType())
    reader = datasource.Tickerlake({"path": lake.store.url}).reader(columns)
    [files] = reader.partitions()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    elsewhere = pickle.loads(pickle.dumps(reader))  # noqa: S301 - our own
    read = pl.from_arrow(elsewhere.read(files))
    assert set(read["ticker"]) == {"T001", "^GSPC"}


def test_nothing_to_do(spark, local):
    assert transform.transform(local, engine=on_spark(spark)).refreshed == {}


def test_a_failed_ticker_fails_alone(spark, tmp_path, local):
    few = TICKERS[:6]
    deliver(local, date(2013, 2, 8), few)
    blobs = sorted(key for key in local.store.keys("raw/") if "ticker=T003" in key)
    local.store.delete(blobs[:1])
    other = copied(local, tmp_path / "spark")
    here = transform.transform(local)
    there = transform.transform(other, engine=on_spark(spark))
    assert there.exit_code == 3
    assert blobs[0] in there.refreshed["T003"].error
    assert there.refreshed == here.refreshed
    assert_same(local, other)


# ---- workers that die, fail and dawdle: work that does so once for a ticker, by its marks


def first_time(lake: Lake, task: Task) -> bool:
    mark = Path(lake.store.url).with_name("marks") / task.ticker
    mark.parent.mkdir(exist_ok=True)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Dying(Store):
    """A store whose process is killed when something is about to be put for the n-th time."""

    def __init__(self, inner: Store, puts: int, *, at_history: bool) -> None:
        super().__init__(inner.url, inner._objects)
        self.left, self.at_history = puts, at_history

    def put(self, key: str, data: bytes) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        super().put(key, data)

    def replace(self, key: str, data: bytes, version: str | None) -> str:
        self.left = 0 if self.at_history else self.left
        if self.left < 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().replace(key, data, version)


Do = Callable[[Task], Refreshed]


def killed(job: Job, lake: Lake, tasks: Sequence[Task]) -> Do:
    def do(task: Task) -> Refreshed:
        store = lake.store
        if task.ticker in ("T001", "T004") and first_time(lake, task):
            store = Dying(store, 2, at_history=task.ticker == "T001")
        return transform.prepare(job, replace(lake, store=store), tasks)(task)

    return do


def failing(job: Job, lake: Lake, tasks: Sequence[Task]) -> Do:
    prepared = transform.prepare(job, lake, tasks)

    def do(task: Task) -> Refreshed:
        done = prepared(task)
        if task.ticker == "T002" and first_time(lake, task):
            raise RuntimeError("after all was done")
        return done

    return do


class Slow(Store):
    """A store that takes as long for a history as Spark takes to start a second attempt."""

    def replace(self, key: str, data: bytes, version: str | None) -> str:
        end = time.monotonic() + 120
        while not second(self.url).exists() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)
        return super().replace(key, data, version)


def second(url: str) -> Path:
    return Path(url).with_name("marks") / "second"


def dawdling(job: Job, lake: Lake, tasks: Sequence[Task]) -> Do:
    def do(task: Task) -> Refreshed:
        store = lake.store
        if task.ticker == "T003":
            if first_time(lake, task):
                store = Slow(store.url, store._objects)
            else:
                second(store.url).touch()
        return transform.prepare(job, replace(lake, store=store), tasks)(task)

    return do


@pytest.mark.parametrize("work", [killed, failing, dawdling])
def test_lost_failed_and_doubled_tasks_change_nothing(spark, tmp_path, local, monkeypatch, work):
    monkeypatch.setattr("tickerlake.engines.spark.WORTH", 1)  # a task for each ticker
    few = TICKERS[:8]
    for day in (date(2013, 2, 8), SPLIT):
        deliver(local, day, few)
        other = copied(local, tmp_path / "spark" / str(day))
        transform.transform(local)
        with monkeypatch.context() as patch:
            patch.setattr(transform, "prepare", work)
            report = transform.transform(other, engine=on_spark(spark))
        assert report.exit_code == 0
        marks = {mark.name for mark in (tmp_path / "spark" / "marks").iterdir()}
        assert marks == MARKS[work]
        shutil.rmtree(tmp_path / "spark" / "marks")
        # a second attempt notes that it has overtaken the first one
        for prefix in ("history/", "refined/daily/", "refined/_runs/"):
            assert objects(other, prefix) == objects(local, prefix)


MARKS: dict[Callable[[Job, Lake, Sequence[Task]], Do], set[str]] = {
    killed: {"T001", "T004"},
    failing: {"T002"},
    dawdling: {"T003", "second"},
}


# ---- executors that are lost, and jobs that fail


def die(*, with_executor: bool) -> None:
    """Kill this Python worker; or first the JVM of its executor, the parent of its parent."""
    if with_executor:
        status = Path(f"/proc/{os.getppid()}/stat").read_text()
        os.kill(int(status.rpartition(") ")[2].split()[1]), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


class LosesExecutor(Dying):
    """A store whose executor is killed when the third partition is about to be put."""

    def put(self, key: str, data: bytes) -> None:
        if self.left == 0:
            die(with_executor=True)
        super().put(key, data)


def executor_lost(job: Job, lake: Lake, tasks: Sequence[Task]) -> Do:
    def do(task: Task) -> Refreshed:
        store = lake.store
        if task.ticker == "T001" and first_time(lake, task):
            store = LosesExecutor(store, 3, at_history=False)
        return transform.prepare(job, replace(lake, store=store), tasks)(task)

    return do


def test_a_rebuild_loses_an_executor_in_the_middle_of_writing(spark, tmp_path, local, monkeypatch):
    monkeypatch.setattr("tickerlake.engines.spark.WORTH", 1)
    for day in (date(2013, 2, 8), SPLIT):
        deliver(local, day, TICKERS[:8])
        transform.transform(local)
    shutil.rmtree(Path(local.store.url, "history"))
    shutil.rmtree(Path(local.store.url, "refined/daily"))
    other = copied(local, tmp_path / "spark" / "lake")
    transform.transform(local, rebuild=True)
    with monkeypatch.context() as patch:
        patch.setattr(transform, "prepare", executor_lost)
        report = transform.transform(other, rebuild=True, engine=on_spark(spark))
    assert report.exit_code == 0
    assert (tmp_path / "spark" / "marks" / "T001").exists()
    for prefix in ("raw/", "history/", "refined/daily/", "refined/_runs/", "tickers/", "_log/"):
        assert objects(other, prefix) == objects(local, prefix)
    assert transform.transform(other).exit_code == 0
    assert verify.verify(other, workers=2) == []


def raising(_job: Job, _lake: Lake, _tasks: Sequence[Task]) -> Do:
    raise RuntimeError("no room\nfor more than this")


def always_killed(_job: Job, _lake: Lake, _tasks: Sequence[Task]) -> Do:
    die(with_executor=False)
    raise AssertionError


@pytest.mark.parametrize(
    ("work", "reason"),
    [(raising, "RuntimeError: no room"), (always_killed, "Python worker exited unexpectedly.*")],
)
def test_a_job_that_fails_says_why(spark, local, monkeypatch, work, reason):
    deliver(local, SPLIT, TICKERS[:1])
    monkeypatch.setattr(transform, "prepare", work)
    with pytest.raises(EngineError, match=f"^the Spark job failed, run it again: {reason}$"):
        transform.transform(local, engine=on_spark(spark))


@given(st.lists(st.integers(0, 10**6), max_size=60), st.integers(1, 20))
def test_parts_are_whole_and_even(bars, parts):
    tasks = [Task(f"T{number:02}", weight) for number, weight in enumerate(bars)]
    cut = balanced(tasks, parts)
    assert sorted(task.ticker for part in cut for task in part) == sorted(t.ticker for t in tasks)
    assert len(cut) <= min(parts, len(tasks))
    in_order = sorted(cut, key=lambda part: part[0].ticker)
    assert [task for part in in_order for task in part] == tasks
    weights = [sum(task.bars + FIXED for task in part) for part in cut]
    assert weights == sorted(weights, reverse=True)
    if weights:
        heaviest = max(task.bars + FIXED for task in tasks)
        assert weights[0] <= sum(weights) / parts + heaviest
