"""Reading each history once in a process that extracts and transforms."""

import threading
from dataclasses import replace
from typing import Final

from tickerlake.lake import Lake, layout
from tickerlake.lake.objects import Versioned
from tickerlake.lake.store import Store

MOST: Final = 64 * 2**20
"""Bytes of stored histories that are kept; the others are read twice."""


class Histories:
    """Histories that one stage has read, until the next one asks for them.

    Each is handed out once more, with the version tag that it had. It may have been replaced since;
    then whoever wants to replace it loses the race, and reads what is stored.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Versioned] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, lake: Lake) -> Lake:
        """Return a lake whose histories are kept when they are read."""
        return replace(lake, store=_Keeping(lake.store, self))

    def take(self, key: str) -> Versioned | None:
        """Return a history that is kept, and forget it."""
        with self._lock:
            found = self._kept.pop(key, None)
            self._bytes -= len(found.data) if found else 0
            return found

    def keep(self, key: str, found: Versioned) -> None:
        """Keep a history, if there is room."""
        with self._lock:
            if self._bytes + len(found.data) <= MOST:
                self._kept[key] = found
                self._bytes += len(found.data)


class _Keeping(Store):
    def __init__(self, inner: Store, histories: Histories) -> None:
        super().__init__(inner.url, inner._objects)  # noqa: SLF001 - the same objects
        self._inner = inner
        self._histories = histories

    def get_versioned(self, key: str) -> Versioned | None:
        """See `Store`."""
        if not key.startswith(layout.HISTORY):
            return self._inner.get_versioned(key)
        if kept := self._histories.take(key):
            return kept
        found = self._inner.get_versioned(key)
        if found:
            self._histories.keep(key, found)
        return found
