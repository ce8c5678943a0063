"""What a plan says is what happens: lakes are made, and every object and request is counted."""

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import boto3
import faults
import polars as pl
import pytest
from helpers import Metered, bar, bars, point_to

from tickerlake import app, wiring
from tickerlake.lake import by_ticker, checkpointing, layout, objects
from tickerlake.market import calendars
from tickerlake.settings import ExtractSettings, TransformSettings
from tickerlake.sources import Fetched
from tickerlake.stages import compact, extract, plan
from tickerlake.stages.plan import grains
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

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> Fetched:
        return Fetched(self._bars.filter(pl.col("session").is_between(start, end)))


class Made:
    """A lake that is really made, by the functions that the commands call."""

    def __init__(
        self, tickers: int, grain: str, monkeypatch: pytest.MonkeyPatch, url: str = LAKE
    ) -> None:
        self.url, self.store = url, Metered()
        self._tickers = tuple(f"T{number:04}" for number in range(tickers))
        self._grain = grain
        self._patch = monkeypatch
        monkeypatch.setattr(objects, "memory", lambda: self.store)

    def extract(self, days: list[date], today: date) -> dict[str, int]:
        @contextmanager
        def source(*_: object):
            yield Market(days, today), evening(today)

        self._patch.setattr(wiring, "source", source)
        settings = ExtractSettings(self.url, self._tickers, start=days[0], grain=self._grain)
        assert app.extract(settings).exit_code == 0
        return self.store.taken()

    def transform(self, *, rebuild: bool = False) -> dict[str, int]:
        report = app.transform(TransformSettings(self.url, rebuild=rebuild))
        assert report.exit_code == 0
        if rebuild:
            assert not any(each.partitions for each in report.refreshed.values())
        return self.store.taken()

    def compact(self) -> dict[str, int]:
        assert app.compact(self.url, 2).exit_code == 0
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
    monkeypatch.setattr(by_ticker, "PARTS", 100)  # no thread is so late that a part is read again


@pytest.mark.parametrize(
    ("tickers", "grain", "first", "held", "last", "most"),
    [
        (
            3,
            "month",
            date(2023, 6, 1),
            date(2024, 2, 15),
            date(2024, 5, 17),
            {"TAIL": 30, "KEPT": 10},
        ),
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


def test_the_requests_are_those_that_s3_gets(moto, monkeypatch):
    """By the real client: no HEAD, no second page of 1,000 keys, one request for many deletions."""
    for name, value in (("TAIL", 3), ("KEPT", 1)):
        monkeypatch.setattr(checkpointing, name, value)
    asked: Counter[str] = Counter()

    def note(method: str, path: str) -> None:
        is_listing = method == "GET" and "list-type=2" in path
        names = {"GET": "get", "PUT": "put", "POST": "delete", "DELETE": "delete"}
        asked["list" if is_listing else names.get(method, method)] += 1

    with faults.proxy(moto) as proxied:
        point_to(proxied.url, monkeypatch)
        boto3.client("s3").create_bucket(Bucket="a-plan")
        proxied.choose = note
        made, life = Made(2, "month", monkeypatch, "s3://a-plan/lake"), Life(2, "month")
        days = sessions(date(2024, 1, 2), date(2024, 2, 16))
        before = [day for day in days if day < date(2024, 2, 12)]
        made.extract(days, before[-1])
        made.transform()
        total = life.extract(before) + life.transform()
        for day in days[len(before) :]:
            made.extract(days, day)
            made.transform()
            total += life.extract([day]) + life.transform()
        made.transform(rebuild=True)
        made.compact()
        made.compact()
        total += life.rebuild() + life.compact(days[-1]) + life.compact(days[-1], is_later=True)
    assert life.archived
    assert dict(asked) == requests(total)


def test_a_plan_is_what_then_happens(monkeypatch):
    """The story that a plan tells, lived in a lake: a backfill, the runs of a year, and so on."""
    found = {each.name: each for each in plan.plan(1, 1, "month", this_year=2024).steps}
    made = Made(1, "month", monkeypatch)
    days = sessions(date(2023, 1, 1), date(2025, 1, 16))
    held = [day for day in days if day.year == 2023]

    def lived(*taken: dict[str, int]) -> dict[str, int]:
        total = Counter({"objects": made.objects().total()})
        for each in taken:
            total.update(each)
        return dict(total)

    def planned(name: str) -> dict[str, int]:
        return requests(found[name]) | {"objects": found[name].objects}

    assert planned("backfill") == lived(made.extract(days, held[-1]), made.transform())
    taken = [made.extract(days, days[len(held)]), made.transform()]
    assert planned("a day") == lived(*taken)
    for day in days[len(held) + 1 :]:
        taken += made.extract(days, day), made.transform()
    assert planned("a year of days") == lived(*taken)
    assert planned("a rebuild") == lived(made.transform(rebuild=True))
    assert planned("a compaction") == lived(made.compact(), made.compact())
    assert planned("a rebuild after it") == lived(made.transform(rebuild=True))


def test_the_rule_on_grains_takes_the_finest_that_suits():
    assert [grains.better(50, 5, each) for each in layout.GRAINS] == [None, None, None]
    assert [grains.better(500, 10, each) for each in layout.GRAINS] == ["month", None, None]
    assert [grains.better(60_000, 30, each) for each in layout.GRAINS] == ["year", "year", None]
    monkeyed = grains.MOST_PARTITIONS // 12
    assert grains.better(monkeyed, 1, "day") == "month"
    assert grains.better(monkeyed + 1, 1, "day") == "year"


def test_more_of_anything_costs_more():
    small = plan.plan(50, 2, "year", this_year=2024)
    for other in (
        plan.plan(500, 2, "year", this_year=2024),
        plan.plan(50, 20, "year", this_year=2024),
        plan.plan(50, 2, "day", this_year=2024),
    ):
        for few, many in zip(small.steps, other.steps, strict=True):
            if few.name != "a compaction":  # by day, there is none
                assert few.objects <= many.objects
                assert few.bytes < many.bytes
                assert few.seconds <= many.seconds
                assert few.dollars <= many.dollars
        assert small.total < other.total


def test_a_price_that_differs_changes_what_it_is_the_price_of():
    usual = plan.plan(50, 2, "year", this_year=2024).month
    glue = plan.plan(50, 2, "year", changed_prices={"glue": 0.616}, this_year=2024).month
    assert glue.glue == pytest.approx(2 * usual.glue)
    assert glue.requests == usual.requests
    free = dict.fromkeys(("put", "get", "athena", "logs", "alarm"), 0.0)
    others = plan.plan(50, 2, "year", changed_prices=free, this_year=2024).month
    assert (others.requests, others.scans, others.athena_requests, others.watching) == (0, 0, 0, 0)
    assert others.storage == usual.storage > 0


def test_a_source_that_answers_fast_does_not_let_anybody_wait():
    slow, fast = (
        plan.plan(500, 1, "year", requests_per_second=n, this_year=2024) for n in (5, 1e6)
    )
    assert slow.steps[1].seconds > 500 / 5 > fast.steps[1].seconds


def test_the_catalog_bills_what_is_above_a_million_entries():
    prices = plan.prices.Prices()
    assert plan.prices.catalog(prices, 1_000, 499) == 0
    assert plan.prices.catalog(prices, 1_000, 549) == pytest.approx(1)
