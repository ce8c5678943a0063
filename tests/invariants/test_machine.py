"""Any history of extract, transform, rebuild, compact, repair, rename, retire on a failing store.

Checkpoints are made all the time. Afterwards the lake equals one that nobody disturbed, on local
disk and on S3. Set
`TICKERLAKE_LONG_TESTS=1` for many more histories.
"""

import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from typing import Final

import boto3
import faults
import pytest
from helpers import Intercepted, new_lake, point_to
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from small_market import SESSIONS, SPLIT, Steady, evening, in_turn, prices, state

from tickerlake.errors import StoreError, TickerlakeError, UsageError
from tickerlake.lake import Lake, checkpointing, layout, manifests, notes
from tickerlake.lake.store import Store
from tickerlake.stages import compact, extract, lifecycle, repair, transform, verify

LONG: Final = bool(os.environ.get("TICKERLAKE_LONG_TESTS"))
DAYS: Final = [*SESSIONS[3:7], SPLIT, SESSIONS[-2], SESSIONS[-1]]
DAMAGED: Final = (layout.HISTORY, layout.DAILY, layout.RAW, layout.LOG)
FATES: Final = ("before", "after", "killed")
STAYS, OLD, NEW, ENDS = "A", "B", "C", "D"


def fetch(lake: Lake, day: date, tickers: Sequence[str]) -> None:
    """Extract what there is on an evening."""
    source, as_of = Steady(day), evening(day)
    extract.extract(lake, source, tickers, as_of=as_of, start=SESSIONS[0], workers=1)


def rename(lake: Lake, day: date) -> None:
    lifecycle.rename(lake, OLD, NEW, day)


def retire(lake: Lake, day: date) -> None:
    lifecycle.retire(lake, ENDS, day)


class Killed(BaseException):
    """As by SIGKILL."""


