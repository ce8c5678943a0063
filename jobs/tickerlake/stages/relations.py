"""The tables and views that a statement can name, in a DuckDB connection.

Where the rows of the tables come from is decided by a `Tables`: `Files` reads them as they are
stored. The views are the same over all of them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tickerlake.lake import Lake, derived, frames, time_travel
from tickerlake.lake.fold import History
from tickerlake.lake.tables import TABLES
from tickerlake.lake.time_travel import State
from tickerlake.lake.views import VIEWS

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

_PLAIN: Final = re.compile(r"[\w/. +@~-]*")
"""Paths that DuckDB takes literally: without wildcards and `name=value`."""

_ASKS_FOR_ALL: Final = re.compile(
    r"\bshow\b|information_schema|duckdb_|\bpg_|^\s*(describe|summarize)\s*;?\s*$", re.IGNORECASE
)


class Tables(Protocol):
    """Where the rows of the tables come from.

    Attributes:
        failures: our own errors that DuckDB met while it read: it forgets which they were.
    """

    failures: list[Exception]

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
        self.failures: list[Exception] = []

    def create(self, connection: "duckdb.DuckDBPyConnection", name: str) -> None:
        """Create a table; see `Tables.create`."""
        if name == "raw":  # which rows count, only the manifests know
            state = time_travel.newest(self._lake, runs=self._runs)
            scan = frames.scan(self._lake, name, state, self.failures)
            connection.register(name, scan)
            return
        table = TABLES[name]
        given = _rows(name, self._given)
        if next(self._lake.store.keys(table.prefix), None) is None:
            connection.register(name, given.to_arrow())
            return
        self._open(connection)
        stored = select(name, self._root)
        if self._given:
            connection.execute("create schema if not exists internal")
            connection.register("arrived", given.to_arrow())
            connection.execute(f"create table internal.{name} as from arrived")
            connection.unregister("arrived")
            others = ", ".join(map(quoted, self._given))
            stored += f" where ticker not in ({others}) union all by name from internal.{name}"
        connection.execute(f"create view {name} as {stored}")

    def _open(self, connection: "duckdb.DuckDBPyConnection") -> None:
        if self._root == BUCKET and not connection.filesystem_is_registered("lake"):
            connection.register_filesystem(self._lake.store.filesystem())


def select(name: str, root: str) -> str:
    """Return a query of all rows of a table other than `raw`, as it is stored.

    Args:
        name: the table.
        root: the path or URL under which DuckDB finds the lake's keys.
    """
    table = TABLES[name]
    # what else lies in the folders does not belong to the table
    files = f"{root}/{table.prefix}{'*/' * len(table.partition_keys)}{table.file}"
    return (
        f"select ticker, {', '.join(table.schema)} from read_parquet({quoted(files)},"
        " hive_partitioning = true, hive_types_autocast = false)"
    )


@contextmanager
def reachable(lake: Lake) -> Iterator[str]:
    """Yield the path or URL under which DuckDB finds the lake's keys.

    DuckDB takes `[`, `*` and `?` in a path as wildcards, and `ticker=XYZ` as a partition's value,
    even in the folders above the lake. Such a lake is read through a link with a plain name.
    """
    if "://" in lake.store.url:
        yield BUCKET
        return
    folder = str(Path(lake.store.url).absolute())
    if _PLAIN.fullmatch(folder):
        yield folder
        return
    with TemporaryDirectory(prefix="tickerlake-") as parent:
        link = Path(parent) / "lake"
        link.symlink_to(folder, target_is_directory=True)
        yield str(link)


class Past:
    """The tables as of a past state; only the tickers that a statement asks for are derived."""

    def __init__(self, state: State) -> None:
        """Take the state."""
        self._state = state
        self.failures: list[Exception] = []

    def create(self, connection: "duckdb.DuckDBPyConnection", name: str) -> None:
        """Create a table; see `Tables.create`. DuckDB pushes its filters down into the scan."""
        scan = frames.scan(self._state.lake, name, self._state, self.failures)
        connection.register(name, scan)


def _rows(name: str, histories: Mapping[str, History]) -> pl.DataFrame:
    """Return the rows of a table that histories give."""
    schema = {"ticker": pl.String(), **TABLES[name].schema}
    make: Callable[[History], pl.DataFrame] = {
        "daily": derived.refined,
        "history": lambda held: held.bars,
        "tickers": derived.listing,
    }[name]
    rows = [
        make(held).with_columns(ticker=pl.lit(ticker)).select(list(schema))
        for ticker, held in histories.items()
    ]
    return pl.concat([pl.DataFrame(schema=schema), *rows])


def quoted(text: str) -> str:
    """Return text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
