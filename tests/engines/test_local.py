"""Threads: answers in the order of their arrival, and nobody who waits for what nobody wants."""

import threading

import pytest
from helpers import new_lake

from tickerlake.engines import Refreshed, Task, local
from tickerlake.lake.store import Store

TASKS = [Task(name, bars=0) for name in "ABC"]


def test_who_stops_listening_waits_for_nobody_and_starts_nothing_more():
    begun, go_on, ended = [], threading.Event(), threading.Event()

    def call(item: str) -> str:
        begun.append(item)
        if item == "slow":
            go_on.wait(20)
            ended.set()
        if item == "last":
            go_on.wait(20)
        return item

    answers = local.spread(call, ["quick", "slow", "last", "never"], workers=2)
    assert next(answers) == "quick"
    answers.close()
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(20)
    assert "never" not in begun


def test_an_answer_does_not_wait_for_those_of_earlier_items():
    others = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            others.wait(20)
        return item

    found = []
    for answer in local.spread(call, range(3), workers=2):
        found.append(answer)
        if len(found) == 2:
            others.set()
    assert found == [1, 2, 0]


def test_what_a_call_raises_is_raised():
    def call(item: int) -> int:
        raise ZeroDivisionError(str(item))

    with pytest.raises(ZeroDivisionError, match="7"):
        list(local.spread(call, [7], workers=1))


@pytest.mark.parametrize(
    ("workers", "is_remote", "number"),
    [(3, False, 3), (3, True, 3), (None, False, local.WORKERS), (None, True, local.IN_FLIGHT)],
)
def test_so_many_tickers_are_in_progress(tmp_path, monkeypatch, workers, is_remote, number):
    asked = []

    def spread(call: object, tasks: list[Task], workers: int) -> list[Refreshed]:
        asked.append(workers)
        return [call(each) for each in tasks]

    monkeypatch.setattr(local, "spread", spread)
    monkeypatch.setattr(Store, "is_remote", is_remote)
    lake = new_lake(str(tmp_path / "lake"))
    done = local.threads(workers)(lake, lambda *_: lambda task: Refreshed(task.ticker), TASKS)
    assert [each.ticker for each in done] == ["A", "B", "C"]
    assert asked == [number]
