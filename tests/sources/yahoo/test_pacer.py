"""The budget of requests, on a clock that only sleeping moves."""

from sources.yahoo.fake_time import FakeTime
from tickerlake.sources.yahoo.pacer import Pacer


def test_requests_are_spaced_exactly() -> None:
    time = FakeTime()
    pacer = Pacer(4.0, clock=time.clock, sleep=time.sleep)
    starts = []
    for _ in range(9):
        pacer.wait()
        starts.append(time.now - 100)
    assert starts == [number / 4 for number in range(9)]


def test_a_quiet_time_saves_nothing_up() -> None:
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.clock, sleep=time.sleep)
    pacer.wait()
    time.now += 60
    starts = []
    for _ in range(3):
        pacer.wait()
        starts.append(time.now - 160)
    assert starts == [0, 1, 2]


def test_a_pause_holds_up_those_who_wait_already() -> None:
    time = FakeTime()
    pauses = [30.0]

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if pauses and seconds:
            pacer.pause(pauses.pop())

    pacer = Pacer(1.0, clock=time.clock, sleep=sleep)
    pacer.wait()
    pacer.wait()  # a 429 of another thread comes while this one waits
    assert time.now - 101 == 30
    pacer.wait()
    assert time.now - 101 == 31


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.clock, sleep=time.sleep)
    pacer.pause(30.0)
    pacer.pause(5.0)
    pacer.wait()
    assert time.now == 130
    pacer.pause(5.0)
    pacer.pause(30.0)
    pacer.wait()
    assert time.now == 160
