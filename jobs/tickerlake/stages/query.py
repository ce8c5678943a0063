"""SQL over the lake's tables, by DuckDB."""

import re
from pathlib import Path

import duckdb
import polars as pl

from tickerlake.errors import UsageError
from tickerlake.lake import Lake, layout, manifests
from tickerlake.lake.tables import TABLES, Table
from tickerlake.market.bars import HISTORY, RAW


def query(lake: Lake, sql: str) -> pl.DataFrame:
    """Run a query over the tables `raw`, `history` and `daily`.

    `raw` holds every committed version of every bar, with the run that delivered it.

    Args:
        lake: what to ask.
        sql: one statement in DuckDB's dialect.

    Raises:
        UsageError: DuckDB does not understand it; has DuckDB's words.
        StoreError: the lake can't be read.
    """
    with duckdb.connect() as connection:
        root = str(Path(lake.store.url).absolute())
        if "://" in lake.store.url:
            connection.register_filesystem(lake.store.filesystem())
            root = "lake://lake"
        if re.search(r"\braw\b", sql, re.IGNORECASE):
            _raw(connection, lake, root)
        for name in ("history", "daily"):
            _view(connection, lake, TABLES[name], root)
        try:
            answer: pl.DataFrame = connection.sql(sql).pl()
        except AttributeError:
            raise UsageError(f"this returns no rows: {sql}") from None
        except duckdb.Error as error:
            raise UsageError(f"{error}\nThe tables are {', '.join(TABLES)}.") from error
        return answer


def _view(connection: duckdb.DuckDBPyConnection, lake: Lake, table: Table, root: str) -> None:
    if next(lake.store.keys(table.prefix), None) is None:
        empty = pl.DataFrame(schema={"ticker": pl.String(), **table.schema})
        connection.register(table.name, empty.to_arrow())
        return
    connection.execute(
        f"create view {table.name} as select ticker, columns(lambda c: c not in ('ticker', 'date'))"
        f" from read_parquet('{_quoted(root)}/{table.prefix}**/*.parquet',"
        " hive_partitioning = true, hive_types_autocast = false)"
    )


def _raw(connection: duckdb.DuckDBPyConnection, lake: Lake, root: str) -> None:
    everything = manifests.read_all(lake.store, manifests.all_ids(lake.store))
    commits = pl.DataFrame(
        [
            (layout.blob(layout.RAW, date, ticker, digest), ticker, manifest.run_id, manifest.as_of)
            for manifest in everything
            for ticker, entry in manifest.tickers.items()
            for date, digest in entry.blobs.items()
        ],
        schema={
            "key": pl.String,
            "ticker": pl.String,
            "run_id": pl.String,
            "as_of": HISTORY["as_of"],
        },
        orient="row",
    )
    if commits.is_empty():
        schema = {**commits.schema, **RAW}
        connection.register("raw", pl.DataFrame(schema=schema).drop("key").to_arrow())
        return
    connection.register("commits", commits.to_arrow())
    connection.execute(
        f"set variable blobs = (select list(distinct '{_quoted(root)}/' || key) from commits)"
    )
    connection.execute(
        f"""create view raw as
        select ticker, run_id, as_of, {", ".join(RAW)}
        from read_parquet(getvariable('blobs'), filename = true, hive_partitioning = false) blobs
        join commits on ends_with(filename, key)"""
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")
