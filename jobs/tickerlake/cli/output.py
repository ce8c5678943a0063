"""What the commands print."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Final

import click

from tickerlake import logs
from tickerlake.cli import tables
from tickerlake.progress import Progress, logged
from tickerlake.stages import counted

if TYPE_CHECKING:
    from tickerlake.aws.glue_catalog import Synced
    from tickerlake.lake.manifests import Manifest
    from tickerlake.stages.check import Checked
    from tickerlake.stages.compact import Report as CompactReport
    from tickerlake.stages.extract import Report as ExtractReport
    from tickerlake.stages.findings import Finding
    from tickerlake.stages.repair import Report as RepairReport
    from tickerlake.stages.status import Status, Ticker
    from tickerlake.stages.transform import Report as TransformReport

log = logging.getLogger(__name__)

_NAMED: Final = 5


@contextmanager
def progress_of(stage: str) -> Iterator[Progress]:
    """Show a bar while a stage is running, on a terminal that rich can draw on; otherwise, log.

    Until the first ticker has ended, the bar only shows that something is being done: calendars
    are loaded, and the first answers are awaited.
    """
    console = logs.console() if logs.is_terminal() else None
    if console is None:
        yield logged(stage)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )  # fmt: skip
    from rich.progress import Progress as Bars

    columns = SpinnerColumn(), "{task.description}", BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), "left:", TimeRemainingColumn()
    with Bars(*columns, *times, console=console, transient=True) as bars:
        task = bars.add_task(stage, total=None)

        def show(ended: int, total: int | None) -> None:
            bars.update(task, completed=ended, total=total if ended else None)

        yield show


def extracted(report: "ExtractReport", lake: str) -> None:
    """Say how an extraction ended."""
    from tickerlake.stages.extract import summary

    click.echo(f"Extracted into {lake}: {summary(report.entries)}.")
    _notes(report)


def _notes(report: "ExtractReport") -> None:
    for warning in report.warnings:
        click.echo(f"Note: {warning}")


def transformed(report: "TransformReport") -> None:
    """Say how a transform ended."""
    click.echo(
        f"Processed {counted(len(report.processed), 'run')}:"
        f" wrote {counted(_written(report), 'partition')} of `daily`."
    )
    for each in report.refreshed.values():
        if each.error:
            click.echo(f"  {each.ticker} failed: {each.error}")


def _written(report: "TransformReport") -> int:
    if not report.refreshed:
        return 0
    from tickerlake.lake.derived import LISTING  # loads Polars

    return sum(part != LISTING for each in report.refreshed.values() for part in each.partitions)


def ran(extraction: "ExtractReport", transform: "TransformReport") -> None:
    """Say how a run ended, and what to do after it."""
    if extraction.is_quiet and transform.is_quiet:
        click.echo("Nothing has changed: the lake was up to date.")
        _notes(extraction)
        return
    transformed(transform)
    if not extraction.manifests and not transform.processed:
        return
    ticker = min(extraction.entries)
    click.echo(
        "Next, try:\n"
        "  tickerlake status\n"
        f"  tickerlake show {ticker}\n"
        '  tickerlake query "select ticker, session, close, rsi_14, sma_200 from daily'
        f" where ticker='{ticker}' order by session desc limit 5\"\n"
        "  tickerlake verify"
    )


def verified(findings: "list[Finding]") -> None:
    """Say what `verify` found."""
    for finding in findings:
        click.echo(str(finding))
    click.echo(
        f"{counted(len(findings), 'difference')}."
        if findings
        else "OK: history and refined match raw."
    )


def repaired(report: "RepairReport", *, pruned: bool) -> None:
    """Say what a repair did."""
    for line in report.done:
        click.echo(line)
    if not pruned:
        for key in [*report.strays, *report.orphans]:
            click.echo(f"{key} does not belong to the lake; `tickerlake repair --prune` removes it")
    for finding in report.left:
        click.echo(str(finding))
    click.echo(
        f"{counted(len(report.left), 'difference')} left."
        if report.left
        else "OK: history and refined match raw."
    )


def compacted(report: "CompactReport") -> None:
    """Say what a compaction did."""
    for line in report.failed:
        click.echo(line, err=True)
    if report.is_needless:
        click.echo("Nothing to compact: in a lake by day, an object holds one bar by definition.")
        return
    packed, deleted = counted(report.packed, "blob"), counted(report.deleted, "blob")
    click.echo(f"Packed {packed}, deleted {deleted} that an older pack has.")
    if report.packed:
        click.echo("A compaction in a day or later deletes what was packed now.")


def checked(found: "Checked") -> None:
    """Say what needs attention."""
    if not found.problems:
        click.echo("OK: nothing needs attention.")
        return
    click.echo(
        tables.render(
            [
                tables.column("kind", [each.kind for each in found.problems]),
                tables.column("ticker", [each.ticker for each in found.problems]),
                tables.column("session", [each.session for each in found.problems]),
                tables.column("what", [each.text for each in found.problems]),
            ]
        )
    )
    counts = [f"{number:,} {kind}" for kind, number in found.counts().items()]
    click.echo(f"\n{', '.join(counts)}. `tickerlake check --help` says what they mean.")


def copied(rows: dict[str, int], file: str) -> None:
    """Say what a copy of the lake holds."""
    from tickerlake.lake.views import VIEWS

    counts = ", ".join(f"{name} {count:,}" for name, count in rows.items())
    click.echo(f"Wrote {file}: rows of {counts}; {counted(len(VIEWS), 'view')}.")


def synced(done: "Synced", database: str) -> None:
    """Say what a sync of the catalog did."""
    click.echo(
        f"Partitions in {database}: {done.registered:,} registered, {done.updated:,} updated,"
        f" {done.removed:,} removed; {counted(done.views, 'view')} written."
    )


def held(status: "Status") -> None:
    """Say what the lake holds."""
    then = f", as of {status.as_of:%Y-%m-%d %H:%M:%S} UTC" if status.as_of else ""
    click.echo(f"{status.lake}, partitions by {status.grain}{then}, stamp {status.stamp}\n")
    if not status.tickers and not status.runs:
        click.echo("The lake is empty: `tickerlake run AAPL MSFT` fills it.")
        return
    click.echo(_tickers(status.tickers))
    click.echo("\n" + _runs(status))
    for note in _calendar_notes(status.tickers):
        click.echo(f"\nNote: {note}")
    if status.pending:
        number = len(status.pending)
        click.echo(
            f"\n{counted(number, 'run')} {'is' if number == 1 else 'are'} pending:"
            f" `tickerlake transform` processes {'it' if number == 1 else 'them'}."
        )
        for run_id in status.pending:
            click.echo(f"  {run_id}")


def damaged(found: Sequence[str]) -> None:
    """Say what could not be read, and so is left out."""
    for problem in found:
        log.error("%s", problem)


def _calendar_notes(held: "tuple[Ticker, ...]") -> Iterator[str]:
    ending: dict[date, list[str]] = {}
    for each in held:
        if each.calendar_ends:
            ending.setdefault(each.calendar_ends, []).append(each.ticker)
    for ends, names in sorted(ending.items()):
        yield (
            f"the calendar of {_named(names)} ends on {ends}: update the package"
            " exchange_calendars, or gaps after that day will not be noticed."
        )
    if names := [each.ticker for each in held if not each.has_calendar and each.sessions]:
        yield f"the exchange of {_named(names)} has no calendar: gaps are not known."


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _tickers(held: "tuple[Ticker, ...]") -> str:
    return tables.render(
        [
            tables.column("ticker", [each.ticker for each in held]),
            tables.column("sessions", [f"{each.sessions:,}" for each in held], is_number=True),
            tables.column("first", [each.first for each in held]),
            tables.column("last", [each.last for each in held]),
            tables.column("behind", [_behind(each) for each in held], is_number=True),
            tables.column(
                "quarantined", [f"{each.quarantined.rows:,}" for each in held], is_number=True
            ),
            tables.column("gaps", [_days(each.gaps) for each in held]),
        ]
    )


def _behind(ticker: "Ticker") -> str:
    if ticker.retired:
        return "retired"
    return "-" if ticker.behind is None else f"{ticker.behind:,}"


def _days(days: tuple[date, ...]) -> str:
    return f"{len(days):,}, last {days[-1]}" if days else "0"


def _runs(status: "Status") -> str:
    runs = status.runs
    counts = {
        count: [sum(getattr(each, count) for each in run.tickers.values()) for run in runs]
        for count in ("new", "corrected", "quarantined")
    }
    return tables.render(
        [
            tables.column("run", [run.run_id for run in runs]),
            tables.column("as of", [f"{run.as_of:%Y-%m-%d %H:%M}" for run in runs]),
            *(
                tables.column(name, [f"{number:,}" for number in numbers], is_number=True)
                for name, numbers in counts.items()
            ),
            tables.column("not ok", [_not_ok(run) for run in runs]),
        ]
    )


def _not_ok(run: "Manifest") -> str:
    return ", ".join(
        f"{name}: {each.outcome}"
        for name, each in run.tickers.items()
        if each.outcome not in ("ok", "empty")
    )
