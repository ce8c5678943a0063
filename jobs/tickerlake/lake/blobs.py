"""Blobs: the immutable objects of raw and quarantine, named after the rows that they hold."""

import io
from collections.abc import Mapping
from typing import Final

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout
from tickerlake.lake.manifests import Entry
from tickerlake.lake.parquet import digest, from_parquet, partitions, to_parquet
from tickerlake.market.bars import RAW

_RAW: Final = pl.Schema(RAW)
_MANY: Final = 2


def write(lake: Lake, prefix: str, ticker: str, rows: pl.DataFrame) -> dict[str, str]:
    """Write rows as blobs, one for each partition; return their names by partition.

    A blob that already exists is left alone, unless it is damaged.
    """
    names = {}
    for partition, part in partitions(rows, lake.grain):
        names[partition] = name = digest(part)
        key, data = layout.blob(prefix, partition, ticker, name), to_parquet(part)
        if not lake.store.put_new(key, data) and not is_whole(lake.store.get(key), name):
            lake.store.put(key, data)
    return names


def read(lake: Lake, ticker: str, entry: Entry) -> pl.DataFrame:
    """Read the bars that an entry of a manifest delivers; see `fetch` and `decode`."""
    return decode(fetch(lake, ticker, entry))


def fetch(lake: Lake, ticker: str, entry: Entry) -> dict[str, bytes | None]:
    """Return the blobs that an entry of a manifest lists, by key; None is one that is missing."""
    keys = [
        layout.blob(layout.RAW, partition, ticker, name) for partition, name in entry.blobs.items()
    ]
    return dict(zip(keys, lake.store.get_all(keys), strict=True))


def decode(found: Mapping[str, bytes | None]) -> pl.DataFrame:
    """Return the bars in blobs, sorted by session.

    Raises:
        CorruptObjectError: a blob is missing or damaged; names it.
    """
    rows = _together(found)
    if rows is None:
        frames = [_rows(key, data) for key, data in found.items()]
        rows = pl.concat(frames) if frames else pl.DataFrame(schema=_RAW)
    return rows if rows["session"].is_sorted() else rows.sort("session")


def _together(found: Mapping[str, bytes | None]) -> pl.DataFrame | None:
    """Return the rows of many blobs by one query, as each costs a fraction of a millisecond.

    None if there is one or none, or if something is wrong with one of them.
    """
    whole = [io.BytesIO(data) for data in found.values() if data is not None]
    if len(found) < _MANY or len(whole) < len(found):
        return None
    try:
        rows = pl.read_parquet(whole, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None
    return rows if rows.schema == _RAW else None


def _rows(key: str, data: bytes | None) -> pl.DataFrame:
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
