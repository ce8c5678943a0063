"""Bring one ticker's history, its partitions of `daily` and its row of `tickers` up to date.

The history is replaced first, by compare-and-swap, and says which partitions it owes; they and the
row are written after it. So the loser of a race has written nothing, and whoever follows a process
that died finds in the history what is left to do.
"""

from collections.abc import Collection, Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from tickerlake.errors import ConflictError, CorruptObjectError
from tickerlake.lake import Lake, derived, history, index, layout, notes
from tickerlake.lake.backlog import Settled
from tickerlake.lake.computing import computed, one_by_one
from tickerlake.lake.derived import Derived
from tickerlake.lake.fold import History
from tickerlake.lake.history import Span, Stored
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.objects import Versioned
from tickerlake.lake.retries import pause

RACES: Final = 100
"""Lost races after which a ticker is left to the next transform."""


@dataclass(frozen=True)
class Outcome:
    """How the work on a ticker ended.

    Attributes:
        partitions: the parts (see `lake.derived`) that were written or deleted.
        version: the version tag of the history that they were made from.
        is_late: nothing was done: the ticker has to be derived from all its manifests.
        overtook: another process may still be writing these partitions.
        known: what that history says to the next extraction (`index.encode`).
    """

    partitions: tuple[str, ...] = ()
    version: str | None = None
    is_late: bool = False
    overtook: bool = False
    known: str | None = None


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
        recheck: parts to write in any case.

    Raises:
        ConflictError: it lost too many races.
        CorruptObjectError, StoreError: as their names say.
    """
    for race in range(1, RACES + 1):
        stored = history.load_stored(lake, ticker)
        backlog = history.sort_out(stored, ticker, pending)
        if backlog.late:
            return LATE
        unfinished = _unfinished(stored, settled)
        new, version = stored.history, stored.version
        if backlog.new:
            new = history.advance(lake, ticker, stored.history, backlog.new)
        given, changed = computed(derived.update, new, stored.history, lake.grain)
        wanted = changed | {*recheck} | _owed(given, stored, unfinished)
        if backlog.new:
            folded = (*unfinished, *(each.run_id for each in backlog.new))
            try:
                version = _replace(lake, ticker, given, folded, wanted, version)
            except ConflictError:
                pause(race)
                continue
        derived.put(lake, ticker, given, wanted)
        known = index.encode(new)
        return Outcome(tuple(sorted(wanted)), version, overtook=bool(unfinished), known=known)
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
        recheck: parts to write in any case.

    Raises:
        CorruptObjectError, StoreError: as their names say.
    """
    stored = history.load_stored(lake, ticker)
    if stored.version != version:
        return LATE
    new = history.rebuild(lake, ticker, manifests)
    given, changed = computed(derived.update, new, stored.history, lake.grain)
    unfinished = _unfinished(stored, settled)
    wanted = changed | {*recheck} | _owed(given, stored, unfinished)
    folded = _open(manifests, settled)
    try:
        if not computed(_says, stored, new, folded):
            version = _replace(lake, ticker, given, folded, wanted, version)
    except ConflictError:
        return LATE
    derived.put(lake, ticker, given, wanted)
    known = index.encode(new)
    return Outcome(tuple(sorted(wanted)), version, overtook=bool(unfinished), known=known)


def rebuild(
    lake: Lake,
    ticker: str,
    manifests: Sequence[Manifest],
    settled: Container[str],
    version: str | None,
    stored_parts: AbstractSet[str],
) -> Outcome:
    """Derive a ticker from raw alone; compare every object, and write or delete what differs.

    What can't be read is replaced as well. Until all is done, a note names the parts at stake,
    so that the next transform can finish the work of a process that died.

    Args:
        lake: the lake.
        ticker: whose history it is.
        manifests: see `derive`.
        settled: see `derive`.
        version: see `derive`.
        stored_parts: the ticker's parts that exist.

    Raises:
        CorruptObjectError, StoreError: as their names say.
    """
    store, key = lake.store, layout.history(ticker)
    found = store.get_versioned(key)
    if _version(found) != version:
        return LATE
    stored = computed(_decoded, found.data) if found else Stored()
    new = history.rebuild(lake, ticker, manifests)
    given = Derived(new, lake.grain)
    differing = _differing(lake, ticker, given, stored_parts)
    folded = _open(manifests, settled)
    is_right = computed(_says, stored, new, folded)
    if is_right and not differing:
        return Outcome((), version, known=index.encode(new))
    note = notes.put_recheck(store, {ticker: differing})
    try:
        if new.last is not None and not is_right:
            version = _replace(lake, ticker, given, folded, differing, version)
    except ConflictError:
        store.delete([note])
        return LATE
    derived.put(lake, ticker, given, differing)
    if new.last is None and found:
        store.delete([key])
        version = None
    store.delete([note])
    overtook = _is_unsettled(stored, settled)
    return Outcome(tuple(sorted(differing)), version, overtook=overtook, known=index.encode(new))


def _is_unsettled(stored: Stored | None, settled: Container[str]) -> bool:
    return stored is None or bool(_unfinished(stored, settled))


def _version(found: Versioned | None) -> str | None:
    return found.version if found else None


def _says(stored: Stored | None, new: History, folded: Sequence[str]) -> bool:
    """Return whether a stored history equals the derived one, and names the runs folded in."""
    if stored is None or not history.is_same(new, stored.history):
        return False
    return set(folded) <= set(stored.folded)


def _replace(
    lake: Lake,
    ticker: str,
    given: Derived,
    folded: Iterable[str],
    wanted: AbstractSet[str],
    version: str | None,
) -> str:
    names = given.partitions.keys()
    owed, gone = wanted & names, wanted - names - {derived.LISTING}
    span = Span(min(owed), max(owed)) if owed else None
    stored = Stored(given.held, tuple(sorted(folded)), span, tuple(sorted(gone)))
    data = computed(history.encode, stored)
    return lake.store.replace(layout.history(ticker), data, version)


def _differing(lake: Lake, ticker: str, given: Derived, stored_parts: AbstractSet[str]) -> set[str]:
    """Return the parts whose objects are not what they should be."""
    same = {
        part
        for part, data in one_by_one(given.encoded(stored_parts))
        if lake.store.get(derived.key(part, ticker)) == data
    }
    return (given.parts() | stored_parts) - same


def _unfinished(stored: Stored, settled: Container[str]) -> list[str]:
    """Return the runs folded in that are not known to be done."""
    return [run_id for run_id in stored.folded if run_id not in settled]


def _open(manifests: Iterable[Manifest], settled: Container[str]) -> list[str]:
    return [each.run_id for each in manifests if each.run_id not in settled]


def _owed(given: Derived, stored: Stored, unfinished: Collection[str]) -> set[str]:
    """Return the parts that a history owes: its row of `tickers` in any case."""
    if not unfinished:
        return set()
    span = stored.owed
    owed = {name for name in given.partitions if span and span.first <= name <= span.last}
    return {derived.LISTING, *stored.gone} | owed


def _decoded(data: bytes) -> Stored | None:
    try:
        return history.decode(data, "")
    except (CorruptObjectError, KeyError, ValueError, TypeError):
        return None
