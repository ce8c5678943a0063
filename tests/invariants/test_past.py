"""The past can be read: every state that a generated life has stored is read again, exactly.

After each run what is stored is kept. Later, by the run's id, by its stamp and at moments drawn at
random, every table says what was stored then; where a run arrived late, so that no such state was
ever stored, a lake that holds only the runs up to that moment is the oracle.
`TICKERLAKE_LONG_TESTS=1` reads 50 moments of many lives.
"""

import os
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl
import pytest
from helpers import bar, bars, new_lake, objects
from polars.testing import assert_frame_equal
from world import DAYS, FIRST, KINDS, TICKERS, World, evening, sessions

from tickerlake.lake import Lake, blobs, frames, layout, manifests, time_travel
from tickerlake.lake.commits import Commits
from tickerlake.lake.frames import Wanted
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import partitions, to_parquet
from tickerlake.lake.tables import TABLES
from tickerlake.stages import compact, extract, lifecycle, transform
from tickerlake.stages.log import log
from tickerlake.stages.query import query
from tickerlake.stages.relations import Past

LONG: Final = bool(os.environ.get("TICKERLAKE_LONG_TESTS"))
CERTAIN: Final = ("split", "restatement", "late dividend")
"""What happens in every life."""

MOMENTS: Final = 50 if LONG else 2
ACTIONS: Final = ("evening", "evening", "evening", "late", "rename", "retire", "rebuild", "compact")


@dataclass
class Kept:
    """What was stored when a number of runs had been processed."""

    runs: frozenset[str]
    newest: str
    stamp: str
    tables: dict[str, pl.DataFrame]
    daily: dict[str, bytes]


def stored(lake: Lake) -> dict[str, pl.DataFrame]:
    return {name: frames.read(lake, name, None, Wanted()) for name in TABLES}


def keep(lake: Lake) -> Kept:
    ids = manifests.all_ids(lake.store)
    return Kept(
        runs=frozenset(ids),
        newest=ids[-1],
        stamp=time_travel.newest(lake).stamp,
        tables=stored(lake),
        daily=objects(lake, layout.DAILY),
    )


class Life:
    """A lake, and all that happens to it."""

    def __init__(self, lake: Lake, world: World) -> None:
        self.lake, self.world, self.day = lake, world, FIRST
        self.tickers, self.commits = list(TICKERS), 0
        self.kept: list[Kept] = []

    def step(self, action: str, leap: int) -> None:
        getattr(self, action)(leap)
        assert transform.transform(self.lake).exit_code == 0
        if not self.kept or self.kept[-1].runs != set(manifests.all_ids(self.lake.store)):
            self.kept.append(keep(self.lake))

    def run_id(self) -> str:
        """Return the id of a run that is committed now, minutes after it saw the market."""
        self.commits += 1
        moment = evening(self.day) + timedelta(minutes=3, seconds=self.commits)
        return f"{moment:%Y%m%dT%H%M%S%fZ}-{self.commits:06x}"

    def evening(self, leap: int) -> None:
        self.day = self.world.today = self.day + timedelta(leap)
        as_of = evening(self.day)
        extract.extract(self.lake, self.world, self.tickers, as_of=as_of, start=FIRST, workers=1)

    def late(self, leap: int) -> None:
        """A run arrives that saw an earlier market."""
        ticker, session = "RELIANCE.NS", sessions("RELIANCE.NS")[leap]
        rows = bars(bar(session, 42.0 + leap, currency="INR"))
        entry = Entry(
            outcome="ok",
            start=session,
            end=session,
            new=1,
            blobs=blobs.write(self.lake, layout.RAW, ticker, rows),
            splits={},
        )
        late = Manifest(
            run_id=manifests.new_run_id(),
            as_of=evening(self.day) - timedelta(days=leap, minutes=1),
            source="late",
            tickers={ticker: entry},
        )
        manifests.commit(self.lake.store, late)

    def rename(self, leap: int) -> None:
        if "AAPL" in self.tickers and self.day > FIRST + timedelta(days=3):
            lifecycle.rename(self.lake, "AAPL", "NEW", self.day)
            self.tickers[self.tickers.index("AAPL")] = "NEW"

    def retire(self, leap: int) -> None:
        if "QAN.AX" in self.tickers:
            lifecycle.retire(self.lake, "QAN.AX")
            self.tickers.remove("QAN.AX")

    def rebuild(self, leap: int) -> None:
        transform.transform(self.lake, rebuild=True)

    def compact(self, leap: int) -> None:
        compact.compact(self.lake, workers=1)

    def oracle(self, runs: frozenset[str]) -> dict[str, pl.DataFrame]:
        """What is stored by a lake that holds only some runs."""
        for kept in self.kept:
            if kept.runs == runs:
                return kept.tables
        other = new_lake("memory://", self.lake.grain)
        for key, data in objects(self.lake, layout.RAW).items():
            if not key.startswith(layout.RUNS) or layout.run_id(key) in runs:
                other.store.put(key, data)
        assert transform.transform(other).exit_code == 0
        return stored(other)


