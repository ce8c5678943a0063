"""A lake: a store with a format version and a partition grain."""

import json
from dataclasses import dataclass
from typing import Final

from tickerlake.errors import LakeFormatError, NoLakeError
from tickerlake.lake import layout
from tickerlake.lake.layout import Grain
from tickerlake.lake.store import Store, open_store

FORMAT: Final = 3


@dataclass(frozen=True)
class Lake:
    """An open lake.

    Attributes:
        store: its objects.
        grain: how `date` partitions it.
        is_sample: it holds recorded bars, not those of a live source.
        is_new: nothing has been written yet; `establish` does that.
    """

    store: Store
    grain: Grain
    is_sample: bool = False
    is_new: bool = False


def create_lake(url: str, grain: Grain | None = None, *, sample: bool | None = None) -> Lake:
    """Open the lake at a URL, or a new one; `establish` writes it when there is something to store.

    Args:
        url: see `store.open_store`.
        grain: the grain of a new lake (None: `day`); an existing lake must have it.
        sample: whether recorded bars or those of a live source are going to be stored; an existing
            lake must be of the same kind. None does not care.

    Raises:
        LakeFormatError: the lake there has another grain or format version, lacks `_lake.json`, or
            is of the other kind.
    """
    store = open_store(url, create=True)
    if store.get(layout.LAKE) is None:
        _refuse_runs(store)
        return Lake(store, grain or "day", is_sample=bool(sample), is_new=True)
    lake = _open(store)
    if grain and grain != lake.grain:
        raise LakeFormatError(
            f"the lake at {url} has partitions by {lake.grain}, not by {grain}: a lake's grain is"
            " chosen once. Leave out --grain, or create another lake with --lake."
        )
    if sample is not None and sample != lake.is_sample:
        held, asked = ("recorded", "live") if lake.is_sample else ("live", "recorded")
        raise LakeFormatError(
            f"the lake at {url} holds {held} bars, which can't be mixed with {asked} ones: create"
            " another lake with --lake FOLDER"
        )
    return lake


def establish(lake: Lake) -> None:
    """Write the marker of a new lake; do nothing if the lake already exists.

    Raises:
        LakeFormatError: another run has just created the lake with another grain.
    """
    if not lake.is_new:
        return
    marker = encode_marker(lake.grain, is_sample=lake.is_sample)
    if not lake.store.put_same(layout.LAKE, marker) and _open(lake.store).grain != lake.grain:
        raise LakeFormatError(
            f"another run created the lake at {lake.store.url} with another grain at the same time;"
            " run this again"
        )


def open_lake(url: str) -> Lake:
    """Open the lake at a URL.

    Raises:
        NoLakeError: there is none.
        LakeFormatError: it has another format version, or lacks `_lake.json`.
    """
    return _open(open_store(url))


def encode_marker(grain: Grain, *, is_sample: bool = False) -> bytes:
    """Return what `_lake.json` holds."""
    marker: dict[str, object] = {"format": FORMAT, "grain": grain}
    return json.dumps(marker | ({"sample": True} if is_sample else {})).encode()


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
        raise NoLakeError(f"there is no lake at {store.url}: `tickerlake run` creates one")
    try:
        marker = json.loads(data)
        version, grain = marker["format"], marker["grain"]
        is_sample = bool(marker.get("sample", False))
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged_marker(store, repr(error)) from error
    if not isinstance(version, int):
        raise _damaged_marker(store, f"no format is {version!r}")
    if version != FORMAT:
        raise LakeFormatError(
            f"the lake at {store.url} has format {version}; this tickerlake knows format {FORMAT}."
            " Use the version of tickerlake that created it, or extract into a new lake."
        )
    if grain not in layout.GRAINS:
        raise _damaged_marker(store, f"no grain is {grain!r}")
    return Lake(store, grain, is_sample=is_sample)


def _damaged_marker(store: Store, reason: str) -> LakeFormatError:
    return LakeFormatError(
        f"{layout.LAKE} of {store.url} can't be read ({reason}); `tickerlake repair` writes it"
        " again"
    )
