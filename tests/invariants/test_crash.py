"""Runs that die at any write, and runs that meet: the next run ends as if nothing had happened."""

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partialmethod

import pytest
from helpers import new_lake, objects
from small_market import SESSIONS, STEPS, fetch, in_turn, run, state

from tickerlake.errors import StoreError
from tickerlake.lake import Lake, derived, history, layout, manifests, notes, open_lake, refresh
from tickerlake.lake.derived import Derived
from tickerlake.lake.store import Store
from tickerlake.stages import transform, verify

WRITES = ("put", "put_new", "replace", "delete")
STRESS = SESSIONS[20:]


class Killed(BaseException):
    """As by SIGKILL: nothing that the code does about errors runs to a good end."""


@pytest.fixture
def killer(monkeypatch):
    """Kills before the n-th write from now; that is after the one before it, too."""
    writes = itertools.count()
    last: int | None = None

    def wrap(method):
        original = getattr(Store, method)

        def write(self, *arguments):
            number = next(writes)
            if last is not None and number >= last:
                raise Killed
            return original(self, *arguments)

        monkeypatch.setattr(Store, method, write)

    for method in WRITES:
        wrap(method)

    def arm(at: int | None) -> None:
        nonlocal writes, last
        writes, last = itertools.count(), at

    arm.writes = lambda: next(writes)
    return arm


