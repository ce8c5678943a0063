"""Threads that wait hand what they compute to a few others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import new_lake
from small_market import STEPS, fetch

from tickerlake.engines.local import threads
from tickerlake.lake import computing
from tickerlake.lake.store import Store
from tickerlake.market import features
from tickerlake.stages import transform


def name() -> str:
    return threading.current_thread().name


def test_without_a_pool_the_same_thread_computes():
    assert computing.computed(name) == name()
    assert list(computing.one_by_one(name() for _ in range(2))) == [name()] * 2


def test_with_a_pool_its_threads_compute_and_errors_come_back():
    with computing.handed_to(computing.pool(1)):
        assert computing.computed(name).startswith("computing")
        found = list(computing.one_by_one(name() for _ in range(2)))
        assert all(each.startswith("computing") for each in found)
        with pytest.raises(ZeroDivisionError):
            computing.computed(lambda: 1 / 0)
    assert computing.computed(name) == name()


def test_the_engine_computes_in_few_threads_and_talks_to_the_store_in_others(tmp_path, monkeypatch):
    lake = new_lake(str(tmp_path / "lake"), "year")
    fetch(lake, STEPS[0])
    computed: set[str] = set()
    put: set[str] = set()
    values, write = features.values, Store.put

    def noted(*arguments):
        computed.add(name())
        return values(*arguments)

    def noted_put(*arguments):
        put.add(name())
        return write(*arguments)

    monkeypatch.setattr(features, "values", noted)
    monkeypatch.setattr(Store, "put", noted_put)
    assert transform.transform(lake, engine=threads(4, cores=1)).exit_code == 0
    assert len(computed) == 1
    assert all(each.startswith("computing") for each in computed)
    assert not any(each.startswith("computing") for each in put)


def test_a_pool_ends_with_its_last_user():
    def used() -> None:
        with ThreadPoolExecutor(1) as waiting:
            pool = computing.pool(2)

            def one() -> str:
                with computing.handed_to(pool):
                    return computing.computed(name)

            assert waiting.submit(one).result().startswith("computing")

    def computing_threads() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name.startswith("computing")}

    before = computing_threads()
    used()
    for _ in range(100):
        if computing_threads() <= before:
            break
        threading.Event().wait(0.05)
    assert computing_threads() <= before
