"""A lake: a store with a format version and a partition grain."""

import json
from dataclasses import dataclass
from typing import Final

from tickerlake.errors import LakeFormatError, NoLakeError
from tickerlake.lake import layout
from tickerlake.lake.layout import Grain
from tickerlake.lake.store import Store, open_store

FORMAT: Final = 1


@dataclass(frozen=True)
class Lake:
    """An open lake."""

    store: Store
    grain: Grain


def create_lake(url: str, grain: Grain | None = None) -> Lake:
    """Open the lake at a URL, making one when there is none.

    Args:
        url: see `store.open_store`.
        grain: the grain of a new lake (None: `day`); an existing lake must have it.

    Raises:
        LakeFormatError: the lake there has another grain or format version.
    """
    store = open_store(url, create=True)
    made = json.dumps({"format": FORMAT, "grain": grain or "day"})
    if store.get(layout.LAKE) is None:
        store.put_new(layout.LAKE, made.encode())
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
        LakeFormatError: it has another format version.
    """
    return _open(open_store(url))


def _open(store: Store) -> Lake:
    data = store.get(layout.LAKE)
    if data is None:
        raise NoLakeError(f"there is no lake at {store.url}: `tickerlake extract` makes one")
    try:
        marker = json.loads(data)
        version, grain = marker["format"], marker["grain"]
    except (ValueError, TypeError, KeyError) as error:
        raise LakeFormatError(f"{layout.LAKE} of {store.url} can't be read: {error!r}") from error
    if version != FORMAT or grain not in layout.GRAINS:
        raise LakeFormatError(
            f"the lake at {store.url} has format {version} and grain {grain!r}; this tickerlake"
            f" knows format {FORMAT} and grains {', '.join(layout.GRAINS)}. Use the version of"
            " tickerlake that made it."
        )
    return Lake(store, grain)
