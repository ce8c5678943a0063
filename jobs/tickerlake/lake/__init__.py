"""A lake: a store with a format version and a partition grain."""

import json
from dataclasses import dataclass
from typing import Final

from tickerlake.errors import LakeFormatError, NoLakeError
from tickerlake.lake import layout
from tickerlake.lake.layout import Grain
from tickerlake.lake.store import Store, open_store

FORMAT: Final = 2


@dataclass(frozen=True)
class Lake:
    """An open lake."""

    store: Store
    grain: Grain


def create_lake(url: str, grain: Grain | None = None) -> Lake:
    """Open the lake at a URL; make one when there is none.

    Args:
        url: see `store.open_store`.
        grain: the grain of a new lake (None: `day`); an existing lake must have it.

    Raises:
        LakeFormatError: the lake there has another grain or format version, or lacks `_lake.json`.
    """
    store = open_store(url, create=True)
    if store.get(layout.LAKE) is None:
        _refuse_runs(store)
        store.put_same(layout.LAKE, encode_marker(grain or "day"))
    lake = _open(store)
    if grain and grain != lake.grain:
        raise LakeFormatError(
            f"the lake at {url} has partitions by {lake.grain}, not by {grain}: a lake's grain is"
            " chosen once. Leave out --grain, or make another lake with --lake."
        )
    return lake


def open_lake(url: str) -> Lake:
    """Open the lake at a URL.

    Raises:
        NoLakeError: there is none.
        LakeFormatError: it has another format version, or lacks `_lake.json`.
    """
    return _open(open_store(url))


def encode_marker(grain: Grain) -> bytes:
    """Return what `_lake.json` holds."""
    return json.dumps({"format": FORMAT, "grain": grain}).encode()


def _refuse_runs(store: Store) -> None:
    """Refuse a lake that has runs, but not the object that says how it is partitioned."""
    if next(store.keys(layout.RUNS), None) is not None:
        raise LakeFormatError(
            f"the lake at {store.url} has runs, but no {layout.LAKE}, which says how it is"
            " partitioned; `tickerlake repair` writes it again"
        )


def _open(store: Store) -> Lake:
    data = store.get(layout.LAKE)
    if data is None:
        _refuse_runs(store)
        raise NoLakeError(f"there is no lake at {store.url}: `tickerlake extract` makes one")
    try:
        marker = json.loads(data)
        version, grain = marker["format"], marker["grain"]
    except (ValueError, TypeError, KeyError) as error:
        raise LakeFormatError(
            f"{layout.LAKE} of {store.url} can't be read ({error!r}); `tickerlake repair` writes it"
            " again"
        ) from error
    if version != FORMAT or grain not in layout.GRAINS:
        raise LakeFormatError(
            f"the lake at {store.url} has format {version} and grain {grain!r}; this tickerlake"
            f" knows format {FORMAT} and grains {', '.join(layout.GRAINS)}. Use the version of"
            " tickerlake that made it, or extract into a new lake."
        )
    return Lake(store, grain)
