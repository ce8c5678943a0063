"""Write the tables of the docs that `tickerlake plan` computes: `python tools/plans.py`.

A page has a table between `<!-- plan: NAME -->` and `<!-- end of plan -->`. All are for backfills
up to the end of 2025 and runs in 2026, so that they only change when the model does.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tickerlake.cli.plan import duration, size
from tickerlake.lake.layout import Grain
from tickerlake.stages.plan import Plan, Step, plan

DOCS: Final = Path(__file__).parents[1] / "docs"
YEAR: Final = 2026
BARS: Final = 390
"""Minutes of a session of New York."""

_BLOCK: Final = re.compile(r"(?<=<!-- plan: )(\w+)( -->\n).*?(?=<!-- end of plan -->)", re.DOTALL)

COSTS: Final[tuple[tuple[int, Grain], ...]] = (
    (50, "day"),
    (50, "year"),
    (500, "day"),
    (500, "year"),
    (5_000, "year"),
)
UNIVERSES: Final[tuple[tuple[int, int, Grain], ...]] = (
    (50, 10, "day"),
    (500, 10, "month"),
    (5_000, 10, "year"),
    (10_000, 20, "year"),
    (60_000, 30, "year"),
)
MINUTES: Final[tuple[tuple[int, int, Grain], ...]] = (
    (50, 2, "day"),
    (500, 5, "month"),
    (5_000, 5, "month"),
    (60_000, 5, "year"),
)


@cache
def planned(tickers: int, years: int, grain: Grain, bars: int = 1) -> Plan:
    """Return a plan."""
    return plan(tickers, years, grain, this_year=YEAR, bars_a_session=bars)


def step(found: Plan, name: str) -> Step:
    """Return a step of a plan."""
    [one] = [each for each in found.steps if each.name == name]
    return one


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, whose columns but the first two are numbers."""
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    ruler = "|---|---" + "|--:" * (len(columns) - 2) + "|"
    return "\n".join([lines[0], ruler, *lines[1:]]) + "\n"


def costs() -> str:
    """Return what lakes cost a month."""
    columns = [
        "tickers", "grain", "Glue", "S3 requests", "S3 storage", "Data Catalog", "Athena scans",
        "Athena's S3 requests", "alarms, logs", "**a month**", "first backfill, once",
        "`glue_metrics`, a month",
    ]  # fmt: skip
    rows = []
    for tickers, grain in COSTS:
        found = planned(tickers, 10, grain)
        month, stored = found.month, step(found, "a year of days").bytes
        numbers = [
            month.glue, month.requests, month.storage, month.catalog, month.scans,
            month.athena_requests, month.watching,
        ]  # fmt: skip
        cells = [f"{each:.2f}" for each in numbers]
        cells[2] += f" ({size(stored)})"
        backfill = step(found, "backfill").dollars
        total = f"**{found.total:.2f}**"
        rows.append(
            [f"{tickers:,}", grain, *cells, total, f"{backfill:.2f}", f"{month.metrics:.2f}"]
        )
    return table(columns, rows)


def universes() -> str:
    """Return what universes need."""
    columns = [
        "tickers", "years, grain", "objects", "after a year of days", "compacted", "size",
        "backfill", "a day", "a rebuild", "compacted", "backfill, dollars", "a month, dollars",
    ]  # fmt: skip
    rows = []
    for tickers, years, grain in UNIVERSES:
        found = planned(tickers, years, grain)
        objects = [
            step(found, name).objects for name in ("backfill", "a year of days", "a compaction")
        ]
        times = [
            step(found, name).seconds
            for name in ("backfill", "a day", "a rebuild", "a rebuild after it")
        ]
        rows.append([
            f"{tickers:,}", f"{years}, {grain}", *(f"{each:,}" for each in objects),
            size(step(found, "a year of days").bytes), *map(duration, times),
            f"{step(found, 'backfill').dollars:,.2f}", f"{found.total:,.2f}",
        ])  # fmt: skip
    return table(columns, rows)


def requests() -> str:
    """Return what universes ask S3 for."""
    columns = [
        "tickers", "years, grain", "a day: GET", "PUT", "LIST", "a rebuild: GET", "LIST",
        "compacted: GET",
    ]  # fmt: skip
    rows = []
    for tickers, years, grain in UNIVERSES:
        found = planned(tickers, years, grain)
        day, again = step(found, "a day"), step(found, "a rebuild")
        numbers = [day.get, day.put, day.list, again.get, again.list]
        numbers.append(step(found, "a rebuild after it").get)
        rows.append([f"{tickers:,}", f"{years}, {grain}", *(f"{each:,}" for each in numbers)])
    return table(columns, rows)


def minutes() -> str:
    """Return what minute bars would need."""
    columns = [
        "tickers", "years, grain", "bars", "objects", "size", "a rebuild",
        "storage, dollars a month",
    ]  # fmt: skip
    rows = []
    for tickers, years, grain in MINUTES:
        found = planned(tickers, years, grain, BARS)
        backfill, again = step(found, "backfill"), step(found, "a rebuild after it")
        bars = tickers * years * 252 * BARS
        rows.append([
            f"{tickers:,}", f"{years}, {grain}", f"{bars / 1e9:,.1f} billion",
            f"{backfill.objects:,}", size(backfill.bytes), duration(again.seconds),
            f"{found.month.storage:,.2f}",
        ])  # fmt: skip
    return table(columns, rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "costs": costs,
    "universes": universes,
    "requests": requests,
    "minutes": minutes,
}


def pages() -> list[Path]:
    """Return the pages that have tables of plans."""
    return sorted(page for page in DOCS.glob("*.md") if _BLOCK.search(page.read_text("utf-8")))


def render(text: str) -> str:
    """Return a page with its tables as they should be."""
    return _BLOCK.sub(lambda found: f"{found[1]}{found[2]}{TABLES[found[1]]()}", text)


if __name__ == "__main__":
    for page in pages():
        page.write_text(render(page.read_text("utf-8")), encoding="utf-8")
