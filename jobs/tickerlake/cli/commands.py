"""The commands: they parse, call `app`, and let `output` print the result. They decide nothing.

Heavy imports are inside the commands, so that `--help` takes no time.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tickerlake import __version__, app, logs, reads
from tickerlake.cli import answers, options, output
from tickerlake.cli.doctor import doctor
from tickerlake.cli.group import Commands
from tickerlake.cli.mcp import mcp
from tickerlake.cli.operators import OPERATORS
from tickerlake.cli.parameters import Text
from tickerlake.cli.past import PAST
from tickerlake.cli.plan import plan
from tickerlake.cli.report import report, write_report
from tickerlake.cli.show import show
from tickerlake.cli.upkeep import UPKEEP
from tickerlake.errors import AllFailedError, NoLakeError
from tickerlake.settings import WORKERS, EngineName, ExtractSettings, TransformSettings
from tickerlake.stages import FAILED

if TYPE_CHECKING:
    from tickerlake.stages.extract import Report as ExtractReport


@click.group(
    cls=Commands,
    operators=[command.name for command in OPERATORS],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 128+n ended by signal n.",
)
@click.version_option(__version__, prog_name="tickerlake")
@options.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="What to log on standard error.  [default: WARNING on a terminal, else INFO]",
)
def tickerlake(log_level: str | None) -> None:
    """A daily stock-market data lake: from Yahoo to refined features.

    Start with `tickerlake run --offline`, which needs no network, then ask
    `tickerlake query "select * from daily limit 5"`.
    """
    logs.setup(log_level or ("WARNING" if logs.is_terminal() else "INFO"))


@tickerlake.command()
@options.run_settings
def run(extraction: ExtractSettings, transformation: TransformSettings) -> int:
    """Extract and transform in one go.

    Name the tickers (tickerlake run AAPL MSFT), or leave them out to bring those that the lake
    holds up to date.
    """
    from tickerlake.lake.once import Histories

    histories = Histories()
    with output.progress_of("extract") as progress:
        extracted = app.extract(extraction, progress, histories)
    if not extracted.is_quiet:
        output.extracted(extracted, extraction.lake)
    try:
        with output.progress_of("transform") as progress:
            transformed = app.transform(transformation, progress, histories)
    except NoLakeError as error:  # every ticker failed, so no lake was created
        raise AllFailedError(_reasons(extracted)) from error
    output.ran(extracted, transformed)
    return max(extracted.exit_code, transformed.exit_code)


@tickerlake.command()
@options.extract_settings
def extract(extraction: ExtractSettings) -> int:
    """Fetch bars into raw/.

    Bring the lake up to date: every ticker gets the sessions that have closed since, corrections of
    recent ones, and gaps that the source has filled. With --start and --end, fetch those sessions,
    and any that lie between them and the sessions that are held.
    """
    with output.progress_of("extract") as progress:
        report = app.extract(extraction, progress)
    output.extracted(report, extraction.lake)
    if report.exit_code == FAILED:
        raise AllFailedError(_reasons(report))
    return report.exit_code


def _reasons(report: "ExtractReport") -> str:
    reasons = {each.reason: None for each in report.entries.values()}
    return f"every ticker failed: {'; '.join(list(reasons)[:3])}"


@tickerlake.command()
@options.lake
@options.workers_or_default
@options.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Spread tickers over --workers threads, or over a Spark session's executors.",
)
@options.catalog
@click.option(
    "--run-id",
    type=Text(),
    metavar="RUN",
    help="Fail unless this run exists; all pending runs are processed in any case.",
)
@click.option("--rebuild", is_flag=True, help="Rebuild history and refined from raw alone.")
@options.option(
    "--report",
    "report_place",
    type=Text(),
    metavar="FOLDER|s3://BUCKET/PREFIX",
    help="Afterwards, write the report there, too; see `tickerlake report`.",
)
def transform(
    lake: str,
    workers: int | None,
    engine: EngineName,
    catalog: str | None,
    run_id: str | None,
    rebuild: bool,
    report_place: str | None,
) -> int:
    """Turn new runs into history/ and refined/."""
    settings = TransformSettings(lake, workers, engine, catalog, rebuild, run_id)
    with output.progress_of("transform") as progress:
        done = app.transform(settings, progress)
    output.transformed(done)
    if done.exit_code == 1:
        raise AllFailedError("; ".join(each.error for each in done.refreshed.values()))
    if report_place:
        write_report((), lake, workers or WORKERS, report_place)
    return done.exit_code


@tickerlake.command()
@options.lake
@options.workers
@options.as_of
@options.output_format("table", "json", default="table")
def status(lake: str, workers: int, as_of: str | None, output_format: str) -> int:
    """Show what the lake holds, and what is missing.

    For every ticker: its sessions, how many it is behind, how many rows are in quarantine, and the
    gaps. Then the last runs, and those that the transformer has yet to process; what they bring is
    counted already. The stamp names this state: --at STAMP reads it again.
    """
    held = reads.status(lake, workers, as_of)
    if output_format == "json":
        from dataclasses import asdict

        from pydantic_core import to_json

        click.echo(to_json(asdict(held), indent=1).decode())
    else:
        output.held(held)
    output.damaged(held.damaged)
    return 1 if held.damaged else 0


@tickerlake.command()
@click.argument("sql", required=False, shell_complete=answers.completions)
@options.lake
@options.as_of
@click.option(
    "--file",
    "file",
    type=click.File("r", encoding="utf-8-sig"),
    metavar="FILE",
    help="Read the SQL from a file.",
)
@options.output_format(*answers.FORMATS)
@click.option(
    "--output",
    "output_file",
    type=Text(),
    metavar="FILE",
    help="Write the answer to a file; without --format, its extension decides the format.",
)
@click.option("--all", "everything", is_flag=True, help="Show every row and column of a table.")
@click.option("--vertical", is_flag=True, help="Show each value on its own line.")
@click.option("--unsafe", is_flag=True, help="Let the SQL read and write files outside the lake.")
def query(
    sql: str | None,
    lake: str,
    as_of: str | None,
    file: Any,
    output_format: str | None,
    output_file: str | None,
    everything: bool,
    vertical: bool,
    unsafe: bool,
) -> None:
    """Query the lake in SQL (DuckDB's dialect).

    One statement over the lake's tables and views. Give it as an argument, with --file, or on
    standard input. Without any, the tables, the views and some examples are shown.
    """
    asked = answers.statement(sql, file)
    chosen = answers.chosen(output_format, output_file)
    if asked is None:
        click.echo(answers.examples(answers.any_ticker(lake)))
        return
    frame = reads.query(asked, lake, unsafe=unsafe, as_of=as_of)
    answers.write(frame, chosen, output_file, everything=everything, vertical=vertical)


@tickerlake.command()
@click.argument("file", metavar="FILE.duckdb", type=click.Path(dir_okay=False, path_type=Path))
@options.lake
def views(file: Path, lake: str) -> None:
    """Write the tables and views to a DuckDB file.

    Any client of DuckDB opens the file, without tickerlake and without the lake. A file that this
    command wrote before is replaced.
    """
    from tickerlake.lake import open_lake
    from tickerlake.stages import duckdb_file

    output.copied(duckdb_file.write(open_lake(lake), file), str(file))


@tickerlake.command()
@options.lake
@options.workers
def verify(lake: str, workers: int) -> int:
    """Derive everything from raw again, and compare it with the lake."""
    with output.progress_of("verify") as progress:
        differences = app.verify(lake, workers, progress)
    output.verified(differences)
    return 1 if differences else 0


for command in (show, report, *PAST, *UPKEEP, plan, doctor, mcp, *OPERATORS):
    tickerlake.add_command(command)
