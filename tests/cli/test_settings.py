"""What is typed reaches the stages: every option, through the command line and the environment."""

import os
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner
from helpers import tickerlake

from tickerlake import app
from tickerlake.cli.commands import tickerlake as command
from tickerlake.settings import ExtractSettings, Shard, SourceSettings, TransformSettings
from tickerlake.stages import extract as extraction
from tickerlake.stages import transform as transformation


@pytest.fixture
def asked(monkeypatch) -> dict[str, object]:
    """The settings that the stages get; nothing is done."""
    found: dict[str, object] = {}

    def extract(settings: ExtractSettings, *_: object) -> extraction.Report:
        found["extract"] = settings
        return extraction.Report()

    def transform(settings: TransformSettings, *_: object) -> transformation.Report:
        found["transform"] = settings
        return transformation.Report()

    monkeypatch.setattr(app, "extract", extract)
    monkeypatch.setattr(app, "transform", transform)
    return found


TYPED = {
    "--lake": "s3://bucket/some/lake",
    "--tickers": "AAPL,^GSPC",
    "--start": "2005-02-01",
    "--end": "2005-02-25",
    "--grain": "month",
    "--requests-per-second": "7.5",
    "--workers": "3",
    "--shard": "3/8",
    "--yahoo-url": "http://127.0.0.1:9",
    "--as-of": "2013-03-01T08:30+09:00",
}
EXTRACTION = ExtractSettings(
    lake="s3://bucket/some/lake",
    tickers=("AAPL", "^GSPC"),
    start=date(2005, 2, 1),
    end=date(2005, 2, 25),
    grain="month",
    workers=3,
    shard=Shard(3, 8),
    source=SourceSettings(
        yahoo_url="http://127.0.0.1:9",
        requests_per_second=7.5,
        as_of=datetime(2013, 2, 28, 23, 30, tzinfo=UTC),
    ),
)


@pytest.mark.parametrize("by", ["options", "environment"])
@pytest.mark.parametrize("name", ["extract", "run"])
def test_every_option_of_an_extraction_arrives(asked, name, by):
    if by == "options":
        words, environment = [word for pair in TYPED.items() for word in pair], {}
    else:
        words, environment = [], {
            "TICKERLAKE_" + option[2:].replace("-", "_").upper(): value
            for option, value in TYPED.items()
        }  # fmt: skip
    more = ["--catalog", "db"] if name == "run" else []
    done = tickerlake(name, *words, *more, **environment)
    assert asked["extract"] == EXTRACTION, done.stderr
    if name == "run":
        assert asked["transform"] == TransformSettings(EXTRACTION.lake, workers=3, catalog="db")


def test_every_option_of_a_transform_arrives(asked):
    typed = {"--lake": "x", "--workers": "5", "--engine": "spark", "--catalog": "db"}
    words = [word for pair in (typed | {"--run-id": "r"}).items() for word in pair]
    tickerlake("transform", *words, "--rebuild")
    assert asked["transform"] == TransformSettings("x", 5, "spark", "db", True, "r")
    tickerlake("transform")
    assert asked["transform"] == TransformSettings()


def test_without_options_the_defaults_are_those_of_the_settings(asked):
    tickerlake("extract", "aapl")
    assert asked["extract"] == ExtractSettings(tickers=("aapl",))
    tickerlake("extract", "--offline")
    assert asked["extract"] == ExtractSettings(source=SourceSettings(offline=True))
    tickerlake("extract", "--universe", "s3://b/u.txt")
    assert asked["extract"] == ExtractSettings(universe="s3://b/u.txt")


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2013-03-01T22:30Z", datetime(2013, 3, 1, 22, 30, tzinfo=UTC)),
        ("2013-03-01T22:30", datetime(2013, 3, 1, 22, 30, tzinfo=UTC)),
        ("2013-03-01", datetime(2013, 3, 1, tzinfo=UTC)),
        ("2013-03-01T08:30+11:00", datetime(2013, 2, 28, 21, 30, tzinfo=UTC)),
        ("2013-03-01T22:30-05:00", datetime(2013, 3, 2, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_in_utc_unless_a_zone_is_given(asked, typed, moment):
    tickerlake("extract", "AAPL", "--offline", "--as-of", typed)
    assert asked["extract"].source.as_of == moment


@pytest.mark.parametrize("day", ["2013-02-05"])
def test_a_window_of_one_day_is_one(asked, day):
    done = tickerlake("extract", "AAPL", "--start", day, "--end", day)
    assert asked["extract"].start == asked["extract"].end == date(2013, 2, 5), done.stderr


def test_the_end_is_the_last_session_that_is_stored(tmp_path):
    lake = str(tmp_path / "lake")
    words = ["run", "FB", "--offline", "--grain", "year", "--lake", lake]
    done = tickerlake(*words, "--start", "2013-02-04", "--end", "2013-02-08")
    assert "5 new bars" in done.stdout, done.stderr
    sql = "select min(session) as a, max(session) as b from daily"
    answer = tickerlake("query", sql, "--lake", lake, "--format", "csv").stdout
    assert answer.splitlines()[1] == "2013-02-04,2013-02-08"


def test_the_region_is_for_this_process(monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(app, "transform", lambda *_: seen.append(os.environ["AWS_DEFAULT_REGION"]))
    tickerlake("transform", "--region", "eu-west-3", AWS_DEFAULT_REGION="us-east-1")
    assert seen == ["eu-west-3"]


@pytest.mark.parametrize("workers", ["0", "65", "-1", "many"])
def test_workers_are_between_1_and_64(workers):
    answer = CliRunner().invoke(command, ["verify", "--workers", workers])
    assert answer.exit_code == 2