def same(lake: Lake, state: time_travel.State, expected: dict[str, pl.DataFrame]) -> None:
    for name in TABLES:
        found = frames.read(lake, name, state, Wanted())
        assert_frame_equal(found, expected[name], check_exact=True)


def told(state: time_travel.State) -> list[tuple]:
    """What the log of each ticker says, as rows of the view `revisions`."""
    rows = []
    for ticker in state.tickers():
        for number, each in enumerate(log(state, ticker)):
            run = ticker, each.run_id
            rows += [
                (*run, "revised", revision.column, revision.session) for revision in each.revised
            ]
            rows += [(*run, "split", None, day) for day in each.splits]
            rows += [(*run, "restated", None, None)] if each.restated and number else []
            rows += [(*run, "renamed_from", None, None)] if each.renamed_from else []
            rows += [(*run, "renamed_to", None, None)] if each.renamed_to else []
            rows += [(*run, "retired", None, each.retired)] if each.retired else []
    return sorted(rows, key=str)


def viewed(lake: Lake, state: time_travel.State | None) -> list[tuple]:
    sql = "select ticker, run_id, event, value, session from revisions"
    return sorted(query(lake, sql, tables=state and Past(state)).rows(), key=str)


def as_objects(lake: Lake, state: time_travel.State) -> dict[str, bytes]:
    daily = frames.read(lake, "daily", state, Wanted())
    return {
        layout.daily(date, ticker): to_parquet(part)
        for (ticker,), rows in daily.partition_by("ticker", as_dict=True, include_key=False).items()
        for date, part in partitions(rows, lake.grain)
    }


@pytest.mark.parametrize("seed", range(10 if LONG else 1))
@pytest.mark.parametrize("grain", ["day", "month", "year"])
def test_every_state_that_was_stored_is_read_again(grain, seed, monkeypatch):
    dice = random.Random(f"{grain} {seed}")
    lake = new_lake("memory://", grain)
    kinds = [*CERTAIN, *dice.choices(list(KINDS), k=3)]
    life = Life(lake, World(events=sorted(happening(dice, kind) for kind in kinds)))
    monkeypatch.setattr(manifests, "new_run_id", life.run_id)
    monkeypatch.setattr(compact, "CLOSED_AFTER", timedelta(days=-400))
    monkeypatch.setattr(compact, "GRACE", timedelta(days=-1))
    actions = ["evening", *dice.sample(ACTIONS, len(ACTIONS)), "late", "evening"]
    for number, action in enumerate(actions):
        life.step(action, dice.randint(1, 5) if number else 9)
    commits = Commits(lake.store)
    assert viewed(lake, None) == told(time_travel.newest(lake, commits))
    for kept in life.kept if LONG else dice.sample(life.kept, 3):
        by_run = time_travel.resolve(lake, kept.newest, commits)
        assert by_run.stamp == kept.stamp
        same(lake, by_run, kept.tables)
        assert as_objects(lake, time_travel.resolve(lake, kept.stamp, commits)) == kept.daily
    for moment in moments(lake, dice):
        state = time_travel.resolve(lake, moment, commits)
        runs = frozenset(
            each.run_id
            for each in manifests.read_all(lake.store, manifests.all_ids(lake.store))
            if each.as_of <= moment
        )
        same(lake, state, life.oracle(runs))
        assert viewed(lake, state) == told(state)
        assert time_travel.resolve(lake, state.stamp, commits).runs == state.runs


def happening(dice: random.Random, kind: str) -> tuple[date, str, str, float]:
    day = FIRST + timedelta(dice.randint(7, DAYS - 2))
    return day, dice.choice(list(TICKERS)), kind, dice.choice([0.01, 0.93, 2.0, 7.0, 0.4714])


def moments(lake: Lake, dice: random.Random) -> list[datetime]:
    """Moments at random between the first run and tomorrow, and those of some runs themselves."""
    found = manifests.read_all(lake.store, manifests.all_ids(lake.store))
    first, last = found[0].as_of, found[-1].as_of + timedelta(days=1)
    drawn = [first + dice.random() * (last - first) for _ in range(MOMENTS)]
    return [*drawn, dice.choice(found).as_of, first]
