"""Compaction: the loose blobs of a closed partition become one pack.

The pack is written first, by compare-and-swap, and counts at once: whoever misses a blob looks into
it. The blobs are deleted when the pack is old enough that no reader can still have listed them, and
only after the pack has been read again and has their rows.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from tickerlake.errors import ConflictError, CorruptObjectError
from tickerlake.lake import Lake, blobs, layout, packs
from tickerlake.lake.packs import Pack
from tickerlake.lake.parquet import digest, from_parquet


class Place(NamedTuple):
    """A partition of `raw`.

    Attributes:
        date: the partition's value of `date`.
        ticker: its ticker.
    """

    date: str
    ticker: str


class Outcome(NamedTuple):
    """What was done to a partition.

    Attributes:
        packed: how many blobs were added to its pack.
        deleted: how many objects were deleted.
    """

    packed: int = 0
    deleted: int = 0


def compact(
    lake: Lake, place: Place, listed: Sequence[str], loose: Collection[str], *, is_old: bool
) -> Outcome:
    """Pack a partition's blobs; delete those that are in an old pack.

    Args:
        lake: the lake.
        place: the partition.
        listed: the blobs that manifests list, oldest first.
        loose: the blobs that are there by themselves.
        is_old: whether the pack, if there is one, is old enough to delete what is in it.

    Raises:
        CorruptObjectError: the pack can't be read; says how to repair it.
        StoreError: the lake can't be read or written.
    """
    pack = packs.load(lake, *place)
    names = [name for name in listed if name in loose and name not in pack.blobs]
    fresh = _fresh(lake, place, names)
    if fresh and len(pack.blobs) + len(fresh) > 1:
        try:
            _put(lake, place, {**pack.blobs, **fresh}, pack.version)
        except ConflictError:
            return Outcome()  # another compaction is at work
        return Outcome(packed=len(fresh))
    return Outcome(deleted=_delete(lake, place, pack, loose) if is_old else 0)


def _fresh(lake: Lake, place: Place, names: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Read blobs; one that is damaged stays what it is, for `verify` to find."""
    found = {}
    for name in names:
        key = layout.blob(layout.RAW, place.date, place.ticker, name)
        data = lake.store.get(key)
        if data is not None and blobs.is_whole(data, name):
            found[name] = from_parquet(data, key)
    return found


def _put(
    lake: Lake, place: Place, content: Mapping[str, pl.DataFrame], version: str | None
) -> None:
    lake.store.replace(layout.pack(*place), packs.encode(content), version)


def _delete(lake: Lake, place: Place, pack: Pack, loose: Collection[str]) -> int:
    within = sorted(name for name in loose if name in pack.blobs)
    if any(digest(pack.blobs[name]) != name for name in within):
        raise CorruptObjectError(
            f"{layout.pack(*place)} has other rows than those that it names; `tickerlake repair`"
            " unpacks it",
            layout.pack(*place),
        )
    lake.store.delete([layout.blob(layout.RAW, *place, name) for name in within])
    return len(within)
