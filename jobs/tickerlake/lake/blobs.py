"""Blobs: the immutable objects of raw and quarantine, named after the rows that they hold."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import IO, Final

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, packs
from tickerlake.lake.computing import computed
from tickerlake.lake.manifests import Entry
from tickerlake.lake.parquet import digest, from_parquet, partitions, to_parquet
from tickerlake.market.bars import RAW

_RAW: Final = pl.Schema(RAW)
_MANY: Final = 2

_Item = tuple[str, str]
"""A partition, and the name of a blob in it."""


def write(lake: Lake, prefix: str, ticker: str, rows: pl.DataFrame) -> dict[str, str]:
    """Write rows as blobs, one for each partition; return their names by partition.

    A blob that already exists is left alone, unless it is damaged.
    """
    if rows.is_empty():
        return {}
    names = {}
    for partition, part in partitions(rows, lake.grain):
        names[partition] = name = digest(part)
        key, data = layout.blob(prefix, partition, ticker, name), to_parquet(part)
        if not lake.store.put_new(key, data) and not is_whole(lake.store.get(key), name):
            lake.store.put(key, data)
    return names


def read(lake: Lake, ticker: str, entry: Entry) -> pl.DataFrame:
    """Read the bars that an entry of a manifest delivers.

    Raises:
        CorruptObjectError: a blob is missing or damaged; names it.
    """
    [rows] = read_all(lake, ticker, [entry])
    return rows


def read_all(lake: Lake, ticker: str, entries: Sequence[Entry]) -> list[pl.DataFrame]:
    """Read the bars that entries of manifests deliver for a ticker, those of each by themselves.

    Of a partition of which several blobs are wanted, the pack is read first.

    Raises:
        CorruptObjectError: a blob is missing or damaged; names it.
    """
    wanted = dict.fromkeys(item for entry in entries for item in entry.blobs.items())
    several = [part for part, count in Counter(part for part, _ in wanted).items() if count > 1]
    packed = {
        (part, name): rows
        for part in several
        for name, rows in packs.find(lake, part, ticker).items()
    }
    loose = [item for item in wanted if item not in packed]
    data = lake.store.get_all([_key(ticker, item) for item in loose])
    found = dict(zip(loose, data, strict=True))
    return computed(lambda: [_bars(lake, ticker, entry, packed, found) for entry in entries])


def _key(ticker: str, item: _Item) -> str:
    partition, name = item
    return layout.blob(layout.RAW, partition, ticker, name)


def _bars(
    lake: Lake,
    ticker: str,
    entry: Entry,
    packed: Mapping[_Item, pl.DataFrame],
    found: Mapping[_Item, bytes | None],
) -> pl.DataFrame:
    frames = [packed[item] for item in entry.blobs.items() if item in packed]
    loose = [item for item in entry.blobs.items() if item not in packed]
    at_once = _at_once([found[item] for item in loose])
    if at_once is not None:
        frames.append(at_once)
    else:
        frames += (_rows(lake, ticker, item, found[item]) for item in loose)
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_RAW)
    return rows if rows["session"].is_sorted() else rows.sort("session")


def _at_once(found: Sequence[bytes | None]) -> pl.DataFrame | None:
    """Return the rows of many blobs by one query, as each costs a fraction of a millisecond.

    None if there is one or none, or if something is wrong with one of them.
    """
    whole: list[IO[bytes]] = [io.BytesIO(data) for data in found if data is not None]
    if len(found) < _MANY or len(whole) < len(found):
        return None
    try:
        rows = pl.read_parquet(whole, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None
    return rows if rows.schema == _RAW else None


def _rows(lake: Lake, ticker: str, item: _Item, data: bytes | None) -> pl.DataFrame:
    partition, name = item
    key = _key(ticker, item)
    if data is None:
        rows = packs.find(lake, partition, ticker).get(name)
        if rows is not None:
            return rows
        raise CorruptObjectError(
            f"{key} is listed by a manifest, but is missing; `tickerlake repair` fetches it again",
            key,
        )
    rows = _decoded(data, key)
    if rows is None or rows.schema != _RAW:
        raise CorruptObjectError(f"{key} is damaged; `tickerlake repair` fetches it again", key)
    return rows


def is_whole(data: bytes | None, name: str) -> bool:
    """Return whether a blob's bytes hold the rows that it is named after."""
    rows = _decoded(data, name) if data else None
    return rows is not None and digest(rows) == name


def _decoded(data: bytes, key: str) -> pl.DataFrame | None:
    try:
        return from_parquet(data, key)
    except CorruptObjectError:
        return None
