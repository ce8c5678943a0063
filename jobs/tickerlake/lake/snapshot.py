"""A snapshot of a lake: a consistent read beside a running transform.

A transform replaces one ticker after the other, and of each ticker first the history, then the
files that follow from it. So whoever reads files while it is running finds some tickers before it
and others after it. A snapshot is a set of runs: its reader takes files only of tickers whose
history is still the one that it saw at the beginning, and derives the others. The result is the
state after all runs that had been committed, whatever the transform does meanwhile.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, backlog, history, layout, manifests
from tickerlake.lake.backlog import Survey
from tickerlake.lake.fold import History
from tickerlake.lake.history import Stored
from tickerlake.lake.index import versions
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a lake.

    Attributes:
        runs: the runs that it is made of.
        versions: the version tags of the histories, by ticker.
        pending: the runs that files may lack, by ticker, sorted. Only these tickers' files may
            change without a run that is newer than the snapshot.
    """

    runs: frozenset[str]
    versions: Mapping[str, str]
    pending: Mapping[str, tuple[Manifest, ...]]

    @property
    def tickers(self) -> list[str]:
        """The tickers of which something is known, sorted."""
        return sorted({*self.versions, *self.pending})

    def of(self, tickers: Collection[str]) -> "Snapshot":
        """Return the same snapshot of some tickers."""
        versions = {name: each for name, each in self.versions.items() if name in tickers}
        pending = {name: each for name, each in self.pending.items() if name in tickers}
        return Snapshot(self.runs, versions, pending)


def now(store: Store) -> Snapshot:
    """Return a snapshot of the present."""
    found = versions(store)
    surveyed = backlog.survey(store)
    is_done = not (surveyed.pending or surveyed.behind)
    return pin(found, surveyed, () if is_done else backlog.read(store, surveyed).manifests)


def pin(versions: Mapping[str, str], surveyed: Survey, lacking: Iterable[Manifest]) -> Snapshot:
    """Return a snapshot.

    Args:
        versions: the version tags of the histories, by ticker. They are taken before the runs are
            listed: so each of these histories is made of runs that are listed.
        surveyed: the runs.
        lacking: the manifests that histories lack.
    """
    pending: dict[str, tuple[Manifest, ...]] = {}
    for manifest in lacking:
        for ticker, entry in manifest.tickers.items():
            if entry.delivers:
                pending[ticker] = (*pending.get(ticker, ()), manifests.cut(manifest, {ticker}))
    return Snapshot(frozenset(surveyed.runs), versions, pending)


def moved(store: Store, taken: Snapshot) -> set[str]:
    """Return the tickers whose histories have been replaced, added or removed since a snapshot."""
    found = versions(store)
    return {
        ticker
        for ticker in found.keys() | taken.versions.keys()
        if found.get(ticker) != taken.versions.get(ticker)
    }


def has_moved(store: Store, taken: Snapshot, ticker: str) -> bool:
    """Return whether a ticker's history has been replaced, added or removed since a snapshot."""
    found = [each.version for each in store.find(layout.folder(layout.history(ticker)))]
    return found != [taken.versions[ticker]] if ticker in taken.versions else found != []


def derive(lake: Lake, ticker: str, taken: Snapshot) -> History | None:
    """Return a ticker's history in a snapshot; None if it is damaged, so that files have to do.

    Raises:
        StoreError: the lake can't be read.
    """
    try:
        stored = history.load_stored(lake, ticker)
        if _is_within(stored, taken):
            lacking = history.sort_out(stored, ticker, taken.pending.get(ticker, ()))
            if not lacking.late:
                return history.advance(lake, ticker, stored.history, lacking.new)
        runs = manifests.read_all(lake.store, taken.runs, {ticker})
        return history.rebuild(lake, ticker, runs)
    except CorruptObjectError as error:
        log.warning("%s may be from before the last run: %s", ticker, error)
        return None


def _is_within(stored: Stored, taken: Snapshot) -> bool:
    last = stored.history.last
    return (last is None or last.run_id in taken.runs) and set(stored.folded) <= taken.runs