def copied(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("lake") / "lake"
    return open_lake(str(shutil.copytree(lake.store.url, folder)))


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_killed_at_any_write_the_next_run_ends_as_if_undisturbed(tmp_path_factory, killer, step):
    day = STEPS[step]
    undisturbed = new_lake(str(tmp_path_factory.mktemp("lake") / "lake"), "month")
    for earlier in STEPS[:step]:
        run(undisturbed, earlier)
    before = copied(undisturbed, tmp_path_factory)
    killer(None)
    run(undisturbed, day)
    total = killer.writes()
    for at in range(total):
        lake = copied(before, tmp_path_factory)
        killer(at)
        with pytest.raises(Killed):
            run(lake, day)
        killer(None)
        run(lake, day)
        assert state(lake) == state(undisturbed), at
        assert verify.verify(lake, workers=1) == []
        assert manifests.pending_ids(lake.store) == []


def test_a_rebuild_that_is_killed_is_finished_by_the_next_transform(tmp_path_factory, killer):
    """What it has not begun with is as before; what it was doing is finished."""

    lake = new_lake(str(tmp_path_factory.mktemp("lake") / "lake"), "month")
    for day in STEPS[:2]:
        run(lake, day)
    for ticker in ("A", "B"):
        stored = history.load_stored(lake, ticker)
        bars = stored.history.bars.with_columns(close=stored.history.bars["close"] + 1)
        wrong = replace(stored.history, bars=bars)
        lake.store.put(layout.history(ticker), history.encode(replace(stored, history=wrong)))
        derived.put(lake, ticker, Derived(wrong, lake.grain), {"2013-01"})
    damaged = copied(lake, tmp_path_factory)
    before = state(lake)
    killer(None)
    transform.transform(lake, rebuild=True, engine=in_turn)
    total, after = killer.writes(), state(lake)
    assert before != after
    for at in range(total):
        lake = copied(damaged, tmp_path_factory)
        killer(at)
        with pytest.raises(Killed):
            transform.transform(lake, rebuild=True, engine=in_turn)
        killer(None)
        transform.transform(lake)
        found = state(lake)
        for ticker in ("A", "B"):
            mine = {key for key in found if key == ticker or f"ticker={ticker}/" in key}
            assert any(
                all(found[key] == whole[key] for key in mine) for whole in (before, after)
            ), (at, ticker)


def test_only_partitions_that_differ_are_put(tmp_path, monkeypatch):
    lake = new_lake(str(tmp_path / "lake"), "day")
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


@contextmanager
def before_write(at: int, rival: Callable[[], object], fate: str) -> Iterator[Iterator[int]]:
    """Let a rival act before the n-th write, which then takes place, and may be the last."""
    writes = itertools.count()
    originals = {name: getattr(Store, name) for name in WRITES}

    def write(original: Callable[..., object], *arguments: object) -> object:
        number = next(writes)
        if number == at:
            with pytest.MonkeyPatch.context() as calm:
                for name, real in originals.items():
                    calm.setattr(Store, name, real)
                rival()
        answer = original(*arguments)
        if number == at and fate != "it goes on":
            raise Killed if fate == "it dies" else StoreError("out of order")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        for name, original in originals.items():
            patch.setattr(Store, name, partialmethod(_called, write, original))
        yield writes


def _called(self: Store, write: Callable[..., object], original: object, *rest: object) -> object:
    return write(original, self, *rest)


@pytest.mark.parametrize(
    ("grain", "fate"),
    [
        *((grain, "it goes on") for grain in layout.GRAINS),
        *itertools.product(["month", "year"], ["it dies", "its store fails"]),
    ],
)
def test_overtaken_at_any_write_a_transform_leaves_nothing_stale(tmp_path_factory, grain, fate):
    """Before each write of a transform, another one processes a newer run, from end to end."""

    before = new_lake(str(tmp_path_factory.mktemp("lake") / "lake"), grain)
    run(before, STEPS[0])
    fetch(before, STEPS[1])

    def overtaken(at: int) -> tuple[Lake, int]:
        lake = copied(before, tmp_path_factory)
        with (
            before_write(at, lambda: run(lake, STEPS[2]), fate) as writes,
            suppress(Killed, StoreError),
        ):
            transform.transform(lake, engine=in_turn)
        return lake, next(writes)

    reference = new_lake(str(tmp_path_factory.mktemp("reference") / "lake"), grain)
    for day in STEPS[:3]:
        run(reference, day)
    total = overtaken(-1)[1]
    for at in range(total):
        lake, _ = overtaken(at)
        if fate == "it goes on":
            assert verify.verify(lake, workers=1) == [], at
        else:
            assert transform.transform(lake).exit_code == 0
        assert state(lake) == state(reference), at
        assert verify.verify(lake, workers=1) == []


def test_a_recheck_is_kept_for_an_hour(tmp_path, monkeypatch):
    """A request of the dead process may still be on its way when the next transform is done."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[0])
    [partition] = [key for key in lake.store.keys(layout.DAILY) if "ticker=A" in key]
    right = lake.store.get(partition)
    notes.put_recheck(lake.store, {"A": ["2013-01", "1999-01"]})
    for _ in range(2):
        lake.store.put(partition, b"put by a zombie")
        lake.store.put(layout.daily("1999-01", "A"), b"put by a zombie")
        assert transform.transform(lake).exit_code == 0
        assert lake.store.get(partition) == right
        assert lake.store.get(layout.daily("1999-01", "A")) is None
        assert len(notes.rechecks(lake.store)) == 1
    monkeypatch.setattr(notes, "RECHECK_FOR", timedelta(0))
    transform.transform(lake)
    assert notes.rechecks(lake.store) == {}


def test_however_many_races_it_loses_a_transform_does_its_work(tmp_path, monkeypatch):
    lake = new_lake(str(tmp_path / "lake"), "month")
    for day in STRESS[:2]:
        run(lake, day)
    fetch(lake, STRESS[2])
    races, original = 25, Store.replace
    rivals = itertools.count()

    def race(self, key, data, version):
        if key == layout.history("A") and (number := next(rivals)) < races:
            stored = history.load_stored(lake, "A")
            again = replace(stored, owed=history.Span("2013-01", f"2013-{number:02}"))
            original(self, key, history.encode(again), stored.version)
        return original(self, key, data, version)

    monkeypatch.setattr("tickerlake.lake.refresh.pause", lambda _: None)
    monkeypatch.setattr(Store, "replace", race)
    assert transform.transform(lake, engine=in_turn).exit_code == 0
    assert next(rivals) > races
    assert verify.verify(lake, workers=1) == []


def test_a_ticker_whose_races_never_end_is_left_to_the_next_transform(tmp_path, monkeypatch):
    lake = new_lake(str(tmp_path / "lake"), "month")
    run(lake, STEPS[0])
    fetch(lake, STEPS[1])
    original = Store.replace

    def race(self, key, data, version):
        if key == layout.history("A"):
            stored = history.load_stored(lake, "A")
            span = history.Span("2013-01", f"{next(numbers):04}")
            original(self, key, history.encode(replace(stored, owed=span)), stored.version)
        return original(self, key, data, version)

    numbers = itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr("tickerlake.lake.refresh.pause", lambda _: None)
        patch.setattr(Store, "replace", race)
        report = transform.transform(lake)
    assert report.exit_code == 3
    assert "transform again" in report.refreshed["A"].error
    assert transform.transform(lake).exit_code == 0
    assert verify.verify(lake, workers=1) == []


def test_a_rebuild_that_loses_a_race_does_its_work_again(tmp_path, monkeypatch):
    """And does not undo a run that it did not know."""
    lake, reference = (new_lake(str(tmp_path / name), "month") for name in ("lake", "other"))
    for day in STRESS[:3]:
        run(reference, day)
    for day in STRESS[:2]:
        run(lake, day)
    lake.store.put(layout.history("B"), b"nonsense")
    original, races = refresh.rebuild, itertools.count()

    def overtaken(*arguments):
        if next(races) == 0:
            fetch(lake, STRESS[2], ["A"])
            transform.transform(lake)
        return original(*arguments)

    monkeypatch.setattr(refresh, "rebuild", overtaken)
    assert transform.transform(lake, rebuild=True, engine=in_turn).exit_code == 0
    run(lake, STRESS[2])
    assert state(lake) == state(reference)
    assert verify.verify(lake, workers=1) == []


def test_transforms_that_run_at_once_lose_no_update(tmp_path):
    """Several transforms at a time, while extraction goes on committing."""
    lake = new_lake(str(tmp_path / "lake"), "month")
    done = threading.Event()

    def transformer() -> None:
        while not done.is_set():
            transform.transform(lake)

    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(transformer) for _ in range(3)]
        try:
            for day in STRESS:
                fetch(lake, day)
        finally:
            done.set()
        for other in others:
            other.result()
    assert transform.transform(lake).exit_code == 0
    assert verify.verify(lake, workers=1) == []
    reference = new_lake(str(tmp_path / "reference"), "month")
    for day in STRESS:
        run(reference, day)
    assert state(lake) == state(reference)
