"""Bring one ticker's history and its partitions of `daily` up to date.

The history is replaced first, by compare-and-swap, and says which partitions it owes; they are
written after it. So the loser of a race has written nothing, and whoever follows a process that
died finds in the history what is left to do.
"""

from collections.abc import Collection, Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import polars as pl

from tickerlake.errors import ConflictError, CorruptObjectError
from tickerlake.lake import Lake, history, layout, notes
from tickerlake.lake.backlog import Settled
from tickerlake.lake.fold import History
from tickerlake.lake.history import Span, Stored
from tickerlake.lake.layout import Grain
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.objects import Versioned
from tickerlake.lake.parquet import partitions, to_parquet
from tickerlake.lake.retries import pause
from tickerlake.market import features

RACES: Final = 100
"""Lost races after which a ticker is left to the next transform."""


@dataclass(frozen=True)
class Outcome:
    """How the work on a ticker ended.

    Attributes:
        partitions: those of `daily` that were written or deleted.
        version: the version tag of the history that they were made from.
        is_late: nothing was done: the ticker has to be derived from all its manifests.
        overtook: another process may still be writing these partitions.
    """

    partitions: tuple[str, ...] = ()
    version: str | None = None
    is_late: bool = False
    overtook: bool = False


LATE: Final = Outcome(is_late=True)


def refresh(
    lake: Lake,
    ticker: str,
    pending: Sequence[Manifest],
    settled: Container[str] = Settled(),
    recheck: Iterable[str] = (),
) -> Outcome:
    """Fold pending manifests into a ticker's history, and write the partitions that change.

    Args:
        lake: the lake.
        ticker: whose history it is.
        pending: the manifests that the ticker may lack, sorted.
        settled: the runs that are known to be done.
        recheck: partitions to write in any case.

    Raises:
        ConflictError: it lost too many races.
        CorruptObjectError, StoreError: as their names say.
    """
    for race in range(1, RACES + 1):
        stored = history.load_stored(lake, ticker)
        backlog = history.sort_out(stored, ticker, pending)
        if backlog.late:
            return LATE
        rows = refined(stored.history)
        unfinished = _unfinished(stored, settled)
        wanted = {*recheck, *(_within(rows, stored.owed, lake.grain) if unfinished else ())}
        version = stored.version
        if backlog.new:
            before = rows
            new = history.advance(lake, ticker, stored.history, backlog.new)
            rows = refined(new)
            wanted |= changed_partitions(rows, before, lake.grain)
            folded = (*unfinished, *(each.run_id for each in backlog.new))
            try:
                version = _replace(lake, ticker, new, folded, wanted, stored.version)
            except ConflictError:
                pause(race)
                continue
        put_partitions(lake, ticker, rows, wanted)
        return Outcome(tuple(sorted(wanted)), version, overtook=bool(unfinished))
    raise ConflictError(f"{ticker}: other runs kept replacing its history; run the transform again")


def derive(
    lake: Lake,
    ticker: str,
    manifests: Sequence[Manifest],
    settled: Container[str],
    version: str | None,
    recheck: Iterable[str] = (),
) -> Outcome:
    """Derive a ticker's history from all its manifests, and write the partitions that change.

    Args:
        lake: the lake.
        ticker: whose history it is.
        manifests: all that deliver something for the ticker, sorted; they were listed after
            `version` was seen, so that they include every run that is folded in.
        settled: the runs that are known to be done.
        version: the version tag that the history had then.
        recheck: partitions to write in any case.

    Raises:
        CorruptObjectError, StoreError: as their names say.
    """
    stored = history.load_stored(lake, ticker)
    if stored.version != version:
        return LATE
    new = history.rebuild(lake, ticker, manifests)
    before, rows = refined(stored.history), refined(new)
    unfinished = _unfinished(stored, settled)
    wanted = {*recheck, *(_within(rows, stored.owed, lake.grain) if unfinished else ())}
    wanted |= changed_partitions(rows, before, lake.grain)
    wanted |= _names(before, lake.grain) - _names(rows, lake.grain)
    folded = _open(manifests, settled)
    try:
        if not (history.is_same(new, stored.history) and set(folded) <= set(stored.folded)):
            version = _replace(lake, ticker, new, folded, wanted, version)
    except ConflictError:
        return LATE
    put_partitions(lake, ticker, rows, wanted)
    return Outcome(tuple(sorted(wanted)), version, overtook=bool(unfinished))


