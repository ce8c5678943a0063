"""The command, as a user types it."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from click.testing import CliRunner
from helpers import tickerlake

from tickerlake.cli import cli
from tickerlake.market import features

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["day", "month", "year"])
def filled(request, tmp_path_factory) -> str:
    """A lake as `make run` makes it."""
    lake = str(tmp_path_factory.mktemp("cli") / "lake")
    done = tickerlake("run", "--offline", "--lake", lake, "--grain", request.param)
    assert done.returncode == 0, done.stderr
    assert "5 tickers, 2208 new bars" in done.stdout
    assert "Next, try:" in done.stdout
    return lake


def test_a_second_run_changes_nothing_and_says_so(filled):
    before = {path: path.stat().st_mtime_ns for path in Path(filled).rglob("*")}
    done = tickerlake("run", "--offline", TICKERLAKE_LAKE=filled)
    assert done.returncode == 0
    assert "Nothing has changed" in done.stdout
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


def test_foreign_readers_need_no_code_of_ours(filled):
    folder = f"{filled}/refined/daily"
    columns = ["ticker", *features.DAILY]
    by_duckdb = duckdb.sql(
        f"select {', '.join(columns)} from read_parquet('{folder}/**/*.parquet',"
        " hive_partitioning = true) order by ticker, session"
    ).pl()
    by_pyarrow = pl.from_arrow(
        ds.dataset(folder, partitioning="hive").to_table(columns=columns)
    ).cast({"ticker": pl.String})
    by_pandas = pl.from_pandas(pd.read_parquet(folder, columns=columns)).cast(
        {"ticker": pl.String, "session": pl.Date}
    )
    by_polars = pl.read_parquet(f"{folder}/**/*.parquet", hive_partitioning=True).select(columns)
    assert by_duckdb.height == 2208
    for other in (by_pyarrow, by_pandas, by_polars):
        assert other.sort("ticker", "session").equals(by_duckdb, null_equal=True)


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
        [sys.executable, ROOT / "jobs/etl.py", "--offline", "--lake", lake, "--tickers", "ibm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 tickers, 503 new bars" in done.stdout


WRONG = {
    "no tickers": (["extract"], 2, "--tickers AAPL,MSFT or --universe FILE"),
    "bad symbols": (["extract", "--tickers", "AAPL,../X,Y Z"], 2, "'../X'"),
    "bad universe": (["extract", "--universe", "nowhere.txt"], 2, "nowhere.txt"),
    "both": (["extract", "--tickers", "A", "--universe", "x"], 2, "not both"),
    "end alone": (["extract", "--tickers", "A", "--end", "2013-01-01"], 2, "--start"),
    "turned": (
        ["extract", "--tickers", "A", "--start", "2013-02-01", "--end", "2013-01-01"],
        2,
        "is after",
    ),
    "as-of": (["extract", "--tickers", "A", "--as-of", "2013-02-01"], 2, "--offline"),
    "moment": (["extract", "--offline", "--as-of", "soon"], 2, "2013-03-01T22:30Z"),
    "grain": (["extract", "--offline", "--grain", "week"], 2, "'day', 'month', 'year'"),
    "no lake": (["status"], 1, "tickerlake extract"),
    "no lake to transform": (["transform"], 1, "tickerlake extract"),
    "no lake to query": (["query", "select 1"], 1, "tickerlake extract"),
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
    done = tickerlake("extract", "--offline", "--tickers", "FB,NOPE", "--lake", str(tmp_path))
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"time", "level", "logger", "message"} <= records[0].keys()
    assert any(record["level"] == "WARNING" and "NOPE" in record["message"] for record in records)


def test_a_simulated_moment(tmp_path):
    arguments = ["run", "--offline", "--tickers", "AAPL", "--lake", str(tmp_path)]
    done = tickerlake(*arguments, "--as-of", "2005-02-28T22:30Z", "--start", "2005-01-03")
    assert "39 new bars" in done.stdout
    assert "1 new bars" in tickerlake(*arguments, "--as-of", "2005-03-01T22:30Z").stdout


def commands(group, path=()):
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands(cli)], ids=" ".join)
def test_help_tells_everything(path):
    answer = CliRunner().invoke(cli, [*path, "--help"])
    assert answer.exit_code == 0
    command = dict(commands(cli))[path]
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{path}: {parameter.name} has no help"


def test_starting_imports_nothing_heavy():
    """What makes the start slow is imports; so these, and not the time, are pinned."""
    code = "import sys, tickerlake.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"polars", "pandas", "numpy", "yfinance", "duckdb", "boto3", "pydantic", "pyarrow"}
    assert not heavy & set(loaded.stdout.split())


def test_the_recording_is_the_default_universe_offline(filled):
    answer = tickerlake(
        "query", "select max(session) as last from history", "--lake", filled, "--format", "json"
    )
    assert json.loads(answer.stdout) == [{"last": str(date(2013, 3, 1))}]
