"""A past history is taken from the stored one, exactly, and with few reads: counted."""

import itertools
import random
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from helpers import Counting, bar, bars, new_lake
from world import DAYS, FIRST, KINDS, TICKERS, World, evening, sessions

from tickerlake.lake import Lake, blobs, commits, frames, history, layout, manifests, time_travel
from tickerlake.lake.frames import Wanted
from tickerlake.lake.lost import without_lost
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.rewind import rewind
from tickerlake.sources import Fetched
from tickerlake.stages import extract, lifecycle, transform

HARMLESS = ("late dividend", "odd range", "no open", "halt", "weekend", "gain", "no close")


class Clock:
    """Gives runs the ids that they would have had then: committed minutes after they began."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.numbers = evening(FIRST), itertools.count()
        monkeypatch.setattr(manifests, "new_run_id", self.run_id)

    def run_id(self) -> str:
        number = next(self.numbers)
        moment = self.now + timedelta(minutes=3, seconds=number)
        return f"{moment:%Y%m%dT%H%M%S%fZ}-{number:06x}"


def deliver(lake: Lake, clock: Clock, ticker: str, session: date, as_of: datetime) -> None:
    """Commit a run that arrives late: it saw the market some days before."""
    entry = Entry(
        outcome="ok",
        start=session,
        end=session,
        new=1,
        blobs=blobs.write(lake, layout.RAW, ticker, bars(bar(session, 43.0, currency="INR"))),
        splits={},
    )
    late = Manifest(run_id=clock.run_id(), as_of=as_of, source="late", tickers={ticker: entry})
    manifests.commit(lake.store, late)


def lived(grain: str, dice: random.Random, clock: Clock) -> Lake:
    """A lake of daily runs with all that may happen; some runs arrive late."""
    kinds = list(KINDS) if dice.random() < 0.5 else HARMLESS
    events = [
        (FIRST + timedelta(dice.randint(7, DAYS - 2)), dice.choice(list(TICKERS)),
         dice.choice(kinds), dice.choice([0.93, 2.0, 0.4714]))
        for _ in range(5)
    ]  # fmt: skip
    lake, world, tickers = new_lake("memory://", grain), World(events=sorted(events)), [*TICKERS]
    renamed = dice.randint(14, 40)
    for n in range(8, DAYS):
        world.today = FIRST + timedelta(n)
        clock.now = evening(world.today)
        if dice.random() < 0.2:
            continue
        extract.extract(lake, world, tickers, as_of=clock.now, start=FIRST, workers=1)
        if n > renamed and "NEW" not in tickers:
            lifecycle.rename(lake, "AAPL", "NEW", world.today)
            tickers[tickers.index("AAPL")] = "NEW"
        if dice.random() < 0.2:
            session = sessions("RELIANCE.NS")[dice.randint(0, 5)]
            as_of = clock.now - timedelta(days=dice.randint(1, 4), minutes=1)
            deliver(lake, clock, "RELIANCE.NS", session, as_of)
    assert transform.transform(lake).exit_code == 0
    return lake


def all_manifests(lake: Lake) -> list[Manifest]:
    return [manifests.read(lake.store, each) for each in manifests.all_ids(lake.store)]


def gone_back(
    lake: Lake, ticker: str, everything: list[Manifest], number: int
) -> tuple[history.History | None, int]:
    """Return what a history was after some runs, and how many manifests were looked at."""
    looked = itertools.count()
    run_ids = ["", *(each.run_id for each in everything)]
    before = ((everything[at], run_ids[at]) for at in reversed(range(number)) if next(looked) >= 0)
    stored = history.load(lake, ticker)
    return rewind(lake, ticker, stored, everything[number:], before), next(looked)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grain", ["day", "month", "year"])
def test_the_way_back_leads_where_a_rebuild_leads(grain, seed, monkeypatch):
    dice = random.Random(f"{grain} {seed}")
    lake = lived(grain, dice, Clock(monkeypatch))
    everything = all_manifests(lake)
    for number in range(1, len(everything)):
        known = without_lost(everything[:number])
        for ticker in [*TICKERS, "NEW"]:
            found, _ = gone_back(lake, ticker, everything, number)
            expected = history.rebuild(lake, ticker, known)
            assert found is None or history.is_same(found, expected), (ticker, number)


def live(lake, world, clock, days):
    """Extract on each evening up to a day, and then transform once."""
    for n in range(8, days):
        world.today = FIRST + timedelta(n)
        clock.now = evening(world.today)
        extract.extract(lake, world, ["AAPL"], as_of=clock.now, start=FIRST, workers=1)
    assert transform.transform(lake).exit_code == 0


def test_one_day_back_looks_at_few_runs(monkeypatch):
    clock, world = Clock(monkeypatch), World()
    lake = new_lake("memory://", "day")
    live(lake, world, clock, 60)
    everything = all_manifests(lake)
    assert len(everything) > 30
    found, looked = gone_back(lake, "AAPL", everything, len(everything) - 1)
    assert found is not None
    assert history.is_same(found, history.rebuild(lake, "AAPL", everything[:-1]))
    assert looked <= 2

    counted = Lake(Counting(lake.store), lake.grain)
    for table in ("daily", "history", "tickers"):
        counted.store.reads.clear()
        state = time_travel.resolve(counted, clock.now - timedelta(hours=12))
        rows = frames.read(counted, table, state, Wanted(("AAPL",)))
        assert rows.height
        runs = sum(n for key, n in counted.store.reads.items() if key.startswith(layout.RUNS))
        assert runs <= 1 + commits.AT_ONCE
        others = [
            key for key in counted.store.reads if key.startswith((layout.HISTORY, "raw/date"))
        ]
        assert len(others) <= 2  # the history, and at most one bar


@pytest.mark.parametrize("kind", ["split", "restatement"])
def test_what_changes_the_whole_past_is_not_taken_back(kind, monkeypatch):
    clock, day = Clock(monkeypatch), FIRST + timedelta(16)
    lake, world = new_lake("memory://", "month"), World(events=[(day, "AAPL", kind, 2.0)])
    for n in range(8, 20):
        world.today = FIRST + timedelta(n)
        clock.now = evening(world.today)
        extract.extract(lake, world, ["AAPL"], as_of=clock.now, start=FIRST, workers=1)
    assert transform.transform(lake).exit_code == 0
    runs = all_manifests(lake)
    found = {
        each.as_of: gone_back(lake, "AAPL", runs, number)[0]
        for number, each in enumerate(runs[:-1], start=1)
    }
    assert {as_of for as_of, each in found.items() if each is None} >= {
        as_of for as_of in found if as_of < evening(day)
    }
    assert found[runs[-2].as_of] is not None


class Renaming(World):
    """A source that calls the ticker otherwise every day, and on some days says nothing of it."""

    def fetch(self, *request: object) -> Fetched:
        found = super().fetch(*request)
        name = f"{self.today}" if self.today.day % 3 else None
        return Fetched(found.bars, replace(found.listing, name=name))


def test_a_ticker_had_the_name_that_was_the_newest_then(monkeypatch):
    clock, world = Clock(monkeypatch), Renaming()
    lake = new_lake("memory://", "month")
    live(lake, world, clock, 24)
    everything, names = all_manifests(lake), set()
    for number in range(1, len(everything)):
        found, _ = gone_back(lake, "AAPL", everything, number)
        assert found is not None
        assert found.listing == history.rebuild(lake, "AAPL", everything[:number]).listing
        names.add(found.listing.name)
    assert len(names) > 5


def test_a_bar_from_before_a_split_is_not_taken_back_to_its_old_basis():
    """The split has come without the source's own numbers for the days before it."""
    lake, days = new_lake("memory://", "month"), [FIRST + timedelta(n) for n in range(4)]
    delivered = [
        ([bar(day, 100.0) for day in days[:3]], {}),
        ([bar(days[3], 50.0, split=2.0)], {days[3]: 2.0}),
        ([bar(days[0], 51.0)], {days[3]: 2.0}),
    ]
    for number, (rows, splits) in enumerate(delivered):
        entry = Entry(
            outcome="ok",
            start=days[0] if number != 1 else days[3],
            end=days[3],
            new=len(rows),
            blobs=blobs.write(lake, layout.RAW, "A", bars(*rows)),
            splits=splits,
        )
        moment = evening(days[3]) + timedelta(hours=number)
        run = f"{moment:%Y%m%dT%H%M%S%fZ}-00000{number}"
        manifests.commit(
            lake.store,
            Manifest(run_id=run, as_of=moment, source="test", tickers={"A": entry}),
        )
    assert transform.transform(lake).exit_code == 0
    assert history.load(lake, "A").bars["close"].to_list() == [51.0, 50.0, 50.0, 50.0]
    then = time_travel.resolve(lake, manifests.all_ids(lake.store)[1]).history("A")
    assert then.bars["close"].to_list() == [50.0] * 4


def test_versions_of_a_session_are_in_the_order_of_their_runs():
    lake, days = new_lake("memory://", "year"), [FIRST + timedelta(n) for n in range(12)]
    for number in range(30):
        moment = evening(days[-1]) + timedelta(minutes=number)
        rows = bars(*(bar(day, 10.0 + number) for day in days))
        entry = Entry(
            outcome="ok",
            start=days[0],
            end=days[-1],
            corrected=len(days),
            blobs=blobs.write(lake, layout.RAW, "A", rows),
            splits={},
        )
        run = f"{moment:%Y%m%dT%H%M%S%fZ}-0{number:05}"
        manifests.commit(
            lake.store,
            Manifest(run_id=run, as_of=moment, source="test", tickers={"A": entry}),
        )
    found = frames.read(lake, "raw", None, Wanted())
    assert found["session"].to_list() == [day for day in days for _ in range(30)]
    assert found["close"].to_list() == [10.0 + number for _ in days for number in range(30)]
