"""Query: one SQL statement over the lake's tables and views, by DuckDB.

A query is a reader: it sees the lake and nothing else, so a query that was copied from somewhere
can neither read nor write other files (docs/decisions/0040). And it sees one moment: the state
after all runs that are committed, whatever a transform is doing meanwhile (docs/decisions/0070).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import polars as pl

from tickerlake.engines.local import spread
from tickerlake.errors import BadSettingError, CorruptObjectError, UsageError, pip_install
from tickerlake.lake import Lake, snapshot
from tickerlake.lake.fold import History
from tickerlake.lake.snapshot import Snapshot
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.stages.relations import Files, Tables, create, needed, quoted, reachable

if TYPE_CHECKING:
    import duckdb

WORKERS: Final = 4
"""Tickers that are derived at the same time."""

_READS: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""DuckDB's types of statements that only read; MULTI is PIVOT."""

_WRITES: Final = re.compile(r"\bcopy\b", re.IGNORECASE)
"""COPY writes files, and may appear inside a SELECT."""

_TEXT_ONLY: Final = re.compile(r"INTERVAL|\bBIT\b|BLOB|UNION|BIGNUM|VARIANT|GEOMETRY")
"""DuckDB's types that Polars has no equivalent for: their values become text."""

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
}


def query(
    lake: Lake,
    sql: str,
    *,
    unsafe: bool = False,
    tables: Tables | None = None,
    pinned: Snapshot | None = None,
) -> pl.DataFrame:
    """Run one statement over the lake's tables and views, at one moment.

    Args:
        lake: the lake to query.
        sql: one statement in DuckDB's dialect.
        unsafe: let the statement read and write other files, too.
        tables: where the rows of the tables come from; None is the lake's files.
        pinned: the moment, if a snapshot of it has been taken.

    Returns:
        The rows. Numbers are integers or floats; a value that Polars has no type for is text.

    Raises:
        UsageError: it is not one statement, DuckDB does not understand it, or it does more than
            read the lake; contains DuckDB's message.
        BadSettingError: DuckDB is not installed.
        CorruptObjectError: an object that it needs is missing or damaged.
        LostStateError: the past state can't be read any more.
        StoreError: the lake can't be read.
    """
    try:
        import duckdb  # noqa: F401 - here, so that one sentence says that it is missing
        import fsspec  # noqa: F401 - DuckDB reads what is not on local disk through it
    except ImportError as error:
        raise BadSettingError(f"a query needs DuckDB: {pip_install('query')}") from error

    with reachable(lake) as root:
        with _connection(lake, root, tables) as connection:
            _check(connection.extract_statements(sql), sql, unsafe=unsafe)
        if tables is not None or not needed(sql):
            return _answer(lake, sql, root, tables or Files(lake, root), unsafe=unsafe)
        pinned = pinned or snapshot.now(lake.store)
        return _at_one_moment(lake, sql, root, pinned, unsafe=unsafe)


def _at_one_moment(
    lake: Lake, sql: str, root: str, pinned: Snapshot, *, unsafe: bool
) -> pl.DataFrame:
    """Answer from files, except for tickers whose files a transform may be replacing meanwhile."""
    derived: dict[str, History | None] = {}
    missing = set(pinned.pending)
    while True:
        derived.update(spread(_derived(lake, pinned), sorted(missing), WORKERS))
        given = {ticker: held for ticker, held in derived.items() if held}
        failure, answer = None, pl.DataFrame()
        try:
            tables = Files(lake, root, pinned.runs, given)
            answer = _answer(lake, sql, root, tables, unsafe=unsafe)
        except (CorruptObjectError, UsageError) as error:
            failure = error  # perhaps a file was replaced while it was read
        missing = snapshot.moved(lake.store, pinned) - derived.keys()
        if not missing and failure:
            raise failure
        if not missing:
            return answer


def _derived(lake: Lake, pinned: Snapshot) -> Callable[[str], tuple[str, History | None]]:
    return lambda ticker: (ticker, snapshot.derive(lake, ticker, pinned))


def _answer(lake: Lake, sql: str, root: str, tables: Tables, *, unsafe: bool) -> pl.DataFrame:
    with _connection(lake, root, tables) as connection:
        create(connection, tables, sql)
        if not unsafe:
            _lock(connection, root)
        return _frame(connection.sql(sql))


@contextmanager
def _connection(
    lake: Lake, root: str, tables: Tables | None
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Yield a connection, whose errors become ours."""
    import duckdb

    with duckdb.connect(config=_CONFIG) as connection:
        try:
            connection.execute("set TimeZone = 'UTC'")  # or moments depend on the machine
            yield connection
        except duckdb.Error as error:
            if tables is not None and tables.failures:
                raise tables.failures[0] from error
            message = str(error).replace(root, lake.store.url)
            raise _explained(error, message) from error
        except pl.exceptions.PolarsError as error:
            raise UsageError(
                f"the answer has values that can't be shown ({error}): cast them to varchar"
            ) from error


def _check(statements: "list[duckdb.Statement]", sql: str, *, unsafe: bool) -> None:
    if len(statements) != 1:
        found = f"these are {len(statements)}" if statements else "there is none"
        raise UsageError(f"a query is one SQL statement, and {found}")
    if unsafe:
        return
    kind = statements[0].type.name
    if kind in _READS and not _WRITES.search(sql):
        return
    raise UsageError(
        f"a query only reads the lake, and {'COPY' if kind in _READS else kind} does more."
        " `--unsafe` allows everything that DuckDB can do."
    )


def _lock(connection: "duckdb.DuckDBPyConnection", root: str) -> None:
    """Restrict the connection to the lake, permanently."""
    connection.execute(f"set allowed_directories = [{quoted(root + '/')}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _frame(relation: "duckdb.DuckDBPyRelation | None") -> pl.DataFrame:
    if relation is None:  # a statement that answers nothing, which only `unsafe` allows
        return pl.DataFrame()
    if any(_TEXT_ONLY.search(str(kind)) for kind in relation.types):
        relation = relation.project(
            ", ".join(
                f"cast(#{number} as varchar) as {_identifier(name)}"
                if _TEXT_ONLY.search(str(kind))
                else f"#{number}"
                for number, (name, kind) in enumerate(
                    zip(relation.columns, relation.types, strict=True), start=1
                )
            )
        )
    frame: pl.DataFrame = relation.pl()
    return frame.with_columns(_number(frame[name]) for name in frame.columns)


def _number(column: pl.Series) -> pl.Series:
    """Turn decimals, DuckDB's type for a sum of integers, into integers or floats."""
    if not column.dtype.is_decimal():
        return column
    whole = column.cast(pl.Int64, strict=False)
    return whole if whole.cast(column.dtype).equals(column) else column.cast(pl.Float64)


def _explained(error: Exception, message: str) -> Exception:
    import duckdb

    match error:
        case duckdb.PermissionException():
            return UsageError(
                f"a query only reads the lake: {message}\n`--unsafe` allows everything that DuckDB"
                " can do."
            )
        case duckdb.IOException() | duckdb.SerializationException():
            return CorruptObjectError(f"{message}\n`tickerlake verify` finds what is damaged.")
        case duckdb.InvalidInputException() if ".parquet" in message:
            return CorruptObjectError(f"{message}\n`tickerlake verify` finds what is damaged.")
        case duckdb.OutOfMemoryException():
            return UsageError(f"this query needs more memory than there is: {message}")
        case _:
            return UsageError(
                f"{message}\nThe tables are {', '.join(TABLES)}; the views are {', '.join(VIEWS)}."
            )


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
