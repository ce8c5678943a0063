"""The command `tickerlake`. It parses, calls the package, and says what came out of it.

Heavy imports are inside the commands: starting the command must take no time.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from tickerlake import __version__
from tickerlake.errors import AllFailedError, NoLakeError, TickerlakeError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from tickerlake.engines import Engine
    from tickerlake.lake import Lake
    from tickerlake.stages.extract import Report as ExtractReport
    from tickerlake.stages.status import Status
    from tickerlake.stages.transform import Report as TransformReport

log = logging.getLogger(__name__)

Command = Callable[..., Any]


class _Moment(click.ParamType[datetime]):
    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment such as 2013-03-01T22:30Z", param, ctx)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


_DATE = click.DateTime(["%Y-%m-%d"])


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    variable = "TICKERLAKE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


_lake = _option(
    "--lake", default="./lake", show_default=True, help="A folder or s3://bucket/prefix."
)
_workers = _option(
    "--workers",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Tickers in work at the same time.",
)


_register = _option(
    "--catalog",
    metavar="DATABASE",
    help="Register new partitions in this database of the Glue Data Catalog.",
)


def _format(*choices: str) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="How to print the answer.",
    )


_extract_options = _options(
    _lake,
    _option("--tickers", help="Symbols, separated by commas: AAPL,BRK-B,^GSPC."),
    _option(
        "--universe",
        metavar="FILE",
        help="A file of symbols, or s3://bucket/key, one a line; # starts a comment.",
    ),
    _option(
        "--start",
        type=_DATE,
        help="With --end: the first session to fetch. Without: where the backfill of tickers that"
        " the lake does not hold yet begins.  [default: two years ago]",
    ),
    _option("--end", type=_DATE, help="The last session to fetch; needs --start."),
    _option(
        "--grain",
        type=click.Choice(["day", "month", "year"]),
        help="Partition grain of a new lake: day suits a few dozen tickers, year large universes."
        "  [default: day]",
    ),
    _option(
        "--requests-per-second",
        type=click.FloatRange(0, min_open=True),
        default=5.0,
        show_default=True,
        help="The request budget that all workers share.",
    ),
    _workers,
    _option("--offline", is_flag=True, help="Replay recorded bars of 2000-2013 instead of Yahoo."),
    _option("--yahoo-url", help="Ask a replay at this address instead of Yahoo."),
    _option(
        "--as-of",
        type=_Moment(),
        help="The moment to take for now; only with a replay."
        "  [default: now, or what the replay's clock shows]",
    ),
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part, 128+n ended by signal n.",
)
@click.version_option(__version__, prog_name="tickerlake")
@_option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    default=None,
    help="What to log on standard error.  [default: WARNING on a terminal, else INFO]",
)
def cli(log_level: str | None) -> None:
    """A daily stock-market data lake: from Yahoo to refined features.

    Start with `tickerlake run --offline`, which needs no network, then ask
    `tickerlake query "select * from daily limit 5"`.
    """
    from tickerlake import logs

    logs.setup(log_level or ("WARNING" if sys.stderr.isatty() else "INFO"))


@cli.command()
@_extract_options
def extract(**options: Any) -> int:
    """Fetch bars into raw/.

    With --start and --end exactly those sessions. Otherwise it brings the lake up to date: every
    ticker gets the sessions that have closed since, corrections of the last ones, and gaps that
    have healed. Without --tickers or --universe these are the tickers that the lake holds.
    """
    report = _extract(**options)
    _say_extracted(report, options["lake"])
    if report.exit_code == 1:
        from tickerlake.stages.extract import summary

        raise AllFailedError(f"every ticker failed: {summary(report.entries)}")
    return report.exit_code


@cli.command()
@_lake
@_workers
@_option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Spread tickers over --workers threads, or over a Spark session's executors.",
)
@_register
@click.option("--run-id", help="Fail unless this run is there. All pending runs are processed.")
@click.option("--rebuild", is_flag=True, help="Make history and refined anew from raw alone.")
def transform(
    lake: str,
    workers: int,
    engine: str,
    catalog: str | None,
    run_id: str | None,
    rebuild: bool,
) -> int:
    """Turn new runs into history/ and refined/."""
    report = _transform(lake, workers, engine, catalog, rebuild, run_id)
    _say_transformed(report)
    if report.exit_code == 1:
        raise AllFailedError("; ".join(each.error for each in report.refreshed.values()))
    return report.exit_code


@cli.command()
@_extract_options
@_register
def run(catalog: str | None, **options: Any) -> int:
    """Extract and transform in one go."""
    extracted = _extract(**options)
    _say_extracted(extracted, options["lake"])
    transformed = _transform(options["lake"], options["workers"], catalog=catalog)
    _say_transformed(transformed)
    if not extracted.manifests and not transformed.processed:
        click.echo("Nothing has changed: the lake was up to date.")
    else:
        ticker = min(extracted.entries)
        click.echo(
            "Next, try:\n"
            "  tickerlake status\n"
            '  tickerlake query "select ticker, session, close, rsi_14, sma_200 from daily'
            f" where ticker='{ticker}' order by session desc limit 5\"\n"
            "  tickerlake verify"
        )
    codes = {extracted.exit_code, transformed.exit_code}
    return (
        codes.pop() if len(codes) == 1 else 3 if {1, 3} & codes and 0 not in codes else max(codes)
    )


@cli.command()
@_lake
@_workers
@_format("table", "json")
def status(lake: str, workers: int, form: str) -> None:
    """Say what the lake holds: tickers, sessions, gaps, quarantined rows, last runs."""
    from dataclasses import asdict

    from tickerlake.lake import open_lake
    from tickerlake.stages import status as statuses

    found = statuses.status(open_lake(lake), workers)
    if form == "json":
        from pydantic_core import to_json

        click.echo(to_json(asdict(found), indent=1).decode())
    else:
        _print_status(found)


@cli.command()
@click.argument("sql")
@_lake
@_format("table", "csv", "json")
def query(sql: str, lake: str, form: str) -> None:
    """Run SQL (DuckDB's) over the tables raw, history and daily."""
    from tickerlake.lake import open_lake
    from tickerlake.stages import query as queries

    answer = queries.query(open_lake(lake), sql)
    if form == "csv":
        click.echo(answer.write_csv(), nl=False)
    elif form == "json":
        click.echo(answer.write_json())
    else:
        _print_table(answer.columns, answer.rows())


@cli.command()
@_lake
@_workers
def verify(lake: str, workers: int) -> int:
    """Derive everything from raw again, and say whether the lake equals it."""
    from tickerlake.lake import open_lake
    from tickerlake.stages import verify as verifying

    with _progress() as progress:
        task = progress.add_task("verify", total=None)
        findings = verifying.verify(
            open_lake(lake), workers=workers, progress=lambda _: progress.advance(task)
        )
    for finding in findings:
        click.echo(finding)
    click.echo(
        f"{len(findings)} differences; `tickerlake transform --rebuild` repairs what is not raw."
        if findings
        else "The lake is what raw says."
    )
    return 1 if findings else 0


@cli.group()
def catalog() -> None:
    """The lake's tables in the Glue Data Catalog."""


@catalog.command()
@_lake
@_option("--catalog", metavar="DATABASE", required=True, help="The database that has the tables.")
def sync(lake: str, catalog: str) -> None:
    """Make partitions and columns in the catalog equal to the lake."""
    from tickerlake.aws.glue_catalog import Catalog
    from tickerlake.lake import open_lake

    done = Catalog(open_lake(lake), catalog).sync()
    click.echo(
        f"Partitions in {catalog}: {done.registered} registered, {done.updated} updated,"
        f" {done.removed} removed."
    )


@cli.command()
@_option("--queue", required=True, help="URL of the SQS queue that gets S3's events.")
@_workers
def watch(queue: str, workers: int) -> None:
    """Wait for manifests to arrive on S3, and transform each run.

    S3's events come by a queue. They are handled by the code of the starter Lambda, which here runs
    the transformer in this process. Ends by a signal.
    """
    from tickerlake.aws.watch import watch as watching

    for handled in watching(queue, workers=workers):
        log.info("handled %s", handled)


@cli.command()
@_option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@_option("--port", type=int, default=8080, show_default=True, help="The port to listen on.")
@_option("--as-of", type=_Moment(), help="What the clock shows.  [default: the recording's end]")
@click.option("--latency", type=float, default=0.0, help="Seconds that every answer takes.")
def replay(host: str, port: int, as_of: datetime | None, latency: float) -> None:
    """Serve Yahoo's chart API from recorded bars, for tests and demonstrations."""
    from tickerlake.sources.replay import END, Replay

    Replay(now=as_of or END, latency=latency, host=host, port=port).serve_forever()


def main(arguments: list[str] | None = None) -> None:
    """Run the command; the process's exit code says how it ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        code = cli.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except TickerlakeError as error:
        _fail(error)
        code = error.exit_code
    except _Interrupted as interruption:
        # requests in flight must not hold up the end; what they fetch is fetched again next time
        log.warning("ended by signal %s; what was committed stays", interruption.number)
        sys.stdout.flush()
        os._exit(128 + interruption.number)
    sys.exit(code)


class _Interrupted(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


def _interrupt(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise _Interrupted(number)


def _fail(error: TickerlakeError) -> None:
    if sys.stderr.isatty():
        click.secho(f"Error: {error}", fg="red", err=True)
    else:
        log.error("%s", error, extra={"error": type(error).__name__})


def _extract(
    *,
    lake: str,
    tickers: str | None,
    universe: str | None,
    start: datetime | None,
    end: datetime | None,
    grain: Any,
    requests_per_second: float,
    workers: int,
    offline: bool,
    yahoo_url: str | None,
    as_of: datetime | None,
) -> "ExtractReport":
    from contextlib import ExitStack

    from tickerlake.lake import create_lake
    from tickerlake.sources.yahoo import Yahoo
    from tickerlake.stages import extract as extracting

    if as_of and not (offline or yahoo_url):
        raise UsageError("--as-of needs --offline or --yahoo-url: Yahoo itself only knows today")
    if end and not start:
        raise UsageError("--end needs --start")
    if start and end and start > end:
        raise UsageError(f"--start {start:%Y-%m-%d} is after --end {end:%Y-%m-%d}")
    with ExitStack() as stack:
        if offline:
            from tickerlake.sources.replay import END, Replay

            as_of = as_of or END
            yahoo_url = stack.enter_context(Replay(now=as_of)).url
        elif yahoo_url:
            from tickerlake.sources.replay import clock

            as_of = as_of or clock(yahoo_url)
        moment = as_of or datetime.now(UTC)
        names = _tickers(lake, tickers, universe, offline)
        opened = create_lake(lake, grain)
        source = stack.enter_context(
            Yahoo(url=yahoo_url, requests_per_second=requests_per_second, workers=workers)
        )
        progress = stack.enter_context(_progress())
        task = progress.add_task("extract", total=len(names))
        return extracting.extract(
            opened,
            source,
            names,
            as_of=moment,
            start=start.date() if start else None,
            end=end.date() if end else None,
            workers=workers,
            progress=lambda *_: progress.advance(task),
        )


def _tickers(lake: str, tickers: str | None, universe: str | None, offline: bool) -> list[str]:
    from tickerlake.lake import open_lake
    from tickerlake.market import symbols
    from tickerlake.sources.replay import recording
    from tickerlake.stages.status import tickers as held_tickers

    if tickers and universe:
        raise UsageError("give --tickers or --universe, not both")
    if tickers:
        return symbols.parse(tickers.split(","))
    if universe:
        from tickerlake.app import read_universe

        return read_universe(universe)
    if offline:
        return recording.load()["ticker"].unique().sort().to_list()
    try:
        if held := held_tickers(open_lake(lake)):
            return held
    except NoLakeError:
        pass
    raise UsageError("which tickers? Give --tickers AAPL,MSFT or --universe FILE")


def _transform(
    lake: str,
    workers: int,
    engine: str = "local",
    catalog: str | None = None,
    rebuild: bool = False,
    run_id: str | None = None,
) -> "TransformReport":
    from tickerlake.lake import manifests, open_lake
    from tickerlake.stages import transform as transforming

    opened = open_lake(lake)
    if run_id:
        manifests.read(opened.store, run_id)
    register = _registering(opened, catalog, rebuild)
    spread = _engine(engine, workers)
    with _progress() as progress:
        task = progress.add_task("transform", total=None)
        return transforming.transform(
            opened,
            engine=spread,
            rebuild=rebuild,
            progress=lambda _: progress.advance(task),
            register=register,
        )


def _registering(
    lake: "Lake", database: str | None, rebuild: bool
) -> Callable[[Iterable[str]], object]:
    if database is None:
        return lambda _: None
    from tickerlake.aws.glue_catalog import Catalog

    catalog = Catalog(lake, database)
    # a rebuild puts and deletes partitions that no new manifest tells of
    return (lambda _: catalog.sync()) if rebuild else catalog.register


def _engine(name: str, workers: int) -> "Engine":
    if name == "spark":
        from tickerlake.engines import spark

        return spark.spark(spark.session())
    from tickerlake.engines.local import threads

    return threads(workers)


@contextmanager
def _progress() -> "Iterator[Progress]":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _say_extracted(report: "ExtractReport", lake: str) -> None:
    from tickerlake.stages.extract import summary

    click.echo(f"Extracted into {lake}: {summary(report.entries)}.")


def _say_transformed(report: "TransformReport") -> None:
    put = sum(len(each.partitions) for each in report.refreshed.values())
    click.echo(f"Transformed {len(report.processed)} runs: {put} partitions of daily put.")
    for each in report.refreshed.values():
        if each.error:
            click.echo(f"  {each.ticker} failed: {each.error}")


def _print_status(found: "Status") -> None:
    click.echo(f"{found.lake}, partitions by {found.grain}")
    _print_table(
        ["ticker", "sessions", "first", "last", "gaps", "quarantined"],
        [
            (each.ticker, each.sessions, each.first, each.last, _days(each.gaps), each.quarantined)
            for each in found.tickers
        ],
    )
    _print_table(
        ["run", "as of", "new", "corrected", "quarantined", "not ok", "state"],
        [
            (
                run.run_id,
                f"{run.as_of:%Y-%m-%d %H:%M}",
                sum(entry.new for entry in run.tickers.values()),
                sum(entry.corrected for entry in run.tickers.values()),
                sum(entry.quarantined for entry in run.tickers.values()),
                ", ".join(
                    f"{name}: {entry.outcome}"
                    for name, entry in run.tickers.items()
                    if entry.outcome not in ("ok", "empty")
                ),
                "pending" if run.run_id in found.pending else "processed",
            )
            for run in found.runs
        ],
    )


def _days(days: tuple[date, ...]) -> str:
    shown = ", ".join(str(day) for day in days[-3:])
    return f"{len(days)}: {shown}" if days else "0"


def _print_table(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    # piped, a table must not be squeezed into 80 columns
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    console.print(table)


if __name__ == "__main__":
    main()
