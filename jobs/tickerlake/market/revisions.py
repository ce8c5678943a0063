"""What became of bars that were held when later ones replaced them: pure functions over frames."""

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

import polars as pl

from tickerlake.market import splits
from tickerlake.market.bars import PRICES

NUMBERS: Final = (*PRICES, "volume", "dividend", "capital_gain", "split")
TEXTS: Final = ("currency", "dividend_currency")

_ROUNDED: Final = 1e-5
"""A value that was brought to another split basis has lost its last digit, of six."""

Value = float | str | None


class Revision(NamedTuple):
    """A value of a held bar that was replaced: what it was, on the split basis of the new one."""

    session: date
    column: str
    old: Value
    new: Value


def revised(
    old: pl.DataFrame,
    old_splits: Mapping[date, float],
    new: pl.DataFrame,
    new_splits: Mapping[date, float],
) -> list[Revision]:
    """Return the values of bars that differ between two histories of a ticker.

    A value that only moved to another split basis is not different.

    Args:
        old: bars (`market.bars.HISTORY`).
        old_splits: those that their basis is made of, by ex-date.
        new: bars, some of which are the same sessions.
        new_splits: those that their basis is made of.
    """
    changed = splits.changes(old_splits, new_splits, date.min)
    moved = splits.rebase(old, changed)
    both = new.join(moved, on="session", how="inner", suffix="_old", maintain_order="left")
    found = []
    for name in (*NUMBERS, *TEXTS):
        differing = both.filter(_differs(name)).select("session", f"{name}_old", name)
        found += [Revision(session, name, was, now) for session, was, now in differing.iter_rows()]
    return sorted(found, key=lambda each: each.session)


def _differs(name: str) -> pl.Expr:
    new, old = pl.col(name), pl.col(f"{name}_old")
    differs = new.ne_missing(old)
    if name in TEXTS or name == "split":
        return differs
    was_moved = (pl.col("basis_factor_old") != 1.0) | (pl.col("basis_factor") != 1.0)
    slack = pl.lit(1.0) if name == "volume" else pl.lit(0.0)
    is_near = (new - old).abs() <= _ROUNDED * pl.max_horizontal(new.abs(), old.abs()) + slack
    return differs & ~(was_moved & is_near.fill_null(value=False))
