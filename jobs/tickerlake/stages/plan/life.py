"""The objects and requests of a lake's life, counted as the stages make them; no I/O.

The model's lake has tickers of one exchange that are alike: each has a bar of every session,
nothing is corrected, quarantined, split or late, and a day's run begins when the one before is
done. Of such a lake it counts exactly; tests make lakes and compare. A real one makes a few
requests more.

A stage is a method. It changes what is known of the lake, and returns the work that it was.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from math import ceil
from typing import Final, NamedTuple

from tickerlake.lake import checkpointing, layout
from tickerlake.lake.layout import Grain
from tickerlake.stages import extract
from tickerlake.stages.compact import CLOSED_AFTER

PAGE: Final = 1_000
"""Keys that S3 lists, or deletes, with one request."""


@dataclass
class Work:
    """What a stage does: requests to the store, and what decides how much there is to compute.

    Attributes:
        get: requests that read an object, or find that there is none.
        put: requests that write one, or find that they must not.
        list: requests for a page of keys.
        delete: requests that delete up to a page of keys.
        runs: runs of the stage.
        tickers: tickers that it works on.
        bars: bars that are held of them already.
        fresh: bars that it brings.
    """

    get: int = 0
    put: int = 0
    list: int = 0
    delete: int = 0
    runs: int = 1
    tickers: int = 0
    bars: int = 0
    fresh: int = 0

    def __add__(self, other: "Work") -> "Work":
        """Return the work of both."""
        names = [each.name for each in fields(self)]
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def listed(self, *keys: int) -> None:
        """Count listings of so many keys each."""
        self.list += sum(max(1, ceil(each / PAGE)) for each in keys)

    def deleted(self, keys: int) -> None:
        """Count the deletion of so many keys."""
        self.delete += ceil(keys / PAGE)


@dataclass
class Partition:
    """A partition of each ticker.

    Attributes:
        bars: its sessions.
        blobs: how many blobs manifests list in it; `packed` of them are in its pack, `loose` are
            there by themselves.
    """

    bars: int = 0
    blobs: int = 0
    loose: int = 0
    packed: int = 0


class Part(NamedTuple):
    """A part of the checkpoint: of how many tickers, with how many rows of each."""

    tickers: int
    rows: int

    def cut(self, rows: int) -> "list[Part]":
        """Return what becomes of it when there are more rows of each ticker."""
        return [Part(count, self.rows + rows) for count in _cut(self.tickers, rows)]

    def split(self) -> "list[Part]":
        """Return the parts that it is too large for."""
        return [Part(count, self.rows) for count in _cut(self.tickers, self.rows)]


def _cut(tickers: int, rows: int) -> list[int]:
    """Cut tickers with some rows each, so that none has more than a part may have."""
    at_once = max(1, checkpointing.PART_ROWS // rows)
    return [min(at_once, tickers - start) for start in range(0, tickers, at_once)]


@dataclass
class Life:
    """A lake, and what has happened to it.

    Attributes:
        tickers: how many it holds.
        grain: of its partitions.
        partitions: what it has of each ticker, by partition.
        tail: for each manifest beside the checkpoint, how many tickers it names, oldest first.
        pending: how many of them have no receipt; they are the last.
        archived: how many manifests the checkpoint has.
        said: how many entries all manifests have; `listed` is how many blobs these list.
        is_transformed: whether there are histories, and what follows from them.
        parts: of the checkpoint, sorted by ticker.
        fresh: what the newest run has delivered of each ticker: bars by partition.
    """

    tickers: int
    grain: Grain
    partitions: dict[str, Partition] = field(default_factory=dict)
    tail: list[int] = field(default_factory=list)
    pending: int = 0
    archived: int = 0
    said: int = 0
    listed: int = 0
    is_transformed: bool = False
    parts: list[Part] = field(default_factory=list)
    fresh: Counter[str] = field(default_factory=Counter)

    @property
    def bars(self) -> int:
        """The sessions of each ticker."""
        return sum(each.bars for each in self.partitions.values())

    @property
    def folded(self) -> int:
        """The rows of the checkpoint's parts."""
        return sum(each.tickers * each.rows for each in self.parts)

    def objects(self) -> Counter[str]:
        """Return how many objects there are of each kind."""
        held = self.tickers * self.is_transformed
        return Counter(
            {
                "blobs": self.tickers * sum(each.loose for each in self.partitions.values()),
                "packs": self.tickers * sum(each.packed > 0 for each in self.partitions.values()),
                "manifests": len(self.tail) + self.archived,
                "receipts": len(self.tail) - self.pending,
                "checkpoint": len(self.parts) + 2 * bool(self.parts),
                "histories": held,
                "daily": held * len(self.partitions),
                "tickers": held,
                "others": 1 + self.is_transformed,  # the marker, the index
            }
        )

    def extract(self, sessions: Sequence[date]) -> Work:
        """Fetch sessions of all tickers that are not held yet."""
        fresh = Counter(layout.partition_of(each, self.grain) for each in sessions)
        work = Work(
            tickers=self.tickers,
            bars=self.tickers * self.bars,
            fresh=self.tickers * len(sessions),
        )
        blobs, is_new = len(fresh), not self.tail and not self.archived
        at_once = ceil(extract.COMMIT_BLOBS / blobs)  # tickers in a manifest
        manifests = ceil(self.tickers / at_once)
        work.get += 1 if is_new else 2  # the marker
        if is_new:
            work.listed(0)
            work.get += manifests - 1  # each commit makes sure that there is a marker
            work.put += manifests
        self._survey(work)
        work.get += 1  # the index
        if not is_new:
            work.listed(self.tickers)
        work.get += self.tickers
        work.put += self.tickers * blobs + manifests
        self._deliver(fresh)
        self.tail += [at_once] * (manifests - 1) + [self.tickers - at_once * (manifests - 1)]
        self.pending += manifests
        self.said += self.tickers
        self.listed += self.tickers * blobs
        return work

    def _deliver(self, fresh: Counter[str]) -> None:
        for name, bars in fresh.items():
            each = self.partitions.setdefault(name, Partition())
            each.bars += bars
            each.blobs += 1
            each.loose += 1
        self.fresh = fresh

    def transform(self) -> Work:
        """Process the runs that are pending."""
        parts = len(self.fresh)
        fresh = sum(self.fresh.values())
        work = Work(
            get=1,
            tickers=self.tickers,
            bars=self.tickers * (self.bars - fresh),
            fresh=self.tickers * fresh,
        )
        self._survey(work)
        done = len(self.tail) - self.pending
        work.listed(0, self.tickers * self.is_transformed, self.tickers, self.tickers)
        work.get += 2 * self.pending + self.tickers * (1 + parts) + 1
        work.put += self.tickers * (2 + parts) + 1 + self.pending
        self.pending, self.is_transformed = 0, True
        self._tidy(work, done)
        work.listed(len(self.tail), len(self.tail))  # has another run arrived meanwhile?
        work.get += 1
        return work

    def rebuild(self) -> Work:
        """Derive everything from raw again, and find nothing that differs."""
        work = Work(get=1, tickers=self.tickers, bars=self.tickers * self.bars)
        self._survey(work)
        self._survey(work)
        done, partitions = len(self.tail), len(self.partitions)
        held = self.tickers
        work.listed(0, held, held, held * partitions, held, held)
        work.get += bool(self.parts) + 1 + len(self.parts) + 2 * len(self.tail) + 1
        work.put += 1
        blobs = sum(each.blobs - each.packed for each in self.partitions.values())
        packs = sum(each.blobs > 1 for each in self.partitions.values())
        work.get += self.tickers * (1 + blobs + packs + partitions + 1)
        self._tidy(work, done)
        return work

    def compact(self, until: date, *, is_later: bool = False) -> Work:
        """Pack the partitions that ended before a day; `is_later`: their packs are a day old."""
        work = Work(get=1)
        if self.grain == "day":
            return work
        work.get += 1 + len(self.tail)
        objects = self.objects()
        work.listed(len(self.tail), objects["blobs"] + objects["packs"] + len(self.tail))
        closed = [
            each
            for name, each in self.partitions.items()
            if layout.sessions(name)[1] < until - CLOSED_AFTER
            and each.loose + (each.packed > 0) > 1
        ]
        work.tickers = self.tickers * bool(closed)
        work.get += len(self.parts) * bool(closed)
        for each in closed:
            self._pack(work, each, is_later=is_later)
        return work

    def _pack(self, work: Work, partition: Partition, *, is_later: bool) -> None:
        work.get += self.tickers
        fresh = partition.blobs - partition.packed
        if fresh:
            work.get += self.tickers * fresh
            work.put += self.tickers
            work.bars += self.tickers * partition.bars
            partition.packed = partition.blobs
        elif is_later:
            work.delete += self.tickers * ceil(partition.loose / PAGE)
            partition.loose = 0

    def _survey(self, work: Work) -> None:
        """List manifests, receipts and notes on tickers that are behind; read the checkpoint."""
        work.listed(len(self.tail), len(self.tail) - self.pending, 0)
        work.get += 1

    def _tidy(self, work: Work, done: int) -> None:
        """Fold the tail into the checkpoint if it is long."""
        if done < checkpointing.TAIL:
            return
        count, before = done - checkpointing.KEPT, self.parts
        rows = sum(self.tail[:count])
        ranges = [
            each
            for part in before or [Part(self.tickers, 0)]
            for each in part.cut(ceil(rows / self.tickers))
        ]
        self.parts = [new for each in ranges for new in each.split()]
        work.get += count + (len(ranges) + 1) * bool(before) + 1
        work.put += count + len(self.parts) + 2
        work.deleted(2 * count)
        replaced = len(before) + bool(before)
        work.listed(replaced + len(self.parts) + 1)
        work.deleted(replaced)
        self.tail, self.archived = self.tail[count:], self.archived + count
