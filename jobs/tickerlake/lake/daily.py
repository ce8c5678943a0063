"""The partitions of the table `daily`: which rows they hold, which of them change, writing them.

Features are causal, to the last bit. So rows before the first bar that differs are the same, and
when that bar lies in the last partition, there is nothing to compare at all.
"""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

import numpy as np
import polars as pl

from tickerlake.lake import Lake, layout
from tickerlake.lake.fold import History
from tickerlake.lake.history import Span
from tickerlake.lake.layout import Grain
from tickerlake.lake.parquet import to_table_parquet
from tickerlake.market import features
from tickerlake.market.bars import BAR


def rows(held: History) -> pl.DataFrame:
    """Return the rows of `daily` (`features.DAILY`) that a history gives, sorted by session."""
    return features.daily(held.bars)


def update(new: History, old: History, grain: Grain) -> tuple[pl.DataFrame, set[str]]:
    """Return the rows that a history gives, and the partitions that differ from an older one's.

    Partitions that the new history does not have any more are among them.
    """
    derived = rows(new)
    first = _first_difference(new.bars, old.bars)
    ours, theirs = (set(names(each[first:], grain)) for each in (new.bars, old.bars))
    if theirs <= ours and len(ours) == 1:
        return derived, ours
    changed = _differing(derived[first:], rows(old)[first:], grain)
    return derived, changed | (theirs - set(names(new.bars, grain)))


def _first_difference(new: pl.DataFrame, old: pl.DataFrame) -> int:
    """Return the number of the first bar that differs in a column that `daily` has."""
    both = min(new.height, old.height)
    first = both
    for name in (*BAR, "flags"):
        ours, theirs = new.get_column(name)[:both], old.get_column(name)[:both]
        if not ours.equals(theirs, null_equal=True):
            first = min(first, ours.ne_missing(theirs).arg_max() or 0)
    return first


def _differing(new: pl.DataFrame, old: pl.DataFrame, grain: Grain) -> set[str]:
    """Return the partitions in which any value of `new` differs from `old`."""
    both = new.join(
        old.with_columns(_held=True), on="session", how="left", suffix="_old", maintain_order="left"
    )
    columns = [name for name in new.columns if name != "session"]
    differs = pl.col("_held").is_null() | pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in columns
    )
    return set(names(both.filter(differs), grain))


def put(lake: Lake, ticker: str, derived: pl.DataFrame, wanted: Collection[str]) -> None:
    """Write a ticker's rows to partitions; delete the partitions that have none."""
    there = set()
    for name, part in parts(derived, lake.grain):
        if name in wanted:
            lake.store.put(layout.daily(name, ticker), to_table_parquet(part))
            there.add(name)
    gone = sorted(set(wanted) - there)
    lake.store.delete([layout.daily(name, ticker) for name in gone])


def stored(lake: Lake) -> dict[str, set[str]]:
    """Return the partitions that exist, by ticker; none for a ticker that only has a history."""
    found: dict[str, set[str]] = {}
    for key in lake.store.keys(layout.HISTORY):
        found.setdefault(layout.values(key)["ticker"], set())
    for key in lake.store.keys(layout.DAILY):
        values = layout.values(key)
        found.setdefault(values["ticker"], set()).add(values["date"])
    return found


def wrong(lake: Lake, ticker: str, derived: pl.DataFrame, there: AbstractSet[str]) -> set[str]:
    """Return the partitions whose objects are not what they should be.

    Args:
        lake: the lake.
        ticker: whose partitions they are.
        derived: the rows that they should hold.
        there: the partitions that exist.
    """
    found = set(there)
    for name, part in parts(derived, lake.grain):
        key = layout.daily(name, ticker)
        if name in there and lake.store.get(key) == to_table_parquet(part):
            found.remove(name)
        else:
            found.add(name)
    return found


def within(derived: pl.DataFrame, span: Span | None, grain: Grain) -> set[str]:
    """Return the partitions of a span that have rows."""
    if span is None:
        return set()
    return {name for name in names(derived, grain) if span.first <= name <= span.last}


def names(derived: pl.DataFrame, grain: Grain) -> list[str]:
    """Return the partitions of rows that are sorted by session, in order."""
    return [name for name, _, _ in _slices(derived, grain)]


def parts(derived: pl.DataFrame, grain: Grain) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the partitions of rows that are sorted by session, each with its rows, in order."""
    for name, start, stop in _slices(derived, grain):
        yield name, derived[start:stop]


def _slices(derived: pl.DataFrame, grain: Grain) -> Iterator[tuple[str, int, int]]:
    dates = derived["session"].to_numpy().astype(f"datetime64[{layout.UNITS[grain]}]")
    borders = np.flatnonzero(dates[1:] != dates[:-1]) + 1
    for start, stop in zip((0, *borders), (*borders, len(dates)), strict=True):
        if start < stop:
            yield str(dates[start]), int(start), int(stop)