class Failing(Intercepted):
    """A store that fails at its n-th write, before or after it takes place, or dies there."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.writes, self.fate = -1, ""
        self.dead = False

    def arm(self, writes: int, fate: str) -> None:
        self.writes, self.fate, self.dead = writes, fate, False

    def _write(self, name: str, *arguments: object) -> object:
        if self.dead:
            raise Killed
        self.writes -= 1
        if self.writes != 0:
            return self._really(name, *arguments)
        if self.fate == "killed":
            self.dead = True
        if self.fate == "after" or (self.dead and random.random() < 0.5):
            self._really(name, *arguments)
        raise Killed if self.dead else StoreError("injected")


FAULT = st.tuples(st.integers(1, 9), st.sampled_from(FATES))


class Life(RuleBasedStateMachine):
    """What may happen to a lake; `where` makes the place for one."""

    where = staticmethod(lambda: "memory://")

    @initialize()
    def begin(self) -> None:
        made = new_lake(self.where(), "month")
        self.lake = Lake(Failing(made.store), made.grain)
        self.today = 0
        self.renamed: int | None = None
        self.retired: int | None = None

    @property
    def tickers(self) -> list[str]:
        return [STAYS, OLD, ENDS, *([] if self.renamed is None else [NEW])]

    @rule()
    def a_day_passes(self) -> None:
        self.today = min(self.today + 1, len(DAYS) - 1)

    @rule(fault=FAULT)
    def extract(self, fault: tuple[int, str]) -> None:
        self._with(fault, lambda: fetch(self.lake, DAYS[self.today], self.tickers))

    @rule()
    def extract_in_peace(self) -> None:
        fetch(self.lake, DAYS[self.today], self.tickers)

    @precondition(lambda self: self.renamed is None)
    @rule(fault=FAULT)
    def rename(self, fault: tuple[int, str]) -> None:
        self._end(OLD, fault, rename)
        self.renamed = self.today

    @precondition(lambda self: self.retired is None)
    @rule(fault=FAULT)
    def retire(self, fault: tuple[int, str]) -> None:
        self._end(ENDS, fault, retire)
        self.retired = self.today

    def _end(self, ticker: str, fault: tuple[int, str], step: Callable[[Lake, date], None]) -> None:
        """Bring a ticker up to date and end it, if need be again."""
        day = DAYS[self.today]
        fetch(self.lake, day, [ticker])
        self._with(fault, lambda: step(self.lake, day))
        with suppress(UsageError):  # it has taken place, though it said that it failed
            step(self.lake, day)

    @rule(fault=FAULT)
    def transform(self, fault: tuple[int, str]) -> None:
        self._with(fault, lambda: transform.transform(self.lake, engine=in_turn))

    @rule()
    def transform_in_peace(self) -> None:
        assert transform.transform(self.lake, engine=in_turn).exit_code == 0
        assert verify.verify(self.lake, workers=1) == []

    @rule(fault=FAULT)
    def rebuild(self, fault: tuple[int, str]) -> None:
        self._with(fault, lambda: transform.transform(self.lake, engine=in_turn, rebuild=True))

    @rule(fault=FAULT)
    def compact(self, fault: tuple[int, str]) -> None:
        self._with(fault, lambda: compact.compact(self.lake, workers=1))

    @rule(fault=FAULT)
    def repair(self, fault: tuple[int, str]) -> None:
        self._with(fault, self._repair)

    @rule(what=st.sampled_from(DAMAGED), dice=st.integers(0, 99))
    def damage_and_repair(self, what: str, dice: int) -> None:
        found = self.lake.store.keys(what)
        keys = sorted(key for key in found if key.endswith(".parquet") or what == layout.LOG)
        if keys:
            self.lake.store.put(keys[dice % len(keys)], b"garbage")
            self._repair()

    def _repair(self) -> None:
        source, as_of = Steady(DAYS[self.today]), evening(DAYS[self.today])
        repair.repair(self.lake, source, as_of=as_of, workers=1, engine=in_turn)

    def _with(self, fault: tuple[int, str], step: object) -> None:
        self.lake.store.arm(*fault)
        with suppress(Killed, TickerlakeError):
            step()
        self.lake.store.arm(-1, "")

    def teardown(self) -> None:
        if not hasattr(self, "lake"):
            return
        store = self.lake.store
        store.arm(-1, "")
        self.today = len(DAYS) - 1
        fetch(self.lake, DAYS[-1], self.tickers)
        assert transform.transform(self.lake, engine=in_turn).exit_code == 0
        assert verify.verify(self.lake, workers=1) == []
        assert manifests.pending_ids(store) == []
        assert notes.behind_ids(store) == {}
        assert prices(state(self.lake, self.tickers)) == self._undisturbed()
        super().teardown()

    def _undisturbed(self) -> dict[str, object]:
        """What readers would see: no ticker depends on what happens to another one."""
        lives = {STAYS: None, OLD: self.renamed, NEW: self.renamed, ENDS: self.retired}
        return {
            key: value
            for ticker in self.tickers
            for key, value in undisturbed(lives[ticker]).items()
            if key == ticker or f"/ticker={ticker}/" in key
        }


@cache
def undisturbed(last: int | None) -> dict[str, object]:
    """A life in peace, with the day on which one ticker is renamed and another one retired."""
    lake, tickers = new_lake("memory://", "month"), [STAYS, OLD, ENDS]
    for number, day in enumerate(DAYS):
        fetch(lake, day, tickers)
        if number == last:
            rename(lake, day)
            retire(lake, day)
            tickers.append(NEW)
        assert transform.transform(lake).exit_code == 0
    return prices(state(lake, tickers))


@pytest.fixture(autouse=True)
def checkpoints_all_the_time(monkeypatch):
    monkeypatch.setattr(checkpointing, "TAIL", 3)
    monkeypatch.setattr(checkpointing, "KEPT", 1)
    monkeypatch.setattr(checkpointing, "PART_ROWS", 4)
    monkeypatch.setattr(checkpointing, "GRACE", -1.0)
    monkeypatch.setattr(compact, "CLOSED_AFTER", timedelta(days=-400))
    monkeypatch.setattr(compact, "GRACE", timedelta(days=-1))


def live(kind: type[Life], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=examples * (20 if LONG else 1),
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_any_life_on_local_disk_ends_as_an_undisturbed_one(tmp_path_factory):
    class Local(Life):
        where = staticmethod(lambda: str(tmp_path_factory.mktemp("life") / "lake"))

    live(Local, 12, 12)


def test_any_life_on_an_s3_that_fails_on_the_wire_ends_as_an_undisturbed_one(moto, monkeypatch):
    numbers = iter(range(10**6))
    with faults.proxy(moto) as proxied:
        point_to(proxied.url, monkeypatch)
        boto3.client("s3").create_bucket(Bucket="lives")

        class Remote(Life):
            where = staticmethod(lambda: f"s3://lives/{next(numbers)}")

        proxied.choose = faults.sometimes(
            0.05, ("409", "500", "500 after", "503", "reset", "reset after", "truncated"), seed=5
        )
        live(Remote, 2, 12 if LONG else 8)
        assert proxied.seen
