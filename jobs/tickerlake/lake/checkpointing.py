"""Fold processed manifests into the checkpoint, and remove them from the tail.

New objects are written first, under names that nobody has used: copies of the manifests, and the
parts that change. Then the checkpoint is replaced by compare-and-swap, which makes them count. Only
then is anything deleted. Whoever loses the race, or dies, has changed nothing for readers.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from tickerlake.errors import ConflictError, CorruptObjectError, UsageError
from tickerlake.lake import checkpoints, layout, manifests
from tickerlake.lake.backlog import Survey
from tickerlake.lake.checkpoints import Checkpoint, Part, Reader
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.store import Store

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

TAIL: Final = 100
"""With so many processed runs beside the checkpoint, they are folded into it."""

KEPT: Final = 30
"""So many of the newest runs stay outside: `status` and the report look at their manifests."""

PART_ROWS: Final = 200_000
"""A part with more rows is split, between two tickers."""

GRACE: Final = 24 * 3600.0
"""Seconds for which parts are kept that no checkpoint names: readers may have begun with them."""

WRITERS: Final = 16


def tidy(store: Store, surveyed: Survey) -> None:
    """Fold the tail into the checkpoint if it is long, and finish what others began."""
    held = surveyed.checkpoint.run_ids
    _remove(store, sorted(surveyed.tail & held))
    done = [run_id for run_id in surveyed.runs if run_id in surveyed.receipts - held]
    if len(done) < TAIL:
        return
    found = []
    for run_id in done[:-KEPT]:
        try:
            found.append(manifests.read(store, run_id))
        except (CorruptObjectError, UsageError):
            continue  # it stays where it is; `verify` reports it
    if fold(store, surveyed.checkpoint, found):
        _remove(store, [each.run_id for each in found])
        _collect(store)


def fold(store: Store, known: Checkpoint, found: Sequence[Manifest]) -> bool:
    """Put runs into a checkpoint, replacing what it says of them.

    Returns:
        Whether it was done; False when the checkpoint is no longer the known one.
    """
    import polars as pl

    from tickerlake.lake.log_columns import RUNS

    _at_once(lambda each: store.put(layout.archived(each.run_id), manifests.encode(each)), found)
    run_ids = [each.run_id for each in found]
    heads = pl.DataFrame(
        [(each.run_id, each.as_of, each.source, list(each.lost)) for each in found],
        schema=RUNS,
        orient="row",
    )
    others = known.runs.filter(~pl.col("run_id").is_in(run_ids))
    parts = _parts(store, known, found)
    data = checkpoints.encode(pl.concat([others, heads]).sort("run_id"), parts)
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


def _parts(store: Store, known: Checkpoint, found: Sequence[Manifest]) -> list[Part]:
    """Write the parts that change; return all parts."""
    import polars as pl

    from tickerlake.lake.log_columns import ENTRIES
    from tickerlake.lake.parquet import to_parquet

    fresh = pl.DataFrame(_entries(found), schema=ENTRIES, orient="row")
    replaced = [each.run_id for each in found if each.run_id in known.run_ids]
    reader, name = Reader(store, known), manifests.new_run_id()
    parts: list[Part] = []
    for part, rows in _by_part(known.parts, fresh):
        if part.name and rows.is_empty() and not replaced:
            parts.append(part)
            continue
        before = reader.part(part) if part.name else pl.DataFrame(schema=ENTRIES)
        before = before.filter(~pl.col("run_id").is_in(replaced))
        for number, chunk in enumerate(_split(pl.concat([before, rows]).sort("ticker", "run_id"))):
            first = chunk["ticker"][0] if number else part.first
            parts.append(Part(first, f"{name}-{len(parts)}"))
            store.put(layout.entries(parts[-1].name), to_parquet(chunk))
    return parts


def _entries(found: Sequence[Manifest]) -> list[tuple[str, str, str]]:
    return [
        (ticker, each.run_id, entry.model_dump_json(exclude_defaults=True))
        for each in found
        for ticker, entry in each.tickers.items()
    ]


def _by_part(parts: Sequence[Part], rows: "pl.DataFrame") -> "Iterator[tuple[Part, pl.DataFrame]]":
    """Yield parts with those of some rows that belong to them; one without a name is new."""
    parts = parts or [Part("", "")]
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        inside = rows["ticker"] >= part.first
        if following:
            inside &= rows["ticker"] < following.first
        yield part, rows.filter(inside)


def _split(rows: "pl.DataFrame") -> "Iterator[pl.DataFrame]":
    """Split rows between tickers, so that parts have at most `PART_ROWS` rows if they can."""
    start = stop = 0
    for size in rows.group_by("ticker", maintain_order=True).len()["len"]:
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
    named = {layout.entries(part.name) for part in checkpoints.load(store).parts}
    store.delete([key for key in old if key not in named])


def _at_once(write: Callable[[T], object], items: Sequence[T]) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(write, items):
            pass
