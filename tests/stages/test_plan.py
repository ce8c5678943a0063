"""What a plan says is what happens: lakes are made, and every object and request is counted."""

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
from helpers import Metered, bar, bars

from tickerlake import app, wiring
from tickerlake.lake import checkpointing, layout, objects
from tickerlake.market import calendars
from tickerlake.settings import ExtractSettings, TransformSettings
from tickerlake.sources import Fetched
from tickerlake.stages import compact, extract, plan
from tickerlake.stages.plan.life import Life

LAKE = "memory://"
SESSIONS = calendars.of("AAPL").schedule["session"].to_list()

KINDS = {
    layout.RUNS: "manifests",
    layout.ARCHIVE: "manifests",
    layout.RECEIPTS: "receipts",
    layout.LOG: "checkpoint",
    layout.HISTORY: "histories",
    layout.DAILY: "daily",
    layout.TICKERS: "tickers",
    layout.RAW: "blobs",
}


def sessions(start: date, end: date) -> list[date]:
    return [day for day in SESSIONS if start <= day <= end]


def evening(day: date) -> datetime:
    return datetime.combine(day, time(22, 30), UTC)


class Market:
    """A source that has a bar of every session of a lake up to today."""

    name = "market"

    def __init__(self, days: list[date], today: date) -> None:
        self._bars = bars(*(bar(day, 50.0 + day.day) for day in days if day <= today))

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:  # noqa: ARG002
        return Fetched(self._bars.filter(pl.col("session").is_between(start, end)))


class Made:
    """A lake that is really made, by the functions that the commands call."""

    def __init__(self, tickers: int, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Metered()
        self._tickers = tuple(f"T{number:04}" for number in range(tickers))
        self._grain = grain
        self._patch = monkeypatch
        monkeypatch.setattr(objects, "memory", lambda: self.store)

    def extract(self, days: list[date], today: date) -> dict[str, int]:
        @contextmanager
        def source(*_: object):
            yield Market(days, today), evening(today)

        self._patch.setattr(wiring, "source", source)
        settings = ExtractSettings(LAKE, self._tickers, start=days[0], grain=self._grain)
        assert app.extract(settings).exit_code == 0
        return self.store.taken()

    def transform(self, *, rebuild: bool = False) -> dict[str, int]:
        report = app.transform(TransformSettings(LAKE, rebuild=rebuild))
        assert report.exit_code == 0
        if rebuild:
            assert not any(each.partitions for each in report.refreshed.values())
        return self.store.taken()

    def compact(self) -> dict[str, int]:
        assert app.compact(LAKE, 2).exit_code == 0
        return self.store.taken()

    def objects(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in objects.Remote(self.store.inner).find(""):
            prefix = max((name for name in KINDS if each.key.startswith(name)), key=len, default="")
            is_pack = each.key.endswith(f"/{layout.PACK}")
            found["packs" if is_pack else KINDS.get(prefix, "others")] += 1
        return found


def requests(work: object) -> dict[str, int]:
    return {name: getattr(work, name) for name in ("get", "put", "list", "delete")}


@pytest.fixture(autouse=True)
def _days_apart(monkeypatch):
    """The test's runs take place within seconds, the lake's on different days."""
    monkeypatch.setattr(checkpointing, "GRACE", -1.0)
    monkeypatch.setattr(compact, "GRACE", timedelta(days=-1))


@pytest.mark.parametrize(
    ("tickers", "grain", "first", "held", "last", "most"),
    [
        (3, "month", date(2023, 6, 1), date(2024, 2, 15), date(2024, 8, 30), {}),
        (
            7,
            "year",
            date(2019, 1, 2),
            date(2021, 11, 30),
            date(2022, 1, 18),
            {"TAIL": 12, "KEPT": 4, "PART_ROWS": 60, "COMMIT_BLOBS": 6},
        ),
        (
            12,
            "day",
            date(2023, 12, 1),
            date(2023, 12, 28),
            date(2024, 1, 5),
            {"TAIL": 3, "KEPT": 1, "PAGE": 10},
        ),
    ],
    ids=["month", "year", "day"],
)
def test_a_life_is_counted_exactly(tickers, grain, first, held, last, most, monkeypatch):
    for name, value in most.items():
        for place in (extract, checkpointing, plan.life, Metered):
            if hasattr(place, name):
                monkeypatch.setattr(place, name, value)
    days = sessions(first, last)
    before = [day for day in days if day <= held]
    made, life = Made(tickers, grain, monkeypatch), Life(tickers, grain)

    assert requests(life.extract(before)) == made.extract(days, held)
    assert +life.objects() == made.objects()
    assert requests(life.transform()) == made.transform()
    assert +life.objects() == made.objects()
    for day in days[len(before) :]:
        assert requests(life.extract([day])) == made.extract(days, day), day
        assert requests(life.transform()) == made.transform(), day
        assert +life.objects() == made.objects()
    assert life.archived
    assert requests(life.rebuild()) == made.transform(rebuild=True)
    for is_later in (False, True):
        assert requests(life.compact(last, is_later=is_later)) == made.compact()
        assert +life.objects() == made.objects()
        assert requests(life.rebuild()) == made.transform(rebuild=True)
