"""`mcp`: the lake for agents that speak the Model Context Protocol. All tools only read."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from tickerlake import __version__, reads
from tickerlake.cli import options
from tickerlake.errors import BadSettingError, TickerlakeError, UsageError, pip_install

if TYPE_CHECKING:
    import polars as pl
    from mcp.server.mcpserver import MCPServer

MOST_ROWS: Final = 500
"""An answer with more rows is cut, and says so: an agent's memory is short."""

_INSTRUCTIONS: Final = """\
A data lake of daily stock-market bars. Begin with `describe`, which lists the tables and views,
then `describe` one of them to learn its columns. `query` takes one statement in DuckDB's SQL, and
can only read. Prices are on today's split basis, and not adjusted for dividends, except where a
column says so."""


@click.command()
@options.lake
@options.workers
def mcp(lake: str, workers: int) -> None:
    """Serve the lake to an agent, on standard input and output.

    The tools query, describe, status, daily and show of the Model Context Protocol. They only read.
    Needs the extra `mcp`:
    pip install 'tickerlake[mcp,query,terminal] @ git+https://github.com/tickerlake/tickerlake'.
    """
    serve(lake, workers).run("stdio")


def serve(lake: str, workers: int) -> "MCPServer":
    """Return a server of a lake, which is opened with every call.

    Raises:
        BadSettingError: the SDK is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise BadSettingError(
            f"this needs the MCP SDK: {pip_install('mcp,query,terminal')}"
        ) from error
    server = MCPServer("tickerlake", instructions=_INSTRUCTIONS, version=__version__)
    tools = Tools(lake, workers)
    annotations = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for tool in (tools.query, tools.describe, tools.status, tools.daily, tools.show):
        # plain text: structured output would say everything twice
        server.tool(annotations=annotations, structured_output=False)(_explaining(tool))
    return server


def _explaining(tool: Callable[..., str]) -> Callable[..., str]:
    """Let an agent read what is wrong: the SDK keeps other errors to itself."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def explained(*arguments: Any, **named: Any) -> str:
        try:
            return tool(*arguments, **named)
        except TickerlakeError as error:
            raise ToolError(str(error)) from error

    return explained


class Tools:
    """The tools; their docstrings are what an agent reads."""

    def __init__(self, lake: str, workers: int) -> None:
        self._lake, self._workers = lake, workers

    def query(self, sql: str, as_of: str | None = None) -> str:
        """Run one SQL statement (DuckDB's dialect) over the lake's tables and views; it only reads.

        At most 500 rows come back. `describe` lists the tables, views and columns. `as_of` asks the
        lake as it was: a moment or day in UTC, a run's id, or a stamp.
        """
        return _answer(reads.query(sql, self._lake, as_of=as_of))

    def describe(self, name: str | None = None) -> str:
        """List the tables and views or, given the name of one, its columns and what they mean."""
        from tickerlake.lake.tables import TABLES, column
        from tickerlake.lake.views import VIEWS
        from tickerlake.stages.relations import MEANINGS

        if name is None:
            views = {each: view.doc for each, view in VIEWS.items()}
            return _json({"tables": dict(MEANINGS), "views": views})
        if name in VIEWS:
            view = VIEWS[name]
            found = {each: column._asdict() for each, column in view.columns.items()}
            return _json({"view": name, "rows": view.doc, "columns": found})
        if name not in TABLES:
            raise UsageError(f"there is no {name!r}; there are {', '.join([*TABLES, *VIEWS])}")
        types = {each: kind for each, kind in TABLES[name].sql_types().items() if each != "date"}
        found = {each: {"kind": kind, **column(each)._asdict()} for each, kind in types.items()}
        return _json({"table": name, "rows": MEANINGS[name], "columns": found})

    def status(self) -> str:
        """Say what the lake holds: tickers, first and last sessions, gaps, and the last runs."""
        return _json(asdict(reads.status(self._lake, self._workers)))

    def daily(
        self,
        tickers: list[str],
        start: date | None = None,
        end: date | None = None,
        columns: list[str] | None = None,
    ) -> str:
        """Return daily bars and features of tickers, oldest first; at most 500 rows.

        Columns are those of the table `daily`; without them: open, high, low, close, volume.
        """
        from tickerlake.market import symbols
        from tickerlake.market.features import DAILY
        from tickerlake.stages.relations import quoted

        chosen = columns or ["open", "high", "low", "close", "volume"]
        unknown = [name for name in chosen if name not in DAILY]
        if unknown:
            raise UsageError(f"daily has no column {', '.join(unknown)}; `describe` lists them")
        names = ", ".join(quoted(ticker) for ticker in symbols.parse(tickers))
        bounds = [
            f"session {sign} date '{day}'" for sign, day in ((">=", start), ("<=", end)) if day
        ]
        wanted = ", ".join(dict.fromkeys(["ticker", "session", *chosen]))
        where = " and ".join([f"ticker in ({names})", *bounds])
        return _answer(
            reads.query(
                f"select {wanted} from daily where {where} order by ticker, session",  # noqa: S608
                self._lake,
            )
        )

    def show(self, tickers: Sequence[str] = (), period: str = "6mo") -> str:
        """Draw a ticker as text: prices, volume, indicators. Several, or none for all: a table.

        The period ends with the last bar: a number of d, wk, mo or y, or ytd, or max.
        """
        from tickerlake import pictures
        from tickerlake.cli import show

        found = pictures.show(tuple(tickers), period, self._lake, self._workers)
        return click.unstyle(show.drawn(found, period))


def _answer(frame: "pl.DataFrame") -> str:
    shown = frame.head(MOST_ROWS)
    lines = [shown.write_ndjson().rstrip("\n")] if shown.height else ["no rows"]
    if shown.height < frame.height:
        lines.append(f"{frame.height:,} rows, of which these are the first {MOST_ROWS}")
    return "\n".join(lines)


def _json(value: Any) -> str:
    from pydantic_core import to_jsonable_python

    return json.dumps(to_jsonable_python(value), ensure_ascii=False)
