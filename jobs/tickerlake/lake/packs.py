"""Packs: the blobs of a closed partition in one object, as git packs loose objects.

A pack has the rows of its blobs, one blob after the other, and its metadata say which rows belong
to which blob. So it has the columns of `raw`, and manifests need not change: a blob that has no
object of its own is looked up in the pack of its partition.
"""

import io
import json
import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout
from tickerlake.lake.parquet import from_parquet
from tickerlake.market.bars import RAW

log = logging.getLogger(__name__)

_BLOBS: Final = "tickerlake.blobs"


class Pack(NamedTuple):
    """The blobs of a pack by name, and the version tag of its object (None: there is none)."""

    blobs: Mapping[str, pl.DataFrame]
    version: str | None


def load(lake: Lake, partition: str, ticker: str) -> Pack:
    """Read the pack of a partition; one without blobs when there is none.

    Raises:
        CorruptObjectError: it can't be read.
    """
    key = layout.pack(partition, ticker)
    found = lake.store.get_versioned(key)
    return Pack(decode(found.data, key), found.version) if found else Pack({}, None)


def find(lake: Lake, partition: str, ticker: str) -> Mapping[str, pl.DataFrame]:
    """Return the blobs of a pack; none if it is damaged, which `verify` reports."""
    try:
        return load(lake, partition, ticker).blobs
    except CorruptObjectError as error:
        log.warning("%s", error)
        return {}


def encode(blobs: Mapping[str, pl.DataFrame]) -> bytes:
    """Return what `decode` reads."""
    buffer = io.BytesIO()
    rows = pl.concat([pl.DataFrame(schema=RAW), *blobs.values()])
    metadata = {_BLOBS: json.dumps([[name, frame.height] for name, frame in blobs.items()])}
    rows.write_parquet(buffer, compression="zstd", metadata=metadata)
    return buffer.getvalue()


def decode(data: bytes, key: str) -> dict[str, pl.DataFrame]:
    """Return the blobs of a pack, by name.

    Raises:
        CorruptObjectError: it is no pack; names the key.
    """
    rows = from_parquet(data, key)
    try:
        sizes = json.loads(pl.read_parquet_metadata(io.BytesIO(data))[_BLOBS])
        names, heights = [name for name, _ in sizes], [int(height) for _, height in sizes]
    except (KeyError, ValueError, TypeError) as error:
        raise CorruptObjectError(f"{key} does not say which blobs it has", key) from error
    if sum(heights) != rows.height or rows.schema != pl.Schema(RAW):
        raise CorruptObjectError(f"{key} has other rows than it says", key)
    found, start = {}, 0
    for name, height in zip(names, heights, strict=True):
        found[name] = rows[start : start + height]
        start += height
    return found
