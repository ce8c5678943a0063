"""What a ticker's history gives: its partitions of `daily`, and its row of `tickers`.

An object is called by its *part*: the partition's value of `date`, or `LISTING` for the row.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np
import polars as pl

from tickerlake.lake import Lake, layout
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.parquet import to_table_parquet
from tickerlake.market import features
from tickerlake.market.bars import BAR
from tickerlake.market.listing import TICKERS

LISTING: Final = "listing"
"""The part that is the ticker's row of the table `tickers`."""


def key(part: str, ticker: str) -> str:
    """Key of a part."""
    return layout.listing(ticker) if part == LISTING else layout.daily(part, ticker)


def refined(held: History) -> pl.DataFrame:
    """Return the rows of `daily` (`features.DAILY`) that a history gives."""
    return features.daily(held.bars)


def listing(held: History) -> pl.DataFrame:
    """Return the row of `tickers` that a history gives; none if no run has delivered it."""
    row = _listing(held)
    return pl.DataFrame([row] if row else [], schema=TICKERS)


def _listing(held: History) -> dict[str, object]:
    if held.last is None:
        return {}
    sessions, said = held.bars["session"], held.listing
    first, last = (sessions[0], sessions[-1]) if len(sessions) else (None, None)
    return {
        "name": said.name,
        "exchange": said.exchange,
        "instrument_type": said.instrument_type,
        "currency": said.currency or (held.bars["currency"][-1] if last else None),
        "timezone": held.timezone,
        "first_trade_date": said.first_trade_date,
        "listed_since": min((day for day in (said.first_trade_date, first) if day), default=None),
        "first_session": first,
        "last_session": last,
        "sessions": len(sessions),
        "gaps": [day for day in held.gaps if last and day < last],
        "retired": held.retired,
        "renamed_to": held.renamed_to,
        "events": [each._asdict() for each in held.events],
    }


def expected(
    held: History, rows: pl.DataFrame, grain: Grain, wanted: AbstractSet[str] | None = None
) -> dict[str, pl.DataFrame]:
    """Return the rows of the parts that there should be.

    Args:
        held: the history.
        rows: what `refined` returns for it.
        grain: of the lake.
        wanted: the parts to return; None returns all.
    """
    found = {
        name: rows[start:stop]
        for name, start, stop in _slices(rows, grain)
        if wanted is None or name in wanted
    }
    if held.last is not None and (wanted is None or LISTING in wanted):
        found[LISTING] = listing(held)
    return found


def update(new: History, old: History, grain: Grain) -> tuple[pl.DataFrame, set[str]]:
    """Return what `refined` returns for a new history, and the parts that differ from an old one's.

    Parts that the new history lacks are among them. Features are causal, to the last bit: rows
    before the first bar that differs are the same, and when that bar lies in the last partition,
    there is nothing to compare at all.
    """
    rows = refined(new)
    first = _first_difference(new.bars, old.bars)
    found = names(new.bars[first:], grain) | names(old.bars[first:], grain)
    if len(found) > 1:
        found = _differing(rows[first:], refined(old)[first:], grain)
    return rows, found if _listing(new) == _listing(old) else found | {LISTING}


def _first_difference(new: pl.DataFrame, old: pl.DataFrame) -> int:
    """Return the number of the first bar that differs in a column that `daily` has."""
    first = both = min(new.height, old.height)
    for name in (*BAR, "flags"):
        ours, theirs = new.get_column(name)[:both], old.get_column(name)[:both]
        if not ours.equals(theirs, null_equal=True):
            first = min(first, ours.ne_missing(theirs).arg_max() or 0)
    return first


def _differing(new: pl.DataFrame, old: pl.DataFrame, grain: Grain) -> set[str]:
    """Return the partitions in which any value differs, or that lack a session."""
    both = new.join(
        old.with_columns(_held=True), on="session", how="left", suffix="_old", maintain_order="left"
    )
    columns = [name for name in new.columns if name != "session"]
    differs = pl.col("_held").is_null() | pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in columns
    )
    gone = old.join(new, on="session", how="anti", maintain_order="left")
    return names(both.filter(differs), grain) | names(gone, grain)


def put(
    lake: Lake, ticker: str, held: History, rows: pl.DataFrame, wanted: AbstractSet[str]
) -> None:
    """Write parts of a ticker; delete those that have no rows.

    Args:
        lake: the lake.
        ticker: whose history it is.
        held: the history.
        rows: what `refined` returns for it.
        wanted: the parts.
    """
    found = expected(held, rows, lake.grain, wanted)
    for part, frame in found.items():
        lake.store.put(key(part, ticker), to_table_parquet(frame))
    lake.store.delete([key(part, ticker) for part in sorted(wanted - found.keys())])


def stored(lake: Lake) -> dict[str, set[str]]:
    """Return the parts that exist, by ticker; none if it only has a history."""
    found: dict[str, set[str]] = {}
    for each in lake.store.keys(layout.HISTORY):
        found.setdefault(layout.values(each)["ticker"], set())
    for each in lake.store.keys(layout.DAILY):
        values = layout.values(each)
        found.setdefault(values["ticker"], set()).add(values["date"])
    for each in lake.store.keys(layout.TICKERS):
        found.setdefault(layout.values(each)["ticker"], set()).add(LISTING)
    return found


def names(rows: pl.DataFrame, grain: Grain) -> set[str]:
    """Return the partitions of rows that are sorted by session."""
    return {name for name, _, _ in _slices(rows, grain)}


def _slices(rows: pl.DataFrame, grain: Grain) -> Iterator[tuple[str, int, int]]:
    """Yield each partition of rows that are sorted by session, with the numbers of its rows."""
    dates = rows["session"].to_numpy().astype(f"datetime64[{layout.UNITS[grain]}]")
    borders = np.flatnonzero(dates[1:] != dates[:-1]) + 1
    for start, stop in zip((0, *borders), (*borders, len(dates)), strict=True):
        if start < stop:
            yield str(dates[start]), int(start), int(stop)
