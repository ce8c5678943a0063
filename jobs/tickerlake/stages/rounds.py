"""The rounds of a transform: tasks for tickers, and again for those that other transforms overtook.

The first round needs only the manifests that are pending. A ticker whose manifest came late is
derived in a second round, for which all manifests are read. A last listing of the histories shows
which tickers have moved on while their partitions were being written.

A task names its ticker, and a job names the runs. The manifests themselves are read by whoever does
the tasks; here, each is looked at once, to learn for which tickers there is something to do.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from tickerlake.engines import Engine, Refreshed, Task
from tickerlake.errors import CorruptObjectError, StoreError
from tickerlake.lake import Lake, backlog, checkpoints, layout, manifests, notes
from tickerlake.lake.backlog import Settled
from tickerlake.lake.objects import Found
from tickerlake.lake.retries import pause

log = logging.getLogger(__name__)

GIVE_UP_AFTER: Final = 8
"""After the store has failed for this many tickers in a row, the transform gives up."""

ROUNDS: Final = 50
"""How often work that another transform has overtaken is repeated, at most."""

_BYTES_A_BAR: Final = 25  # of an encoded history, to weigh tickers

Kind = Literal["refresh", "derive", "rebuild"]


@dataclass(frozen=True)
class Job:
    """What the tasks of a round have in common.

    Attributes:
        kind: what to do with each ticker; `lake.refresh` has a function for each kind.
        runs: whose manifests to fold in.
        settled: the runs that are known to be done, unless a ticker is behind with them.
        again: more runs to fold in, each for the tickers that are behind with it.
    """

    kind: Kind
    runs: tuple[str, ...]
    settled: Settled
    again: frozenset[str] = frozenset()


Perform = Callable[[Job, Lake, Sequence[Task]], Callable[[Task], Refreshed]]
"""Prepares for tasks of a job; see `engines.Work`."""


class Rounds:
    """A transform in progress: what it found at its start, and how each ticker has ended."""

    def __init__(
        self,
        lake: Lake,
        engine: Engine,
        perform: Perform,
        progress: Callable[[Refreshed], None],
    ) -> None:
        self.lake = lake
        self.refreshed: dict[str, Refreshed] = {}
        self.survey = backlog.survey(lake.store)
        self.rechecks = notes.rechecks(lake.store)
        self.backlog = backlog.outline(lake.store, self.survey)
        self._engine, self._perform, self._progress = engine, perform, progress
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
        pending = self.backlog.bars
        for ticker in pending.keys() & self.backlog.broken.keys():
            note = self.backlog.broken[ticker]
            error = f"{ticker} is behind: {note.reason}"
            self._note(Refreshed(ticker, error=error, damaged=note.damaged))
        todo = (pending.keys() | self._again.keys()) - self.backlog.broken.keys()
        again = self.backlog.again
        runs = tuple(each.run_id for each in self.backlog.heads if each.run_id not in again)
        job = Job("refresh", runs, Settled.from_survey(self.survey), again)
        self._run(job, self._refreshes(todo, self._again))
        self._settle("derive")

    def rebuild(self, only: Collection[str] | None) -> None:
        """Rebuild tickers from raw alone; None rebuilds all, even those that no manifest names."""
        self._run(*self._derivations("rebuild", only))
        self._settle("rebuild")

    def _settle(self, kind: Kind) -> None:
        """Repeat what was late or has been overtaken, until nothing is."""
        for number in range(1, ROUNDS + 1):
            late = {name for name, each in self.refreshed.items() if each.is_late}
            if late:
                self._run(*self._derivations(kind, late))
            moved = self._moved()
            if moved:
                job = Job("refresh", (), Settled.from_survey(self.survey))
                self._run(job, self._refreshes(moved, moved))
            elif not late:
                return
            pause(number)
        notes.put_recheck(self.lake.store, self._moved())
        for ticker, each in self.refreshed.items():
            if each.is_late:
                error = "other runs kept replacing its history; run the transform again"
                self.refreshed[ticker] = Refreshed(ticker, error=f"{ticker}: {error}")

    def _run(self, job: Job, tasks: Sequence[Task]) -> None:
        work = partial(self._perform, job)
        for done in self._engine(self.lake, work, tasks) if tasks else ():
            if job.kind == "rebuild" and done.damaged.startswith(layout.ENTRIES):
                raise CorruptObjectError(done.error, done.damaged)
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
        self, tickers: Collection[str], again: Mapping[str, Collection[str]]
    ) -> list[Task]:
        histories, bars = self._histories() if tickers else {}, self.backlog.bars
        return [
            Task(
                ticker,
                bars.get(ticker, 0) + _bars(histories.get(ticker)),
                behind=tuple(self.survey.behind.get(ticker, ())),
                partitions=frozenset(again.get(ticker, ())),
            )
            for ticker in sorted(tickers)
        ]

    def _derivations(self, kind: Kind, only: Collection[str] | None) -> tuple[Job, list[Task]]:
        """Return tasks that need all manifests of their tickers.

        The histories' versions are taken before the runs are listed. So if a history still has its
        version when it is replaced, all that is folded in is listed.
        """
        histories = self._histories()
        self.survey = backlog.survey(self.lake.store)
        job = Job(kind, self.survey.runs, Settled.from_survey(self.survey))
        is_rebuild = kind == "rebuild"
        wanted = self._stored() if is_rebuild else self._again
        tickers = set(only or ())
        if is_rebuild:
            known = self._delivered() | wanted.keys()
            known |= self.survey.behind.keys()  # so that notes on unknown tickers are removed
            tickers = known if only is None else known & tickers
        return job, [
            Task(
                ticker,
                _bars(histories.get(ticker)),
                behind=tuple(self.survey.behind.get(ticker, ())),
                version=histories[ticker].version if ticker in histories else None,
                partitions=frozenset(wanted.get(ticker, ())),
            )
            for ticker in sorted(tickers)
        ]

    def _delivered(self) -> set[str]:
        """Return the tickers for which any run delivers something."""
        store, checkpoint = self.lake.store, self.survey.checkpoint
        found = checkpoints.tickers(store, checkpoint)
        for run_id in self.survey.runs:
            if run_id not in checkpoint.run_ids:
                found |= manifests.delivered(manifests.read(store, run_id))
        return found

    def _stored(self) -> Mapping[str, Collection[str]]:
        from tickerlake.lake import derived  # loads Polars

        return derived.stored(self.lake)

    def _moved(self) -> dict[str, tuple[str, ...]]:
        """Return the partitions written from a history that was replaced since, by ticker."""
        put = {
            ticker: each
            for ticker, each in self.refreshed.items()
            if each.partitions and not each.error and not each.is_late
        }
        histories = self._histories() if put else {}
        versions = {ticker: each.version for ticker, each in histories.items()}
        return {
            ticker: each.partitions
            for ticker, each in put.items()
            if versions.get(ticker) != each.version
        }

    def _histories(self) -> dict[str, Found]:
        found = self.lake.store.find(layout.HISTORY)
        return {layout.values(each.key)["ticker"]: each for each in found}


def _bars(history: Found | None) -> int:
    """Return about how many bars a history has."""
    return history.size // _BYTES_A_BAR if history else 0
