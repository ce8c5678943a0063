"""Glue jobs: the commands of `tickerlake`, called as AWS Glue calls a job's script.

Glue appends the job's arguments, including its own, to the script's command line, and treats an
exception as a failure. `awsglue.utils.getResolvedOptions` is not used: it supports no optional
arguments and ignores unknown ones, so a misspelt argument would be lost (docs/decisions/0012,
0043).
"""

import difflib
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from tickerlake import logs
from tickerlake.cli.commands import tickerlake
from tickerlake.errors import TickerlakeError

log = logging.getLogger(__name__)

RESERVED: Final = frozenset(
    """
    JOB_NAME JOB_ID JOB_RUN_ID JOB_QUEUE_ARN SECURITY_CONFIGURATION TempDir RedshiftTempDir
    scriptLocation class conf debug mode job-language job-bookmark-option job-bookmark-from
    job-bookmark-to continuation-option encryption-type additional-python-modules
    python-modules-installer-option extra-files extra-jars extra-py-files user-jars-first
    use-postgres-driver datalake-formats executor-cores disable-proxy-v2 customer-driver-env-vars
    customer-executor-env-vars custom-logGroup-prefix custom-logStream-prefix
    continuous-log-conversionPattern continuous-log-logGroup continuous-log-logStreamPrefix
    auto-scale-within-microbatch enable-auto-scaling enable-continuous-cloudwatch-log
    enable-continuous-log-filter enable-data-lineage enable-glue-datacatalog enable-job-insights
    enable-lakeformation-fine-grained-access enable-metrics enable-observability-metrics
    enable-rename-algorithm-v2 enable-s3-parquet-optimized-committer enable-spark-ui
    job-insights-byo-rules spark-event-logs-path write-shuffle-files-to-s3
    write-shuffle-spills-to-s3
    no-index
    """.split()  # noqa: SIM905 - one name per line is sixty lines
)
"""Arguments that are Glue's, not the script's: 'Using job parameters in AWS Glue jobs' of the AWS
Glue developer guide, and what `awsglue.utils` calls reserved; `--no-index` is the value that infra/
gives to `--python-modules-installer-option`. They are dropped silently; other unknown arguments are
dropped with a warning."""

_SIMILAR: Final = 0.75
"""How similar (difflib) a name must be to one of our options to count as a misspelling of it."""


@dataclass
class _Argument:
    """A name and the words after it, which may be none."""

    name: str
    words: list[str]


def run(*command: str) -> None:
    """Run a command with the arguments of this process, which Glue started.

    Returns when it is done, even if only in part: what failed is in the log and in the manifest,
    and must not make Glue do everything again.

    Args:
        command: the command, and options that come before the arguments, which may override them.

    Raises:
        SystemExit: it failed; the text, which becomes the job run's error message, says why.
    """
    logs.setup("INFO")
    arguments = ours(sys.argv[1:], tickerlake.commands[command[0]])
    if "--lake" not in arguments:
        raise SystemExit(
            "--lake is missing: the default, a folder on this machine, is lost with it"
        )
    try:
        code = tickerlake.main(
            [*command, *arguments], prog_name="tickerlake", standalone_mode=False
        )
    except click.ClickException as error:
        raise SystemExit(error.format_message()) from error
    except TickerlakeError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        log.exception("unexpected")
        raise SystemExit(f"unexpected {type(error).__name__}: {error}") from error
    log.info("exit code %s", code)


def ours(arguments: Sequence[str], command: click.Command) -> list[str]:
    """Return the arguments that are the command's, and those that look like a misspelling of one.

    Args:
        arguments: what the script was called with. Glue knows no job argument without a value, so
            a flag may be followed by `true`, or by `false`, which leaves it out.
        command: whose options are known.
    """
    options = {
        name: option
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    kept: list[str] = []
    for argument in _split(arguments):
        if option := options.get(argument.name):
            kept += _given(argument, option)
        elif argument.name.removeprefix("--") in RESERVED:
            continue
        elif _is_misspelt(argument.name, options):
            kept += [argument.name, *argument.words]  # the command will reject it
        else:
            log.warning(
                "ignored %s: it is neither Glue's nor an option of `tickerlake %s`",
                " ".join([argument.name, *argument.words]).strip(),
                command.name,
            )
    return kept


def _split(arguments: Sequence[str]) -> Iterator[_Argument]:
    """Cut a command line before each name; words before the first one have the name ''."""
    found: _Argument | None = None
    for argument in arguments:
        if argument.startswith("--"):
            if found:
                yield found
            name, equals, value = argument.partition("=")
            found = _Argument(name, [value] if equals else [])
        elif found:
            found.words.append(argument)
        else:
            found = _Argument("", [argument])
    if found:
        yield found


def _given(argument: _Argument, option: click.Option) -> list[str]:
    """Return one of our options as the command line expects it."""
    name, words = argument.name, argument.words
    if option.is_flag:
        match words:
            case [] | ["true"]:
                return [name]
            case ["false"]:
                return []
            case _:
                return [f"{name}={' '.join(words)}"]  # which the command refuses
    if words[1:]:
        log.warning("ignored %s after %s %s: stray words", " ".join(words[1:]), name, words[0])
    return [name, *words[:1]]


def _is_misspelt(name: str, options: Iterable[str]) -> bool:
    """Return whether a name looks like a misspelling of an option.

    >>> [_is_misspelt(name, ["--run-id"]) for name in ("--runid", "--RUN_ID", "--JOB_QUEUE_ARN")]
    [True, True, False]
    """
    plain = name.lower().replace("_", "-")
    return bool(difflib.get_close_matches(plain, list(options), cutoff=_SIMILAR))
