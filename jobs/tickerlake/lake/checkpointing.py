"""Fold processed manifests into the checkpoint, and remove them from the tail.

New objects are written first, under names that nobody has used: copies of the manifests, and the
parts that change. Then the checkpoint is replaced by compare-and-swap, which makes them count. Only
then is anything deleted. Whoever loses the race, or dies, has changed nothing for readers.

Manifests are read one after the other, and parts are written one after the other. In between, what
the manifests say is kept as compressed Parquet, so that folding a wide lake takes little memory.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tickerlake.errors import ConflictError, CorruptObjectError, UsageError
from tickerlake.lake import checkpoints, layout, manifests
from tickerlake.lake.backlog import Survey
from tickerlake.lake.checkpoints import Checkpoint, Part
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.store import Store

if TYPE_CHECKING:
    import polars as pl

TAIL: Final = 100
"""With so many processed runs beside the checkpoint, they are folded into it."""

KEPT: Final = 30
"""So many of the newest runs stay outside: `status` and the report look at their manifests."""

PART_ROWS: Final = 50_000
"""A part with more rows is split, between two tickers."""

GRACE: Final = 24 * 3600.0
"""Seconds for which parts are kept that no checkpoint names: readers may have begun with them."""


def tidy(store: Store, surveyed: Survey) -> None:
    """Fold the tail into the checkpoint if it is long, and finish what others began."""
    held = surveyed.checkpoint.run_ids
    _remove(store, sorted(surveyed.tail & held))
    done = [run_id for run_id in surveyed.runs if run_id in surveyed.receipts - held]
    if len(done) < TAIL:
        return
    read: list[str] = []

    def found() -> Iterator[Manifest]:
        for run_id in done[:-KEPT]:
            try:
                yield manifests.read(store, run_id)
            except (CorruptObjectError, UsageError):
                continue  # it stays where it is; `verify` reports it
            read.append(run_id)

    if fold(store, surveyed.checkpoint, found()):
        _remove(store, read)
        _collect(store)


def fold(store: Store, known: Checkpoint, found: Iterable[Manifest]) -> bool:
    """Put runs into a checkpoint, replacing what it says of them.

    Returns:
        Whether it was done; False when the checkpoint is no longer the known one.
    """
    import polars as pl

    from tickerlake.lake.log_columns import RUNS

    said = _Said()
    for manifest in found:
        store.put(layout.archived(manifest.run_id), manifests.encode(manifest))
        said.add(manifest)
        del manifest  # the next one is read without it
    heads = pl.DataFrame(said.heads, schema=RUNS, orient="row")
    others = known.runs.filter(~pl.col("run_id").is_in(heads["run_id"].to_list()))
    parts = _parts(store, known, said)
    tickers = _tickers(store, known, said)
    data = checkpoints.encode(pl.concat([others, heads]).sort("run_id"), parts, tickers)
    try:
        store.replace(layout.CHECKPOINT, data, known.version)
    except ConflictError:
        return False
    return True


def fold_or_raise(store: Store, known: Checkpoint, found: Sequence[Manifest]) -> None:
    """Put runs into a checkpoint.

    Raises:
        ConflictError: the checkpoint is no longer the known one.
    """
    if not fold(store, known, found):
        raise ConflictError("another run has just replaced the checkpoint; run the repair again")


def rewrite(store: Store, manifest: Manifest) -> None:
    """Replace a manifest with a corrected one; only a repair does this.

    Raises:
        ConflictError: the checkpoint was replaced by another run at the same time.
    """
    known = checkpoints.load(store)
    if manifest.run_id not in known.run_ids:
        store.put(layout.run(manifest.run_id), manifests.encode(manifest))
        return
    fold_or_raise(store, known, [manifest])
    _remove(store, [manifest.run_id])


@dataclass
class _Said:
    """What some manifests say.

    Attributes:
        heads: rows of `log_columns.RUNS`.
        entries: rows of `log_columns.ENTRIES`, encoded, for each manifest.
        rows: how many of these each ticker has.
        delivered: the tickers for which something is delivered.
        name: what the names of new objects begin with.
    """

    heads: list[tuple[object, ...]] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    delivered: set[str] = field(default_factory=set)
    name: str = field(default_factory=manifests.new_run_id)

    def add(self, manifest: Manifest) -> None:
        """Add what a manifest says."""
        from tickerlake.lake.parquet import to_blob

        self.heads.append((manifest.run_id, manifest.as_of, manifest.source, list(manifest.lost)))
        self.entries.append(to_blob(manifests.entries(manifest)))
        self.rows.update(manifest.tickers.keys())
        self.delivered |= manifests.delivered(manifest)

    def between(self, first: str, end: str | None) -> "pl.DataFrame":
        """Return the entries of the tickers from a first one up to another; None is the last."""
        import polars as pl

        from tickerlake.lake.log_columns import ENTRIES
        from tickerlake.lake.parquet import from_parquet

        rows = (_between(from_parquet(data, ""), first, end) for data in self.entries)
        return pl.concat([pl.DataFrame(schema=ENTRIES), *rows])


class _Range(NamedTuple):
    """Tickers from a first one on that are all in one part, and how many rows they get."""

    first: str
    part: Part
    rows: int = 0


def _parts(store: Store, known: Checkpoint, said: _Said) -> list[Part]:
    """Write the parts that change; return all parts."""
    import polars as pl

    from tickerlake.lake.log_columns import ENTRIES
    from tickerlake.lake.parquet import to_parquet

    replaced = [run_id for run_id, *_ in said.heads if run_id in known.run_ids]
    parts: list[Part] = []
    for each, end, rows in _changes(_ranges(known, said.rows), said):
        if each.part.name and rows.is_empty() and not replaced:
            parts.append(each.part)
            continue
        before = pl.DataFrame(schema=ENTRIES)
        if each.part.name:
            before = checkpoints.read_object(store, each.part.name, ENTRIES)
        before = _between(before, each.first, end).filter(~pl.col("run_id").is_in(replaced))
        for number, chunk in enumerate(_split(pl.concat([before, rows]).sort("ticker", "run_id"))):
            first = chunk["ticker"][0] if number else each.first
            parts.append(Part(first, f"{said.name}-{len(parts)}"))
            store.put(layout.entries(parts[-1].name), to_parquet(chunk))
    return parts


def _ranges(known: Checkpoint, rows: Counter[str]) -> list[_Range]:
    """Return the parts, cut so that none gets more than `PART_ROWS` new rows if it can."""
    parts = known.parts or (Part("", ""),)
    found, waiting = [], sorted(rows, reverse=True)
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        each = _Range(part.first, part)
        while waiting and (following is None or waiting[-1] < following.first):
            ticker = waiting.pop()
            if each.rows and each.rows + rows[ticker] > PART_ROWS:
                found.append(each)
                each = _Range(ticker, part)
            each = each._replace(rows=each.rows + rows[ticker])
        found.append(each)
    return found


def _changes(
    ranges: Sequence[_Range], said: _Said
) -> "Iterator[tuple[_Range, str | None, pl.DataFrame]]":
    """Yield ranges, their ends and their new rows; these are decoded for some ranges at once."""
    ends = [*(each.first for each in ranges[1:]), None]
    start = 0
    while start < len(ranges):
        stop, total = start + 1, ranges[start].rows
        while stop < len(ranges) and total + ranges[stop].rows <= PART_ROWS:
            total += ranges[stop].rows
            stop += 1
        rows = said.between(ranges[start].first, ends[stop - 1])
        for each, end in zip(ranges[start:stop], ends[start:stop], strict=True):
            yield each, end, _between(rows, each.first, end)
        start = stop


def _between(rows: "pl.DataFrame", first: str, end: str | None) -> "pl.DataFrame":
    inside = rows["ticker"] >= first
    return rows.filter(inside if end is None else inside & (rows["ticker"] < end))


def _tickers(store: Store, known: Checkpoint, said: _Said) -> str:
    """Write the tickers; return the object's name."""
    import polars as pl

    from tickerlake.lake.log_columns import TICKERS
    from tickerlake.lake.parquet import to_parquet

    names = sorted(checkpoints.tickers(store, known) | said.delivered)
    name = f"{said.name}-tickers"
    store.put(layout.entries(name), to_parquet(pl.DataFrame({"ticker": names}, schema=TICKERS)))
    return name


def _split(rows: "pl.DataFrame") -> "Iterator[pl.DataFrame]":
    """Split rows between tickers, so that parts have at most `PART_ROWS` rows if they can."""
    start = stop = 0
    for size in rows["ticker"].rle().struct.field("len"):
        if stop > start and stop + size - start > PART_ROWS:
            yield rows[start:stop]
            start = stop
        stop += size
    yield rows[start:]


def _remove(store: Store, run_ids: Sequence[str]) -> None:
    """Remove runs that the checkpoint has from the tail."""
    keys = [key for run_id in run_ids for key in (layout.run(run_id), layout.receipt(run_id))]
    store.delete(keys)


def _collect(store: Store) -> None:
    """Remove parts that no checkpoint names any more."""
    before = time.time() - GRACE
    old = [each.key for each in store.find(layout.ENTRIES) if each.modified < before]
    known = checkpoints.load(store)
    named = {layout.entries(name) for name in (known.tickers, *(each.name for each in known.parts))}
    store.delete([key for key in old if key not in named])
