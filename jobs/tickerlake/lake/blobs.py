"""Blobs: the immutable objects of raw and quarantine, named after the rows that they hold."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout
from tickerlake.lake.manifests import Entry
from tickerlake.lake.parquet import digest, from_parquet, partitions, to_parquet
from tickerlake.market.bars import RAW

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
    keys = [
        layout.blob(layout.RAW, partition, ticker, name) for partition, name in entry.blobs.items()
    ]
    if len(keys) < MANY:
        frames = [_read(lake, key) for key in keys]
    else:  # on S3 each takes a round trip
        with ThreadPoolExecutor(READERS) as pool:
            frames = list(pool.map(partial(_read, lake), keys))
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_RAW)
    return rows if rows["session"].is_sorted() else rows.sort("session")


def _read(lake: Lake, key: str) -> pl.DataFrame:
    data = lake.store.get(key)
    if data is None:
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
