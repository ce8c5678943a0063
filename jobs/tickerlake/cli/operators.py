"""Commands for operators: they run a lake on AWS, or serve tests."""

import logging
from datetime import datetime
from typing import Final

import click

from tickerlake import app
from tickerlake.cli import options, output
from tickerlake.cli.parameters import Moment, Number, Text
from tickerlake.settings import WatchSettings

log = logging.getLogger(__name__)


@click.command()
@options.option(
    "--queue",
    type=Text(),
    required=True,
    metavar="URL",
    help="The SQS queue that receives S3's events.",
)
@options.workers
@options.catalog
def watch(queue: str, workers: int, catalog: str | None) -> None:
    """Wait for manifests to arrive on S3, and transform each run.

    S3's events arrive through a queue. The code of the starter Lambda handles them, and here runs
    the transformer in this process. Stops on a signal.
    """
    for handled in app.watch(WatchSettings(queue, workers, catalog)):
        log.info("handled %s", handled)


@click.group()
def catalog() -> None:
    """The lake's tables in the Glue Data Catalog."""


@catalog.command()
@options.lake
@options.option(
    "--catalog",
    "database",
    type=Text(),
    metavar="DATABASE",
    required=True,
    help="The database that has the tables.",
)
def sync(lake: str, database: str) -> None:
    """Make the partitions and columns in the catalog match the lake."""
    output.synced(app.sync_catalog(lake, database), database)


@click.command()
@options.option(
    "--host",
    type=Text(),
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on.",
)
@options.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    default=8080,
    show_default=True,
    help="The port to listen on.",
)
@options.option(
    "--as-of",
    type=Moment(),
    metavar="YYYY-MM-DDTHH:MMZ",
    help="What the clock shows.  [default: the recording's end]",
)
@click.option(
    "--latency",
    type=Number(0, 3600),
    metavar="SECONDS",
    default=0.0,
    help="How long every answer takes.",
)
def replay(host: str, port: int, as_of: datetime | None, latency: float) -> None:
    """Serve recorded bars the way Yahoo does.

    The replay answers like Yahoo's chart API, for tests and demonstrations. Stops on a signal.
    """
    app.serve_replay(host, port, as_of, latency)


OPERATORS: Final = (watch, catalog, replay)
