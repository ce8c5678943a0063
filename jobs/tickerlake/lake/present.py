"""The present of a lake, for whoever describes its tickers one by one.

Like a query, it is a snapshot: it has all runs that are committed, also those that no transform has
processed. So its stamp gives the same again.
"""

from dataclasses import dataclass

from tickerlake.lake import Lake, backlog, history, index, snapshot, time_travel
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.snapshot import Snapshot


@dataclass(frozen=True)
class Present:
    """A lake at the moment of `look`.

    Attributes:
        lake: the lake.
        pinned: its runs and histories.
        pending: the manifests that histories lack, sorted.
    """

    lake: Lake
    pinned: Snapshot
    pending: tuple[Manifest, ...]

    @property
    def runs(self) -> list[str]:
        """The ids of all runs, sorted by the moment of their commit."""
        return sorted(self.pinned.runs)

    @property
    def stamp(self) -> str:
        """The state's short name."""
        return time_travel.stamp(self.pinned.runs)

    def tickers(self) -> list[str]:
        """Return the tickers of which something is known, sorted."""
        return self.pinned.tickers

    def history(self, ticker: str) -> History:
        """Return the history of a ticker.

        Raises:
            CorruptObjectError: it can't be read; says how to repair it.
        """
        if ticker not in self.pinned.pending:
            stored = history.load_stored(self.lake, ticker)
            if stored.version == self.pinned.versions.get(ticker):
                return stored.history
        derived = snapshot.derive(self.lake, ticker, self.pinned)
        return derived or history.load(self.lake, ticker)

    def summary(self, ticker: str) -> History:
        """Return the same, but of the bars perhaps only `session` and `flags`."""
        if ticker not in self.pinned.pending:
            stored = history.load_summary(self.lake, ticker)
            if stored.version == self.pinned.versions.get(ticker):
                return stored.history
        return self.history(ticker)


def look(lake: Lake) -> Present:
    """Look at a lake as it is now.

    Raises:
        StoreError: the lake can't be read.
    """
    versions = index.versions(lake.store)
    surveyed = backlog.survey(lake.store)
    pending = backlog.read(lake.store, surveyed).manifests
    return Present(lake, snapshot.pin(versions, surveyed, pending), pending)
