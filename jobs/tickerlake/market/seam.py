"""What a source's new answer changes in the bars that are held, and whether it restates the past.

The frames called `fetched` are the repaired rows of one answer (`quality.repair`); those called
`held` are rows of a history (`market.bars.HISTORY`), brought to the split basis of that answer.
"""

import math
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tickerlake.market import days
from tickerlake.market.bars import PRICES
from tickerlake.market.days import Days, Mask

EVENTS: Final = ("dividend", "capital_gain", "split", "dividend_currency")
_FACTS: Final = (*PRICES, "volume", "currency")

_BASIS_TOLERANCE: Final = 1e-5
_FACTOR_TOLERANCE: Final = 2e-4
_DIFFERENT: Final = 5e-3
_MANY: Final = 3
_TELLING_SPLIT: Final = 1.2
"""Smaller splits can't be told from a day's move of the market."""


class Differences(NamedTuple):
    """The sessions whose bar differs from the one held, and which of them are not held at all."""

    sessions: Days
    is_new: Mask


def differences(fetched: pl.DataFrame, held: pl.DataFrame, reread_from: date) -> Differences:
    """Return the sessions whose bar is not held, or differs from the one held.

    From `reread_from` on, every fact of a bar is compared; before it, only the events. A held bar
    that was brought over from an older split basis is replaced by the source's own numbers, unless
    the source still serves it on the old basis, as Yahoo does for days after some splits.
    """
    both = _Both(fetched, held)
    session = fetched["session"].to_numpy()
    differing = ~both.is_held
    reread = session[both.is_held] >= np.datetime64(reread_from)
    corrected = (reread & both.differ(_FACTS)) | both.differ(EVENTS)
    rebased, old = both.is_rebased, both.is_still_old
    differing[both.is_held] = (rebased & ~old) | (corrected & ~(rebased & old))
    return Differences(session[differing], ~both.is_held[differing])


def restatement(
    fetched: pl.DataFrame, held: pl.DataFrame, previous_close: float | None = None
) -> str:
    """Return how an answer restates the past that is held, in a few words; '' when it does not.

    A past is restated when it was moved as a whole: pence became pounds, a spin-off was adjusted
    for without an event, the symbol has a new owner. Correcting single bars does not restate it.

    Args:
        fetched: the bars of the answer, sorted by session.
        held: all that is held.
        previous_close: the close before the answer's first bar, as the source gives it now.
    """
    both = _Both(fetched, held)
    tells = ~(both.is_rebased & both.is_still_old)
    if not tells.any():
        return _jumped(fetched, held, previous_close)
    newest = int(np.flatnonzero(tells)[-1])
    before, now = both.old("currency")[newest], both.new("currency")[newest]
    if before and now and before != now:
        return f"the currency {before} became {now}"
    close, old = both.new("close"), both.old("close")
    tells &= (close > 0) & (old > 0)
    ratio = close[tells] / old[tells]
    if not len(ratio):
        return ""
    same = int(np.logical_and.accumulate(np.abs(ratio / ratio[0] - 1) < _FACTOR_TOLERANCE).sum())
    if abs(ratio[0] - 1) > _FACTOR_TOLERANCE and same > 1:
        last = both.new("session")[tells][same - 1]
        return f"the closes up to {last} moved by a factor of {ratio[0]:.6g}"
    different = int((np.abs(ratio - 1) > _DIFFERENT).sum())
    if different >= _MANY and 2 * different >= len(ratio):
        return f"{different} of {len(ratio)} closes are different"
    return ""


class _Both:
    """The rows of an answer whose session is held, each beside the held row.

    Attributes:
        is_held: for each row of the answer, whether its session is held. All other arrays only have
            values for those of which this is true.
        is_rebased: whether the held row was brought over from another split basis.
    """

    def __init__(self, fetched: pl.DataFrame, held: pl.DataFrame) -> None:
        self.is_held, found = days.find(fetched["session"].to_numpy(), held["session"].to_numpy())
        self._answer = fetched
        self._new = days.rows(fetched, np.flatnonzero(self.is_held))
        self._old = days.rows(held, found[self.is_held]) if held.height else held
        self.is_rebased: Mask = self.old("basis_factor") != 1.0

    def new(self, name: str) -> NDArray[Any]:
        """Return a column of the answer; a number that is null is NaN."""
        return self._new[name].to_numpy()

    def old(self, name: str) -> NDArray[Any]:
        """Return a column of what is held."""
        return self._old[name].to_numpy()

    def differ(self, names: tuple[str, ...]) -> Mask:
        """Return which rows differ in one of the columns; two nulls are the same."""
        found = np.zeros(len(self.is_rebased), dtype=np.bool_)
        for name in names:
            new, old = self.new(name), self.old(name)
            differ = new != old
            if differ.any():
                differ &= (new == new) | (old == old)  # noqa: PLR0124 - false for NaN alone
                found |= differ
        return found

    @cached_property
    def is_still_old(self) -> Mask:
        """Whether a row has the close that was held before a split was announced.

        When the prices on both sides of that split fit together, the source had already adjusted
        them before it announced the split: then they are not old.
        """
        none = np.zeros(len(self.is_rebased), dtype=np.bool_)
        if not self.is_rebased.any():
            return none
        splits = _splits(self._answer)
        if all(is_adjusted(self._answer, day, ratio) for day, ratio in splits.items()) and (
            any(_tells(ratio) for ratio in splits.values())
        ):
            return none
        old_close = self.old("close") * self.old("basis_factor")
        is_old: Mask = np.abs(self.new("close") - old_close) <= _BASIS_TOLERANCE * old_close
        return is_old


def _jumped(fetched: pl.DataFrame, held: pl.DataFrame, previous_close: float | None) -> str:
    """Compare the close before an answer with the held one, when they share no session."""
    if fetched.is_empty() or previous_close is None or previous_close <= 0:
        return ""
    number = np.searchsorted(held["session"].to_numpy(), np.datetime64(fetched["session"][0]))
    if number == 0 or held["close"][int(number) - 1] <= 0:
        return ""
    ratio = previous_close / held["close"][int(number) - 1]
    if abs(ratio - 1) <= _DIFFERENT:
        return ""
    return f"the close before moved by a factor of {ratio:.6g}"


def is_adjusted(bars: pl.DataFrame, day: date, ratio: float) -> bool:
    """Return whether the closes before a split are adjusted for it; True when that is unclear."""
    before = bars.filter((pl.col("session") < day) & (pl.col("close") > 0))["close"]
    after = bars.filter((pl.col("session") >= day) & (pl.col("close") > 0))["close"]
    if before.is_empty() or after.is_empty() or not _tells(ratio):
        return True
    step = math.log(after[0] / before[-1])
    return abs(step) < abs(step + math.log(ratio))


def _tells(ratio: float) -> bool:
    return max(ratio, 1 / ratio) >= _TELLING_SPLIT


def _splits(bars: pl.DataFrame) -> Mapping[date, float]:
    return dict(bars.filter(pl.col("split") != 1.0).select("session", "split").iter_rows())
