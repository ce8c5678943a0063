"""What runs say about each of many tickers, kept small, and decoded ticker by ticker.

Whoever works on tickers one after the other needs all manifests of a ticker, but of no other one.
So the parts of the checkpoint are fetched when a ticker in them is asked for, and are then dropped;
what the other manifests say is kept as the text that a part would have.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from tickerlake.lake import checkpoints, excerpts, manifests
from tickerlake.lake.checkpoints import Checkpoint
from tickerlake.lake.log_columns import ENTRIES
from tickerlake.lake.lost import losses, without
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.store import Store

READERS: Final = 4
"""Manifests that are fetched at the same time: one of ten thousand tickers has five megabytes."""

PARTS: Final = 2
"""Parts of the checkpoint that are kept: tickers in progress may lie in two of them."""


class _Head(NamedTuple):
    """What a manifest says about the run itself."""

    as_of: datetime
    source: str
    lost: tuple[str, ...]


class _Rows:
    """Entries, sorted by ticker."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows
        self._place: dict[str, slice] = {}
        start = 0
        for size, ticker in rows["ticker"].rle().struct.unnest().iter_rows():
            self._place[ticker] = slice(start, start + size)
            start += size

    def of(self, ticker: str) -> Iterator[tuple[str, str]]:
        """Yield runs and what they say about a ticker."""
        if ticker in self._place:
            yield from self._rows[self._place[ticker]].select("run_id", "entry").iter_rows()


class ByTicker:
    """What runs deliver for some tickers; several threads may ask at the same time."""

    def __init__(
        self,
        store: Store,
        run_ids: Collection[str],
        tickers: Collection[str],
        checkpoint: Checkpoint,
    ) -> None:
        """Read the manifests that are not in a checkpoint.

        Raises:
            CorruptObjectError: one can't be read; says how to repair it.
        """
        self._store, self._checkpoint = store, checkpoint
        self._tickers = frozenset(tickers)
        self._runs = frozenset(run_ids)
        self._heads: dict[str, _Head] = {
            run_id: _Head(as_of, source, tuple(lost))
            for run_id, as_of, source, lost in checkpoint.runs.iter_rows()
            if run_id in self._runs
        }
        self._parts: OrderedDict[str, _Rows] = OrderedDict()
        self._lock = threading.Lock()
        self._tail = _Rows(self._read(list(self._runs - self._heads.keys())))
        self._lost = losses((run_id, head.lost) for run_id, head in self._heads.items())

    def of(self, ticker: str) -> tuple[Manifest, ...]:
        """Return the manifests that deliver something for a ticker, sorted, cut down to it.

        Raises:
            CorruptObjectError: a part of the checkpoint can't be read; says how to repair it.
        """
        rows = [*self._folded(ticker), *self._tail.of(ticker)]
        found = [
            self._manifest(run_id, ticker, Entry.model_validate_json(text))
            for run_id, text in rows
            if run_id in self._runs
        ]
        delivering = (each for each in found if each.tickers[ticker].delivers)
        return tuple(sorted(delivering, key=lambda each: each.order))

    def _manifest(self, run_id: str, ticker: str, entry: Entry) -> Manifest:
        head = self._heads[run_id]
        manifest = Manifest(
            run_id=run_id, as_of=head.as_of, source=head.source, lost=head.lost,
            tickers={ticker: entry},
        )  # fmt: skip
        return without(manifest, self._lost) if self._lost else manifest

    def _folded(self, ticker: str) -> Iterator[tuple[str, str]]:
        part = self._checkpoint.part_of(ticker)
        if part is None:
            return
        with self._lock:
            if part.name not in self._parts:
                rows = checkpoints.read_object(self._store, part.name, ENTRIES)
                self._parts[part.name] = _Rows(
                    rows.filter(rows["ticker"].is_in(list(self._tickers)))
                )
            self._parts.move_to_end(part.name)
            while len(self._parts) > PARTS:
                self._parts.popitem(last=False)
            found = self._parts[part.name]
        yield from found.of(ticker)

    def _read(self, run_ids: list[str]) -> pl.DataFrame:
        """Read manifests; return what they say about the tickers."""
        parts = [pl.DataFrame(schema=ENTRIES)]
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(run_ids), READERS):
                some = run_ids[start : start + READERS]
                read = pool.map(lambda each: manifests.read_bytes(self._store, each), some)
                for run_id, data in zip(some, read, strict=True):
                    manifest = excerpts.parse(run_id, data, self._tickers)
                    self._heads[run_id] = _Head(manifest.as_of, manifest.source, manifest.lost)
                    parts.append(manifests.entries(manifest))
        return pl.concat(parts).sort("ticker")
