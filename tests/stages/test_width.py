"""What a wide lake costs the driver, counted: it grows with tickers or with runs, not with both."""

import pickle
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from helpers import Counting, bars, new_lake

from tickerlake.engines import Refreshed, Task, Work
from tickerlake.lake import Lake, backlog, checkpointing, checkpoints, layout, manifests, open_lake
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import digest, to_blob
from tickerlake.stages import transform

FIRST = datetime(2026, 1, 5, 22, 30, tzinfo=UTC)
ROW = {
    "session": FIRST.date(), "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1,
    "dividend": 0.0, "capital_gain": 0.0, "split": 1.0, "currency": "USD", "source": "test",
}  # fmt: skip
RUN_ID = 80
"""At least the bytes of a run's id, pickled, which a job may name twice."""


class Spread:
    """An engine whose tasks are done elsewhere; it notes what is sent there."""

    def __init__(self) -> None:
        self.work, self.tasks = 0, [0]

    def __call__(self, lake: Lake, work: Work, tasks: Sequence[Task]) -> Iterator[Refreshed]:
        self.work = max(self.work, len(pickle.dumps(work)))
        self.tasks += [len(pickle.dumps(task)) for task in tasks]
        do = pickle.loads(pickle.dumps(work))(open_lake(lake.store.url), tasks)  # noqa: S301
        for task in tasks:
            yield do(task)


def lived(folder: str, tickers: int, runs: int) -> Lake:
    """A lake of which every run delivered a bar of every ticker; none is transformed."""
    lake = new_lake(folder, "year")
    rows = [bars(ROW | {"close": 1.0 + number / 100}) for number in range(runs)]
    for number, row in enumerate(rows):
        entry = Entry(
            outcome="ok", start=FIRST.date(), end=FIRST.date(), new=1, splits={},
            blobs={"2026": digest(row)},
        )  # fmt: skip
        names = [f"T{each:04}" for each in range(tickers)]
        for name in names:
            lake.store.put(layout.blob(layout.RAW, "2026", name, digest(row)), to_blob(row))
        as_of = FIRST + timedelta(minutes=number)
        run_id = f"{as_of:%Y%m%dT%H%M%S%fZ}-000000"
        manifest = Manifest(
            run_id=run_id, as_of=as_of, source="test", tickers=dict.fromkeys(names, entry)
        )
        manifests.commit(lake.store, manifest)
    return lake


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(checkpointing, "TAIL", 10)
    monkeypatch.setattr(checkpointing, "KEPT", 5)
    monkeypatch.setattr(checkpointing, "PART_ROWS", 20)


def cost(folder: str, tickers: int, runs: int) -> tuple[Spread, Spread, Counting, Lake]:
    """What a transform and a rebuild send, and what the driver of the rebuild reads."""
    lake = lived(folder, tickers, runs)
    first, second = Spread(), Spread()
    assert transform.transform(lake, engine=first).exit_code == 0
    assert transform.transform(lake).exit_code == 0  # folds the runs into the checkpoint
    counting = Counting(lake.store)
    report = transform.transform(Lake(counting, lake.grain), engine=second, rebuild=True)
    assert report.exit_code == 0
    assert len(report.refreshed) == tickers
    assert not any(each.partitions for each in report.refreshed.values())
    return first, second, counting, lake


def test_what_is_sent_and_read_grows_with_tickers_or_runs_but_not_with_both(tmp_path):
    costs = {
        (tickers, runs): cost(str(tmp_path / f"{tickers}-{runs}"), tickers, runs)
        for tickers in (4, 12)
        for runs in (12, 36)
    }
    smallest = costs[4, 12]
    for (tickers, runs), (first, second, counting, _) in costs.items():
        for each, least in ((first, smallest[0]), (second, smallest[1])):
            assert max(each.tasks) == max(least.tasks), "a task grows with neither"
            assert each.work <= least.work + (runs - 12) * RUN_ID, "the job grows with runs"
        parts = [key for key in counting.reads if key.startswith(layout.ENTRIES)]
        assert [each.endswith("-tickers.parquet") for each in parts] == [True], (tickers, runs)
        assert counting.reads.total() == smallest[2].reads.total(), "reads grow with neither"


def test_spark_plans_raw_without_reading_what_runs_say(tmp_path, monkeypatch):
    pytest.importorskip("pyspark")
    from pyspark.sql.types import StringType, StructType

    from tickerlake.engines import spark_datasource

    sizes = {}
    for tickers, runs in ((4, 12), (4, 36), (12, 36)):
        _, _, _, lake = cost(str(tmp_path / f"{tickers}-{runs}"), tickers, runs)
        source = spark_datasource.Tickerlake({"path": lake.store.url, "table": "raw"})
        columns = StructType().add("ticker", StringType()).add("run_id", StringType())
        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, "read_object", None)
            patch.setattr(manifests, "read", None)
            reader = source.reader(columns)
            sent = pickle.dumps(reader)
            [part] = reader.partitions()
        assert len(sent) < 2_000 + runs * RUN_ID
        sizes[tickers, runs] = len(pickle.dumps(part))
        batches = list(pickle.loads(sent).read(part))  # noqa: S301 - our own
        rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
        assert len(rows) == len(set(rows)) == tickers * runs
    assert sizes[4, 36] == sizes[4, 12]
    assert sizes[12, 36] - sizes[4, 36] < 8 * 20


def test_of_many_manifests_one_is_in_memory(tmp_path):
    lake = lived(str(tmp_path / "lake"), 300, 6)
    surveyed = backlog.survey(lake.store)
    backlog.outline(lake.store, surveyed)  # loads what is loaded once
    one, all_of_them = (
        peak(backlog.outline, lake.store, surveyed._replace(runs=runs))
        for runs in (surveyed.runs[:1], surveyed.runs)
    )
    assert all_of_them < 1.3 * one


def peak(call: Callable[..., object], *arguments: object) -> int:
    """The most memory that a call has at any time."""
    tracemalloc.start()
    try:
        call(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
