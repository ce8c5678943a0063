"""A lake: a store with a format version and a partition grain, and its Parquet files."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from tickerlake import layout
from tickerlake.errors import CorruptObjectError, LakeFormatError, NoLakeError
from tickerlake.layout import Grain
from tickerlake.store import Store, open_store

FORMAT: Final = 1


@dataclass(frozen=True)
class Lake:
    """An open lake."""

    store: Store
    grain: Grain


def create(url: str, grain: Grain | None = None) -> Lake:
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


def connect(url: str) -> Lake:
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


def to_parquet(frame: pl.DataFrame, metadata: dict[str, str] | None = None) -> bytes:
    """Encode a frame; the same rows give the same bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata=metadata)
    return buffer.getvalue()


def from_parquet(data: bytes, key: str) -> pl.DataFrame:
    """Decode what `to_parquet` made.

    Raises:
        CorruptObjectError: it is no Parquet; names the key.
    """
    try:
        return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except pl.exceptions.PolarsError as error:
        raise CorruptObjectError(f"{key} is no Parquet file: {error}") from error


def digest(frame: pl.DataFrame) -> str:
    """The name of a blob with these rows: a hash of the rows, not of the file that holds them."""
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()[:32]


def partitions(frame: pl.DataFrame, grain: Grain) -> Iterator[tuple[str, pl.DataFrame]]:
    """Cut rows by the partition column `date`: pairs of its value and the rows, in order."""
    marked = frame.with_columns(_partition=layout.partition(grain))
    parts = marked.partition_by("_partition", as_dict=True, include_key=False, maintain_order=True)
    for (value,), part in parts.items():
        yield value, part
