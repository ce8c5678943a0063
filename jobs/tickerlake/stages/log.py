"""Log and diff: what each run delivered for a ticker, and what that changed.

Everything is derived from raw by the fold that makes a history, one delivery after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import history
from tickerlake.lake.fold import Delivery, History, fold
from tickerlake.lake.time_travel import State
from tickerlake.market import revisions, splits
from tickerlake.market.revisions import Revision


@dataclass(frozen=True)
class Delivered:
    """What a run delivered for a ticker.

    Attributes:
        run_id: the run.
        as_of: the moment (UTC) at which it saw the market.
        source: where the bars are from; `tickerlake` when a ticker was renamed or retired.
        first: the session of the first bar that it delivered; None when it delivered none.
        last: that of the last.
        new: how many sessions were not held before.
        replaced: how many bars it replaced, among them those that only say the same on a newer
            split basis.
        revised: the values of held bars that the source has changed, with what they were. Empty
            when it restated the whole past.
        splits: by ex-date, the ratio by which it changed what was believed of splits; 2 is a new
            2:1 split, and 0.5 withdraws one.
        rebased: how many held bars these splits brought to another basis.
        restated: why it replaced the whole past; empty when it did not.
        quarantined: how many rows were not accepted.
        retired: the day after which the ticker is not asked for any more.
        renamed_from: the ticker whose history continues here.
        renamed_to: the ticker that continues this one's.
    """

    run_id: str
    as_of: datetime
    source: str
    first: date | None
    last: date | None
    new: int
    replaced: int
    revised: tuple[Revision, ...]
    splits: Mapping[date, float]
    rebased: int
    restated: str
    quarantined: int
    retired: date | None = None
    renamed_from: str | None = None
    renamed_to: str | None = None


class Changed(NamedTuple):
    """A value that differs between two states, and who delivered the newer one."""

    session: date
    column: str
    old: revisions.Value
    new: revisions.Value
    as_of: datetime


@dataclass(frozen=True)
class Difference:
    """How a ticker differs between two states.

    Attributes:
        ticker: its symbol.
        old: the stamp of the first state.
        new: the stamp of the second one.
        runs: what the runs delivered that only the second one has, oldest first.
        added: the sessions that only the second one has.
        removed: the sessions that only the first one has.
        changed: the values that differ, on the split basis of the second one.
        splits: how the splits differ; see `Delivered`.
    """

    ticker: str
    old: str
    new: str
    runs: tuple[Delivered, ...]
    added: tuple[date, ...]
    removed: tuple[date, ...]
    changed: tuple[Changed, ...]
    splits: Mapping[date, float]


def log(state: State, ticker: str) -> list[Delivered]:
    """Return what each run of a state delivered for a ticker, oldest first.

    Raises:
        UsageError: the state does not know the ticker.
        CorruptObjectError, LostStateError, StoreError: as their names say.
    """
    return _told(state, ticker)[0]


def diff(old: State, new: State, ticker: str) -> Difference:
    """Return how a ticker differs between two states.

    Raises:
        UsageError: neither state knows the ticker.
        CorruptObjectError, LostStateError, StoreError: as their names say.
    """
    if not (old.known([ticker]) or new.known([ticker])):
        raise _unknown(ticker, new)
    [(_, before)], [(_, after)] = old.histories([ticker]), new.histories([ticker])
    known = set(old.runs)
    runs = _told(new, ticker)[0] if new.known([ticker]) else []
    moments = dict(after.bars.select("session", "as_of").iter_rows())
    changed = revisions.revised(before.bars, before.splits, after.bars, after.splits)
    return Difference(
        ticker=ticker,
        old=old.stamp,
        new=new.stamp,
        runs=tuple(each for each in runs if each.run_id not in known),
        added=_only(after, before),
        removed=_only(before, after),
        changed=tuple(Changed(*each, moments[each.session]) for each in changed),
        splits=splits.changes(before.splits, after.splits, date.min),
    )


def _only(one: History, other: History) -> tuple[date, ...]:
    sessions = one.bars["session"]
    return tuple(sessions.filter(~sessions.is_in(other.bars["session"].implode())))


def _told(state: State, ticker: str) -> tuple[list[Delivered], History]:
    found = state.manifests({ticker})
    sources = {manifest.run_id: manifest.source for manifest in found}
    held = History()
    told = []
    try:
        for delivery in history.deliveries(state.lake, ticker, found):
            after = fold(held, delivery)
            told.append(_delivered(held, delivery, after, sources[delivery.order.run_id]))
            held = after
    except CorruptObjectError as error:
        state.explain(error)
        raise
    if not told:
        raise _unknown(ticker, state)
    return told, held


def _delivered(before: History, delivery: Delivery, after: History, source: str) -> Delivered:
    entry, sessions = delivery.entry, delivery.bars["session"]
    replaced = int(sessions.is_in(before.bars["session"].implode()).sum())
    start = entry.start or date.max
    arrived = after.bars.filter(after.bars["session"].is_in(sessions.implode()))
    changes = splits.changes(before.splits, entry.splits or {}, start)
    return Delivered(
        run_id=delivery.order.run_id,
        as_of=delivery.order.as_of,
        source=source,
        first=sessions[0] if len(sessions) else None,
        last=sessions[-1] if len(sessions) else None,
        new=len(sessions) - replaced,
        replaced=replaced,
        revised=() if entry.restated else _revised(before, arrived, after),
        splits={} if entry.restated or before.last is None else changes,
        rebased=0 if entry.restated else _moved(before, changes),
        restated=entry.restated,
        quarantined=len(entry.rejected),
        retired=entry.retired,
        renamed_from=entry.renamed_from,
        renamed_to=entry.renamed_to,
    )


def _revised(before: History, arrived: pl.DataFrame, after: History) -> tuple[Revision, ...]:
    return tuple(revisions.revised(before.bars, before.splits, arrived, after.splits))


def _moved(before: History, changes: Mapping[date, float]) -> int:
    return int((before.bars["session"] < max(changes)).sum()) if changes else 0


def _unknown(ticker: str, state: State) -> UsageError:
    return UsageError(
        f"the lake at {state.lake.store.url} has no delivery of {ticker}; `tickerlake status` lists"
        " its tickers"
    )
