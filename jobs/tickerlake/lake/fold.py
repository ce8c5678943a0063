"""The fold that defines a ticker's history: what the runs delivered, oldest first. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date

import numpy as np
import polars as pl

from tickerlake.lake.manifests import Entry, Order, Rejected
from tickerlake.market import quality, splits
from tickerlake.market.bars import HISTORY, RAW
from tickerlake.market.listing import Event, Listing


@dataclass(frozen=True)
class Delivery:
    """What one run delivers for one ticker.

    Attributes:
        order: sorts deliveries from the oldest to the newest.
        entry: what the manifest says about the ticker.
        bars: good rows (`market.bars.RAW`), all on one split basis.
    """

    order: Order
    entry: Entry
    bars: pl.DataFrame


@dataclass(frozen=True)
class History:
    """The newest version of every bar of a ticker on one split basis, and other facts about it.

    Attributes:
        bars: `market.bars.HISTORY`, sorted by session.
        splits: all that are known, by ex-date.
        since: the earliest session that the source has been asked for; None when never.
        gaps: the exchange's sessions since the first bar that have no bar, sorted.
        rejected: the rows that were quarantined.
        timezone: of the exchange, as the source states it.
        listing: what the source says about the ticker itself.
        retired: the day after which the ticker is not asked for any more.
        renamed_to: the ticker that continues this one's history.
        events: what changed about the ticker as a whole, oldest first.
        last: the order of the newest delivery folded in.
    """

    bars: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HISTORY))
    splits: Mapping[date, float] = field(default_factory=dict)
    since: date | None = None
    gaps: tuple[date, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    timezone: str | None = None
    listing: Listing = field(default_factory=Listing)
    retired: date | None = None
    renamed_to: str | None = None
    events: tuple[Event, ...] = ()
    last: Order | None = None


def fold_all(history: History, deliveries: Iterable[Delivery]) -> History:
    """Add deliveries, oldest first, all newer than what the history has seen."""
    folded = history
    waiting: list[Delivery] = []  # their bars are not in the history yet
    for delivery in deliveries:
        if waiting and not (_is_plain(folded, waiting[-1]) and _is_plain(folded, delivery)):
            folded, waiting = _with_bars(folded, waiting), []
        folded = _told(folded, delivery)
        waiting.append(delivery)
    if folded is history:
        return history
    folded = _with_bars(folded, waiting)
    gaps = pl.Series("session", folded.gaps, pl.Date)
    return replace(folded, bars=quality.flag_context(folded.bars, folded.splits, gaps))


def fold(history: History, delivery: Delivery) -> History:
    """Add one delivery; flags that depend on other bars are left to `fold_all`."""
    return _with_bars(_told(history, delivery), [delivery])


def _is_plain(history: History, delivery: Delivery) -> bool:
    """Return whether a delivery brings bars and nothing that changes others, or some of its own.

    The bars of many such deliveries are added at once.
    """
    entry = delivery.entry
    if entry.restated or entry.flags:
        return False
    return not splits.changes(history.splits, *_announced(entry))


def _announced(entry: Entry) -> tuple[dict[date, float], date]:
    """Return the splits that a delivery states, and the day from which it states all of them."""
    return entry.splits or {}, entry.start or date.max


def _with_bars(history: History, deliveries: Sequence[Delivery]) -> History:
    return replace(history, bars=_merged(history.bars, _arrived(deliveries)))


def _told(history: History, delivery: Delivery) -> History:
    """Add what a delivery says, but not its bars."""
    entry = delivery.entry
    events = (*history.events, *_events(history, delivery))
    if entry.restated:
        history = History(rejected=history.rejected, timezone=history.timezone)
    announced, start = _announced(entry)
    changed = splits.changes(history.splits, announced, start)
    earlier = {day: ratio for day, ratio in history.splits.items() if day < start}
    return History(
        bars=splits.rebase(history.bars, changed) if changed else history.bars,
        splits=dict(sorted({**earlier, **announced}.items())),
        since=min(start, history.since or date.max) if entry.start else history.since,
        gaps=_gaps(history, entry, delivery.bars["session"]),
        rejected=tuple(dict.fromkeys([*history.rejected, *entry.rejected])),
        timezone=entry.timezone or history.timezone,
        listing=history.listing.updated(entry.listing or Listing()),
        retired=entry.retired,
        renamed_to=entry.renamed_to,
        events=events,
        last=delivery.order,
    )


def _events(history: History, delivery: Delivery) -> Iterator[Event]:
    entry, order = delivery.entry, delivery.order
    if entry.renamed_from:
        yield Event(*order, "renamed_from", detail=entry.renamed_from)
    if history.last is None:
        return
    if entry.restated:
        yield Event(*order, "restated", detail=entry.restated)
    else:
        announced, start = _announced(entry)
        for day in splits.changes(history.splits, announced, start):
            old, new = history.splits.get(day, 1.0), announced.get(day, 1.0)
            yield Event(*order, "split", day, old, new)
    if entry.renamed_to and entry.renamed_to != history.renamed_to:
        yield Event(*order, "renamed_to", detail=entry.renamed_to)
    if entry.retired != history.retired:
        yield Event(*order, "retired" if entry.retired else "resumed", entry.retired)


def _arrived(deliveries: Sequence[Delivery]) -> pl.DataFrame:
    """Return the newest bars of some deliveries, sorted; only a single one has flags of its own."""
    flagged: dict[str, list[date]] = {}
    for flag in deliveries[-1].entry.flags:
        flagged.setdefault(flag.name, []).append(flag.session)
    repaired = quality.add_flags(
        quality.repair(pl.concat([each.bars for each in deliveries])),
        {name: pl.Series(sessions) for name, sessions in flagged.items()},
    )
    moments = [each.order.as_of.astimezone(UTC).replace(tzinfo=None) for each in deliveries]
    moment = np.repeat(
        np.array(moments, dtype="datetime64[us]"), [each.bars.height for each in deliveries]
    )
    rows = repaired[[*RAW]].hstack(
        [
            pl.Series("as_of", moment).cast(HISTORY["as_of"]),
            pl.Series("basis_factor", np.ones(repaired.height)),
            repaired["flags"],
        ]
    )
    if len(deliveries) == 1:
        return rows
    return rows.unique("session", keep="last", maintain_order=True).sort("session")


def _merged(held: pl.DataFrame, arrived: pl.DataFrame) -> pl.DataFrame:
    """Return held and newer bars, both sorted by session, the newer ones instead of held ones."""
    if arrived.is_empty():
        return held
    before, new = held["session"].to_numpy(), arrived["session"].to_numpy()
    first = int(np.searchsorted(before, new[0]))
    if first == held.height:  # as on most days
        return pl.concat([held, arrived], rechunk=True)
    tail = held[first + np.flatnonzero(~np.isin(before[first:], new))]
    both = pl.concat([held[:first], tail, arrived], rechunk=True)
    if tail.is_empty() or tail["session"][-1] < new[0]:
        return both
    return both[np.argsort(both["session"].to_numpy())]


def _gaps(history: History, entry: Entry, arrived: pl.Series) -> tuple[date, ...]:
    """Return the gaps after a delivery, which states those in the window that it asked for."""
    outside = {
        day
        for day in history.gaps
        if entry.start is None or entry.end is None or not entry.start <= day <= entry.end
    }
    found = outside | set(entry.gaps)
    return tuple(sorted(found - set(arrived))) if found else ()
