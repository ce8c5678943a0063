"""Time travel: the lake as it was known at a moment (`--as-of`), after a run, or under a stamp.

Nothing is stored for this. Raw keeps every version of every bar, and the manifests say which run
delivered it; so a state is a set of runs, and everything in it is derived from their manifests.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Final

from tickerlake.errors import CorruptObjectError, LostStateError, UsageError
from tickerlake.lake import (
    Lake,
    history,
    layout,
    manifests,
    snapshot,
)
from tickerlake.lake.commits import Commits
from tickerlake.lake.fold import History
from tickerlake.lake.lost import losses, without_lost
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.rewind import rewind
from tickerlake.lake.snapshot import Snapshot

Asked = str | date | datetime
"""A moment, a day (its end, in UTC), the id of a run, or a stamp."""

OVERTAKING: Final = 16
"""The number of runs that may be seen before one that has an earlier id: extractions are many."""

_STAMP: Final = re.compile(r"[0-9a-f]{12}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class State:
    """A state of the lake.

    Attributes:
        lake: the lake.
        commits: its manifests.
        runs: the runs that the state is made of, sorted by the moment of their commit.
        asked: the moment (UTC) that was asked for, if it was one.
    """

    lake: Lake
    commits: Commits
    runs: tuple[str, ...]
    asked: datetime | None = None

    @cached_property
    def stamp(self) -> str:
        """The state's short name."""
        return stamp(self.runs)

    @cached_property
    def moment(self) -> datetime:
        """The moment (UTC) at which it is seen: it decides which sessions have closed."""
        orders = [] if self.asked else self.commits.orders(self.runs)
        return self.asked or (orders[-1].as_of if orders else datetime.now(UTC))

    def manifests(self, tickers: Collection[str] | None = None) -> list[Manifest]:
        """Read the manifests, sorted from the oldest to the newest.

        Args:
            tickers: the tickers to keep; None keeps all.
        """
        return without_lost(self.commits.read(self.runs, tickers))

    def tickers(self) -> list[str]:
        """Return the tickers of which something is known, sorted."""
        return sorted(_delivered(self.manifests()))

    def known(self, tickers: Collection[str]) -> set[str]:
        """Return those of some tickers of which something is known."""
        return _delivered(self.manifests(set(tickers)))

    def pending_tickers(self) -> set[str]:
        """Return the tickers that runs deliver which have not been transformed yet.

        Together with those that have a stored history, they are all that a state may know.
        """
        pending = set(self.runs).intersection(manifests.pending_ids(self.lake.store))
        return _delivered(self.commits.read(pending, None))

    def histories(self, tickers: Collection[str]) -> Iterator[tuple[str, History]]:
        """Derive the histories of tickers, in order.

        Raises:
            LostStateError: what a run delivered is lost.
            CorruptObjectError: a blob can't be read; says how to repair it.
        """
        now = snapshot.now(self.lake.store)
        rebuilt: list[Manifest] | None = None
        for ticker in tickers:
            try:
                found = self._rewound(ticker, now)
                if found is None:
                    rebuilt = self.manifests(set(tickers)) if rebuilt is None else rebuilt
                    found = history.rebuild(self.lake, ticker, rebuilt)
                yield ticker, found
            except CorruptObjectError as error:
                self.explain(error)
                raise

    def _rewound(self, ticker: str, now: Snapshot) -> History | None:
        """Derive a history from the stored one, if that is exact and reads less."""
        since = sorted(now.runs.difference(self.runs))
        if len(since) >= len(self.runs) or ticker in now.pending or ticker not in now.versions:
            return None
        try:
            stored = history.load_stored(self.lake, ticker)
        except CorruptObjectError:
            return None
        if stored.version != now.versions[ticker]:
            return None
        later = list(self.commits.read(since, {ticker}))
        newest_first = self.runs[::-1]
        before = self.commits.backwards(newest_first, ticker)
        commits = zip(before, [*newest_first[1:], ""], strict=True)
        return rewind(self.lake, ticker, stored.history, later, commits)

    def history(self, ticker: str) -> History:
        """Derive the history of a ticker; see `histories`."""
        return next(self.histories([ticker]))[1]

    def explain(self, error: CorruptObjectError) -> None:
        """Raise a `LostStateError` if an object is missing because it is lost for good."""
        later = self.commits.read(self.commits.all_ids(), ())
        lost = losses((manifest.run_id, manifest.lost) for manifest in later)
        if error.key in lost:
            raise LostStateError(
                f"the lake can no longer give the state {self.stamp}: {error.key} was lost, as run"
                f" {lost[error.key]} says"
            ) from error


def _delivered(found: Iterable[Manifest]) -> set[str]:
    return {
        ticker for manifest in found for ticker, entry in manifest.tickers.items() if entry.delivers
    }


