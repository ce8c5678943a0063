# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "awswrangler>=3.17",
#   "chdb>=4.4",
#   "daft>=0.7",
#   "datafusion>=54",
#   "duckdb>=1.4",
#   "fastparquet>=2026.9",
#   "polars>=2.1",
# ]
# ///
"""Run a snippet of docs/readers.md in folders with lakes, and print what its engine says.

Arguments: the engine, and the folders. The snippet comes by standard input; a folder's name may
stand in it as `FOLDER`. It runs in an environment without tickerlake. For each folder, one line of
JSON: the types of some columns, and the answers to `QUESTIONS`, each a list of rows. The engine `-`
only runs a snippet in a folder.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

COLUMNS = ("date", "ticker", "session", "close", "volume", "flags", "rsi_14")
QUESTIONS = {
    "of each ticker": "select ticker, count(*) as n, sum(volume) as v, min(session) as a,"
    " max(session) as b from daily group by ticker",
    "one ticker": "select session, close from daily where ticker = '{symbol}'",
    "since a day": "select count(*) as n, sum(close) as c from daily where session >= {day}",
    "some partitions": "select date, count(*) as n from daily where date > '2013-01-20'"
    " and date < '2013-03' group by date",
    "nulls": "select ticker, count(rsi_14) as n, avg(rsi_14) as r from daily group by ticker",
}


def by_sql(ask: Callable[[str], Any], symbol: str, day: str = "date '2013-02-01'") -> dict:
    return {
        name: ask(question.format(symbol=symbol, day=day)) for name, question in QUESTIONS.items()
    }


def by_pandas(daily: Any, symbol: str) -> dict:
    daily = daily.assign(session=daily["session"].astype(str).str[:10])
    since = daily[daily["session"] >= "2013-02-01"]
    some = daily[(daily["date"] > "2013-01-20") & (daily["date"] < "2013-03")]
    of_each = daily.groupby("ticker")
    return {
        "of each ticker": [
            (name, len(rows), rows["volume"].sum(), rows["session"].min(), rows["session"].max())
            for name, rows in of_each
        ],
        "one ticker": daily[daily["ticker"] == symbol][["session", "close"]].values.tolist(),
        "since a day": [(len(since), since["close"].sum())],
        "some partitions": list(some.groupby("date").size().items()),
        "nulls": [(name, rows["rsi_14"].count(), rows["rsi_14"].mean()) for name, rows in of_each],
    }


def columns_of(rows: dict[str, list]) -> list[tuple]:
    return list(zip(*rows.values(), strict=True))


def with_duckdb(scope: dict, symbol: str) -> tuple[dict, dict]:
    daily = scope["daily"]
    types = dict(zip(daily.columns, map(str, daily.types), strict=True))
    return types, by_sql(lambda sql: daily.query("daily", sql).fetchall(), symbol)


def with_polars(scope: dict, symbol: str) -> tuple[dict, dict]:
    import polars as pl

    daily = scope["daily"]
    types = {name: str(kind) for name, kind in daily.collect_schema().items()}
    context = pl.SQLContext(daily=daily)
    return types, by_sql(lambda sql: context.execute(sql, eager=True).rows(), symbol)


def with_pyarrow(scope: dict, symbol: str) -> tuple[dict, dict]:
    import pyarrow.dataset as ds

    daily = scope["daily"]
    types = {field.name: str(field.type) for field in daily.schema}
    field = ds.field
    day = date(2013, 2, 1)
    some = (field("date") > "2013-01-20") & (field("date") < "2013-03")
    of_each = daily.to_table(columns=["ticker", "volume", "session", "rsi_14"]).group_by("ticker")
    since = daily.to_table(filter=field("session") >= day)
    one = daily.to_table(columns=["session", "close"], filter=field("ticker") == symbol)
    counted = daily.to_table(columns=["date"], filter=some).group_by("date")
    wanted = [([], "count_all"), ("volume", "sum"), ("session", "min"), ("session", "max")]

    def rows(table: Any, names: list[str]) -> list[tuple]:
        return columns_of(table.select(names).to_pydict())

    return types, {
        "of each ticker": rows(
            of_each.aggregate(wanted),
            ["ticker", "count_all", "volume_sum", "session_min", "session_max"],
        ),
        "one ticker": rows(one, ["session", "close"]),
        "since a day": [(since.num_rows, sum(since["close"].to_pylist()))],
        "some partitions": rows(counted.aggregate([([], "count_all")]), ["date", "count_all"]),
        "nulls": rows(
            of_each.aggregate([("rsi_14", "count"), ("rsi_14", "mean")]),
            ["ticker", "rsi_14_count", "rsi_14_mean"],
        ),
    }


def with_pandas(scope: dict, symbol: str) -> tuple[dict, dict]:
    daily = scope["daily"]
    return {name: str(kind) for name, kind in daily.dtypes.items()}, by_pandas(daily, symbol)


def with_daft(scope: dict, symbol: str) -> tuple[dict, dict]:
    import daft

    daily = scope["daily"]
    types = {field.name: str(field.dtype) for field in daily.schema()}
    return types, by_sql(lambda sql: columns_of(daft.sql(sql, daily=daily).to_pydict()), symbol)


def with_datafusion(scope: dict, symbol: str) -> tuple[dict, dict]:
    context = scope["context"]
    types = {field.name: str(field.type) for field in scope["daily"].schema()}
    return types, by_sql(lambda sql: columns_of(context.sql(sql).to_pydict()), symbol)


def with_clickhouse(scope: dict, symbol: str) -> tuple[dict, dict]:
    session = scope["daily"]

    def ask(sql: str) -> list[list]:
        found = str(session.query(sql, "JSONCompactEachRow"))
        return [json.loads(line) for line in found.splitlines()]

    types = {name: kind for name, kind, *_ in ask("describe daily")}
    answers = by_sql(ask, symbol, "toDate('2013-02-01')")
    session.cleanup()
    return types, answers


ENGINES = {
    "DuckDB": with_duckdb,
    "Polars": with_polars,
    "PyArrow": with_pyarrow,
    "pandas": with_pandas,
    "Daft": with_daft,
    "DataFusion": with_datafusion,
    "ClickHouse": with_clickhouse,
    "fastparquet": with_pandas,
    "awswrangler": with_pandas,
}


def plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()[:10]
    if hasattr(value, "item"):
        value = value.item()
    return None if value != value else value  # noqa: PLR0124 - not a number


def main() -> None:
    engine, *folders = sys.argv[1:]
    snippet = sys.stdin.read()
    if engine == "-":
        os.chdir(folders[0])
        exec(snippet, {})  # noqa: S102
        return
    for folder, symbol in (each.split("::") for each in folders):
        os.chdir(folder)
        scope: dict[str, Any] = {}
        exec(snippet.replace("FOLDER", os.path.basename(folder)), scope)  # noqa: S102, PTH119
        types, answers = ENGINES[engine](scope, symbol)
        answers = {
            name: sorted(([plain(value) for value in row] for row in rows), key=str)
            for name, rows in answers.items()
        }
        found = {name: types[name] for name in COLUMNS}
        print(json.dumps({"types": found, "answers": answers}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
