"""Tables for people: what is shown is whole, and what is not shown is counted."""

import re
from datetime import date, datetime

import polars as pl
import pytest
from click.shell_completion import ShellComplete
from helpers import tickerlake
from rich.cells import cell_len

from tickerlake.cli import commands, tables
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    lake = str(tmp_path_factory.mktemp("tables") / "lake")
    done = tickerlake("run", "--offline", "--grain", "year", "--lake", lake)
    assert done.returncode == 0
    return lake


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_first_screen_shows_data_at_every_width(lake, width):
    sql = "select * from daily limit 5"
    shown = tickerlake("query", sql, "--lake", lake, COLUMNS=str(width)).stdout
    lines = shown.splitlines()
    assert all(cell_len(line) <= width for line in lines[:7])
    header, rule, *rows = lines[:7]
    names = header.split()
    assert names[:6] == ["ticker", "session", "open", "high", "low", "close"]
    assert [len(each) for each in rule.split()] == [
        max(len(name), len(cell)) for name, cell in zip(names, rule.split(), strict=True)
    ]
    assert len(rows) == 5
    assert re.match(r"AAPL +\d{4}-\d\d-\d\d +\d+(\.\d+)? ", rows[0])
    total = len(
        tickerlake("query", sql, "--lake", lake, "--format", "csv").stdout.split("\n")[0].split(",")
    )
    assert f"{total} columns ({len(names)} shown)" in shown
    assert "--all" in shown
    assert "--vertical" in shown


def test_all_shows_every_column_and_row(lake):
    shown = tickerlake("query", "select * from daily", "--all", "--lake", lake, COLUMNS="80").stdout
    header, _, *rows = shown.splitlines()
    assert "volume_ratio_20" in header
    assert len(rows) == 2208
    assert "shown" not in shown


def test_at_most_forty_rows_are_shown(lake):
    sql = "select ticker, session from daily"
    lines = tickerlake("query", sql, "--lake", lake).stdout.splitlines()
    assert len(lines) == 2 + 40 + 2
    assert lines[-1] == "2,208 rows (40 shown): --all shows everything."


def test_vertical_shows_each_value_in_a_line(lake):
    sql = "select * from daily where ticker = 'FB' order by session limit 2"
    lines = tickerlake("query", sql, "--vertical", "--lake", lake, COLUMNS="40").stdout.splitlines()
    assert lines[0] == "─── row 1 ───"
    assert [line.split() for line in lines if line.endswith("  FB")] == [["ticker", "FB"]] * 2
    assert sum("volume_ratio_20" in line for line in lines) == 2


def test_no_answer_is_said(lake):
    shown = tickerlake("query", "select session from daily where false", "--lake", lake).stdout
    assert shown.splitlines() == ["session", "───────", "", "0 rows"] or shown.endswith("0 rows\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (430.4700001, "430.47"),
        (0.0211292345, "0.0211292"),
        (1234567.891, "1234568"),
        (5.0923467300e10, "50923467300"),
        (1.5e-7, "1.5e-07"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (138112400, "138112400"),
        (True, "true"),
        (None, ""),
        (date(2013, 3, 1), "2013-03-01"),
        (datetime(2013, 3, 1, 22, 30), "2013-03-01 22:30:00"),  # noqa: DTZ001
    ],
    ids=str,
)
def test_values_as_text(value, text):
    assert tables.text(value) == text


def test_numbers_are_on_the_right():
    columns = [tables.column("name", ["a", "bcdefg"]), tables.column("number", [1, 100.5])]
    assert tables.render(columns).splitlines() == [
        "name    number",
        "──────  ──────",
        "a            1",
        "bcdefg   100.5",
    ]


def test_a_cell_is_never_cut():
    columns = [tables.column("a", ["x" * 300]), tables.column("b", ["y"])]
    shown = tables.render(columns, width=80).splitlines()
    assert shown[2] == "x" * 300
    assert tables.fitting(columns, 80) == 1


