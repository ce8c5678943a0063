"""`report`: the lake as pages of HTML."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tickerlake import pictures
from tickerlake.cli import options, output
from tickerlake.cli.parameters import Text
from tickerlake.errors import StoreError, UsageError
from tickerlake.stages import counted

if TYPE_CHECKING:
    from tickerlake.stages.report.site import Written

OUT: Final = "report"
SINGLE: Final = "report.html"
LARGE: Final = 20_000_000
"""Bytes that few mail servers take."""


@click.command()
@click.argument("names", nargs=-1, metavar="[TICKER]...")
@options.lake
@options.workers
@click.option(
    "--out",
    type=Text(),
    metavar="FOLDER|s3://BUCKET/PREFIX",
    help=f"Where the report goes.  [default: {OUT}/, or {SINGLE} with --single-file]",
)
@click.option("--single-file", is_flag=True, help="Write one file, which can be sent by e-mail.")
def report(
    names: tuple[str, ...], lake: str, workers: int, out: str | None, single_file: bool
) -> None:
    """Write pages of HTML about the lake, or some tickers.

    They need neither a network nor a server. On the next run, only changed pages are rewritten.
    Needs the extra `report`:
    pip install 'tickerlake[report] @ git+https://github.com/tickerlake/tickerlake'.
    """
    if single_file:
        _single(names, lake, workers, out or SINGLE)
        return
    write_report(names, lake, workers, out or OUT)


def write_report(names: tuple[str, ...], lake: str, workers: int, target: str) -> None:
    """Write the pages, and say what was done."""
    with output.progress_of("report") as progress:
        done = pictures.report(lake, target, names, workers, progress)
    click.echo(f"Report in {target}: {_summary(done)}.")
    if "://" not in target:
        click.echo(f"Open {Path(target, 'index.html')} in a browser.")


def _summary(done: "Written") -> str:
    parts = [f"wrote {counted(done.written, 'file')}", f"{done.unchanged:,} unchanged"]
    return ", ".join(parts) + (f", {done.deleted:,} deleted" if done.deleted else "")


def _single(names: tuple[str, ...], lake: str, workers: int, target: str) -> None:
    if "://" in target or Path(target).is_dir():
        raise UsageError(f"--single-file writes a local file, and {target} is not one")
    with output.progress_of("report") as progress:
        data = pictures.single_report(lake, names, workers, progress)
    try:
        Path(target).write_bytes(data)
    except OSError as error:
        raise StoreError(f"can't write {target}: {error.strerror}") from error
    click.echo(f"Wrote {target}, {len(data) / 1e6:.1f} MB.")
    if len(data) > LARGE:
        click.echo("Note: that is large for an e-mail; name some tickers: tickerlake report AAPL …")
