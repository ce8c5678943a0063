"""Options that several commands share, and the settings that are made from them."""

import os
from collections.abc import Callable
from datetime import date, datetime
from functools import update_wrapper
from typing import Any, Final

import click
from click.core import ParameterSource

from tickerlake import settings
from tickerlake.cli.parameters import Day, Moment, Number, Share, Text, Tickers
from tickerlake.settings import (
    ExtractSettings,
    Grain,
    Shard,
    SourceSettings,
    TransformSettings,
)  # fmt: skip

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def option(*names: str, **attributes: Any) -> Decorator:
    """Declare an option that an environment variable can also set."""
    variable = "TICKERLAKE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **attributes)


def _together(*decorators: Decorator) -> Decorator:
    def decorate(command: Command) -> Command:
        for each in reversed(decorators):
            command = each(command)
        return command

    return decorate


def _set_region(_context: click.Context, _option: click.Parameter, region: str | None) -> None:
    """Let boto3 know the region; by itself, it doesn't look at AWS_REGION."""
    if region:
        os.environ["AWS_DEFAULT_REGION"] = region
    elif "AWS_DEFAULT_REGION" not in os.environ and (found := os.environ.get("AWS_REGION")):
        os.environ["AWS_DEFAULT_REGION"] = found


lake: Final = _together(
    option(
        "--lake",
        type=Text(),
        metavar="FOLDER|s3://BUCKET/PREFIX",
        default=settings.LAKE,
        show_default=True,
        help="Where the lake is.",
    ),
    option(
        "--region",
        type=Text(),
        metavar="REGION",
        expose_value=False,
        callback=_set_region,
        help="The AWS region of a lake on S3.  [default: what AWS_DEFAULT_REGION, AWS_REGION or the"
        " AWS profile says]",
    ),
)
workers: Final = option(
    "--workers",
    type=click.IntRange(1, 64),
    default=settings.WORKERS,
    show_default=True,
    metavar="NUMBER",
    help="How many tickers are processed at the same time.",
)
workers_or_default: Final = option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="NUMBER",
    help="How many tickers are in progress at the same time.  [default: 8 on a disk, 64 on S3]",
)
requests_per_second: Final = option(
    "--requests-per-second",
    type=Number(0.001, 1_000_000),
    default=settings.REQUESTS_PER_SECOND,
    show_default=True,
    metavar="NUMBER",
    help="The request budget that all workers share.",
)
catalog: Final = option(
    "--catalog",
    type=Text(),
    metavar="DATABASE",
    help="Register new partitions in this database of the Glue Data Catalog.",
)


offline: Final = option(
    "--offline",
    is_flag=True,
    help="Use recorded bars from 2000-2013 instead of Yahoo: no network is needed.",
)
yahoo_url: Final = option(
    "--yahoo-url",
    type=Text(),
    metavar="URL",
    help="Ask a replay at this address instead of Yahoo.",
)
as_of: Final = click.option(
    "--as-of",
    "--at",
    "as_of",
    type=Text(),
    metavar="MOMENT|RUN|STAMP",
    help="Read the lake as it was: at a moment in UTC (a day is its end), after a run, or in the"
    " state with a stamp.",
)


def output_format(*choices: str, default: str | None = None) -> Decorator:
    """Declare `--format`."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=default,
        show_default=default is not None,
        help="How to print the answer.",
    )


_extract_options: Final = _together(
    click.argument("arguments", nargs=-1, metavar="[TICKER]..."),
    lake,
    option(
        "--tickers",
        type=Tickers(),
        metavar="AAPL,MSFT",
        help="The tickers, in Yahoo's spelling: AAPL,BRK-B,^GSPC. They may also be given as"
        " arguments.  [default: those that the lake holds]",
    ),
    option(
        "--universe",
        type=Text(),
        metavar="FILE|s3://BUCKET/KEY",
        help="A file with one ticker per line; # starts a comment.",
    ),
    option(
        "--shard",
        type=Share(),
        metavar="NUMBER/COUNT",
        help="Take only this machine's share of the tickers: 3/8 on the third of eight machines."
        "  [default: all]",
    ),
    option(
        "--start",
        type=Day(),
        metavar="YYYY-MM-DD",
        help="How far back the lake should reach, for held tickers too; with --end, the first"
        " session to fetch.  [default for new tickers: two years ago]",
    ),
    option(
        "--end",
        type=Day(),
        metavar="YYYY-MM-DD",
        help="The last session to fetch; needs --start.",
    ),
    option(
        "--grain",
        type=click.Choice(["day", "month", "year"]),
        help="Partition grain of a new lake: day suits a few dozen tickers, year large universes."
        "  [default: day]",
    ),
    requests_per_second,
    workers,
    offline,
    yahoo_url,
    option(
        "--as-of",
        type=Moment(),
        metavar="YYYY-MM-DDTHH:MMZ",
        help="The moment to use as the current time; only with a replay."
        "  [default: now, or what the replay's clock shows]",
    ),
)


def extract_settings(command: Callable[[ExtractSettings], int]) -> Command:
    """Give a command the options of `extract`, and call it with the settings."""

    def parsed(**values: Any) -> int:
        return command(_extract_settings(**values))

    return _extract_options(update_wrapper(parsed, command))


def run_settings(command: Callable[[ExtractSettings, TransformSettings], int]) -> Command:
    """Give a command the options of both stages, and call it with the settings of both."""

    def parsed(catalog: str | None, **values: Any) -> int:
        extraction = _extract_settings(**values)
        return command(
            extraction,
            TransformSettings(
                extraction.lake,
                workers=extraction.workers if was_given("workers") else None,
                catalog=catalog,
            ),
        )

    return _extract_options(catalog(update_wrapper(parsed, command)))


def _extract_settings(
    *,
    arguments: tuple[str, ...],
    lake: str,
    tickers: tuple[str, ...] | None,
    universe: str | None,
    shard: Shard | None,
    start: date | None,
    end: date | None,
    grain: Grain | None,
    requests_per_second: float,
    workers: int,
    offline: bool,
    yahoo_url: str | None,
    as_of: datetime | None,
) -> ExtractSettings:
    typed = was_typed("tickers"), was_typed("universe"), bool(arguments)
    if sum(typed) > 1:
        raise click.UsageError(
            "give tickers as arguments, with --tickers or with --universe: one way"
        )
    if any(typed):  # the command line takes precedence over the environment
        tickers = tickers if typed[0] else None
        universe = universe if typed[1] else None
    return ExtractSettings(
        lake=lake,
        tickers=arguments or tickers or (),
        universe=universe,
        shard=shard,
        start=start,
        end=end,
        grain=grain,
        workers=workers,
        source=SourceSettings(
            offline=offline,
            yahoo_url=yahoo_url,
            requests_per_second=requests_per_second,
            as_of=as_of,
        ),
    )


def was_given(name: str) -> bool:
    """Return whether an option stands on the command line or in the environment."""
    context = click.get_current_context()
    return context.get_parameter_source(name) is not ParameterSource.DEFAULT


def was_typed(name: str) -> bool:
    """Return whether an option stands on the command line."""
    context = click.get_current_context()
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
