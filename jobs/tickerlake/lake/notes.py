"""Notes on unfinished business: a ticker that is behind its runs, partitions to write again.

A receipt says that a run is in the histories of all its tickers, except those that a note says are
behind. There is one note per ticker and run, so that concurrent transforms never replace each
other's notes.

A recheck says that partitions of `daily` may differ from the history, because a process that was
writing them may have been overtaken, and may be dead. The next transform writes them again.
"""

import logging
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import layout
from tickerlake.lake.store import Store

log = logging.getLogger(__name__)

RECHECK_FOR: Final = timedelta(hours=1)
"""How long a recheck is kept: after that, no request of a process that was alive when it was
written can still be in flight. Until then, every transform writes its partitions again."""


class Note(BaseModel):
    """What all notes have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return self.model_dump_json(indent=1).encode() + b"\n"


class Behind(Note):
    """A ticker whose history lacks a run that has a receipt.

    Attributes:
        ticker: its symbol.
        run_id: the run that it lacks.
        reason: what went wrong.
        damaged: the key of the object that is damaged; the ticker is tried again when it is whole.
            '' when nothing is damaged, so that the next transform tries again.
    """

    ticker: str
    run_id: str
    reason: str
    damaged: str = ""


class Recheck(Note):
    """Partitions of `daily` to write again, or to delete if the history has no rows for them.

    Attributes:
        at: when it was written.
        tickers: the partitions by ticker.
    """

    at: AwareDatetime
    tickers: dict[str, tuple[str, ...]]

    @property
    def is_old(self) -> bool:
        """Whether the processes that it guards against have ended."""
        return datetime.now(UTC) - self.at > RECHECK_FOR


def put_behind(store: Store, note: Behind) -> None:
    """Note that a ticker is behind."""
    store.put(layout.behind(note.ticker, note.run_id), note.encode())


def read_behind(store: Store, ticker: str, run_ids: Iterable[str]) -> Behind | None:
    """Return the newest note on a ticker, or None when it was removed meanwhile."""
    key = layout.behind(ticker, max(run_ids))
    data = store.get(key)
    if data is None:
        return None
    try:
        return Behind.model_validate_json(data)
    except ValidationError:
        reason = f"{key} can't be read; `tickerlake repair` finds out what is wrong with {ticker}"
        return Behind(ticker=ticker, run_id=layout.run_id(key), reason=reason, damaged=key)


def remove_behind(store: Store, ticker: str, run_ids: Iterable[str]) -> None:
    """Remove notes: the ticker has caught up with these runs."""
    store.delete([layout.behind(ticker, run_id) for run_id in run_ids])


def behind_ids(store: Store) -> dict[str, list[str]]:
    """List the runs that tickers are behind with."""
    found: dict[str, list[str]] = {}
    for key in store.keys(layout.BEHIND):
        found.setdefault(layout.values(key)["ticker"], []).append(layout.run_id(key))
    return {ticker: sorted(run_ids) for ticker, run_ids in sorted(found.items())}


def put_recheck(store: Store, tickers: Mapping[str, Iterable[str]]) -> str:
    """Note that partitions must be written again; return the note's key."""
    note = Recheck(
        at=datetime.now(UTC),
        tickers={ticker: tuple(sorted(partitions)) for ticker, partitions in tickers.items()},
    )
    key = layout.recheck(f"{note.at:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}")
    store.put(key, note.encode())
    return key


def rechecks(store: Store) -> dict[str, Recheck]:
    """Read all rechecks, by key; one that can't be read is left out, with a warning."""
    found = {}
    for key in sorted(store.keys(layout.RECHECK)):
        try:
            found[key] = read_recheck(store, key)
        except CorruptObjectError as error:
            log.warning("%s", error)
    return {key: note for key, note in found.items() if note}


def read_recheck(store: Store, key: str) -> Recheck | None:
    """Read a recheck.

    Raises:
        CorruptObjectError: it can't be read; says how to repair it.
    """
    data = store.get(key)
    try:
        return Recheck.model_validate_json(data) if data is not None else None
    except ValidationError as error:
        raise CorruptObjectError(
            f"{key} can't be read; `tickerlake repair` rebuilds what it may have named"
        ) from error
