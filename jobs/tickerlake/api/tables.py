"""The tables of a lake, as it is or as of a past state."""

import difflib
from collections.abc import Collection, Iterable
from functools import cached_property

import polars as pl

from tickerlake.api import arguments, told
from tickerlake.api.arguments import Day, Tickers
from tickerlake.api.results import Frame
from tickerlake.errors import UsageError
from tickerlake.lake import Lake, frames, snapshot, time_travel
from tickerlake.lake.commits import Commits
from tickerlake.lake.snapshot import Snapshot
from tickerlake.lake.time_travel import Asked, State
from tickerlake.stages import counted


class Tables:
    """The tables of a lake.

    Attributes:
        lake: the lake.
        state: the past state that they are read as of; None is the present.
    """

    def __init__(self, lake: Lake, state: State | None = None) -> None:
        self.lake = lake
        self.state = state

    @property
    def stamp(self) -> str:
        """The stamp of the state."""
        return self._known_state().stamp

    def at(self, moment: Asked) -> "Tables":
        """Return the tables as of a moment."""
        return Tables(self.lake, time_travel.resolve(self.lake, moment, self._commits))

    def held(self) -> list[str]:
        """Return the tickers that are held, sorted."""
        return self.state.tickers() if self.state else snapshot.now(self.lake.store).tickers

    def description(self) -> str:
        """Return a line about what is held."""
        text = f"{counted(len(self.held()), 'ticker')}, partitions by {self.lake.grain}"
        if self.state is not None:
            text += f", as of {self.state.moment:%Y-%m-%d %H:%M} UTC"
        return f"{text}, stamp {self.stamp}"

    def read(
        self,
        table: str,
        tickers: Tickers | None,
        start: Day | None,
        end: Day | None,
        columns: Iterable[str] | None,
    ) -> Frame:
        """Read a table; see `Lake.daily`."""
        names = arguments.names(tickers)
        first, last = arguments.days(start, end)
        wanted = frames.Wanted(names, first, last, arguments.columns(table, columns))
        pinned = self._pinned()
        if names is not None:
            self._refuse_unknown(names, pinned)
        rows = frames.read(self.lake, table, self.state, wanted, pinned)
        return _frame(rows, self._stamp(pinned))

    def scan(self, table: str) -> pl.LazyFrame:
        """Return a table as a lazy frame; see `Lake.scan`."""
        arguments.columns(table, None)
        return frames.scan(self.lake, table, self.state)

    def sql(self, query: str) -> Frame:
        """Run a query; see `Lake.sql`."""
        import tickerlake.stages.query
        from tickerlake.stages.relations import Past

        pinned, past = self._pinned(), Past(self.state) if self.state else None
        rows = tickerlake.stages.query.query(self.lake, query, tables=past, pinned=pinned)
        return _frame(rows, self._stamp(pinned))

    def log(self, ticker: str) -> Frame:
        """Return what the runs delivered for a ticker; see `Lake.log`."""
        from tickerlake.stages.log import log

        state = self._known_state()
        return _frame(told.deliveries(log(state, arguments.one(ticker))), state.stamp)

    def diff(self, ticker: str, old: Asked, new: Asked | None) -> Frame:
        """Return how a ticker differs between two states; see `Lake.diff`."""
        from tickerlake.stages.log import diff

        before = time_travel.resolve(self.lake, old, self._commits)
        after = self._known_state()
        if new is not None:
            after = time_travel.resolve(self.lake, new, self._commits)
        found = diff(before, after, arguments.one(ticker))
        return _frame(told.differences(found), after.stamp)

    def _pinned(self) -> Snapshot | None:
        """Return the present that is read; None if it is a past state."""
        return None if self.state else snapshot.now(self.lake.store)

    def _stamp(self, pinned: Snapshot | None) -> str:
        return time_travel.stamp(pinned.runs) if pinned else self.stamp

    def _known_state(self) -> State:
        return self.state or time_travel.newest(self.lake, self._commits)

    @cached_property
    def _commits(self) -> Commits:
        return self.state.commits if self.state else Commits(self.lake.store)

    def _refuse_unknown(self, names: Collection[str], pinned: Snapshot | None) -> None:
        held = pinned.tickers if pinned else self._known_state().known(names)
        unknown = [name for name in names if name not in held]
        if not unknown:
            return
        close = difflib.get_close_matches(unknown[0], self.held(), n=3)
        hint = f"did you mean {', '.join(close)}?" if close else "status() lists its tickers"
        verb = "does not hold" if self.state is None else "did not hold"
        raise UsageError(f"the lake {verb} {arguments.listed(unknown)}: {hint}")


def _frame(rows: pl.DataFrame, stamp: str) -> Frame:
    frame = Frame(rows)
    frame.stamp = stamp
    return frame
