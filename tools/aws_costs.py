"""Compute the cost table of docs/deploy.md from list prices and a model of a lake.

    python tools/aws_costs.py

prints the table. A test compares it with the one in the documentation.

The prices are those of us-east-1, without free tier, discounts or taxes. Nothing here was measured
on AWS: the object sizes come from the recording that `make run` uses, the speeds from a laptop.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

DATE: Final = "2026-11-25"
"""When the prices were collected."""

GLUE_DPU_HOUR: Final = (
    0.308  # Glue 6.0; billed per second, at least a minute: aws.amazon.com/glue/pricing
)
S3_GB_MONTH: Final = 0.023  # Standard, the first 50 TB: aws.amazon.com/s3/pricing
S3_WRITE: Final = 0.005 / 1000  # PUT and LIST
S3_READ: Final = 0.0004 / 1000  # GET and HEAD
ATHENA_TB: Final = 5.0  # scanned; at least 10 MB a query: aws.amazon.com/athena/pricing
CATALOG_OBJECT: Final = (
    1.0 / 100_000
)  # a month, above the first million: aws.amazon.com/glue/pricing
CATALOG_FREE: Final = 1_000_000
ALARM: Final = 0.10  # a metric in an alarm, a month: aws.amazon.com/cloudwatch/pricing
METRIC: Final = 0.30  # a custom metric for a whole month, billed by the hour
LOG_GB: Final = 0.50  # ingested

HOURS: Final = 730  # in a month
RUNS: Final = 21  # trading days in a month, and job runs of each of the two jobs
DPU: Final = 2  # two G.1X workers, the fewest that Glue starts
START_SECONDS: Final = 120  # to start a job run and install its packages
EXTRACTED: Final = 5  # tickers a second, the default of requests_per_second
TRANSFORMED: Final = 17  # tickers a second
YEARS: Final = 10
SESSIONS: Final = 252  # in a year
PUTS: Final = 3  # by the jobs for each ticker and run: raw, history, daily
GETS: Final = 5
LOG_MB: Final = 5  # by each job run, Spark's own lines included
ALARMS: Final = 8  # in infra/modules/monitoring
METRICS: Final = 2 * 40  # of a job run with `glue_metrics`: for the run, and for all runs together

FULL_QUERIES: Final = 10  # a month, over the whole table `daily`
RECENT_QUERIES: Final = 100  # a month, over its newest month, or the newest year at grain year
GETS_PER_FILE: Final = 2  # the footer and the columns
SHARE: Final = 0.2  # of a file that a query of some columns reads

FILE: Final = {"daily": (14_325, 261), "raw": (3_334, 22)}
"""Bytes of a file, and of each bar in it."""
HISTORY_BAR: Final = 29


@dataclass(frozen=True)
class Lake:
    """How many tickers, and how many sessions share a partition."""

    tickers: int
    grain: str

    @property
    def bars(self) -> int:
        """Bars in a full partition."""
        return {"day": 1, "month": 21, "year": SESSIONS}[self.grain]

    @property
    def partitions(self) -> int:
        """Partitions of `daily`; `raw` has as many."""
        return self.tickers * ceil(YEARS * SESSIONS / self.bars)

    def size(self, table: str) -> float:
        """Bytes of a full file."""
        base, bar = FILE[table]
        return base + bar * self.bars

    @property
    def recent(self) -> int:
        """Partitions that a query of the newest month reads."""
        return self.tickers * ceil(RUNS / self.bars)


@dataclass(frozen=True)
class Cost:
    """US dollars a month, and once for the first backfill."""

    glue: float
    requests: float
    storage: float
    storage_gb: float
    catalog: float
    scans: float
    athena_requests: float
    watching: float
    metrics: float
    backfill: float

    @property
    def total(self) -> float:
        """A month without `glue_metrics`."""
        return (
            self.glue
            + self.requests
            + self.storage
            + self.catalog
            + self.scans
            + self.athena_requests
            + self.watching
        )


def glue(tickers: int) -> float:
    """Return what both jobs cost a month."""
    seconds = 2 * START_SECONDS + tickers / EXTRACTED + tickers / TRANSFORMED
    return RUNS * seconds / 3600 * DPU * GLUE_DPU_HOUR


def stored(lake: Lake) -> float:
    """Return bytes, with a month of replaced versions."""
    current = lake.partitions * (lake.size("daily") + lake.size("raw"))
    history = lake.tickers * YEARS * SESSIONS * HISTORY_BAR
    replaced = RUNS * (history + lake.tickers * lake.size("daily") / 2 * (lake.bars > 1))
    # each run appends a small file to raw, whatever the grain: a year of them
    appended = lake.tickers * SESSIONS * sum(FILE["raw"])
    return current + history + replaced + appended


def athena(partitions: int, size: float) -> tuple[float, float]:
    """Return what a query costs: for the scan, and for Athena's requests to S3."""
    scanned = max(partitions * size * SHARE, 10e6)
    return scanned / 1e12 * ATHENA_TB, partitions * (S3_WRITE + GETS_PER_FILE * S3_READ)


def cost(lake: Lake) -> Cost:
    """Return the cost of a lake that runs on every trading day."""
    size = lake.size("daily")
    full, recent = athena(lake.partitions, size), athena(lake.recent, size)
    gigabytes = stored(lake) / 1e9
    return Cost(
        glue=glue(lake.tickers),
        requests=RUNS * lake.tickers * (PUTS * S3_WRITE + GETS * S3_READ),
        storage=gigabytes * S3_GB_MONTH,
        storage_gb=gigabytes,
        catalog=max(0, 2 * lake.partitions + lake.tickers - CATALOG_FREE) * CATALOG_OBJECT,
        scans=FULL_QUERIES * full[0] + RECENT_QUERIES * recent[0],
        athena_requests=FULL_QUERIES * full[1] + RECENT_QUERIES * recent[1],
        watching=ALARMS * ALARM + 2 * RUNS * LOG_MB / 1000 * LOG_GB,
        metrics=2 * RUNS * METRICS / HOURS * METRIC,
        backfill=2 * lake.partitions * S3_WRITE,
    )


LAKES: Final = [
    Lake(50, "day"),
    Lake(50, "year"),
    Lake(500, "day"),
    Lake(500, "year"),
    Lake(5000, "year"),
]


def table() -> str:
    """Return the table in Markdown."""
    columns = [
        "tickers",
        "grain",
        "Glue",
        "S3 requests",
        "S3 storage",
        "Data Catalog",
        "Athena scans",
        "Athena's S3 requests",
        "alarms, logs",
        "**a month**",
        "first backfill, once",
        "`glue_metrics`, a month",
    ]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for lake in LAKES:
        each = cost(lake)
        lines.append(
            f"| {lake.tickers:,} | {lake.grain} | {each.glue:.2f} | {each.requests:.2f}"
            f" | {each.storage:.2f} ({each.storage_gb:.1f} GB) | {each.catalog:.2f}"
            f" | {each.scans:.2f} | {each.athena_requests:.2f} | {each.watching:.2f}"
            f" | **{each.total:.2f}** | {each.backfill:.2f} | {each.metrics:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"US dollars, list prices of us-east-1 collected on {DATE}\n\n{table()}")  # noqa: T201
