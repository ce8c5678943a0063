"""Progress: how many tickers have ended, for whoever watches."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Is called with how many tickers have ended, and of how many (None: that is not known)."""


class Counter:
    """Counts the tickers that have ended."""

    def __init__(self, progress: Progress, total: int | None = None) -> None:
        """Begin to count, and say so."""
        self._progress, self._ended, self._total = progress, 0, total
        progress(0, total)

    def one_more(self, *_: object) -> None:
        """Take what a stage says of a ticker that has ended."""
        self._ended += 1
        self._progress(self._ended, self._total)
