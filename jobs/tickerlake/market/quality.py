"""Declared checks over fetched bars: what fails one is quarantined, what looks odd is flagged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from tickerlake.market.bars import PRICES, QUARANTINE, RAW


@dataclass(frozen=True)
class Flag:
    """A bar that was kept although it looks wrong."""

    session: date
    reason: str


_body_low = pl.min_horizontal("open", "close")
_body_high = pl.max_horizontal("open", "close")

CHECKS: Final[Mapping[str, pl.Expr]] = {
    "null_price": pl.any_horizontal(pl.col(*PRICES).is_null() | ~pl.col(*PRICES).is_finite()),
    "price_not_positive": pl.any_horizontal(pl.col(*PRICES) <= 0),
    "outside_low_high": (pl.col("low") > _body_low) | (pl.col("high") < _body_high),
    "bad_volume": pl.col("volume").is_null() | (pl.col("volume") < 0),
    "bad_dividend": pl.col("dividend").is_null()
    | ~pl.col("dividend").is_finite()
    | (pl.col("dividend") < 0),
    "bad_split": pl.col("split").is_null() | ~pl.col("split").is_finite() | (pl.col("split") <= 0),
    "duplicate": pl.col("session").is_duplicated()
    & (pl.int_range(pl.len()).over("session") < pl.len().over("session") - 1),
    "in_the_future": pl.col("session") > pl.col("_today"),
    "no_session": ~pl.col("_is_session"),
}
"""Name of a check to what is true for a row that fails it. Of duplicates the last row is kept."""

_SPLIT_RATIOS: Final = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50)
_SPLIT_TOLERANCE: Final = 0.04
_UNIT_ERROR: Final = (70.0, 143.0)


def check(
    bars: pl.DataFrame, sessions: pl.Series, today: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split bars into good ones and those that fail a check.

    Args:
        bars: columns of `schema.RAW`, in the source's order.
        sessions: the exchange's sessions.
        today: the exchange's date at the moment of the fetch.

    Returns:
        The good rows (`schema.RAW`), and the failing rows (`schema.QUARANTINE`) with the names of
        all checks that they fail.
    """
    marked = bars.select(RAW.keys()).with_columns(
        _today=pl.lit(today), _is_session=pl.col("session").is_in(sessions.implode())
    )
    reasons = pl.concat_str(
        [
            pl.when(failed.fill_null(value=False)).then(pl.lit(name))
            for name, failed in CHECKS.items()
        ],
        separator=",",
        ignore_nulls=True,
    )
    judged = marked.with_columns(reasons=reasons)
    good = judged.filter(pl.col("reasons") == "").select(RAW.keys()).sort("session")
    return good, judged.filter(pl.col("reasons") != "").select(QUARANTINE.keys())


def suspicious(bars: pl.DataFrame) -> list[Flag]:
    """Flag jumps of the close that look like a missed split or an error of the unit.

    Args:
        bars: good rows of one fetch, so on one split basis, sorted by session.
    """
    jump = pl.col("close") / pl.col("close").shift(1)
    jumps = bars.select("session", jump=pl.max_horizontal(jump, 1 / jump)).drop_nulls()
    flags = []
    for session, size in jumps.filter(pl.col("jump") > min(_SPLIT_RATIOS) * 0.9).iter_rows():
        if _UNIT_ERROR[0] < size < _UNIT_ERROR[1]:
            flags.append(Flag(session=session, reason=f"looks_like_unit_error: {size:.4g}x"))
        elif any(abs(size / ratio - 1) < _SPLIT_TOLERANCE for ratio in _SPLIT_RATIOS):
            flags.append(Flag(session=session, reason=f"looks_like_missed_split: {size:.4g}x"))
    return flags
