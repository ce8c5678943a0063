"""The checkpoint: manifests that have been processed, as Parquet.

Opening a lake would otherwise list a manifest and a receipt for every run that it ever had. So the
transformer folds old ones into a checkpoint now and then (`lake.checkpointing`), and moves the
manifests out of the way. What is left beside the checkpoint is the *tail*.

`_log/checkpoint.parquet` has a row for each of its runs, and names its parts. A part has what runs
say about some tickers: a row for each run and ticker, sorted by ticker. One more object has only
the tickers, so that nobody reads parts to learn their names. A run of the checkpoint has a receipt
by definition.

This module must load without Polars: a lake without a checkpoint needs none to see what is pending.
"""

import io
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import layout
from tickerlake.lake.store import Store

if TYPE_CHECKING:
    import polars as pl

_PARTS: Final = "tickerlake.parts"
_TICKERS: Final = "tickerlake.tickers"


class Part(NamedTuple):
    """An object with the entries of the tickers from a first one to that of the next part."""

    first: str
    name: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint.

    Attributes:
        rows: its runs (`log_columns.RUNS`), sorted by id; None when there is none.
        parts: sorted by ticker; the first one begins with "".
        tickers: the name of the object with the tickers for which its runs deliver something.
        version: the object's version tag; None when there is none yet.
    """

    rows: "pl.DataFrame | None" = None
    parts: tuple[Part, ...] = ()
    tickers: str = ""
    version: str | None = None

    @property
    def runs(self) -> "pl.DataFrame":
        """Its runs (`log_columns.RUNS`), sorted by id."""
        import polars as pl

        from tickerlake.lake.log_columns import RUNS

        return pl.DataFrame(schema=RUNS) if self.rows is None else self.rows

    @cached_property
    def run_ids(self) -> frozenset[str]:
        """The ids of its runs."""
        return frozenset() if self.rows is None else frozenset(self.rows["run_id"])

    @cached_property
    def _firsts(self) -> list[str]:
        return [part.first for part in self.parts]

    def part_of(self, ticker: str) -> Part | None:
        """Return the part that has what runs say about a ticker, if any does."""
        number = bisect_right(self._firsts, ticker) - 1
        return self.parts[number] if number >= 0 else None

    @cached_property
    def moments(self) -> dict[str, datetime]:
        """The `as_of` of its runs."""
        return dict(self.runs.select("run_id", "as_of").iter_rows()) if self.run_ids else {}


def load(store: Store) -> Checkpoint:
    """Read the checkpoint; an empty one when there is none.

    List the tail before: a manifest is only removed from it when the checkpoint has its run.

    Raises:
        CorruptObjectError: it can't be read; says how to repair it.
    """
    found = store.get_versioned(layout.CHECKPOINT)
    if found is None:
        return Checkpoint()
    import polars as pl

    from tickerlake.lake.log_columns import RUNS

    runs = _rows(found.data, layout.CHECKPOINT, RUNS)
    metadata = pl.read_parquet_metadata(io.BytesIO(found.data))
    parts = tuple(Part(*each) for each in json.loads(metadata.get(_PARTS, "[]")))
    return Checkpoint(runs, parts, metadata.get(_TICKERS, ""), found.version)


def encode(runs: "pl.DataFrame", parts: Iterable[Part], tickers: str) -> bytes:
    """Return what `load` reads."""
    buffer = io.BytesIO()
    metadata = {_PARTS: json.dumps(list(parts)), _TICKERS: tickers}
    runs.write_parquet(buffer, compression="zstd", metadata=metadata)
    return buffer.getvalue()


def tickers(store: Store, checkpoint: Checkpoint) -> set[str]:
    """Return the tickers for which a checkpoint's runs deliver something.

    Raises:
        CorruptObjectError: they can't be read; says how to repair it.
    """
    from tickerlake.lake.log_columns import TICKERS

    if not checkpoint.parts:
        return set()
    return set(read_object(store, checkpoint.tickers, TICKERS)["ticker"])


def read_object(store: Store, name: str, schema: dict[str, Any]) -> "pl.DataFrame":
    """Return the rows of an object that a checkpoint names.

    Raises:
        CorruptObjectError: it can't be read; says how to repair it.
    """
    key = layout.entries(name)
    data = store.get(key)
    if data is None:
        raise _damaged(key, "it is missing")
    return _rows(data, key, schema)


class Reader:
    """A checkpoint's entries; each of its parts is fetched once, when it is needed."""

    def __init__(self, store: Store, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._store = store
        self._fetched: dict[str, bytes] = {}

    def documents(
        self, run_ids: Collection[str], tickers: Collection[str] | None
    ) -> Iterator[tuple[str, bytes]]:
        """Yield runs and their manifests as JSON, cut down to some tickers; None is all.

        Raises:
            CorruptObjectError: a part can't be read; says how to repair it.
        """
        wanted = set(run_ids) & self.checkpoint.run_ids
        if not wanted:
            return
        entries: dict[str, list[str]] = defaultdict(list)
        for part in self._parts(tickers):
            rows = self.part(part)
            if tickers is not None:
                rows = rows.filter(rows["ticker"].is_in(list(tickers)))
            for ticker, run_id, entry in rows.iter_rows():
                entries[run_id].append(f"{json.dumps(ticker)}:{entry}")
        for run_id, as_of, source, lost in self.checkpoint.runs.iter_rows():
            if run_id in wanted:
                head = {
                    "run_id": run_id,
                    "as_of": as_of.isoformat(),
                    "source": source,
                    "lost": lost,
                }
                said = ",".join(entries.get(run_id, ()))
                yield run_id, f'{json.dumps(head)[:-1]}, "tickers": {{{said}}}}}'.encode()

    def part(self, part: Part) -> "pl.DataFrame":
        """Return the rows of a part (`log_columns.ENTRIES`)."""
        from tickerlake.lake.log_columns import ENTRIES

        key = layout.entries(part.name)
        if key not in self._fetched:
            data = self._store.get(key)
            if data is None:
                raise _damaged(key, "it is missing")
            self._fetched[key] = data
        return _rows(self._fetched[key], key, ENTRIES)

    def _parts(self, tickers: Collection[str] | None) -> list[Part]:
        """Return the parts that have some tickers."""
        parts = self.checkpoint.parts
        if tickers is None:
            return list(parts)
        found = {self.checkpoint.part_of(ticker) for ticker in tickers}
        return [part for part in parts if part in found]


def _rows(data: bytes, key: str, schema: dict[str, Any]) -> "pl.DataFrame":
    import polars as pl

    from tickerlake.lake.parquet import from_parquet

    try:
        rows = from_parquet(data, key)
    except CorruptObjectError as error:
        raise _damaged(key, str(error)) from error
    if rows.schema != pl.Schema(schema):
        raise _damaged(key, "it has other columns")
    return rows


def _damaged(key: str, reason: str) -> CorruptObjectError:
    return CorruptObjectError(
        f"{key} can't be used ({reason}); `tickerlake repair` makes the checkpoint again from"
        f" {layout.ARCHIVE}",
        key,
    )
