"""What a lake costs on AWS, from list prices and from what the other modules count."""

from dataclasses import dataclass, fields, replace
from typing import Final, Protocol

from tickerlake.errors import UsageError
from tickerlake.lake.layout import Grain

COLLECTED: Final = "2026-11-25"
"""When the prices were looked up."""

CATALOG_FREE: Final = 1_000_000
"""Entries that the Data Catalog keeps for nothing."""

DPU: Final = 2
"""Of a job run: two G.1X workers, the fewest that Glue starts."""

START_SECONDS: Final = 120
"""To start a job run and install its packages."""

RUNS: Final = 21
"""Trading days in a month, and runs of each of the two jobs."""

COMPACTIONS: Final = 52
"""In a year."""

ALARMS: Final = 8
"""In infra/modules/monitoring."""

LOG_MB: Final = 5
"""By each job run, Spark's own lines included."""

METRICS: Final = 2 * 40
"""Of a job run with `glue_metrics`: for the run, and for all runs together."""

FULL_QUERIES: Final = 10
"""Of Athena in a month over the whole table `daily`."""

RECENT_QUERIES: Final = 100
"""Of Athena in a month over the newest month, or the newest year at grain year."""

SHARE: Final = 0.2
"""Of a file that a query of some columns reads."""

LEAST_SCAN: Final = 10e6
"""Bytes that Athena bills at least."""

_HOURS: Final = 730
_GETS_PER_FILE: Final = 2  # the footer and the columns


class Requests(Protocol):
    """Requests to S3."""

    @property
    def get(self) -> int:
        """How many read."""

    @property
    def put(self) -> int:
        """How many write."""

    @property
    def list(self) -> int:
        """How many list."""


@dataclass(frozen=True)
class Prices:
    """US dollars: list prices of us-east-1, without free tier, discounts and taxes.

    Attributes:
        glue: a DPU-hour of Glue 6.0, billed per second (aws.amazon.com/glue/pricing).
        put: 1,000 requests that write or list (aws.amazon.com/s3/pricing).
        get: 1,000 requests that read.
        storage: a GB-month of S3 Standard, the first 50 TB.
        catalog: 100,000 entries of the Data Catalog for a month (aws.amazon.com/glue/pricing).
        athena: a TB scanned (aws.amazon.com/athena/pricing).
        logs: a GB of logs ingested (aws.amazon.com/cloudwatch/pricing).
        alarm: an alarm for a month.
        metric: a custom metric for a month, billed by the hour.
    """

    glue: float = 0.308
    put: float = 0.005
    get: float = 0.0004
    storage: float = 0.023
    catalog: float = 1.0
    athena: float = 5.0
    logs: float = 0.50
    alarm: float = 0.10
    metric: float = 0.30

    def but(self, changes: dict[str, float]) -> "Prices":
        """Return these prices with some that differ.

        Raises:
            UsageError: there is no such price.
        """
        names = [each.name for each in fields(self)]
        unknown = [name for name in changes if name not in names]
        if unknown:
            raise UsageError(f"there is no price {unknown[0]!r}: choose from {', '.join(names)}")
        return replace(self, **changes)

    def requests(self, work: "Requests") -> float:
        """Return what requests to S3 cost; deleting is free."""
        return (work.get * self.get + (work.put + work.list) * self.put) / 1_000

    def job(self, seconds: float, runs: int) -> float:
        """Return what runs of a job cost that work for some seconds in all."""
        return (seconds + runs * START_SECONDS) / 3_600 * DPU * self.glue


@dataclass(frozen=True)
class Month:
    """US dollars a month of a lake that runs on every trading day.

    Attributes:
        glue: the jobs of the runs and of the compactions.
        requests: what they ask S3 for.
        storage: of the lake, and of versions replaced in the last month.
        catalog: entries above the first million.
        scans: what Athena reads; `athena_requests` is what S3 bills in addition.
        watching: alarms and logs.
        metrics: with `glue_metrics`; not in the total.
    """

    glue: float
    requests: float
    storage: float
    catalog: float
    scans: float
    athena_requests: float
    watching: float
    metrics: float

    @property
    def total(self) -> float:
        """All but `metrics`."""
        return float(sum(getattr(self, each.name) for each in fields(self))) - self.metrics


def athena(prices: Prices, files: int, size: float) -> tuple[float, float]:
    """Return what a query over files of some bytes costs: the scan, and its requests to S3."""
    scanned = max(files * size * SHARE, LEAST_SCAN)
    requests = files * (prices.put + _GETS_PER_FILE * prices.get) / 1_000
    return scanned / 1e12 * prices.athena, requests


def queries(
    prices: Prices, grain: Grain, files: tuple[int, int], size: float
) -> tuple[float, float]:
    """Return what Athena costs a month: its scans, and its requests to S3.

    Args:
        prices: the prices.
        grain: of the lake.
        files: of the table `daily`, and of its newest partition in time.
        size: of a file.
    """
    everything, newest = files
    newest *= RUNS if grain == "day" else 1
    full, recent = athena(prices, everything, size), athena(prices, newest, size)
    scans, requests = (
        FULL_QUERIES * f + RECENT_QUERIES * r for f, r in zip(full, recent, strict=True)
    )
    return scans, requests


def catalog(prices: Prices, tickers: int, partitions: int) -> float:
    """Return what a month's entries cost: of `daily`, `raw`, `history` and `tickers`."""
    entries = 2 * tickers * (partitions + 1)
    return max(0, entries - CATALOG_FREE) / 100_000 * prices.catalog


def watching(prices: Prices) -> tuple[float, float]:
    """Return what alarms and logs cost a month, and what `glue_metrics` would."""
    logs = (2 * RUNS + COMPACTIONS / 12) * LOG_MB / 1_000 * prices.logs
    return ALARMS * prices.alarm + logs, 2 * RUNS * METRICS / _HOURS * prices.metric
