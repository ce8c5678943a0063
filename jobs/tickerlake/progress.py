"""Progress: how many tickers have ended, for the progress bar and the log."""

import logging
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

EVERY: Final = 60.0
"""Seconds between two lines in the log."""

_MINUTE: Final = 60

Progress = Callable[[int, int | None], None]
"""Called with the number of tickers that have ended, and the total (None if it is not known)."""


class Counter:
    """Counts the tickers that have ended."""

    def __init__(self, progress: Progress, total: int | None = None) -> None:
        """Start counting, and report zero."""
        self._progress, self._ended, self._total = progress, 0, total
        progress(0, total)

    def one_more(self, *_: object) -> None:
        """Count one more ticker that has ended; the arguments are ignored."""
        self._ended += 1
        self._progress(self._ended, self._total)


def logged(stage: str, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Return what logs now and then how far a stage is, and how long it will still take."""
    began = last = clock()

    def note(ended: int, total: int | None) -> None:
        nonlocal last
        now = clock()
        if not ended or ended == total or now - last < EVERY:
            return
        last = now
        if total is None:
            log.info("%s: %s tickers done", stage, f"{ended:,}")
            return
        left = (now - began) / ended * (total - ended) / _MINUTE
        log.info(
            "%s: %s of %s tickers done, some %s min left",
            stage, f"{ended:,}", f"{total:,}", f"{max(1, round(left)):,}",
            extra={"done": ended, "of": total},
        )  # fmt: skip

    return note
