"""The command `plan`."""

from typing import TYPE_CHECKING

import click

from tickerlake.cli import options, tables
from tickerlake.cli.parameters import Changes
from tickerlake.settings import Grain
from tickerlake.stages import counted

if TYPE_CHECKING:
    from tickerlake.stages.plan import Plan, Step

_MINUTE = 60
_HOUR = 3_600


@click.command()
@click.option(
    "--tickers",
    type=click.IntRange(1, 1_000_000),
    required=True,
    metavar="NUMBER",
    help="How many tickers the lake will hold.",
)
@click.option(
    "--years",
    type=click.IntRange(1, 100),
    required=True,
    metavar="NUMBER",
    help="How many years of bars the first run brings.",
)
@click.option(
    "--grain",
    type=click.Choice(["day", "month", "year"]),
    default="day",
    show_default=True,
    help="Partition grain of the lake.",
)
@click.option(
    "--price",
    "changed_prices",
    type=Changes(),
    multiple=True,
    metavar="NAME=DOLLARS",
    help="A price that differs from AWS's list price in us-east-1, such as glue=0.44 for a"
    " DPU-hour; also put, get, storage, catalog, athena, logs, alarm, metric. Several may be given,"
    " separated by commas.",
)
@options.requests_per_second
@options.output_format("table", "json", default="table")
def plan(
    tickers: int,
    years: int,
    grain: Grain,
    changed_prices: tuple[dict[str, float], ...],
    requests_per_second: float,
    output_format: str,
) -> None:
    """Say what a lake will need, before there is one.

    Objects, bytes, requests to S3, seconds and dollars of a backfill, a day, a rebuild and a
    compaction. Objects and requests are counted as the stages make them; seconds are those of two
    cores; dollars are those of AWS, by its list prices. docs/scale.md says what is behind it.
    """
    from tickerlake.stages.plan import plan

    changes = {name: price for each in changed_prices for name, price in each.items()}
    found = plan(
        tickers, years, grain, changed_prices=changes, requests_per_second=requests_per_second
    )
    if output_format == "json":
        from dataclasses import asdict

        from pydantic_core import to_json

        click.echo(to_json(asdict(found), indent=1).decode())
    else:
        _show(found)


def _show(found: "Plan") -> None:
    click.echo(
        f"A lake by {found.grain}: {counted(found.tickers, 'ticker')},"
        f" {counted(found.years, 'year')} of bars, then a run on every session.\n"
    )
    click.echo(tables.render(_columns(found.steps)))
    month = found.month
    click.echo(
        f"\nA month on AWS: {found.total:,.2f} dollars; Glue {month.glue:,.2f}, S3 requests"
        f" {month.requests:,.2f}, S3 storage {month.storage:,.2f}, Data Catalog"
        f" {month.catalog:,.2f}, Athena {month.scans + month.athena_requests:,.2f}, alarms and logs"
        f" {month.watching:,.2f}."
    )
    if found.advice:
        click.echo(f"Note: {found.advice}.")


def _columns(steps: "tuple[Step, ...]") -> list[tables.Column]:
    def numbers(name: str, cells: list[str]) -> tables.Column:
        return tables.column(name, cells, is_number=True)

    return [
        tables.column("", [each.name for each in steps]),
        numbers("objects", [f"{each.objects:,}" for each in steps]),
        numbers("size", [size(each.bytes) for each in steps]),
        *(
            numbers(name.upper(), [f"{getattr(each, name):,}" for each in steps])
            for name in ("get", "put", "list", "delete")
        ),
        numbers("time", [duration(each.seconds) for each in steps]),
        numbers("dollars", [f"{each.dollars:,.2f}" for each in steps]),
    ]


def size(number: float) -> str:
    """Return bytes as people read them.

    >>> size(1_234_000), size(56_700_000_000)
    ('1.2 MB', '56.7 GB')
    """
    for unit in ("kB", "MB", "GB"):
        number /= 1_000
        if number < 1_000:  # noqa: PLR2004 - the next unit
            return f"{number:,.1f} {unit}"
    return f"{number / 1_000:,.1f} TB"


def duration(seconds: float) -> str:
    """Return seconds as people read them.

    >>> duration(12.34), duration(2000), duration(40_000)
    ('12.3 s', '33 min', '11.1 h')
    """
    if seconds < 2 * _MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:,.1f} h"
