"""Commands that look after a lake: check, repair, compact, rename, retire."""

from datetime import date
from typing import Final

import click

from tickerlake import app, reads
from tickerlake.cli import options, output
from tickerlake.cli.parameters import Day, Tickers
from tickerlake.errors import UsageError
from tickerlake.settings import SourceSettings
from tickerlake.stages import counted

KINDS: Final = ("gaps", "flags", "quarantine", "stale", "calendars", "revisions")


class _Kinds(click.ParamType[tuple[str, ...]]):
    name = "kinds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        kinds = tuple(each.strip() for each in str(value).split(",")) if value else ()
        unknown = [each for each in kinds if each not in KINDS]
        if unknown:
            self.fail(f"{', '.join(unknown)}: choose from {', '.join(KINDS)}", param, ctx)
        return kinds


@click.command()
@options.lake
@options.workers
@options.as_of
@options.output_format("table", "json", default="table")
@click.option(
    "--fail-on",
    type=_Kinds(),
    metavar="gaps,stale,…",
    help="End with exit code 1 when there are problems of these kinds.",
)
def check(
    lake: str,
    workers: int,
    as_of: str | None,
    output_format: str,
    fail_on: tuple[str, ...] | None,
) -> int:
    """Show what needs attention, though nothing is broken.

    \b
    gaps        sessions of the exchange without a bar
    flags       bars that are kept although something is odd about them
    quarantine  rows that were not accepted, and why
    stale       tickers that are several sessions behind
    calendars   exchanges whose calendar ends soon, or that have none
    revisions   bars that the last runs corrected or replaced
    """  # noqa: D301 - click wants the character
    found = reads.check(lake, workers, as_of)
    if output_format == "json":
        from dataclasses import asdict

        from pydantic_core import to_json

        click.echo(to_json(asdict(found), indent=1).decode())
    else:
        output.checked(found)
    output.damaged(found.damaged)
    return 1 if found.damaged or set(fail_on or ()) & found.counts().keys() else 0


@click.command()
@options.lake
@options.workers
@click.option(
    "--prune",
    is_flag=True,
    help="Remove files that do not belong to the lake, and blobs that no run lists.",
)
@options.offline
@options.yahoo_url
def repair(lake: str, workers: int, prune: bool, offline: bool, yahoo_url: str | None) -> int:
    """Repair what `verify` finds.

    Derived data is rebuilt. Damaged or missing blobs are restored from the history, or fetched
    again; when the source no longer gives the same rows, a new run says so.
    """
    source = SourceSettings(offline=offline, yahoo_url=yahoo_url)
    report = app.repair(lake, source, workers=workers, prune=prune)
    output.repaired(report, pruned=prune)
    return report.exit_code


@click.command()
@options.lake
@options.workers
def compact(lake: str, workers: int) -> int:
    """Pack the many small blobs of past months or years.

    Nothing that can be read changes. Blobs are deleted by a compaction that finds them in a pack
    which is at least a day old; so run it every week.
    """
    with output.progress_of("compact") as progress:
        report = app.compact(lake, workers, progress)
    output.compacted(report)
    return report.exit_code


@click.command()
@options.lake
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--on",
    "day",
    type=Day(),
    required=True,
    metavar="YYYY-MM-DD",
    help="The first session under the new name.",
)
def rename(lake: str, old: str, new: str, day: date) -> None:
    """Continue a ticker's history under its new name.

    The bars before the change are delivered to the new name, and the old one is retired.
    """
    manifest = app.rename(lake, old, new, day)
    [(ticker, entry)] = [each for each in manifest.tickers.items() if each[1].renamed_from]
    click.echo(
        f"{entry.renamed_from} is {ticker} from {day} on: {counted(entry.new, 'bar')} moved."
        " `tickerlake transform` puts it into effect."
    )


@click.command()
@options.lake
@click.argument("tickers", nargs=-1, metavar="TICKER...", type=Tickers())
@click.option(
    "--on", "day", type=Day(), metavar="YYYY-MM-DD", help="Its last day.  [default: its last bar's]"
)
def retire(lake: str, tickers: tuple[tuple[str, ...], ...], day: date | None) -> None:
    """Stop fetching tickers; their bars stay in the lake."""
    names = [name for each in tickers for name in each]
    if not names:
        raise UsageError("which ticker? tickerlake retire TICKER")
    for name in names:
        manifest = app.retire(lake, name, day)
        [(ticker, entry)] = manifest.tickers.items()
        click.echo(f"Retired {ticker} on {entry.retired}.")
    click.echo("`tickerlake transform` puts it into effect.")


UPKEEP: Final = (check, repair, compact, rename, retire)
