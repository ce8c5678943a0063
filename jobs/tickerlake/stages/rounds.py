"""The rounds of a transform: tasks for tickers, and again for those that other transforms overtook.

The first round needs only the manifests that are pending. A ticker whose manifest came late is
derived in a second round, for which all manifests are read, each once. A last listing of the
histories shows which tickers have moved on while their partitions were being written.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tickerlake.engines import Engine, Kind, Refreshed, Task, Work
from tickerlake.errors import CorruptObjectError, StoreError
from tickerlake.lake import Lake, backlog, layout, manifests, notes
from tickerlake.lake.backlog import Settled
from tickerlake.lake.lost import without_lost
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.retries import pause

log = logging.getLogger(__name__)

GIVE_UP_AFTER: Final = 8
"""After the store has failed for this many tickers in a row, the transform gives up."""

ROUNDS: Final = 50
"""How often work that another transform has overtaken is repeated, at most."""

_BYTES_A_BAR: Final = 25  # of an encoded history, to weigh tickers


class Rounds:
    """A transform in progress: what it found at its start, and how each ticker has ended."""

    def __init__(
        self, lake: Lake, engine: Engine, work: Work, progress: Callable[[Refreshed], None]
    ) -> None:
        self.lake = lake
        self.refreshed: dict[str, Refreshed] = {}
        self.survey = backlog.survey(lake.store)
        self.rechecks = notes.rechecks(lake.store)
        self.backlog = backlog.read(lake.store, self.survey)
        self._settled = Settled.from_survey(self.survey)
        self._engine, self._work, self._progress = engine, work, progress
        self._failures = 0
        self._again: dict[str, set[str]] = {}
        """The partitions that rechecks name, by ticker."""
        for note in self.rechecks.values():
            for ticker, partitions in note.tickers.items():
                self._again.setdefault(ticker, set()).update(partitions)

    @property
    def failed(self) -> set[str]:
        """The tickers that failed."""
        return {each.ticker for each in self.refreshed.values() if each.error}

    def refresh(self) -> None:
        """Fold in what is pending, and write what rechecks name again."""
        pending = by_ticker(self.backlog.manifests)
        for ticker in pending.keys() & self.backlog.broken.keys():
            note = self.backlog.broken[ticker]
            error = f"{ticker} is behind: {note.reason}"
            self._note(Refreshed(ticker, error=error, damaged=note.damaged))
        todo = sorted((pending.keys() | self._again.keys()) - self.backlog.broken.keys())
        self._run(self._refreshes(todo, pending, self._again))
        self._settle("derive")

    def rebuild(self, only: Collection[str] | None) -> None:
        """Rebuild tickers from raw alone; None rebuilds all, even those that no manifest names."""
        self._run(self._derivations("rebuild", only))
        self._settle("rebuild")

    def _settle(self, kind: Kind) -> None:
        """Repeat what was late or has been overtaken, until nothing is."""
        for number in range(1, ROUNDS + 1):
            late = {name for name, each in self.refreshed.items() if each.is_late}
            if late:
                self._run(self._derivations(kind, late))
            moved = self._moved()
            if moved:
                self._run(self._refreshes(sorted(moved), {}, moved))
            elif not late:
                return
            pause(number)
        notes.put_recheck(self.lake.store, self._moved())
        for ticker, each in self.refreshed.items():
            if each.is_late:
                error = "other runs kept replacing its history; run the transform again"
                self.refreshed[ticker] = Refreshed(ticker, error=f"{ticker}: {error}")

    def _run(self, tasks: Sequence[Task]) -> None:
        for done in self._engine(self.lake, self._work, tasks):
            self._note(done)
            if not done.is_late:
                self._progress(done)
            is_trouble = bool(done.error) and not done.damaged
            self._failures = self._failures + 1 if is_trouble else 0
            if self._failures >= GIVE_UP_AFTER:
                raise StoreError(f"{self._failures} tickers in a row failed: {done.error}")

    def _note(self, done: Refreshed) -> None:
        """Note how a ticker ended, in addition to how it ended in earlier rounds."""
        before = self.refreshed.get(done.ticker, Refreshed(done.ticker))
        self.refreshed[done.ticker] = replace(
            done,
            partitions=tuple(sorted({*before.partitions, *done.partitions})),
            overtook=before.overtook or done.overtook,
        )

    def _refreshes(
        self,
        tickers: Sequence[str],
        pending: Mapping[str, tuple[Manifest, ...]],
        again: Mapping[str, Collection[str]],
    ) -> list[Task]:
        sizes = self._sizes() if tickers else {}
        return [
            Task(
                ticker,
                pending.get(ticker, ()),
                _bars(ticker, pending.get(ticker, ())) + sizes.get(ticker, 0) // _BYTES_A_BAR,
                settled=self._settled_for(ticker),
                partitions=frozenset(again.get(ticker, ())),
            )
            for ticker in tickers
        ]

    def _derivations(self, kind: Kind, only: Collection[str] | None) -> list[Task]:
        """Return tasks that need all manifests of their tickers.

        The histories' versions are taken before the runs are listed. So if a history still has its
        version when it is replaced, all that is folded in is listed.
        """
        store = self.lake.store
        versions = self._versions()
        self.survey = backlog.survey(store)
        self._settled = Settled.from_survey(self.survey)
        try:
            everything = by_ticker(self._read(only))
        except CorruptObjectError as error:
            if kind == "rebuild":
                raise
            for ticker in only or ():
                self._note(Refreshed(ticker, error=f"{ticker}: {error}", damaged=error.key))
            return []
        is_rebuild = kind == "rebuild"
        wanted = self._stored() if is_rebuild else self._again
        tickers = everything.keys() | wanted.keys()
        if is_rebuild:
            tickers |= self.survey.behind.keys()  # so that notes on unknown tickers are removed
        return [
            Task(
                ticker,
                everything.get(ticker, ()),
                _bars(ticker, everything.get(ticker, ())),
                kind,
                settled=self._settled_for(ticker),
                version=versions.get(ticker),
                partitions=frozenset(wanted.get(ticker, ())),
            )
            for ticker in sorted(tickers if only is None else tickers & set(only))
        ]

    def _stored(self) -> Mapping[str, set[str]]:
        from tickerlake.lake import derived  # loads Polars

        return derived.stored(self.lake)

    def _read(self, only: Collection[str] | None) -> list[Manifest]:
        """Read all manifests, except those that were read at the beginning."""
        known = {each.run_id: each for each in self.backlog.manifests}
        whole = {run_id for run_id in known if run_id not in self.survey.receipts}
        missing = [run_id for run_id in self.survey.runs if run_id not in whole]
        read = manifests.read_all(self.lake.store, missing, only)
        return without_lost([*read, *(known[each] for each in whole)])

    def _moved(self) -> dict[str, tuple[str, ...]]:
        """Return the partitions written from a history that was replaced since, by ticker."""
        put = {
            ticker: each
            for ticker, each in self.refreshed.items()
            if each.partitions and not each.error and not each.is_late
        }
        versions = self._versions() if put else {}
        return {
            ticker: each.partitions
            for ticker, each in put.items()
            if versions.get(ticker) != each.version
        }

    def _settled_for(self, ticker: str) -> Settled:
        behind = self.survey.behind.get(ticker)
        if not behind:
            return self._settled
        return Settled(
            self._settled.recent - set(behind), self._settled.oldest, self._settled.open | {*behind}
        )

    def _versions(self) -> dict[str, str]:
        found = self.lake.store.find(layout.HISTORY)
        return {layout.values(each.key)["ticker"]: each.version for each in found}

    def _sizes(self) -> dict[str, int]:
        found = self.lake.store.find(layout.HISTORY)
        return {layout.values(each.key)["ticker"]: each.size for each in found}


def by_ticker(found: Iterable[Manifest]) -> dict[str, tuple[Manifest, ...]]:
    """Return the manifests that deliver something, by ticker, each cut down to the ticker."""
    answer: dict[str, list[Manifest]] = {}
    for manifest in found:
        for ticker, entry in sorted(manifest.tickers.items()):
            if entry.delivers:
                one = manifest.model_copy(update={"tickers": {ticker: entry}})
                answer.setdefault(ticker, []).append(one)
    return {ticker: tuple(each) for ticker, each in answer.items()}


def _bars(ticker: str, found: Iterable[Manifest]) -> int:
    entries = [each.tickers[ticker] for each in found]
    return sum(entry.new + entry.corrected for entry in entries)
