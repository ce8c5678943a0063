"""The tools for agents, asked as an agent asks: through the SDK's own client."""

import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers import objects, tickerlake
from mcp import Client, StdioServerParameters

from tickerlake.cli.mcp import MOST_ROWS, serve
from tickerlake.lake import open_lake
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    url = str(tmp_path_factory.mktemp("mcp") / "lake")
    done = tickerlake("run", "--offline", "--grain", "year", "--lake", url, "AAPL", "FB")
    assert done.returncode == 0
    return url


@pytest.fixture(scope="module")
def ask(lake) -> Callable[..., str]:
    """Call a tool; its answer, or what is wrong, as text."""

    def ask(tool: str, **arguments: Any) -> str:
        async def asked() -> str:
            async with Client(serve(lake, 2)) as client:
                answer = await client.call_tool(tool, arguments)
                [content] = answer.content
                return ("error: " if answer.is_error else "") + content.text

        return anyio.run(asked)

    return ask


def rows(answer: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines()]


def test_a_query_is_answered_and_a_long_answer_is_cut(ask):
    [row] = rows(ask("query", sql="select count(*) as n, max(session) as last from daily"))
    assert row["last"] == "2013-03-01"
    *lines, last = ask("query", sql="select * from daily").splitlines()
    assert len(lines) == MOST_ROWS
    assert last == f"{row['n']:,} rows, of which these are the first {MOST_ROWS}"
    assert ask("query", sql="select * from daily where ticker = 'nobody'") == "no rows"


def test_a_query_is_locked_down(ask, lake, tmp_path):
    before = objects(open_lake(lake))
    for sql in (
        f"copy daily to '{tmp_path}/x.csv'",
        "select * from '/etc/passwd'",
        "select 1; select 2",
        "create table t as select 1",
        "selec",
    ):
        assert ask("query", sql=sql).startswith("error: "), sql
    assert not list(tmp_path.iterdir())
    assert objects(open_lake(lake)) == before


def test_tables_views_and_columns_are_described(ask):
    found = json.loads(ask("describe"))
    assert found["tables"].keys() == TABLES.keys()
    assert found["views"].keys() == VIEWS.keys()
    for name in (*TABLES, *VIEWS):
        columns = json.loads(ask("describe", name=name))["columns"]
        assert all(each["doc"] and each["kind"] for each in columns.values())
        queried = rows(ask("query", sql=f"describe {name}"))
        assert columns.keys() <= {each["column_name"] for each in queried}
    assert "there is no 'dayly'" in ask("describe", name="dayly")


def test_status_and_daily_and_show(ask):
    status = json.loads(ask("status"))
    assert [each["ticker"] for each in status["tickers"]] == ["AAPL", "FB"]
    found = rows(ask("daily", tickers=["fb"], start="2013-02-27", columns=["close", "rsi_14"]))
    assert [each["session"] for each in found] == ["2013-02-27", "2013-02-28", "2013-03-01"]
    assert found[0].keys() == {"ticker", "session", "close", "rsi_14"}
    assert rows(ask("daily", tickers=["FB"], end=str(date(2012, 5, 18))))[0]["open"]
    assert "no column x" in ask("daily", tickers=["FB"], columns=["x"])
    assert "error: " in ask("daily", tickers=["'; drop table daily"])
    assert "AAPL" in ask("show", tickers=["AAPL"])
    assert "\x1b" not in ask("show")


def test_the_command_speaks_over_pipes(lake):
    command = StdioServerParameters(
        command=str(Path(sys.executable).with_name("tickerlake")), args=["mcp", "--lake", lake]
    )

    async def asked() -> list[str]:
        async with Client(command) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    assert sorted(anyio.run(asked)) == ["daily", "describe", "query", "show", "status"]
