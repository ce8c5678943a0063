"""Blobs: the immutable objects of raw and quarantine, named after the rows that they hold."""

import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import IO, Final, NamedTuple

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, packs
from tickerlake.lake.manifests import Entry
from tickerlake.lake.parquet import digest, from_parquet, partitions, to_blob
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
        key, data = layout.blob(prefix, partition, ticker, name), to_blob(part)
        if not lake.store.put_new(key, data) and not is_whole(lake.store.get(key), name):
            lake.store.put(key, data)
    return names


class Fetched(NamedTuple):
    """Blobs as the store has them: those in packs, and the bytes of others; None is one missing."""

    packed: Mapping[_Item, pl.DataFrame]
    loose: Mapping[_Item, bytes | None]


def read(lake: Lake, ticker: str, entry: Entry) -> pl.DataFrame:
    """Read the bars that an entry of a manifest delivers; see `fetch` and `decode`."""
    return decode(ticker, entry, fetch(lake, ticker, [entry]))


def fetch(lake: Lake, ticker: str, entries: Sequence[Entry]) -> Fetched:
    """Return the blobs that entries of manifests list for a ticker.

    Of a partition of which several blobs are wanted, the pack is read first.
    """
    wanted = dict.fromkeys(item for entry in entries for item in entry.blobs.items())
    blobs_of = Counter(partition for partition, _ in wanted)
    packed = _packed(lake, ticker, [part for part, count in blobs_of.items() if count > 1])
    rest = [item for item in wanted if item not in packed]
    loose = dict(zip(rest, lake.store.get_all([_key(ticker, item) for item in rest]), strict=True))
    packed |= _packed(lake, ticker, _missing(loose))
    return Fetched(packed, loose)


def _missing(loose: Mapping[_Item, bytes | None]) -> set[str]:
    return {partition for (partition, _), data in loose.items() if data is None}


def decode(ticker: str, entry: Entry, fetched: Fetched) -> pl.DataFrame:
    """Return the bars in the blobs that an entry lists, sorted by session.

    Raises:
        CorruptObjectError: a blob is missing or damaged; names it.
    """
    items = list(entry.blobs.items())
    frames = [fetched.packed[item] for item in items if item in fetched.packed]
    loose = {item: fetched.loose[item] for item in items if item not in fetched.packed}
    at_once = _at_once(loose.values())
    if at_once is None:
        frames += (_rows(_key(ticker, item), data) for item, data in loose.items())
    else:
        frames.append(at_once)
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_RAW)
    return rows if rows["session"].is_sorted() else rows.sort("session")


def _key(ticker: str, item: _Item) -> str:
    partition, name = item
    return layout.blob(layout.RAW, partition, ticker, name)


def _packed(lake: Lake, ticker: str, partitions: Iterable[str]) -> dict[_Item, pl.DataFrame]:
    return {
        (partition, name): rows
        for partition in partitions
        for name, rows in packs.find(lake, partition, ticker).items()
    }


def _at_once(found: Collection[bytes | None]) -> pl.DataFrame | None:
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
