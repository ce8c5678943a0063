"""Runs that die at any write, and runs that meet: the next run ends as if nothing had happened."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from helpers import bar, bars, objects

from tickerlake.engines.local import threads
from tickerlake.errors import ConflictError
from tickerlake.lake import Lake, create_lake, history, layout, manifests
from tickerlake.lake.store import Store
from tickerlake.market import calendars
from tickerlake.sources import Fetched
from tickerlake.stages import extract, transform, verify

TICKERS = ["A", "B"]
START = date(2013, 1, 7)
DAYS = calendars.of("A").schedule.filter(pl.col("session").is_between(START, date(2013, 2, 28)))
SESSIONS = DAYS["session"].to_list()


class Market:
    """A source in memory: every ticker splits 2:1 in mid-February, and is corrected once."""

    name = "market"
    split = date(2013, 2, 14)

    def __init__(self, today: date) -> None:
        self.today = today

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        known = self.split <= self.today
        rows = [
            bar(
                session,
                (80.0 if known or session >= self.split else 160.0) + number + len(symbol),
                split=2.0 if session == self.split else 1.0,
                volume=1000 + (number == 3 and self.today > session + timedelta(days=1)),
            )
            for number, session in enumerate(SESSIONS)
            if start <= session <= min(end, self.today)
        ]
        return Fetched(bars(*rows))


def evening(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC)


def run(lake: Lake, day: date) -> None:
    extract.extract(lake, Market(day), TICKERS, as_of=evening(day), start=START, workers=1)
    report = transform.transform(lake)
    assert report.exit_code == 0


STRESS = SESSIONS[20:]
STEPS = [SESSIONS[3], SESSIONS[4], SESSIONS[10], Market.split, SESSIONS[-1]]


def state(lake: Lake) -> dict[str, object]:
    """What readers see: everything but the moments of the commits."""
    return {
        **objects(lake, "refined/daily/"),
        **{ticker: history.read(lake, ticker)[0].bars.rows() for ticker in TICKERS},
    }


class Killed(BaseException):
    """As by SIGKILL: nothing that the code does about errors runs to a good end."""


@pytest.fixture
def killer(monkeypatch):
    """Kills at the n-th write from now, before or after it took place."""
    writes = itertools.count()
    plan: dict[str, object] = {"at": None, "after": False}

    def wrap(method):
        original = getattr(Store, method)

        def write(self, *arguments):
            number = next(writes)
            dead = plan["at"] is not None and number >= plan["at"]
            if dead and not (plan["after"] and number == plan["at"]):
                raise Killed
            answer = original(self, *arguments)
            if dead:
                raise Killed
            return answer

        monkeypatch.setattr(Store, method, write)

    for method in ("put", "put_new", "replace", "delete"):
        wrap(method)

    def arm(at: int | None, *, after: bool = False) -> None:
        nonlocal writes
        writes = itertools.count()
        plan.update(at=at, after=after)

    arm.writes = lambda: next(writes)
    return arm


def test_killed_at_any_write_the_next_run_ends_as_if_undisturbed(tmp_path_factory, killer):
    def fresh() -> Lake:
        return create_lake(str(tmp_path_factory.mktemp("lake") / "lake"), "month")

    undisturbed = fresh()
    for step, day in enumerate(STEPS):
        killer(None)
        run(undisturbed, day)
        total = killer.writes()
        for at, after in itertools.product(range(total), [False, True]):
            killer(None)
            lake = fresh()
            for earlier in STEPS[:step]:
                run(lake, earlier)
            killer(at, after=after)
            with pytest.raises(Killed):
                run(lake, day)
            killer(None)
            run(lake, day)
            assert state(lake) == state(undisturbed), (day, at, after)
            assert verify.verify(lake, workers=1) == []
            assert manifests.pending_ids(lake.store) == []


def test_only_partitions_that_differ_are_put(tmp_path, monkeypatch):
    lake = create_lake(str(tmp_path / "lake"), "day")
    put: list[str] = []
    original = Store.put

    def record(self, key, data):
        put.append(key)
        original(self, key, data)

    monkeypatch.setattr(Store, "put", record)
    for day in STEPS:
        before = objects(lake, "refined/daily/")
        put.clear()
        run(lake, day)
        after = objects(lake, "refined/daily/")
        differing = {key for key in after if after[key] != before.get(key)}
        assert {key for key in put if key.startswith("refined/daily/")} == differing
        assert len(put) == len(set(put))


def test_however_many_races_it_loses_a_transform_leaves_what_is_right(tmp_path, monkeypatch):
    """A loser has put partitions of an older state, which nobody else would put right."""
    lake = create_lake(str(tmp_path / "lake"), "month")
    for day in STRESS[:2]:
        run(lake, day)
    last, races = STRESS[2:4], 25
    extract.extract(lake, Market(last[0]), TICKERS, as_of=evening(last[0]), start=START, workers=1)
    original = Store.replace
    rivals = itertools.count()

    def race(self, key, data, version):
        if key == layout.history("A") and (number := next(rivals)) < races:
            with monkeypatch.context() as calm:
                calm.setattr(Store, "replace", original)
                if number == 0:
                    # with a manifest that this run does not know
                    run(lake, last[1])
                else:
                    held, seen = history.read(lake, "A")
                    again = replace(held, contested=held.contested + 1)
                    lake.store.replace(key, history.encode(again), seen)
        original(self, key, data, version)

    monkeypatch.setattr(Store, "replace", race)
    assert transform.transform(lake, engine=threads(1)).exit_code == 0
    assert next(rivals) > races
    assert verify.verify(lake, workers=1) == []


def test_a_rebuild_does_not_undo_a_run_that_it_does_not_know(tmp_path):
    lake = create_lake(str(tmp_path / "lake"), "month")
    for day in STRESS[:3]:
        run(lake, day)
    before = objects(lake)
    older = manifests.read_all(lake.store, manifests.all_ids(lake.store)[:-1])
    stored = transform.stored_partitions(lake)["A"]
    with pytest.raises(ConflictError, match="rebuild again"):
        transform.rebuild_ticker(lake, "A", older, stored)
    assert objects(lake) == before


def test_transforms_that_run_at_once_lose_no_update(tmp_path):
    """Several transforms at a time, while extraction goes on committing."""
    lake = create_lake(str(tmp_path / "lake"), "month")
    done = threading.Event()

    def transformer() -> None:
        while not done.is_set():
            transform.transform(lake)

    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(transformer) for _ in range(3)]
        try:
            for day in STRESS:
                extract.extract(
                    lake, Market(day), TICKERS, as_of=evening(day), start=START, workers=1
                )
        finally:
            done.set()
        for other in others:
            other.result()
    assert transform.transform(lake).exit_code == 0
    assert verify.verify(lake, workers=1) == []
    reference = create_lake(str(tmp_path / "reference"), "month")
    for day in STRESS:
        run(reference, day)
    assert state(lake) == state(reference)
