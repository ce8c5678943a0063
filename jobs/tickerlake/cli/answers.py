"""The answer of a query, in the format that was asked for."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click
from click.shell_completion import CompletionItem

from tickerlake.cli import tables
from tickerlake.errors import UsageError
from tickerlake.stages import counted

if TYPE_CHECKING:
    import polars as pl

FORMATS: Final = ("table", "csv", "json", "jsonl", "parquet")
_SUFFIXES: Final = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".parquet": "parquet"}


_EXAMPLES: Final = (
    "select ticker, session, close, return_1d, rsi_14 from latest order by ticker",
    "select session, close, sma_50 from daily where ticker = {ticker} order by session limit 5",
    "select month, close, return_1m from monthly where ticker = {ticker} order by month limit 9",
)
DICTIONARY: Final = "https://github.com/tickerlake/tickerlake/blob/main/docs/data-dictionary.md"
_PATIENCE: Final = 2.0
"""Seconds to wait for a pipe to send anything before we assume that it has no SQL."""


def statement(sql: str | None, file: TextIO | None) -> str | None:
    """Return the SQL from the argument, the file or standard input; None if there is none.

    Raises:
        UsageError: it was given twice, or can't be read.
    """
    if sql is not None and file is not None:
        raise UsageError("give the SQL as an argument or by --file, not both")
    try:
        if file is not None:
            return file.read()
        if sql == "-":
            return sys.stdin.read()
        if sql is None and _is_fed():
            return sys.stdin.read().strip() or None
    except (OSError, ValueError) as error:
        raise UsageError(f"can't read the SQL: {error}") from error
    return sql


def _is_fed() -> bool:
    """Return whether standard input is a file, or a pipe that somebody writes to."""
    import select

    try:
        if sys.stdin is None or sys.stdin.isatty():
            return False
        return bool(select.select([sys.stdin], [], [], _PATIENCE)[0])
    except (OSError, ValueError):  # not a file of the operating system
        return False


def examples(ticker: str | None) -> str:
    """Return the tables, the views and some example queries, as text.

    Args:
        ticker: one that the lake holds; None if there is none.
    """
    from tickerlake.lake.views import VIEWS
    from tickerlake.stages.relations import MEANINGS, quoted

    views = {name: view.doc.partition(". ")[0].rstrip(".") for name, view in VIEWS.items()}
    literal = quoted(ticker or "AAPL")
    questions = [f'  tickerlake query "{each.format(ticker=literal)}"' for each in _EXAMPLES]
    parts = [
        ["Tables:", *_meanings(MEANINGS)],
        ["Views:", *_meanings(views)],
        ["Examples:", *questions],
        [
            '`tickerlake query "describe NAME"` lists the columns of a table or view; see also',
            f"  {DICTIONARY}",
        ],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts)


def any_ticker(lake: str) -> str | None:
    """Return a ticker that a lake holds; None if there is none, or no lake."""
    from tickerlake.errors import LakeError
    from tickerlake.lake import layout, open_lake

    try:
        keys = open_lake(lake).store.keys(layout.HISTORY)
        return min((layout.values(key)["ticker"] for key in keys), default=None)
    except LakeError:
        return None


def _meanings(meanings: Mapping[str, str]) -> list[str]:
    return [f"  {name:9} {meaning}" for name, meaning in meanings.items()]


def completions(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the last word of a statement with the names of tables and views.

    >>> [each.value for each in completions(None, None, "select * from wee")]
    ['select * from weekly']
    """
    from tickerlake.lake.views import VIEWS
    from tickerlake.stages.relations import MEANINGS

    words = re.fullmatch(r"(.*?)(\w*)", incomplete, re.DOTALL)
    start, word = words.groups() if words else (incomplete, "")
    names = [name for name in (*MEANINGS, *VIEWS) if word and name.startswith(word.lower())]
    return [CompletionItem(f"{start}{name}") for name in names]


def chosen(output_format: str | None, output: str | None) -> str:
    """Return the format: the one that was asked for, else what the file's name says.

    Raises:
        UsageError: a terminal can't show it.
    """
    found = output_format or _SUFFIXES.get(Path(output or "").suffix.lower(), "table")
    if found == "parquet" and output is None:
        raise UsageError("--format parquet needs --output FILE")
    return found


def write(
    frame: "pl.DataFrame",
    output_format: str,
    output: str | None,
    *,
    everything: bool,
    vertical: bool,
) -> None:
    """Write an answer to standard output, or into a file.

    Args:
        frame: the answer.
        output_format: one of `FORMATS`.
        output: the file, or None.
        everything: show all rows and columns of a table.
        vertical: show a table's rows one below the other.

    Raises:
        UsageError: the file can't be written.
    """
    if output is None:
        data = _encoded(frame, output_format, _width(), everything=everything, vertical=vertical)
        click.echo(data.decode(), nl=False)
        return
    data = _encoded(frame, output_format, None, everything=True, vertical=vertical)
    try:
        Path(output).write_bytes(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"can't write the answer to {output}: {reason}") from error
    click.echo(f"Wrote {counted(frame.height, 'row')} to {output}.", err=True)


def _encoded(
    frame: "pl.DataFrame",
    output_format: str,
    width: int | None,
    *,
    everything: bool,
    vertical: bool,
) -> bytes:
    import io

    match output_format:
        case "csv":
            return _flat(frame).write_csv().encode()
        case "json":
            return frame.write_json().encode() + b"\n"
        case "jsonl":
            return frame.write_ndjson().encode()
        case "parquet":
            buffer = io.BytesIO()
            frame.write_parquet(buffer)
            return buffer.getvalue()
        case _:
            return (_table(frame, width, everything=everything, vertical=vertical) + "\n").encode()


def _width() -> int | None:
    """Return the width of the terminal, or what COLUMNS says; None where there is no limit."""
    import os

    if os.environ.get("COLUMNS") or (sys.stdout is not None and sys.stdout.isatty()):
        return shutil.get_terminal_size().columns
    return None


def _table(frame: "pl.DataFrame", width: int | None, *, everything: bool, vertical: bool) -> str:
    if not frame.width:
        return "Done."
    rows = frame if everything else frame.head(tables.MOST_ROWS)
    columns = [
        tables.column(series.name, series.to_list(), is_number=series.dtype.is_numeric())
        for series in rows.iter_columns()
    ]
    width = None if everything else width
    shown = frame.width if vertical else tables.fitting(columns, width)
    text = tables.render_vertical(columns) if vertical else tables.render(columns, width=width)
    return "\n".join([text, *_counts(frame, rows.height, shown)])


def _counts(frame: "pl.DataFrame", rows: int, columns: int) -> list[str]:
    """Say how much is not shown, and how to see it."""
    counts = []
    if rows < frame.height:
        counts.append(f"{frame.height:,} rows ({rows} shown)")
    if columns < frame.width:
        counts.append(f"{frame.width} columns ({columns} shown)")
    if not counts:
        return [] if frame.height else ["0 rows"]
    how = "--all shows everything"
    if columns < frame.width:
        how += ", --vertical puts each value on its own line"
    return ["", f"{', '.join(counts)}: {how}."]


def _flat(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return the frame with lists and structures as JSON, since CSV can't hold them."""
    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(
        pl.Series(name, [_json(value) for value in frame[name].to_list()], dtype=pl.String)
        for name in nested
    )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=str)
