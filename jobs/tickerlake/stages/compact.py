"""Compact: the loose blobs of closed partitions become one pack for each partition.

A lake whose grain is month or year gets a blob of one row for every ticker and day. A partition is
*closed* when its last day is over for some time, so that it hardly gets new blobs any more.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, NamedTuple

from tickerlake.engines.local import spread
from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, compaction, layout, time_travel
from tickerlake.lake.compaction import Outcome, Place
from tickerlake.lake.time_travel import State
from tickerlake.stages import PARTLY_DONE

CLOSED_AFTER: Final = timedelta(days=14)
"""Bars are corrected for some days; a partition that ended longer ago than this is closed."""

GRACE: Final = timedelta(days=1)
"""How old a pack must be before the blobs in it are deleted: readers may have listed them."""

AT_ONCE: Final = 200
"""Tickers whose manifests are in memory at the same time."""


@dataclass
class Report:
    """What a compaction did.

    Attributes:
        packed: how many blobs were put into packs.
        deleted: how many blobs were deleted, as an old pack has them.
        is_needless: the lake's grain is `day`: each partition has one row, and nothing to pack.
        failed: what is wrong with partitions that could not be compacted.
    """

    packed: int = 0
    deleted: int = 0
    is_needless: bool = False
    failed: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when nothing failed, otherwise 3."""
        return PARTLY_DONE if self.failed else 0

    def note(self, outcome: Outcome | str) -> None:
        """Note how a partition ended; text says what is wrong with it."""
        if isinstance(outcome, str):
            self.failed.append(outcome)
        else:
            self.packed += outcome.packed
            self.deleted += outcome.deleted


class _Done(NamedTuple):
    """How the work on a ticker's partition ended; text says what is wrong with it."""

    ticker: str
    outcome: Outcome | str


@dataclass
class _Found:
    """The objects of a partition: its loose blobs, and when its pack was written."""

    loose: set[str] = field(default_factory=set)
    packed_at: float | None = None


def compact(
    lake: Lake, *, workers: int, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Pack the loose blobs of closed partitions, and delete those that old packs have.

    Safe beside anything else: an extraction, a transform, another compaction.

    Args:
        lake: the lake.
        workers: partitions in progress at the same time.
        progress: is called with each ticker whose partition is done.

    Raises:
        StoreError, CorruptObjectError: the lake can't be read.
    """
    if lake.grain == "day":
        return Report(is_needless=True)
    state, report = time_travel.newest(lake), Report()
    found = _found(lake, (state.moment - CLOSED_AFTER).date())
    before = time.time() - GRACE.total_seconds()
    for places in _batches(found):
        listed = _listed(state, places)

        def one(place: Place, listed: Mapping[Place, Collection[str]] = listed) -> _Done:
            each = found[place]
            is_old = each.packed_at is not None and each.packed_at <= before
            return _compacted(lake, place, listed[place], each.loose, is_old=is_old)

        for done in spread(one, places, workers):
            report.note(done.outcome)
            progress(done.ticker)
    return report


def _compacted(
    lake: Lake, place: Place, listed: Collection[str], loose: Collection[str], *, is_old: bool
) -> _Done:
    try:
        outcome = compaction.compact(lake, place, list(listed), loose, is_old=is_old)
    except CorruptObjectError as error:
        return _Done(place.ticker, str(error))
    return _Done(place.ticker, outcome)


def _found(lake: Lake, until: date) -> dict[Place, _Found]:
    """Return the partitions that ended before a day and have loose blobs to pack or to delete."""
    found: dict[Place, _Found] = {}
    for each in lake.store.find(layout.RAW):
        if not each.key.endswith(".parquet"):
            continue
        place = Place(**layout.values(each.key))
        if layout.sessions(place.date)[1] >= until:
            continue
        here = found.setdefault(place, _Found())
        if each.key.endswith(f"/{layout.PACK}"):
            here.packed_at = each.modified
        else:
            here.loose.add(layout.digest(each.key))
    return {
        place: here
        for place, here in found.items()
        if len(here.loose) + (here.packed_at is not None) > 1
    }


def _batches(found: Iterable[Place]) -> Iterator[list[Place]]:
    """Yield the partitions of some tickers at a time."""
    by_ticker: dict[str, list[Place]] = {}
    for place in sorted(found):
        by_ticker.setdefault(place.ticker, []).append(place)
    tickers = sorted(by_ticker)
    for start in range(0, len(tickers), AT_ONCE):
        yield [place for name in tickers[start : start + AT_ONCE] for place in by_ticker[name]]


def _listed(state: State, places: Iterable[Place]) -> dict[Place, dict[str, None]]:
    """Return the blobs that manifests list, by partition, oldest first, each once."""
    wanted: dict[Place, dict[str, None]] = {place: {} for place in places}
    for manifest in state.manifests({place.ticker for place in wanted}):
        for ticker, entry in manifest.tickers.items():
            for partition, name in entry.blobs.items():
                place = Place(partition, ticker)
                if place in wanted:
                    wanted[place][name] = None
    return wanted