def test_wide_letters_take_two_places():
    columns = [tables.column("a", ["\u682a\u5f0f", "x"]), tables.column("b", ["1", "2"])]
    assert [cell_len(line) for line in tables.render(columns).splitlines()] == [7, 7, 7, 7]


def test_no_text_moves_the_cursor():
    shown = tables.render([tables.column("a\x1b[2J", ["\x1b[31mred\r\x07", "[red]markup[/red]"])])
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "[red]markup[/red]" in shown


def test_lines_of_a_cell_stay_below_each_other():
    shown = tables.render([tables.column("k", ["a"]), tables.column("v", ["one\ntwo"])])
    assert shown.splitlines() == ["k  v", "─  ───", "a  one", "   two"]


# ---- formats


def test_formats(lake, tmp_path):
    sql = "select ticker, session, close from daily where ticker = 'FB' order by session limit 2"
    query = ["query", sql, "--lake", lake]
    assert tickerlake(*query, "--format", "jsonl").stdout.splitlines() == [
        '{"ticker":"FB","session":"2012-05-18","close":38.23}',
        '{"ticker":"FB","session":"2012-05-21","close":34.03}',
    ]
    assert len(tickerlake(*query, "--format", "json").stdout.splitlines()) == 1
    file = tmp_path / "answer.parquet"
    done = tickerlake(*query, "--output", str(file))
    assert done.stdout == ""
    assert "Wrote 2 rows" in done.stderr
    assert pl.read_parquet(file)["close"].to_list() == [38.23, 34.03]
    file = tmp_path / "answer.csv"
    assert tickerlake(*query, "--output", str(file)).returncode == 0
    assert file.read_text().splitlines()[1] == "FB,2012-05-18,38.23"
    done = tickerlake(*query, "--output", str(tmp_path / "no" / "folder.csv"))
    assert done.returncode == 2
    assert "can't write" in done.stderr


def test_values_without_an_equal_in_the_format(lake):
    sql = "select [1, 2] l, {'a': 1} s, sum(1) n, interval 1 day i, 'x'::blob b, 1.5 d, null u"
    query = ["query", sql, "--lake", lake]
    done = tickerlake(*query, "--format", "json")
    assert done.stdout == ('[{"l":[1,2],"s":{"a":1},"n":1,"i":"1 day","b":"x","d":1.5,"u":null}]\n')
    done = tickerlake(*query, "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith('"[1, 2]","{""a"": 1}",1,1 day,x,1.5')
    assert tickerlake(*query).returncode == 0


def test_sql_from_a_file_and_from_standard_input(lake, tmp_path, monkeypatch):
    file = tmp_path / "question.sql"
    file.write_text("select count(*) as n\nfrom daily;\n")
    question = ["query", "--lake", lake, "--format", "csv"]
    assert tickerlake(*question, "--file", str(file)).stdout == "n\n2208\n"
    with file.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert tickerlake(*question).stdout == "n\n2208\n"
    with file.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert tickerlake(*question, "-").stdout == "n\n2208\n"


def test_without_sql_tables_views_and_examples_are_shown(lake, tmp_path):
    shown = tickerlake("query", "--lake", lake).stdout
    for name in (*TABLES, *VIEWS):
        assert f"\n  {name} " in shown
    questions = re.findall(r'\n  tickerlake query "(.*)"', shown)
    assert len(questions) == 3
    for question in questions:
        done = tickerlake("query", question, "--lake", lake)
        assert done.returncode == 0
        assert "0 rows" not in done.stdout
    assert "Views:" in tickerlake("query", "--lake", str(tmp_path / "none")).stdout


def test_names_in_sql_are_completed():
    complete = ShellComplete(commands.tickerlake, {}, "tickerlake", "_TICKERLAKE_COMPLETE")

    def values(incomplete: str) -> list[str]:
        return [each.value for each in complete.get_completions(["query"], incomplete)]

    assert values("select * from wee") == ["select * from weekly"]
    assert values("from d") == ["from daily"]
    assert values("select ") == []
