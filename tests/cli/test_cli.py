"""The command, as a user types it."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import click
import polars as pl
import pytest
from click.testing import CliRunner
from helpers import tickerlake
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.cli.commands import tickerlake as command
from tickerlake.cli.parameters import Text
from tickerlake.cli.upkeep import KINDS
from tickerlake.settings import Shard
from tickerlake.stages.plan import grains

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["day", "month", "year"])
def filled(request, tmp_path_factory) -> str:
    """A lake as `make run` makes it."""
    lake = str(tmp_path_factory.mktemp("cli") / "lake")
    done = tickerlake("run", "--offline", "--lake", lake, "--grain", request.param)
    assert done.returncode == 0, done.stderr
    assert "5 tickers, 2,208 new bars" in done.stdout
    assert "Processed 1 run: wrote" in done.stdout
    assert "Next, try:" in done.stdout
    return lake


def test_a_second_run_changes_nothing_and_says_so(filled):
    before = {path: path.stat().st_mtime_ns for path in Path(filled).rglob("*")}
    done = tickerlake("run", "--offline", TICKERLAKE_LAKE=filled)
    assert done.returncode == 0
    assert done.stdout == "Nothing has changed: the lake was up to date.\n"
    assert {path: path.stat().st_mtime_ns for path in Path(filled).rglob("*")} == before


QUESTION = (
    "select ticker, session, close, rsi_14, sma_200 from daily where ticker='AAPL'"
    " order by session desc limit 5"
)


def test_the_query_of_the_readme(filled):
    answer = tickerlake("query", QUESTION, "--lake", filled, "--format", "csv").stdout.splitlines()
    assert answer[0] == "ticker,session,close,rsi_14,sma_200"
    assert len(answer) == 6
    assert answer[1].startswith("AAPL,2013-03-01,430.47,")
    rows = json.loads(tickerlake("query", QUESTION, "--lake", filled, "--format", "json").stdout)
    assert [row["session"] for row in rows][:2] == ["2013-03-01", "2013-02-28"]
    table = tickerlake("query", QUESTION, "--lake", filled).stdout
    assert re.search(r"AAPL\s+2013-03-01\s+430.47", table)


def test_all_tables_can_be_queried(filled):
    sql = (
        "select (select count(*) from raw) as raw, (select count(*) from history) as history,"
        " (select count(*) from daily) as daily, (select count(distinct run_id) from raw) as runs"
    )
    answer = tickerlake("query", sql, "--lake", filled, "--format", "json").stdout
    assert json.loads(answer) == [{"raw": 2208, "history": 2208, "daily": 2208, "runs": 1}]


def test_status_says_what_the_lake_holds(filled):
    status = json.loads(tickerlake("status", "--lake", filled, "--format", "json").stdout)
    held = {each["ticker"]: each for each in status["tickers"]}
    assert list(held) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert held["FB"]["first"] == "2012-05-18"
    assert held["AAPL"]["last"] == "2013-03-01"
    assert status["pending"] == []
    assert len(status["runs"]) == 1
    text = tickerlake("status", "--lake", filled).stdout
    assert re.search(r"FB\s+196\s+2012-05-18\s+2013-03-01\s+0", text)


def test_verify_finds_what_is_not_as_raw_says(filled, tmp_path):
    if "day" in (Path(filled) / "_lake.json").read_text():
        pytest.skip("thousands of files take long; tests/invariants verify lakes by day")
    lake = tmp_path / "copy"
    subprocess.run(["cp", "-r", filled, str(lake)], check=True)
    assert tickerlake("verify", "--lake", str(lake)).returncode == 0
    wrong, gone, *_ = sorted((lake / "refined/daily").rglob("*.parquet"))
    pl.read_parquet(wrong, hive_partitioning=False).with_columns(close=1.0).write_parquet(wrong)
    gone.unlink()
    stray = gone.parent.with_name("ticker=ZZZ") / gone.name
    stray.parent.mkdir()
    stray.write_bytes(wrong.read_bytes())
    done = tickerlake("verify", "--lake", str(lake))
    assert done.returncode == 1
    for path in (wrong, gone, stray):
        assert str(path.relative_to(lake)) in done.stdout
    assert "3 differences" in done.stdout
    assert tickerlake("transform", "--rebuild", "--lake", str(lake)).returncode == 0
    assert tickerlake("verify", "--lake", str(lake)).returncode == 0


def test_etl_script(tmp_path):
    lake = tmp_path / "lake"
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "jobs/etl.py",
            "--offline",
            "--lake",
            lake,
            "--tickers",
            "ibm",
            "--grain",
            "year",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 ticker, 503 new bars" in done.stdout


WRONG = {
    "no tickers": (["extract"], 2, "--tickers AAPL,MSFT or --universe FILE"),
    "tickers twice": (["run", "AAPL", "--tickers", "MSFT"], 2, "one way"),
    "blank lake": (["status", "--lake", " "], 2, "it is empty"),
    "blank tickers": (["run", "--offline", "--tickers", ""], 2, "names no ticker"),
    "blank universe": (["run", "--offline", "--universe", ""], 2, "it is empty"),
    "only a comma": (["run", "--offline", "--tickers", ","], 2, "is empty"),
    "not ASCII": (["run", "--offline", "\u00df"], 2, "\u00df"),
    "rate of nan": (["run", "--offline", "--requests-per-second", "nan"], 2, "finite"),
    "rate of inf": (["run", "--offline", "--requests-per-second", "inf"], 2, "range"),
    "tiny rate": (["run", "--offline", "--requests-per-second", "1e-320"], 2, "range"),
    "year 1": (["run", "--offline", "--as-of", "0001-01-01"], 2, "1900"),
    "before year 1": (["run", "--offline", "--as-of", "0001-01-01T00:00+14:00"], 2, "moment"),
    "year 9999": (["run", "--offline", "--as-of", "9999-12-31"], 2, "2199"),
    "no date": (["run", "--offline", "--start", "20130101"], 2, "2013-03-01"),
    "future": (["run", "--offline", "--start", "9999-12-31"], 2, "in the future"),
    "too old": (
        ["run", "--offline", "--start", "0001-01-01", "--end", "0001-02-01"],
        2,
        "no bars that old",
    ),
    "universe of no kind": (["run", "--offline", "--universe", "gs://b/k"], 2, "s3://bucket/key"),
    "parquet on a terminal": (["query", "select 1", "--format", "parquet"], 2, "--output"),
    "SQL twice": (["query", "select 1", "--file", __file__], 2, "not both"),
    "no file": (["query", "--file", "nowhere.sql"], 2, "nowhere.sql"),
    "bad symbols": (["extract", "--tickers", "AAPL,../X,Y Z"], 2, "'../X'"),
    "bad universe": (["extract", "--universe", "nowhere.txt"], 2, "nowhere.txt"),
    "both": (["extract", "--tickers", "A", "--universe", "x"], 2, "one way"),
    "share of none": (["run", "--offline", "--shard", "1/0"], 2, "a share such as 3/8"),
    "share number 0": (["run", "--offline", "--shard", "0/8"], 2, "a share such as 3/8"),
    "share beyond": (["run", "--offline", "--shard", "9/8"], 2, "a share such as 3/8"),
    "empty share": (["run", "--offline", "FB", "--shard", "1/9999"], 2, "among fewer machines"),
    "end alone": (["extract", "--tickers", "A", "--end", "2013-01-01"], 2, "--start"),
    "turned": (
        ["extract", "--tickers", "A", "--start", "2013-02-01", "--end", "2013-01-01"],
        2,
        "is after",
    ),
    "as-of": (["extract", "--tickers", "A", "--as-of", "2013-02-01"], 2, "--offline"),
    "moment": (["extract", "--offline", "--as-of", "soon"], 2, "2013-03-01T22:30Z"),
    "grain": (["extract", "--offline", "--grain", "week"], 2, "'day', 'month', 'year'"),
    "no lake": (["status"], 1, "`tickerlake run` creates one"),
    "no lake to transform": (["transform"], 1, "`tickerlake run` creates one"),
    "no lake to query": (["query", "select 1"], 1, "`tickerlake run` creates one"),
    "url": (["status", "--lake", "ftp://x/y"], 2, "s3://bucket/prefix"),
    "command": (["frobnicate"], 2, "frobnicate"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_says_what_would_be_right(tmp_path, name):
    arguments, code, words = WRONG[name]
    lake = tmp_path / "lake"
    done = tickerlake(*arguments, TICKERLAKE_LAKE=str(lake))
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        assert done.stderr.splitlines()[-1].startswith("Error: "), "plain text, not JSON"
    assert not lake.exists()


def test_wrong_sql_has_duckdbs_words(filled):
    done = tickerlake("query", "select nope from daily", "--lake", filled)
    assert done.returncode == 2
    assert "nope" in done.stderr
    assert "raw, history, daily" in done.stderr


def test_a_run_that_is_not_there(filled):
    done = tickerlake("transform", "--run-id", "2013", "--lake", filled)
    assert done.returncode == 2
    assert "tickerlake status" in done.stderr


def test_a_lake_keeps_its_grain(tmp_path):
    arguments = ["extract", "--offline", "--tickers", "FB", "--lake", str(tmp_path)]
    assert tickerlake(*arguments, "--grain", "year").returncode == 0
    done = tickerlake(*arguments, "--grain", "day")
    assert done.returncode == 1
    assert "chosen once" in done.stderr
    assert tickerlake(*arguments).returncode == 0


def test_logs_are_json_lines_where_there_is_no_terminal(tmp_path):
    options = ["--offline", "--grain", "year", "--lake", str(tmp_path)]
    done = tickerlake("extract", "--tickers", "FB,NOPE", *options)
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"time", "level", "logger", "message"} <= records[0].keys()
    assert any(record["level"] == "WARNING" and "NOPE" in record["message"] for record in records)


def test_a_simulated_moment(tmp_path):
    arguments = ["run", "--offline", "--tickers", "AAPL", "--lake", str(tmp_path)]
    done = tickerlake(*arguments, "--as-of", "2005-02-28T22:30Z", "--start", "2005-01-03")
    assert "39 new bars" in done.stdout
    assert "1 new bar," in tickerlake(*arguments, "--as-of", "2005-03-01T22:30Z").stdout


def commands(group, path=()):
    yield path, group
    for name, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands(command)], ids=" ".join)
def test_help_tells_everything(path):
    answer = CliRunner().invoke(command, [*path, "--help"])
    assert answer.exit_code == 0
    found = dict(commands(command))[path]
    assert found.help
    assert "\b" not in answer.output
    assert r"\b" not in answer.output
    for parameter in found.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{path}: {parameter.name} has no help"


def test_what_check_finds_is_listed_line_by_line():
    lines = CliRunner().invoke(command, ["check", "--help"]).stdout.splitlines()
    found = [line.split()[0] for line in lines if line.startswith("  ") and line.split()]
    assert [name for name in found if name in KINDS] == list(KINDS)
    reference = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert all(f"- `{kind}`: " in reference for kind in KINDS)


HEAVY = {"polars", "pandas", "numpy", "yfinance", "duckdb", "boto3", "pydantic", "pyarrow"}


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["run", "--help"]], ids=str)
def test_starting_imports_nothing_heavy(arguments):
    """What makes the start slow is imports; so these, and not the time, are pinned."""
    code = (
        "import sys; from tickerlake.cli import commands\n"
        f"commands.tickerlake.main({arguments} or ['--version'], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(loaded.stdout.split())


def test_commands_are_listed_in_the_order_of_use():
    lines = CliRunner().invoke(command, ["--help"]).stdout.splitlines()
    users, operators = lines.index("Commands:"), lines.index("Commands for operators:")
    named = [line.split()[0] for line in lines[users + 1 : operators] if line]
    assert named[:5] == ["run", "extract", "transform", "status", "query"]
    assert {line.split()[0] for line in lines[operators + 1 :] if line.startswith("  ")} >= {
        "watch",
        "catalog",
        "replay",
    }
    assert not any(line.endswith("...") for line in lines[users:]), "a cut sentence"


def test_options_show_what_to_type():
    text = CliRunner().invoke(command, ["run", "--help"]).stdout
    for words in (
        "[TICKER]...",
        "--lake FOLDER|s3://",
        "--tickers AAPL,MSFT",
        "--start YYYY-MM-DD",
        "--universe FILE|s3://",
    ):
        assert words in text


def test_the_package_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "tickerlake", "status", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Usage: tickerlake status")


def test_the_recording_is_the_default_universe_offline(filled):
    answer = tickerlake(
        "query", "select max(session) as last from history", "--lake", filled, "--format", "json"
    )
    assert json.loads(answer.stdout) == [{"last": str(date(2013, 3, 1))}]


# ---- which tickers


def held(lake: str) -> list[str]:
    status = json.loads(tickerlake("status", "--lake", lake, "--format", "json").stdout)
    return [each["ticker"] for each in status["tickers"]]


RUN = ["run", "--offline", "--grain", "year", "--start", "2013-02-01", "--lake"]


def test_tickers_may_be_arguments(tmp_path):
    lake = str(tmp_path / "lake")
    assert tickerlake(*RUN, lake, "aapl", "MSFT").returncode == 0
    assert held(lake) == ["AAPL", "MSFT"]


def test_what_is_typed_goes_before_the_environment(tmp_path):
    lake = str(tmp_path / "lake")
    assert tickerlake(*RUN, lake, "FB", TICKERLAKE_TICKERS="AAPL").returncode == 0
    universe = tmp_path / "universe.txt"
    universe.write_text("IBM")
    done = tickerlake(*RUN, lake, "--universe", str(universe), TICKERLAKE_TICKERS="AAPL")
    assert done.returncode == 0, done.stderr
    assert held(lake) == ["FB", "IBM"]


@pytest.mark.parametrize(
    ("grain", "most", "warns"),
    [("day", 13, 1), ("day", 14, 0), ("month", 0, 1), ("year", 0, 0)],
)
def test_a_grain_that_does_not_suit_is_warned_of(tmp_path, monkeypatch, grain, most, warns):
    """By the rule of `plan`: two tickers with ten days of bars have some 14 files by day."""
    monkeypatch.setattr(grains, "MOST_PARTITIONS", most)
    lake = str(tmp_path / "lake")
    warning = f"a lake by {grain} of 2 tickers and 1 year has"
    names = ("FB", "IBM", "--start", "2013-02-19")
    done = tickerlake(*RUN, lake, *names, "--grain", grain)
    assert done.stderr.count(warning) == warns
    assert ("suits it better" in done.stderr) == bool(warns)
    assert warning not in tickerlake(*RUN, lake, "AAPL", *names).stderr


def test_machines_share_tickers_and_none_is_asked_for_twice(tmp_path):
    lake, names = str(tmp_path / "lake"), ["AAPL", "FB", "IBM", "MSFT"]
    seen: list[str] = []
    for number in (1, 2):
        done = tickerlake(*RUN, lake, *names, "--shard", f"{number}/2")
        assert done.returncode == 0, done.stderr
        new = sorted(set(held(lake)) - set(seen))
        assert done.stdout.startswith(f"Extracted into {lake}: {len(new)} ticker")
        seen += new
    assert sorted(seen) == names


@given(st.text(min_size=1), st.integers(1, 50))
def test_every_ticker_belongs_to_one_shard(ticker, count):
    assert sum(Shard(number, count).has(ticker) for number in range(1, count + 1)) == 1


def test_an_offline_run_updates_what_the_lake_holds(tmp_path):
    lake = str(tmp_path / "lake")
    early = [*RUN, lake, "--as-of", "2013-02-20T22:30Z"]
    assert tickerlake(*early, "FB").returncode == 0
    done = tickerlake("run", "--offline", "--lake", lake)
    assert "1 ticker, " in done.stdout
    assert held(lake) == ["FB"]


def test_an_end_in_the_future_is_today(tmp_path):
    done = tickerlake(*RUN, str(tmp_path / "lake"), "FB", "--end", "9999-12-31")
    assert done.returncode == 0
    assert "20 new bars" in done.stdout


def test_a_start_before_there_were_bars_is_all_there_are(tmp_path):
    lake = str(tmp_path / "lake")
    done = tickerlake("run", "--offline", "FB", "--lake", lake, "--start", "0001-01-01")
    assert done.returncode == 0
    assert "196 new bars" in done.stdout


# ---- how a run ends


@pytest.mark.parametrize(
    ("extracted", "transformed", "code"), [(0, 0, 0), (1, 0, 1), (3, 0, 3), (1, 3, 3), (0, 1, 1)]
)
def test_a_run_ends_with_the_larger_code(monkeypatch, extracted, transformed, code):
    from tickerlake import app
    from tickerlake.stages import extract, transform

    class Extracted(extract.Report):
        exit_code = extracted

    class Transformed(transform.Report):
        exit_code = transformed

    monkeypatch.setattr(app, "extract", lambda *_: Extracted())
    monkeypatch.setattr(app, "transform", lambda *_: Transformed())
    assert tickerlake("run", "AAPL").returncode == code


def test_many_failed_tickers_are_an_event(tmp_path):
    done = tickerlake(*RUN, str(tmp_path / "lake"), "FB", "NOPE")
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stderr.splitlines()]
    [event] = [each for each in records if each.get("event") == "many_tickers_failed"]
    assert event["level"] == "ERROR"
    assert (event["failed"], event["tickers"]) == (1, 2)


def test_few_failed_tickers_are_none(caplog):
    from tickerlake import app

    app._tell_of_failures("extract", 1, 10)
    assert not caplog.records
    app._tell_of_failures("extract", 2, 10)
    assert [record.event for record in caplog.records] == ["many_tickers_failed"]


# ---- the life of a ticker


def test_a_ticker_is_renamed_and_retired(tmp_path):
    lake = str(tmp_path / "lake")
    assert tickerlake(*RUN, lake, "FB", "IBM").returncode == 0
    done = tickerlake("rename", "fb", "META", "--on", "2013-02-20", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert "META from 2013-02-20" in done.stdout
    done = tickerlake("retire", "IBM", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert tickerlake("transform", "--lake", lake).returncode == 0
    status = json.loads(tickerlake("status", "--lake", lake, "--format", "json").stdout)
    found = {each["ticker"]: each for each in status["tickers"]}
    assert found["FB"]["retired"] == "2013-02-20"
    assert found["IBM"]["retired"] == "2013-03-01"
    assert found["META"]["last"] == "2013-02-19"
    assert tickerlake("verify", "--lake", lake).returncode == 0
    for arguments in (["retire", "NOPE"], ["rename", "NOPE", "META", "--on", "2013-02-20"]):
        done = tickerlake(*arguments, "--lake", lake)
        assert done.returncode == 2
        assert "does not hold NOPE" in done.stderr
    assert tickerlake("rename", "FB", "META", "--lake", lake).returncode == 2


@pytest.mark.parametrize(("text", "message"), [("", "it is empty"), (" \t", "it is empty"),
                                               ("a\0b", "it has a null character")])  # fmt: skip
def test_a_text_that_no_file_and_no_url_can_have(text, message):
    with pytest.raises(click.BadParameter, match=message):
        Text().convert(text, None, None)
