"""The command `doctor`."""

from typing import TYPE_CHECKING, Final

import click

from tickerlake import app
from tickerlake.cli import options
from tickerlake.cli.parameters import Text
from tickerlake.errors import UsageError
from tickerlake.settings import DoctorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickerlake.diagnosis import Diagnosis

_COLOURS: Final = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@options.lake
@options.yahoo_url
@options.output_format("text", "json", default="text")
@click.option("--aws", is_flag=True, help="Examine the AWS account that --infra deploys to.")
@options.option(
    "--infra",
    type=Text(),
    metavar="FOLDER",
    default="infra",
    show_default=True,
    help="The folder with the Terraform configuration.",
)
@click.option(
    "--trial/--no-trial",
    default=True,
    show_default=True,
    help="After the apply, run the deployed jobs: for one ticker, and once so that a run fails.",
)
def doctor(
    lake: str, yahoo_url: str | None, output_format: str, aws: bool, infra: str, trial: bool
) -> int:
    """Examine this machine, or an AWS account, and say what to do.

    Without --aws: Python, Java, Docker, the disk, Yahoo and the clock.

    With --aws, before `terraform apply`: who you are, region, bucket, quotas, encryption and Lake
    Formation of the Data Catalog, permissions, dist/ and Terraform. After it also what was
    deployed: schedule, alarms and their queries, subscriptions, dead letters, and a trial. The
    trial takes about ten minutes and costs a few cents: one ticker goes through the deployed jobs
    to Athena, and a run fails on purpose, so that the mail about it must come.
    """
    if not aws and options.was_typed("trial"):
        raise UsageError("--trial and --no-trial need --aws")
    settings = DoctorSettings(lake, yahoo_url, infra if aws else None, trial)
    lines = app.doctor(settings)
    shown = _as_json(lines) if output_format == "json" else _as_text(lines)
    return 1 if "failed" in shown else 0


def _as_text(lines: "Iterator[Diagnosis]") -> set[str]:
    """Print each line as soon as it is known; return the verdicts."""
    verdicts = set()
    for line in lines:
        verdict = click.style(f"{line.verdict:8}", fg=_COLOURS[line.verdict])
        click.echo(f"{verdict} {line.name}: {line.saw}")
        if line.advice:
            click.echo(f"{'':8} -> {line.advice}.")
        verdicts.add(line.verdict)
    return {str(verdict) for verdict in verdicts}


def _as_json(lines: "Iterator[Diagnosis]") -> set[str]:
    import json

    found = list(lines)
    click.echo(json.dumps([line._asdict() for line in found], indent=1))
    return {line.verdict for line in found}
