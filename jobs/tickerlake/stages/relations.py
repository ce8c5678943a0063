"""The tables and views that a statement can name, in a DuckDB connection.

Where the rows of the tables come from is decided by a `Tables`: `Files` reads them as they are
stored. The views are the same over all of them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tickerlake.lake import Lake, derived, layout, manifests
from tickerlake.lake.fold import History
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.market.bars import HISTORY, RAW

if TYPE_CHECKING:
    import duckdb

MEANINGS: Final[Mapping[str, str]] = {
    "daily": "bars and features: the table to query",
    "tickers": "what is known of each ticker: name, exchange, currency, first and last session",
    "history": "the newest version of every bar",
    "raw": "every committed version of every bar, with the run that delivered it",
}
"""The tables, in the order of use, and what they hold."""

BUCKET: Final = "lake://lake"
"""What DuckDB calls a lake that is not a folder."""

_ASKS_FOR_ALL: Final = re.compile(
    r"\bshow\b|information_schema|duckdb_|\bpg_|^\s*(describe|summarize)\s*;?\s*$", re.IGNORECASE
)


class Tables(Protocol):
    """Where the rows of the tables come from."""

    def create(self, connection: "duckdb.DuckDBPyConnection", name: str) -> None:
        """Create the table (or a view) `name` in a connection: its columns without `date`."""


def create(connection: "duckdb.DuckDBPyConnection", tables: Tables, sql: str) -> None:
    """Create the tables and views that a statement may use.

    Only those, since each table lists all of its files.
    """
    wanted = needed(sql)
    for name in TABLES:
        if name in wanted:
            tables.create(connection, name)
    for name, view in VIEWS.items():
        if name in wanted:
            connection.execute(f"create view {name} as {view.sql}")


def needed(sql: str) -> set[str]:
    """Return the tables and views that a statement may use, and what these use.

    >>> sorted(needed("select * from Breadth"))
    ['breadth', 'daily', 'tickers']
    """
    if _ASKS_FOR_ALL.search(sql):
        return {*TABLES, *VIEWS}
    found = _mentioned(sql, VIEWS)
    return found | _mentioned(" ".join([sql, *(VIEWS[name].sql for name in found)]), TABLES)


def _mentioned(sql: str, names: Iterable[str]) -> set[str]:
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return words.intersection(names)


class Files:
    """The tables as they are stored, except for tickers whose rows are given."""

    def __init__(
        self,
        lake: Lake,
        root: str,
        runs: Collection[str] | None = None,
        given: Mapping[str, History] = MappingProxyType({}),
    ) -> None:
        """Take a lake.

        Args:
            lake: the lake.
            root: the path or URL under which DuckDB finds its keys; `BUCKET` is not a folder.
            runs: the runs that `raw` has; None is all.
            given: histories whose rows replace what is stored of their tickers.
        """
        self._lake, self._root = lake, root
        self._runs, self._given = runs, given

    def create(self, connection: "duckdb.DuckDBPyConnection", name: str) -> None:
        """Create a table; see `Tables.create`."""
        if name == "raw":
            self._create_raw(connection)
            return
        table = TABLES[name]
        # not a pattern: what else lies in the folders does not belong to the table
        keys = sorted(
            key
            for key in self._lake.store.keys(table.prefix)
            if not self._given or layout.values(key)["ticker"] not in self._given
        )
        given = _rows(name, self._given)
        if not keys:
            connection.register(name, given.to_arrow())
            return
        self._list_files(connection, name, keys)
        columns = ", ".join(["ticker", *table.schema])
        stored = (
            f"select {columns} from read_parquet(getvariable('files_of_{name}'),"
            " hive_partitioning = true, hive_types_autocast = false)"
        )
        if not given.is_empty():
            connection.register("arrived", given.to_arrow())
            connection.execute("create schema if not exists internal")
            connection.execute(f"create table internal.{name} as from arrived")
            connection.unregister("arrived")
            stored = f"{stored} union all select {columns} from internal.{name}"
        connection.execute(f"create view {name} as {stored}")

    def _create_raw(self, connection: "duckdb.DuckDBPyConnection") -> None:
        store = self._lake.store
        runs = manifests.all_ids(store) if self._runs is None else sorted(self._runs)
        everything = manifests.read_all(store, runs)
        commits = pl.DataFrame(
            [
                (layout.blob(layout.RAW, date, ticker, digest), ticker, run.run_id, run.as_of)
                for run in everything
                for ticker, entry in run.tickers.items()
                for date, digest in entry.blobs.items()
            ],
            schema={
                "file": pl.String,
                "ticker": pl.String,
                "run_id": pl.String,
                "as_of": HISTORY["as_of"],
            },
            orient="row",
        )
        if commits.is_empty():
            schema = {**commits.schema, **RAW}
            connection.register("raw", pl.DataFrame(schema=schema).drop("file").to_arrow())
            return
        self._list_files(connection, "raw", commits["file"].unique().to_list())
        connection.execute(
            "create schema if not exists internal"
        )  # so that `show tables` does not show it
        connection.register("arrived", commits.to_arrow())
        connection.execute("create table internal.commits as from arrived")
        connection.unregister("arrived")
        connection.execute(
            f"""create view raw as
            select ticker, run_id, as_of, {", ".join(RAW)}
            from read_parquet(
              getvariable('files_of_raw'), filename = true, hive_partitioning = false
            ) as blobs
            join internal.commits on filename = {quoted(self._root + "/")} || file"""
        )

    def _list_files(
        self, connection: "duckdb.DuckDBPyConnection", name: str, keys: Sequence[str]
    ) -> None:
        """Set the variable that holds the files of a table."""
        if self._root == BUCKET and not connection.filesystem_is_registered("lake"):
            connection.register_filesystem(self._lake.store.filesystem())
        listed = pl.DataFrame({"file": [f"{self._root}/{key}" for key in keys]})
        connection.register("listed", listed.to_arrow())
        connection.execute(f"set variable files_of_{name} = (select list(file) from listed)")
        connection.unregister("listed")


def _rows(name: str, histories: Mapping[str, History]) -> pl.DataFrame:
    """Return the rows of a table that histories give."""
    schema = {"ticker": pl.String(), **TABLES[name].schema}
    make: Callable[[History], pl.DataFrame] = {
        "daily": derived.refined,
        "history": lambda held: held.bars,
        "tickers": derived.listing,
    }[name]
    frames = [
        make(held).with_columns(ticker=pl.lit(ticker)).select(list(schema))
        for ticker, held in histories.items()
    ]
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def quoted(text: str) -> str:
    """Return text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
