"""Plan: what a lake will need, before there is one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from tickerlake.lake.layout import Grain
from tickerlake.market import calendars
from tickerlake.settings import REQUESTS_PER_SECOND
from tickerlake.stages.plan import grains, prices, speed
from tickerlake.stages.plan.life import Life, Work
from tickerlake.stages.plan.prices import Month, Prices

CLOSED: Final = (1, 16)
"""The day of a year from which on a compaction packs all of the year before."""


@dataclass(frozen=True)
class Step:
    """What a step of a lake's life takes.

    Attributes:
        name: what is done.
        objects: how many there are afterwards.
        bytes: their size.
        get: requests that read an object; `put`, `list` and `delete` are the others. No stage sends
            a HEAD request.
        put: see above.
        list: see above.
        delete: see above.
        seconds: how long it takes on two cores, without starting a job.
        dollars: what it costs on AWS: Glue, and requests to S3.
    """

    name: str
    objects: int
    bytes: int
    get: int
    put: int
    list: int
    delete: int
    seconds: float
    dollars: float


@dataclass(frozen=True)
class Plan:
    """What a lake will need.

    Attributes:
        tickers: how many it holds.
        years: of bars before the backfill.
        grain: of its partitions.
        advice: a sentence when another grain suits it better; '' when its own will do.
        steps: of its life, in their order.
        month: what it costs a month.
        total: the sum of it.
    """

    tickers: int
    years: int
    grain: Grain
    advice: str
    steps: tuple[Step, ...]
    month: Month
    total: float


def plan(
    tickers: int,
    years: int,
    grain: Grain = "day",
    *,
    changed_prices: dict[str, float] | None = None,
    requests_per_second: float = REQUESTS_PER_SECOND,
    this_year: int | None = None,
    bars_a_session: int = 1,
) -> Plan:
    """Return what a lake will need: a backfill, a year of runs, a rebuild, a compaction.

    The backfill brings whole calendar years up to last December, as if it were New Year's Eve. Then
    there is a run for every session of this year, and some more, until the year can be compacted.

    Args:
        tickers: how many there are, all with bars of all sessions of New York.
        years: how many to backfill.
        grain: of the lake.
        changed_prices: those that differ from `Prices`.
        requests_per_second: what the source gets at most.
        this_year: the year after the backfill; None is the current one.
        bars_a_session: 1 for daily bars.

    Raises:
        UsageError: there is no such price.
    """
    cost = Prices().but(changed_prices or {})
    year = this_year or datetime.now(UTC).year
    held = _sessions(date(year - years, 1, 1), date(year - 1, 12, 31))
    runs = _sessions(date(year, 1, 1), date(year + 1, *CLOSED))
    life = Life(tickers, grain)
    story = _Story(life, cost, requests_per_second, bars_a_session)
    steps = tuple(story.steps(held, runs))
    month = story.month()
    return Plan(
        tickers, years, grain, grains.advice(tickers, years, grain), steps, month, month.total
    )


def _sessions(first: date, last: date) -> list[date]:
    """Return New York's sessions; weekdays where its calendar has ended."""
    evening = datetime.combine(last, time(23, 59), UTC)
    found: list[date] = calendars.of("AAPL").sessions(first, evening).to_list()
    return found


class _Story:
    """A lake's life, step by step."""

    def __init__(self, life: Life, cost: Prices, rate: float, bars_a_session: int) -> None:
        self._life, self._cost, self._rate, self._bars = life, cost, rate, bars_a_session
        self._stored = self._replaced = 0.0
        self._glue = self._requests = 0.0

    def steps(self, held: list[date], runs: list[date]) -> Iterator[Step]:
        """Live through it."""
        life = self._life
        yield self._step("backfill", self._brought(held), 2)
        days = self._brought(runs[:1])
        yield self._step("a day", days, 2)
        for day in runs[1:]:
            days += self._brought([day])
        year = self._step("a year of days", days, 2 * len(runs))
        yield year
        self._stored, self._replaced = speed.size(life), speed.replaced(life)
        yield self._step("a rebuild", [("rebuild", life.rebuild())], 1)
        passes = [life.compact(runs[-1], is_later=is_later) for is_later in (False, True)]
        packing = self._step("a compaction", [("compact", each) for each in passes], len(passes))
        yield packing
        yield self._step("a rebuild after it", [("rebuild", life.rebuild())], 1)
        share = prices.RUNS / len(runs)
        self._glue = share * self._cost.job(year.seconds, 2 * len(runs))
        self._glue += self._cost.job(packing.seconds, prices.COMPACTIONS) / 12
        self._requests = share * self._cost.requests(year) + self._cost.requests(packing) / 12

    def _brought(self, sessions: list[date]) -> list[tuple[str, Work]]:
        bars = [day for day in sessions for _ in range(self._bars)]
        return [("extract", self._life.extract(bars)), ("transform", self._life.transform())]

    def _step(self, name: str, done: list[tuple[str, Work]], jobs: int) -> Step:
        work = sum((each for _, each in done), Work(runs=0))
        seconds = sum(speed.seconds(stage, each, self._rate) for stage, each in done)
        return Step(
            name,
            self._life.objects().total(),
            round(speed.size(self._life)),
            work.get,
            work.put,
            work.list,
            work.delete,
            seconds,
            self._cost.job(seconds, jobs) + self._cost.requests(work),
        )

    def month(self) -> Month:
        """Return what it costs in a month after the first year."""
        life, cost = self._life, self._cost
        files = life.tickers * len(life.partitions), life.tickers
        scans, requests = prices.queries(cost, life.grain, files, speed.daily(life))
        watching, metrics = prices.watching(cost)
        stored = self._stored + prices.RUNS * self._replaced
        return Month(
            glue=self._glue,
            requests=self._requests,
            storage=stored / 1e9 * cost.storage,
            catalog=prices.catalog(cost, life.tickers, len(life.partitions)),
            scans=scans,
            athena_requests=requests,
            watching=watching,
            metrics=metrics,
        )
