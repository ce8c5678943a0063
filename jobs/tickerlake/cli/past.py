"""Commands that look at the past: log and diff."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import click

from tickerlake import reads
from tickerlake.cli import options, tables
from tickerlake.cli.parameters import Text
from tickerlake.stages import counted

if TYPE_CHECKING:
    from tickerlake.stages.log import Delivered, Difference

_ALL: Final = click.option("--all", "everything", is_flag=True, help="Show every value.")


@click.command()
@options.lake
@click.argument("ticker", type=Text(), metavar="TICKER")
@options.as_of
@options.output_format("table", "json", default="table")
@_ALL
def log(lake: str, ticker: str, as_of: str | None, output_format: str, *, everything: bool) -> None:
    """Show which run delivered what for a ticker.

    For every run: the bars that are new, those that it replaced, the splits, restatements, renames
    and retirements that it brought. Then the values that the source has revised.
    """
    found = reads.log(lake, ticker, as_of)
    if output_format == "json":
        _write_json(found)
        return
    click.echo(_deliveries(found))
    rows = [
        (each.session, each.column, each.old, each.new, run.run_id)
        for run in found
        for each in run.revised
    ]
    _show_values(rows, "by run", everything=everything)


@click.command()
@options.lake
@click.argument("ticker", type=Text(), metavar="TICKER")
@click.option(
    "--from",
    "old",
    type=Text(),
    required=True,
    metavar="MOMENT|RUN|STAMP",
    help="The first state: see --as-of of `tickerlake status`.",
)
@click.option(
    "--to",
    "new",
    type=Text(),
    metavar="MOMENT|RUN|STAMP",
    help="The second state.  [default: the newest one]",
)
@options.output_format("table", "json", default="table")
@_ALL
def diff(
    lake: str, ticker: str, old: str, new: str | None, output_format: str, *, everything: bool
) -> None:
    """Show how a ticker's bars differ between two states of the lake.

    Values are compared on the split basis of the second state, so a split alone is no difference.
    """
    found = reads.diff(lake, ticker, old, new)
    if output_format == "json":
        _write_json(found)
        return
    click.echo(f"{found.ticker}, from {found.old} to {found.new}\n")
    for line in _sentences(found):
        click.echo(line)
    rows = [
        (each.session, each.column, each.old, each.new, f"{each.as_of:%Y-%m-%d %H:%M}")
        for each in found.changed
    ]
    _show_values(rows, "fetched", everything=everything)
    if found.runs:
        click.echo("\n" + _deliveries(found.runs))


def _deliveries(found: "Sequence[Delivered]") -> str:
    return tables.render(
        [
            tables.column("run", [each.run_id for each in found]),
            tables.column("as of", [f"{each.as_of:%Y-%m-%d %H:%M}" for each in found]),
            tables.column("sessions", [_span(each.first, each.last) for each in found]),
            tables.column("new", [f"{each.new:,}" for each in found], is_number=True),
            tables.column("replaced", [f"{each.replaced:,}" for each in found], is_number=True),
            tables.column("what", ["; ".join(_what(each)) for each in found]),
        ]
    )


def _span(first: date | None, last: date | None) -> str:
    return f"{first} to {last}" if first != last else str(first or "")


def _what(run: "Delivered") -> Iterator[str]:
    """Yield what a run brought besides bars, in a few words each."""
    if run.restated:
        yield f"restated: {run.restated}"
    if run.splits:
        yield f"{_splits(run.splits)}: {counted(run.rebased, 'bar')} re-based"
    if run.revised:
        yield f"{counted(len(run.revised), 'value')} revised"
    if run.quarantined:
        yield f"{counted(run.quarantined, 'row')} quarantined"
    if run.renamed_from:
        yield f"renamed from {run.renamed_from}"
    if run.retired:
        yield f"retired on {run.retired}"
    if run.renamed_to:
        yield f"renamed to {run.renamed_to}"


def _splits(ratios: Mapping[date, float]) -> str:
    return ", ".join(f"split {ratio:g} on {day}" for day, ratio in ratios.items())


def _sentences(found: "Difference") -> Iterator[str]:
    if found.added:
        yield f"{counted(len(found.added), 'session')} added: {_span(*_ends(found.added))}."
    if found.removed:
        yield f"{counted(len(found.removed), 'session')} removed: {_span(*_ends(found.removed))}."
    if found.splits:
        yield f"Another split basis: {_splits(found.splits)}."
    if not (found.added or found.removed or found.changed or found.splits):
        yield "No bar differs."


def _ends(days: Sequence[date]) -> tuple[date, date]:
    return days[0], days[-1]


def _show_values(rows: Sequence[tuple[Any, ...]], origin: str, *, everything: bool) -> None:
    if not rows:
        return
    shown = rows if everything else rows[-tables.MOST_ROWS :]
    names = ("session", "column", "old", "new", origin)
    columns = [
        tables.column(name, values)
        for name, values in zip(names, zip(*shown, strict=True), strict=True)
    ]
    click.echo("\n" + tables.render(columns))
    if len(shown) < len(rows):
        more = f"The last {len(shown)} of {counted(len(rows), 'value')}"
        click.echo(f"\n{more}: --all shows them all.")


def _write_json(found: object) -> None:
    from pydantic_core import to_json

    click.echo(to_json(found, indent=1).decode())


PAST: Final = (log, diff)
