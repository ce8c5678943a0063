"""Glue jobs: the commands of `tickerlake`, called as AWS Glue calls a job's script.

Glue appends the job's arguments, its own ones among them, to the script's command line, and takes
an exception for a failure. `awsglue.utils.getResolvedOptions` is not used: it takes no optional
argument, and what it does not know it ignores, so a misspelt argument would be lost
(docs/decisions/0012).
"""

import logging
import sys
from collections.abc import Collection, Sequence
from typing import Final

import click

from tickerlake import logs
from tickerlake.cli import cli
from tickerlake.errors import TickerlakeError

log = logging.getLogger(__name__)

RESERVED: Final = frozenset(
    """
    JOB_NAME JOB_ID JOB_RUN_ID SECURITY_CONFIGURATION TempDir RedshiftTempDir scriptLocation class
    conf debug mode job-language job-bookmark-option job-bookmark-from job-bookmark-to
    encryption-type additional-python-modules python-modules-installer-option extra-files extra-jars
    extra-py-files user-jars-first use-postgres-driver datalake-formats executor-cores
    disable-proxy-v2 customer-driver-env-vars customer-executor-env-vars
    continuous-log-conversionPattern continuous-log-logGroup continuous-log-logStreamPrefix
    enable-auto-scaling enable-continuous-cloudwatch-log enable-continuous-log-filter
    enable-data-lineage enable-glue-datacatalog enable-job-insights
    enable-lakeformation-fine-grained-access enable-metrics enable-observability-metrics
    enable-rename-algorithm-v2 enable-s3-parquet-optimized-committer enable-spark-ui
    spark-event-logs-path write-shuffle-files-to-s3 write-shuffle-spills-to-s3
    """.split()  # noqa: SIM905 - a line a name is fifty lines
)
"""Arguments that are Glue's, not the script's: 'Using job parameters in AWS Glue jobs' of the AWS
Glue developer guide, and what `awsglue.utils` calls reserved."""


def run(*command: str) -> None:
    """Run a command with the arguments of this process, which Glue started.

    Returns when it is done, also when it is done in part: what failed is in the log and in the
    manifest, and must not make Glue do everything again.

    Args:
        command: the command, and options that come before the arguments, which may repeat them.

    Raises:
        SystemExit: it failed; the text, which becomes the job run's error message, says why.
    """
    logs.setup("INFO")
    arguments = own(sys.argv[1:], _flags(cli.commands[command[0]]))
    if "--lake" not in arguments:
        raise SystemExit("--lake is missing: the default, a folder of this machine, ends with it")
    try:
        code = cli.main([*command, *arguments], prog_name="tickerlake", standalone_mode=False)
    except click.ClickException as error:
        raise SystemExit(error.format_message()) from error
    except TickerlakeError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error
    log.info("exit code %s", code)


def own(arguments: Sequence[str], flags: Collection[str] = ()) -> list[str]:
    """The arguments without Glue's own, each of which is a name and perhaps a value.

    Args:
        arguments: what the script was called with.
        flags: names that take no value here. Glue knows no job argument without one, so these may
            be followed by `true`, or by `false`, which leaves them out.
    """
    pairs: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
            pairs.append([name, value] if equals else [name])
        elif pairs:
            pairs[-1].append(argument)
        else:
            pairs.append([argument])
    kept: list[str] = []
    for pair in pairs:
        if pair[0] in flags and pair[1:] in (["true"], ["false"]):
            kept += pair[:1] if pair[1] == "true" else []
        elif pair[0].removeprefix("--") not in RESERVED:
            kept += pair
    return kept


def _flags(command: click.Command) -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {name for each in options if each.is_flag for name in each.opts}
