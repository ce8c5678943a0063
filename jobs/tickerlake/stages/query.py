"""Query: one SQL statement over the lake's tables and views, by DuckDB.

A query is a reader: it sees the lake and nothing else, so a query that was copied from somewhere
can neither read nor write other files (docs/decisions/0040).
"""

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from tickerlake.errors import BadSettingError, CorruptObjectError, UsageError
from tickerlake.lake import Lake
from tickerlake.lake.tables import TABLES
from tickerlake.lake.views import VIEWS
from tickerlake.stages.relations import Files, Past, Tables, create, quoted, reachable

if TYPE_CHECKING:
    import duckdb

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
    lake: Lake, sql: str, *, unsafe: bool = False, tables: Tables | None = None
) -> pl.DataFrame:
    """Run one statement over the lake's tables and views.

    Args:
        lake: the lake to query.
        sql: one statement in DuckDB's dialect.
        unsafe: let the statement read and write other files, too.
        tables: where the rows of the tables come from; None is the lake's files.

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
        import duckdb
        import fsspec  # noqa: F401 - DuckDB reads what is not on local disk through it
    except ImportError as error:
        raise BadSettingError("a query needs DuckDB: pip install 'tickerlake[query]'") from error

    with reachable(lake) as root, duckdb.connect(config=_CONFIG) as connection:
        try:
            connection.execute("set TimeZone = 'UTC'")  # or moments depend on the machine
            _check(connection.extract_statements(sql), sql, unsafe=unsafe)
            create(connection, tables or Files(lake, root), sql)
            if not unsafe:
                _lock(connection, root)
            return _frame(connection.sql(sql))
        except duckdb.Error as error:
            if isinstance(tables, Past) and tables.failures:
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
