"""What of a command line is Glue's, and what is the job's."""

import pytest

from tickerlake.cli import glue


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ("--JOB_NAME x --lake s3://b --run-id r", "--lake s3://b --run-id r"),
        ("--rebuild --JOB_RUN_ID jr", "--rebuild"),
        ("--rebuild true --JOB_RUN_ID jr", "--rebuild"),
        ("--rebuild=true --offline false", "--rebuild"),
        ("--rebuild maybe", "--rebuild maybe"),
        ("--enable-metrics --lake=s3://b", "--lake s3://b"),
        ("--enable-metrics true --TempDir=s3://t --offline", "--offline"),
        ("--universe a=b", "--universe a=b"),
        ("--jobname x", "--jobname x"),
        ("stray --TempDir s3://t", "stray"),
        ("", ""),
    ],
)
def test_glues_own_arguments_are_left_out(given, own):
    assert glue.own(given.split(), {"--rebuild", "--offline"}) == own.split()
