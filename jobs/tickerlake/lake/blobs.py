"""Blobs: the immutable objects of raw and quarantine, named after the rows that they hold."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, packs
from tickerlake.lake.manifests import Entry
from tickerlake.lake.parquet import digest, from_parquet, partitions, to_parquet
from tickerlake.market.bars import RAW

T = TypeVar("T")
R = TypeVar("R")

MANY: Final = 4
"""So many blobs are read at the same time, `READERS` at once; fewer one after the other."""

READERS: Final = 16

_RAW: Final = pl.Schema(RAW)


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
    found: dict[tuple[str, str], pl.DataFrame] = {}
    for part, packed in zip(several, _map(partial(_packed, lake, ticker), several), strict=True):
        found |= {(part, name): rows for name, rows in packed.items()}
    loose = [item for item in wanted if item not in found]
    found |= zip(loose, _map(partial(_read, lake, ticker), loose), strict=True)
    return [_together([found[item] for item in entry.blobs.items()]) for entry in entries]


def _together(frames: list[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_RAW)
    return rows if rows["session"].is_sorted() else rows.sort("session")


def _map(read_one: Callable[[T], R], items: Sequence[T]) -> list[R]:
    if len(items) < MANY:
        return [read_one(item) for item in items]
    with ThreadPoolExecutor(READERS) as pool:  # on S3 each takes a round trip
        return list(pool.map(read_one, items))


def _packed(lake: Lake, ticker: str, partition: str) -> Mapping[str, pl.DataFrame]:
    return packs.find(lake, partition, ticker)


def _read(lake: Lake, ticker: str, item: tuple[str, str]) -> pl.DataFrame:
    partition, name = item
    key = layout.blob(layout.RAW, partition, ticker, name)
    data = lake.store.get(key)
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
