"""A ticker's past history from its stored one: what the runs since have changed is taken back.

Deriving a past history from raw alone reads what every run up to then delivered. Most of it is in
the stored history: only the bars that later runs replaced must be looked up, in the deliveries
before them, newest first. What can't be taken back exactly is left to a rebuild: a restated past, a
new split, and what a repair has called lost.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import polars as pl

from tickerlake.lake import Lake, blobs, layout
from tickerlake.lake.fold import Delivery, History, fold
from tickerlake.lake.lost import is_lost, losses
from tickerlake.lake.manifests import Entry, Manifest, Order
from tickerlake.market import quality
from tickerlake.market.listing import Listing

Before = Iterator[tuple[Manifest, str]]
"""Manifests, newest commit first, each with the id of the next one; '' if there is none."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def rewind(
    lake: Lake, ticker: str, stored: History, since: Sequence[Manifest], before: Before
) -> History | None:
    """Return what a history was before some runs; None if that takes a rebuild.

    Args:
        lake: where the blobs are.
        ticker: whose history it is.
        stored: the history, made of all these runs.
        since: the manifests of the runs to take back.
        before: those of the others, which are read only as far as needed.
    """
    if any(manifest.lost for manifest in since):
        return None
    later = [each for manifest in since for each in _delivered(manifest, ticker)]
    if not later:
        return stored
    first = min(order for order, _ in later)
    if not _can_go_back(stored, first, later):
        return None
    search = _Search(lake, ticker, stored, first, [entry for _, entry in later])
    _go_back(search, ticker, before)
    return search.history()


def _delivered(manifest: Manifest, ticker: str) -> list[tuple[Order, Entry]]:
    entry = manifest.tickers.get(ticker)
    return [(manifest.order, entry)] if entry is not None and entry.delivers else []


def _go_back(search: "_Search", ticker: str, before: Before) -> None:
    """Hand over what was delivered, newest first, until the search is over."""
    waiting: list[tuple[Order, Entry]] = []
    for manifest, next_id in before:
        search.lost = losses([(manifest.run_id, manifest.lost)]) | search.lost
        waiting += _delivered(manifest, ticker)
        # a run saw the market before its commit, so nothing that follows is newer than this
        newest = layout.committed_at(next_id) if next_id else _NEVER
        settled = [each for each in waiting if each[0].as_of > newest]
        for order, found in sorted(settled, key=lambda each: each[0], reverse=True):
            search.absorb(order, found)
        waiting = [each for each in waiting if each not in settled]
        if search.is_over or search.has_all(newest.date()):
            return


def _can_go_back(stored: History, first: Order, later: Iterable[tuple[Order, Entry]]) -> bool:
    """Return whether later deliveries have changed nothing but bars, gaps and what is said."""
    if stored.since is None or any(
        (each.as_of, each.run_id) >= first and each.event in ("split", "restated")
        for each in stored.events
    ):
        return False
    return all(
        entry.start is not None
        and entry.end is not None
        and entry.start >= stored.since
        and not entry.restated
        and not entry.rejected
        for _, entry in later
    )


class _Search:
    """Looks up what later runs replaced, in one delivery after the other, newest first."""

    def __init__(
        self, lake: Lake, ticker: str, stored: History, first: Order, later: Sequence[Entry]
    ) -> None:
        self._lake, self._ticker, self._stored, self._first = lake, ticker, stored, first
        self._events = tuple(each for each in stored.events if (each.as_of, each.run_id) < first)
        self._kept = stored.bars.filter(pl.col("as_of") < first.as_of)
        self._missing = set(stored.bars["session"]) - set(self._kept["session"])
        windows = [(entry.start, entry.end) for entry in later if entry.start and entry.end]
        self._unsaid = {day for window in windows for day in _days(*window)}
        self._gaps = set(stored.gaps) - self._unsaid
        self._strayed = not self._missing <= self._unsaid
        self._parts: list[pl.DataFrame] = []
        # the earliest session that was asked for; known when it can't have been a later run
        self._since = stored.since if all(stored.since != first for first, _ in windows) else None
        self._listing = Listing()
        self._timezone: str | None = None
        self._newest: tuple[Order, Entry] | None = None
        self.lost: dict[str, str] = {}
        self.is_over = False

    def has_all(self, newest: date) -> bool:
        """Return whether runs that saw the market up to a day can add nothing."""
        border = newest + timedelta(days=1)  # sessions east of Greenwich begin on the day before
        said, known = asdict(self._stored.listing), asdict(self._listing)
        return (
            self._newest is not None
            and self._since == self._stored.since
            and all(day > border for day in self._missing | self._unsaid)
            and all(value is None or known[name] is not None for name, value in said.items())
            and (self._stored.timezone is None or self._timezone is not None)
        )

    def absorb(self, order: Order, entry: Entry) -> None:
        """Take what is still missing from a delivery that is older than those seen."""
        if self.is_over:
            return
        self._newest = self._newest or (order, entry)
        self._take_bars(order, entry)
        self._take_gaps(entry)
        self._listing = (entry.listing or Listing()).updated(self._listing)
        self._timezone = self._timezone or entry.timezone
        self._since = min((day for day in (self._since, entry.start) if day), default=None)
        self.is_over = bool(entry.restated)

    def history(self) -> History | None:
        """Return what was found; None if it can't be exact."""
        if self._strayed:
            return None
        if self._newest is None:
            return History()
        bars = pl.concat([self._kept, *self._parts]).sort("session")
        gaps = tuple(sorted(self._gaps))
        if bars["session"].is_in(gaps).any():
            return None
        last, entry = self._newest
        if last > self._first:  # the runs to take back lie between those that stay
            return None
        context = quality.flag_context(bars, self._stored.splits, pl.Series(gaps, dtype=pl.Date))
        return replace(
            self._stored,
            bars=context,
            since=self._since,
            gaps=gaps,
            timezone=self._timezone,
            listing=self._listing,
            retired=entry.retired,
            renamed_to=entry.renamed_to,
            events=self._events,
            last=last,
        )

    def _take_bars(self, order: Order, entry: Entry) -> None:
        partitions = {layout.partition_of(day, self._lake.grain) for day in self._missing}
        wanted = {
            value: name
            for value, name in entry.blobs.items()
            if value in partitions
            and not is_lost(
                layout.blob(layout.RAW, value, self._ticker, name), order.run_id, self.lost
            )
        }
        if not wanted:
            return
        part = entry.model_copy(update={"blobs": wanted})
        delivery = Delivery(order, part, blobs.read(self._lake, self._ticker, part))
        rows = fold(History(), delivery).bars.filter(pl.col("session").is_in(self._missing))
        if rows.height:
            self._parts.append(rows)
            self._missing -= set(rows["session"])
            # on another basis than the stored bars
            self._strayed |= any(
                each.event == "split" and (each.as_of, each.run_id) > order for each in self._events
            )

    def _take_gaps(self, entry: Entry) -> None:
        if entry.start and entry.end:
            window = {day for day in self._unsaid if entry.start <= day <= entry.end}
            self._gaps |= window & set(entry.gaps)
            self._unsaid -= window


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
