"""What only reads a lake, as it is or as of a past state: for the command line.

Heavy imports are inside the functions, as in `app`.
"""

from typing import TYPE_CHECKING

from tickerlake.settings import LAKE, WORKERS

if TYPE_CHECKING:
    import polars as pl

    from tickerlake.lake import Lake
    from tickerlake.lake.time_travel import State
    from tickerlake.stages.check import Checked
    from tickerlake.stages.log import Delivered, Difference
    from tickerlake.stages.status import Status


def status(lake: str = LAKE, workers: int = WORKERS, as_of: str | None = None) -> "Status":
    """Say what the lake holds, or held; `as_of` is a moment, a run's id or a stamp."""
    import tickerlake.stages.status
    from tickerlake.lake import open_lake

    opened = open_lake(lake)
    return tickerlake.stages.status.status(opened, workers, state=_state(opened, as_of))


def check(lake: str = LAKE, workers: int = WORKERS, as_of: str | None = None) -> "Checked":
    """Find what needs attention in the lake, or needed it then."""
    import tickerlake.stages.check
    from tickerlake.lake import open_lake

    opened = open_lake(lake)
    return tickerlake.stages.check.check(opened, workers, state=_state(opened, as_of))


def query(
    sql: str, lake: str = LAKE, *, unsafe: bool = False, as_of: str | None = None
) -> "pl.DataFrame":
    """Run one SQL statement over the lake's tables and views, or over what they were."""
    import tickerlake.stages.query
    from tickerlake.lake import open_lake
    from tickerlake.stages.relations import Past

    opened = open_lake(lake)
    state = _state(opened, as_of)
    tables = Past(state) if state else None
    return tickerlake.stages.query.query(opened, sql, unsafe=unsafe, tables=tables)


def log(lake: str, ticker: str, as_of: str | None = None) -> "list[Delivered]":
    """Say what each run delivered for a ticker, and what that changed."""
    import tickerlake.stages.log
    from tickerlake.lake import open_lake, time_travel
    from tickerlake.market import symbols

    [ticker] = symbols.parse([ticker])
    opened = open_lake(lake)
    state = _state(opened, as_of) or time_travel.newest(opened)
    return tickerlake.stages.log.log(state, ticker)


def diff(lake: str, ticker: str, old: str, new: str | None = None) -> "Difference":
    """Say how a ticker differs between two states; None is the newest one."""
    import tickerlake.stages.log
    from tickerlake.lake import open_lake, time_travel
    from tickerlake.market import symbols

    [ticker] = symbols.parse([ticker])
    opened = open_lake(lake)
    before = time_travel.resolve(opened, old)
    if new is None:
        after = time_travel.newest(opened, before.commits)
    else:
        after = time_travel.resolve(opened, new, before.commits)
    return tickerlake.stages.log.diff(before, after, ticker)


def _state(lake: "Lake", as_of: str | None) -> "State | None":
    from tickerlake.lake import time_travel

    return None if as_of is None else time_travel.resolve(lake, as_of)
