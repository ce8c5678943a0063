"""Progress: how many tickers have ended, for the progress bar."""

from collections.abc import Callable

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
