"""The manifests of a lake, for whoever reads many of them, or a few tickers of them."""

import zlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import groupby, islice
from typing import Final

from tickerlake.lake import checkpoints, excerpts, layout, manifests
from tickerlake.lake.checkpoints import Reader
from tickerlake.lake.manifests import Manifest, Order
from tickerlake.lake.store import Store

READERS: Final = 16
"""Manifests that are read at the same time."""

AT_ONCE: Final = 4
"""Manifests that are read together on the way back."""


class Commits:
    """The manifests of a lake; each is read once, however many states and tickers need it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, bytes] = {}
        self._orders: dict[str, Order] = {}

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._store, checkpoints.load(self._store))

    def all_ids(self) -> list[str]:
        """List the ids of all runs, sorted by the moment of their commit."""
        tail = manifests.ids(self._store, layout.RUNS)
        self.__dict__.pop("_reader", None)  # it may be from before the listing
        return sorted(self._reader.checkpoint.run_ids.union(tail))

    def orders(self, run_ids: Iterable[str]) -> list[Order]:
        """Return runs, sorted from the oldest to the newest."""
        run_ids = list(run_ids)
        self._load(run_ids)
        known = self._reader.checkpoint.moments
        return sorted(
            Order(known[run_id], run_id) if run_id in known else self._orders[run_id]
            for run_id in run_ids
        )

    def read(self, run_ids: Iterable[str], tickers: Collection[str] | None) -> Iterator[Manifest]:
        """Read manifests with these tickers, in no particular order; None is all of them."""
        run_ids = list(run_ids)
        for run_id, data in self._reader.documents(run_ids, tickers):
            yield manifests.parse(run_id, data)
        yield from (self._excerpt(run_id, tickers) for run_id in self._load(run_ids))

    def backwards(self, run_ids: Iterable[str], ticker: str) -> Iterator[Manifest]:
        """Read manifests in the order of their runs, hardly more of them than are taken."""
        is_folded = self._reader.checkpoint.run_ids.__contains__
        for folded, group in groupby(run_ids, is_folded):
            if folded:
                part = list(group)
                said = dict(self._reader.documents(part, {ticker}))
                yield from (manifests.parse(run_id, said[run_id]) for run_id in part)
            while part := list(islice(group, AT_ONCE)):
                self._load(part)
                yield from (self._excerpt(run_id, {ticker}) for run_id in part)

    def _excerpt(self, run_id: str, tickers: Collection[str] | None) -> Manifest:
        return excerpts.parse(run_id, zlib.decompress(self._read[run_id]), tickers)

    def _load(self, run_ids: Iterable[str]) -> list[str]:
        """Fetch the manifests of those runs that are not in the checkpoint; return these runs."""
        known = self._reader.checkpoint.run_ids
        tail = [run_id for run_id in run_ids if run_id not in known]
        missing = [run_id for run_id in tail if run_id not in self._read]
        if missing:
            with ThreadPoolExecutor(min(READERS, len(missing))) as pool:
                for run_id, data in zip(missing, pool.map(self._get, missing), strict=True):
                    self._orders[run_id] = excerpts.parse(run_id, data, ()).order
                    # a manifest says the same of many tickers: it shrinks to a twentieth
                    self._read[run_id] = zlib.compress(data, 1)
        return tail

    def _get(self, run_id: str) -> bytes:
        return manifests.read_bytes(self._store, run_id)
