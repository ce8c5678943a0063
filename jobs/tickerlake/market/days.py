"""Days and rows by NumPy arrays: over a few rows, planning an expression is most of its cost."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]

_EPOCH: Final = date(1970, 1, 1).toordinal()


def from_ordinals(ordinals: Sequence[int]) -> Days:
    """Return days, given as ordinals (`date.toordinal`)."""
    numbers: Any = np.asarray(ordinals, dtype=np.int64) - _EPOCH
    days: Days = numbers.astype("datetime64[D]")
    return days


def find(days: Days, ascending: Days) -> tuple[Mask, NDArray[np.intp]]:
    """Find days among others.

    Args:
        days: in any order.
        ascending: where to look.

    Returns:
        Which days are there, and their positions (any valid one for those that are not; none at
        all when there is nothing to look in).
    """
    if not len(ascending):
        return np.zeros(len(days), dtype=np.bool_), np.zeros(0, dtype=np.intp)
    positions = np.minimum(np.searchsorted(ascending, days), len(ascending) - 1)
    return ascending[positions] == days, positions


def rows(frame: pl.DataFrame, numbers: NDArray[np.intp]) -> pl.DataFrame:
    """Return rows of a frame by their ascending numbers; without a copy when none is between."""
    if not len(numbers):
        return frame[:0]
    first, stop = int(numbers[0]), int(numbers[-1]) + 1
    return frame[first:stop] if len(numbers) == stop - first else frame[numbers]


def weekdays(days: Days) -> NDArray[np.int64]:
    """Return ISO days of the week: Monday is 1."""
    numbers: NDArray[np.int64] = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 + 1
    return numbers