def stamp(run_ids: Iterable[str]) -> str:
    """Return the stamp of the state that some runs make up.

    >>> stamp(["20261120T223005123456Z-70b0bb"])
    '9ae63497aea0'
    """
    *_, last = _stamps(sorted(run_ids))
    return last


def _stamps(run_ids: Iterable[str]) -> Iterator[str]:
    """Yield the stamps of the first 0, 1, 2, … runs, which are sorted by id."""
    digest = hashlib.sha256()
    yield digest.hexdigest()[:12]
    for run_id in run_ids:
        digest.update(run_id.encode())
        yield digest.hexdigest()[:12]


def newest(
    lake: Lake, commits: Commits | None = None, *, runs: Collection[str] | None = None
) -> State:
    """Return the state of all runs that are committed, whether transformed or not.

    Args:
        lake: the lake.
        commits: what is read of the lake's manifests already.
        runs: the runs that are known; None lists them.
    """
    commits = commits or Commits(lake.store)
    return State(lake, commits, tuple(commits.all_ids() if runs is None else sorted(runs)))


def resolve(lake: Lake, asked: Asked, commits: Commits | None = None) -> State:
    """Return the state that a user asks for.

    A moment takes the runs that saw the market up to then, by their `as_of`; a run's id, those
    committed up to that run; a stamp, those that it was made from.

    Args:
        lake: the lake.
        asked: a moment (UTC if it has no time zone), a day (its end), a run's id, or a stamp.
        commits: what is read of the lake's manifests already.

    Raises:
        UsageError: it is none of these, there is no such run, or the lake knew nothing yet.
        LostStateError: no runs of the lake have this stamp.
    """
    commits = commits or Commits(lake.store)
    run_ids = commits.all_ids()
    text = asked if isinstance(asked, str) else ""
    if layout.is_run_id(text):
        if text not in run_ids:
            manifests.read_bytes(lake.store, text)  # says what is wrong
        return State(lake, commits, tuple(each for each in run_ids if each <= text))
    if _STAMP.fullmatch(text):
        return _stamped(lake, commits, run_ids, text)
    return _known_at(lake, commits, run_ids, asked)


def _known_at(lake: Lake, commits: Commits, run_ids: Sequence[str], asked: Asked) -> State:
    until = _moment(asked)
    # a run saw the market before its commit, so only those that came later must be looked at
    later = [run_id for run_id in run_ids if layout.committed_at(run_id) > until]
    unknown = {order.run_id for order in commits.orders(later) if order.as_of > until}
    known = tuple(run_id for run_id in run_ids if run_id not in unknown)
    if run_ids and not known:
        first = commits.orders(run_ids)[0]
        raise UsageError(
            f"the lake knew nothing at {asked}: its first run saw the market at"
            f" {first.as_of:%Y-%m-%d %H:%M:%S} UTC, and fetched the sessions before"
        )
    return State(lake, commits, known, until)


def _stamped(lake: Lake, commits: Commits, run_ids: Sequence[str], wanted: str) -> State:
    for number, found in enumerate(_stamps(run_ids)):
        if found == wanted:
            return State(lake, commits, tuple(run_ids[:number]))
    # a moment leaves out runs that were committed before others, but saw a later market
    runs = commits.orders(run_ids)
    for number in range(len(runs)):
        known = tuple(sorted(run.run_id for run in runs[:number]))
        if stamp(known) == wanted:
            return State(lake, commits, known)
    if overtaken := _but_one(run_ids, wanted):
        return State(lake, commits, overtaken)
    raise LostStateError(
        f"no state of the lake at {lake.store.url} has the stamp {wanted}: it is the stamp of"
        " another lake, or a run that it was made from is lost"
    )


def _but_one(run_ids: Sequence[str], wanted: str) -> tuple[str, ...]:
    """Return the runs with a stamp that lack one, whose commit ended after that of later ones."""
    before = hashlib.sha256()
    for number, lacking in enumerate(run_ids):
        digest, end = before.copy(), number + 1
        for run_id in run_ids[end : end + OVERTAKING]:
            end += 1
            digest.update(run_id.encode())
            if digest.hexdigest()[:12] == wanted:
                return (*run_ids[:number], *run_ids[number + 1 : end])
        before.update(lacking.encode())
    return ()


def _moment(asked: Asked) -> datetime:
    """Return the moment up to which runs count."""
    moment = _parsed(asked)
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return datetime.combine(moment, time.max, UTC)


def _parsed(asked: Asked) -> date | datetime:
    if not isinstance(asked, str):
        return asked
    try:
        if _DAY.fullmatch(asked):
            return date.fromisoformat(asked)
        return datetime.fromisoformat(asked)
    except ValueError as error:
        raise UsageError(
            f"{asked!r} is no moment such as 2013-03-01 or 2013-03-01T22:30Z, no run's id and no"
            " stamp; `tickerlake status` shows them"
        ) from error
