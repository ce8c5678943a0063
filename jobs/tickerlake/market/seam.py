"""What a source's new answer changes in the bars that are held, and whether it restates the past.

The frames called `fetched` are the repaired rows of one answer (`quality.repair`); those called
`held` are rows of a history (`market.bars.HISTORY`), brought to the split basis of that answer.
"""

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from tickerlake.market.bars import PRICES

EVENTS: Final = ("dividend", "capital_gain", "split", "dividend_currency")
_FACTS: Final = (*PRICES, "volume", "currency")

_BASIS_TOLERANCE: Final = 1e-5
_FACTOR_TOLERANCE: Final = 2e-4
_DIFFERENT: Final = 5e-3
_MANY: Final = 3
_TELLING_SPLIT: Final = 1.2
"""Smaller splits can't be told from a day's move of the market."""


def differences(fetched: pl.DataFrame, held: pl.DataFrame, reread_from: date) -> pl.DataFrame:
    """Return the sessions whose bar is not held, or differs from the one held.

    From `reread_from` on, every fact of a bar is compared; before it, only the events. A held bar
    that was brought over from an older split basis is replaced by the source's own numbers, unless
    the source still serves it on the old basis, as Yahoo does for days after some splits.

    Returns:
        Columns `session` and `is_new`.
    """
    both = _joined(fetched, held)
    is_new = pl.col("basis_factor_held").is_null()
    reread = pl.col("session") >= reread_from
    rebased = (pl.col("basis_factor_held") != 1.0) & ~_is_still_old(fetched)
    corrected = (reread & _differ(_FACTS)) | _differ(EVENTS)
    untouched = (pl.col("basis_factor_held") != 1.0) & _is_still_old(fetched)
    return both.filter(is_new | ((rebased | corrected) & ~untouched)).select(
        "session", is_new=is_new
    )


def restatement(
    fetched: pl.DataFrame, held: pl.DataFrame, previous_close: float | None = None
) -> str:
    """Return how an answer restates the past that is held, in a few words; '' when it does not.

    A past is restated when it was moved as a whole: pence became pounds, a spin-off was adjusted
    for without an event, the symbol has a new owner. Correcting single bars does not restate it.

    Args:
        fetched: the bars of the answer.
        held: all that is held.
        previous_close: the close before the answer's first bar, as the source gives it now.
    """
    overlap = (
        _joined(fetched, held)
        .filter(pl.col("basis_factor_held").is_not_null())
        .filter((pl.col("basis_factor_held") == 1.0) | ~_is_still_old(fetched))
        .sort("session")
    )
    if overlap.is_empty():
        return _jumped(fetched, held, previous_close)
    newest = overlap.row(-1, named=True)
    before, now = newest["currency_held"], newest["currency"]
    if before and now and before != now:
        return f"the currency {before} became {now}"
    closes = overlap.filter((pl.col("close") > 0) & (pl.col("close_held") > 0))
    ratio = closes["close"] / closes["close_held"]
    if ratio.is_empty():
        return ""
    same = ((ratio / ratio[0] - 1).abs() < _FACTOR_TOLERANCE).cast(pl.Int8).cum_prod().sum()
    if abs(ratio[0] - 1) > _FACTOR_TOLERANCE and same > 1:
        return f"the closes up to {closes['session'][same - 1]} moved by a factor of {ratio[0]:.6g}"
    different = int(((ratio - 1).abs() > _DIFFERENT).sum())
    if different >= _MANY and 2 * different >= len(ratio):
        return f"{different} of {len(ratio)} closes are different"
    return ""


def _jumped(fetched: pl.DataFrame, held: pl.DataFrame, previous_close: float | None) -> str:
    """Compare the close before an answer with the held one, when they share no session."""
    if fetched.is_empty() or previous_close is None or previous_close <= 0:
        return ""
    before = held.filter(pl.col("session") < fetched["session"][0])
    if before.is_empty() or before["close"][-1] <= 0:
        return ""
    ratio = previous_close / before["close"][-1]
    if abs(ratio - 1) <= _DIFFERENT:
        return ""
    return f"the close before moved by a factor of {ratio:.6g}"


def _joined(fetched: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    return fetched.join(
        held.select(pl.all().name.suffix("_held")),
        left_on="session",
        right_on="session_held",
        how="left",
    )


def _differ(names: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_held")) for name in names)


def _is_still_old(fetched: pl.DataFrame) -> pl.Expr:
    """Return whether a row has the close that was held before a split was announced.

    When the prices on both sides of that split fit together, the source had already adjusted them
    before it announced the split: then they are not old.
    """
    if all(is_adjusted(fetched, day, ratio) for day, ratio in _splits(fetched).items()) and (
        any(_tells(ratio) for ratio in _splits(fetched).values())
    ):
        return pl.lit(value=False)
    old_close = pl.col("close_held") * pl.col("basis_factor_held")
    return (pl.col("close") - old_close).abs() <= _BASIS_TOLERANCE * old_close


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
