"""What of a command line is Glue's, and what is the job's."""

import logging
import sys

import pytest
from helpers import tickerlake as cli

from tickerlake import app
from tickerlake.cli import glue
from tickerlake.cli.commands import tickerlake

TRANSFORM = tickerlake.commands["transform"]
EXTRACT = tickerlake.commands["extract"]


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("--JOB_NAME x --lake s3://b --run-id r", "--lake s3://b --run-id r"),
        ("--rebuild --JOB_RUN_ID jr", "--rebuild"),
        ("--rebuild true --JOB_RUN_ID jr", "--rebuild"),
        ("--rebuild=true", "--rebuild"),
        ("--rebuild false", ""),
        ("--rebuild maybe", "--rebuild=maybe"),
        ("--enable-metrics --lake=s3://b", "--lake s3://b"),
        ("--enable-metrics true --TempDir=s3://t --rebuild", "--rebuild"),
        ("--run-id a=b", "--run-id a=b"),
        ("--lake", "--lake"),
        ("", ""),
    ],
)
def test_glues_own_arguments_are_left_out(given, ours, caplog):
    assert glue.ours(given.split(), TRANSFORM) == ours.split()
    assert not caplog.records


KNOWN = [
    "--additional-python-modules s3://b/tickerlake-0.1.0.gluewheels.zip",
    "--python-modules-installer-option --no-index",
    "--custom-logGroup-prefix /tickerlake/jobs",
    "--custom-logStream-prefix jr_1",
    "--job-insights-byo-rules s3://b/rules",
    "--auto-scale-within-microbatch true",
    "--JOB_QUEUE_ARN arn:aws:glue:eu-central-1:1:queue/q",
    "--continuation-option continuation-enabled",
    "--enable-observability-metrics true",
    "--job-bookmark-option job-bookmark-disable",
    "--job-bookmark-from 1",
    "--job-bookmark-to 2",
    "--job-language python",
    "--JOB_NAME lake-extractor",
    "--JOB_ID j_1",
    "--JOB_RUN_ID jr_1",
    "--TempDir s3://b/tmp",
    "--scriptLocation s3://b/x.py",
    "--class GlueApp",
    "--conf spark.x=1",
    "--enable-metrics true",
    "--enable-continuous-cloudwatch-log true",
    "--enable-spark-ui true",
    "--spark-event-logs-path s3://b/logs",
    "--enable-job-insights false",
    "--enable-glue-datacatalog true",
    "--extra-py-files s3://b/x.zip",
    "--enable-auto-scaling true",
]
"""What the AWS console and Terraform's examples set, written down without looking at `RESERVED`."""


@pytest.mark.parametrize("argument", KNOWN)
def test_what_glue_may_pass_is_left_out_in_silence(argument, caplog):
    given = ["--lake", "s3://b", *argument.split(), "--run-id", "r"]
    assert glue.ours(given, TRANSFORM) == ["--lake", "s3://b", "--run-id", "r"]
    assert not caplog.records


@pytest.mark.parametrize(
    ("argument", "warning"),
    [
        ("--what-aws-adds-next-year on", "--what-aws-adds-next-year on"),
        ("--jobname x", "--jobname x"),
        ("--enable-something", "--enable-something"),
        ("--lake s3://b stray words", "stray words"),
    ],
)
def test_what_nobody_knows_is_left_out_with_a_warning(argument, warning, caplog):
    given = [*argument.split(), "--lake", "s3://b"]
    with caplog.at_level(logging.WARNING):
        kept = glue.ours(given, TRANSFORM)
    assert kept[-2:] == ["--lake", "s3://b"]
    assert "stray" not in kept
    [record] = caplog.records
    assert warning in record.getMessage()


@pytest.mark.parametrize("command", [EXTRACT, TRANSFORM], ids=lambda command: command.name)
def test_words_in_front_are_no_tickers(command, caplog):
    assert glue.ours(["stray", "AAPL", "--lake", "s3://b"], command) == ["--lake", "s3://b"]
    assert "ignored stray AAPL" in caplog.text or "stray AAPL" in caplog.text


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("--runid r", TRANSFORM),
        ("--run_id r", TRANSFORM),
        ("--RUN-ID r", TRANSFORM),
        ("--rebiuld true", TRANSFORM),
        ("--catalogue db", TRANSFORM),
        ("--worker 4", TRANSFORM),
        ("--lakes s3://b", TRANSFORM),
        ("--ticker AAPL", EXTRACT),
        ("--univers s3://b/u", EXTRACT),
        ("--request-per-second 1", EXTRACT),
        ("--ofline true", EXTRACT),
    ],
)
def test_a_misspelt_option_of_ours_is_kept_to_fail(given, command):
    assert glue.ours(given.split(), command) == given.split()


@pytest.mark.parametrize("command", tickerlake.commands.values(), ids=lambda command: command.name)
def test_nothing_of_glues_looks_like_an_option_of_ours(command):
    names = {name for parameter in command.params for name in parameter.opts}
    assert not names & {f"--{name}" for name in glue.RESERVED}


def run(monkeypatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["script", *arguments])
    with pytest.raises(SystemExit) as ended:
        glue.run("transform", "--engine", "local")
    return ended.value.code


def test_a_job_fails_with_a_reason(monkeypatch, tmp_path):
    assert "--lake is missing" in run(monkeypatch, "--run-id", "r")
    lake = ["--lake", str(tmp_path / "lake")]
    assert "No such option" in run(monkeypatch, *lake, "--runid", "r")
    assert run(monkeypatch, *lake, "--rebuild", "maybe").startswith("Option '--rebuild'")
    assert "NoLakeError: there is no lake" in run(monkeypatch, *lake, "--some-thing", "x")


def test_an_unexpected_error_is_a_reason_too(monkeypatch):
    def fail(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(app, "transform", fail)
    assert run(monkeypatch, "--lake", "s3://b") == "unexpected KeyError: 'x'"


def test_the_compactors_arguments_are_those_of_its_command(tmp_path, monkeypatch, caplog):
    """With the arguments that infra/modules/glue gives it, and Glue's own."""
    lake = str(tmp_path / "lake")
    done = cli("run", "--offline", "FB", "--grain", "year", "--lake", lake)
    assert done.returncode == 0, done.stderr
    own = ["--JOB_NAME", "lake-compactor", "--job-language", "python"]
    words = ["--lake", lake, "--region", "us-east-1", "--workers", "32"]
    monkeypatch.setattr(sys, "argv", ["glue_compactor_job.py", *own, *words])
    caplog.set_level(logging.INFO)
    glue.run("compact")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
