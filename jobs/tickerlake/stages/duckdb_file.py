"""A copy of a lake in one DuckDB file: its tables, and its views, for any client of DuckDB.

The tables are copied, not linked: the file can be moved, needs no access to the lake, and shows one
moment.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tickerlake.errors import BadSettingError, CorruptObjectError, UsageError, pip_install
from tickerlake.lake import Lake
from tickerlake.lake.tables import TABLES, comment
from tickerlake.lake.views import VIEWS
from tickerlake.stages.relations import MEANINGS, Files, Tables, quoted, reachable

if TYPE_CHECKING:
    import duckdb

_COPIED: Final = "internal.copied"
"""The table that marks a file of ours: where its rows are from."""


def write(lake: Lake, path: Path, *, tables: Tables | None = None) -> dict[str, int]:
    """Write a lake's tables and views to a DuckDB file; replace one that was written before.

    Args:
        lake: the lake.
        path: the file.
        tables: where the rows of the tables come from; None is the lake's files.

    Returns:
        The number of rows of each table.

    Raises:
        UsageError: the file can't be written, or is not one that this function wrote.
        BadSettingError: DuckDB is not installed.
        CorruptObjectError: an object of the lake is missing or damaged.
        StoreError: the lake can't be read.
    """
    try:
        import duckdb
    except ImportError as error:
        raise BadSettingError(f"a copy needs DuckDB: {pip_install('query')}") from error

    if path.exists() and not _is_ours(path):
        raise UsageError(f"{path} exists, and is not a copy of a lake: choose another name")
    # in the same folder, so that the finished file takes its place in one step
    unfinished = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with reachable(lake) as root:
            rows = _fill(lake, unfinished, tables or Files(lake, root))
        unfinished.replace(path)
    except duckdb.Error as error:
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise UsageError(f"can't write {path}: {error}") from error
        raise CorruptObjectError(f"{error}\n`tickerlake verify` finds what is damaged.") from error
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}") from error
    finally:
        for left in (unfinished, Path(f"{unfinished}.wal")):
            with suppress(OSError):
                left.unlink()
    return rows


def _fill(lake: Lake, path: Path, tables: Tables) -> dict[str, int]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"attach {quoted(str(path))} as copy")
        connection.execute("create schema copy.internal")
        connection.execute(
            f"create table copy.{_COPIED} as select ? as lake, ?::timestamptz as at",
            [lake.store.url, datetime.now(UTC)],
        )
        rows = {}
        for name, table in TABLES.items():
            tables.create(connection, name)
            order = [each for each in ("ticker", "session") if each in ("ticker", *table.schema)]
            connection.execute(
                f"create table copy.{name} as select * from {name} order by {', '.join(order)}"
            )
            connection.unregister(name)  # or it would be taken for the copy
            rows[name] = connection.sql(f"select count(*) from copy.{name}").fetchall()[0][0]
        connection.execute("use copy")
        for name, view in VIEWS.items():
            connection.execute(f"create view {name} as {view.sql}")
        _comment(connection)
    return rows


def _comment(connection: "duckdb.DuckDBPyConnection") -> None:
    """Say in the file what tables, views and columns mean."""
    for name in TABLES:
        connection.execute(f"comment on table {name} is {quoted(MEANINGS[name])}")
        for column in connection.table(name).columns:
            connection.execute(f"comment on column {name}.{column} is {quoted(comment(column))}")
    for name, view in VIEWS.items():
        connection.execute(f"comment on view {name} is {quoted(view.doc)}")


def _is_ours(path: Path) -> bool:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute(f"select * from {_COPIED}")
    except duckdb.Error:
        return False
    return True