def rebuild(
    lake: Lake,
    ticker: str,
    manifests: Sequence[Manifest],
    settled: Container[str],
    version: str | None,
    stored_partitions: AbstractSet[str],
) -> Outcome:
    """Derive a ticker from raw alone; compare every object, and write or delete what differs.

    What can't be read is replaced as well. Until all is done, a note names the partitions at stake,
    so that the next transform can finish the work of a process that died.

    Args:
        lake: the lake.
        ticker: whose history it is.
        manifests: see `derive`.
        settled: see `derive`.
        version: see `derive`.
        stored_partitions: the ticker's partitions that exist.

    Raises:
        CorruptObjectError, StoreError: as their names say.
    """
    store, key = lake.store, layout.history(ticker)
    found = store.get_versioned(key)
    if _version(found) != version:
        return LATE
    stored = _decoded(found.data) if found else Stored()
    new = history.rebuild(lake, ticker, manifests)
    rows = refined(new)
    differing = _differing(lake, ticker, rows, stored_partitions)
    folded = _open(manifests, settled)
    is_right = _says(stored, new, folded)
    if is_right and not differing:
        return Outcome((), version)
    note = notes.put_recheck(store, {ticker: differing})
    try:
        if new.last is not None and not is_right:
            version = _replace(lake, ticker, new, folded, differing, version)
    except ConflictError:
        store.delete([note])
        return LATE
    put_partitions(lake, ticker, rows, differing)
    if new.last is None and found:
        store.delete([key])
        version = None
    store.delete([note])
    return Outcome(tuple(sorted(differing)), version, overtook=_is_unsettled(stored, settled))


def _is_unsettled(stored: Stored | None, settled: Container[str]) -> bool:
    return stored is None or bool(_unfinished(stored, settled))


def _version(found: Versioned | None) -> str | None:
    return found.version if found else None


def _says(stored: Stored | None, new: History, folded: Sequence[str]) -> bool:
    """Return whether a stored history equals the derived one, and names the runs folded in."""
    if stored is None or not history.is_same(new, stored.history):
        return False
    return set(folded) <= set(stored.folded)


def refined(held: History) -> pl.DataFrame:
    """Return the rows of `daily` (`features.DAILY`) that a history gives."""
    return features.daily(held.bars)


def changed_partitions(new: pl.DataFrame, old: pl.DataFrame, grain: Grain) -> set[str]:
    """Return the partitions in which any value of `new` differs from `old`."""
    both = new.join(
        old.with_columns(_held=True), on="session", how="left", suffix="_old", maintain_order="left"
    )
    columns = [name for name in new.columns if name != "session"]
    differs = pl.col("_held").is_null() | pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in columns
    )
    return _names(both.filter(differs), grain)


def put_partitions(lake: Lake, ticker: str, rows: pl.DataFrame, wanted: Collection[str]) -> None:
    """Write a ticker's rows to partitions; delete the partitions that have none."""
    chosen = rows.filter(layout.partition(lake.grain).is_in(list(wanted)))
    there = set()
    for partition, part in partitions(chosen, lake.grain):
        lake.store.put(layout.daily(partition, ticker), to_parquet(part))
        there.add(partition)
    gone = sorted(set(wanted) - there)
    lake.store.delete([layout.daily(partition, ticker) for partition in gone])


def stored_partitions(lake: Lake) -> dict[str, set[str]]:
    """Return the partitions of `daily` that exist, by ticker; none if it only has a history."""
    stored: dict[str, set[str]] = {}
    for key in lake.store.keys(layout.HISTORY):
        stored.setdefault(layout.values(key)["ticker"], set())
    for key in lake.store.keys(layout.DAILY):
        values = layout.values(key)
        stored.setdefault(values["ticker"], set()).add(values["date"])
    return stored


def _replace(
    lake: Lake,
    ticker: str,
    new: History,
    folded: Iterable[str],
    owed: Collection[str],
    version: str | None,
) -> str:
    span = Span(min(owed), max(owed)) if owed else None
    data = history.encode(Stored(new, tuple(sorted(folded)), span))
    return lake.store.replace(layout.history(ticker), data, version)


def _differing(lake: Lake, ticker: str, rows: pl.DataFrame, stored: AbstractSet[str]) -> set[str]:
    """Return the partitions whose objects are not what they should be."""
    expected = {name: to_parquet(part) for name, part in partitions(rows, lake.grain)}

    def differs(partition: str) -> bool:
        if partition not in stored:
            return True
        return lake.store.get(layout.daily(partition, ticker)) != expected[partition]

    return {name for name in expected if differs(name)} | (stored - expected.keys())


def _unfinished(stored: Stored, settled: Container[str]) -> list[str]:
    """Return the runs folded in that are not known to be done."""
    return [run_id for run_id in stored.folded if run_id not in settled]


def _open(manifests: Iterable[Manifest], settled: Container[str]) -> list[str]:
    return [each.run_id for each in manifests if each.run_id not in settled]


def _within(rows: pl.DataFrame, span: Span | None, grain: Grain) -> set[str]:
    names = _names(rows, grain)
    return {name for name in names if span.first <= name <= span.last} if span else set()


def _names(rows: pl.DataFrame, grain: Grain) -> set[str]:
    return set(rows.select(layout.partition(grain))["session"])


def _decoded(data: bytes) -> Stored | None:
    try:
        return history.decode(data, "")
    except (CorruptObjectError, KeyError, ValueError, TypeError):
        return None
