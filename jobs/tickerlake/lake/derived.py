"""What a ticker's history gives: its partitions of `daily`, and its row of `tickers`.

An object is called by its *part*: the partition's value of `date`, or `LISTING` for the row.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tickerlake.lake import Lake, layout
from tickerlake.lake.computing import one_by_one
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.parquet import to_parquet
from tickerlake.market import features
from tickerlake.market.bars import BAR, TICKERS
from tickerlake.market.features import Daily

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
    first, last = _ends(sessions)
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


def _ends(sessions: pl.Series) -> tuple[date, date] | tuple[None, None]:
    return (sessions[0], sessions[-1]) if len(sessions) else (None, None)


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
        name: rows[numbers]
        for name, numbers in _slices(rows, grain)
        if wanted is None or name in wanted
    }
    if held.last is not None and (wanted is None or LISTING in wanted):
        found[LISTING] = listing(held)
    return found


class Derived:
    """The parts that there should be of a history; features are computed when they are needed.

    Attributes:
        held: the history.
        grain: of the lake.
        rows: those of `daily`.
        partitions: the numbers of the rows of each partition, by its value of `date`, in order.
    """

    def __init__(self, held: History, grain: Grain) -> None:
        self.held, self.grain = held, grain
        self.rows = Daily(held.bars)
        self.partitions = dict(_slices(held.bars, grain))

    @cached_property
    def listing(self) -> dict[str, object]:
        """The row of `tickers`; empty if no run has delivered it."""
        return _listing(self.held)

    def parts(self) -> set[str]:
        """Return the names of the parts."""
        return {*self.partitions, *([LISTING] if self.listing else [])}

    def encoded(self, wanted: AbstractSet[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield parts and the bytes of their objects; None is all parts."""
        found = {
            name: rows for name, rows in self.partitions.items() if wanted is None or name in wanted
        }
        if found:
            first, last = min(found), max(found)
            start = found[first].start
            table = self.rows.table(start, found[last].stop)
            for name, rows in found.items():
                yield name, to_parquet(table[rows.start - start : rows.stop - start])
        if self.listing and (wanted is None or LISTING in wanted):
            yield LISTING, to_parquet(pl.DataFrame([self.listing], schema=TICKERS))


def update(new: History, old: History, grain: Grain) -> tuple[Derived, set[str]]:
    """Return what a new history gives, and the parts of it that differ from an old one's.

    Parts that the new history lacks are among them. Features are causal, to the last bit: rows
    before the first bar that differs are the same, and when that bar lies in the last partition,
    or only follows what was there, there is nothing to compare at all.
    """
    given = Derived(new, grain)
    first = _first_difference(new.bars, old.bars)
    found = names(new.bars[first:], grain) | names(old.bars[first:], grain)
    if len(found) > 1 and first < old.bars.height:
        found = _differing(given.rows, Daily(old.bars), first, grain)
    return given, found if given.listing == _listing(old) else found | {LISTING}


def _first_difference(new: pl.DataFrame, old: pl.DataFrame) -> int:
    """Return the number of the first bar that differs in a column that `daily` has."""
    first = both = min(new.height, old.height)
    ours, theirs = (each[[*BAR, "flags"]][:both] for each in (new, old))
    if ours.equals(theirs):
        return both
    for our, their in zip(ours, theirs, strict=True):
        if not our.equals(their, null_equal=True):
            first = min(first, our.ne_missing(their).arg_max() or 0)
    return first


def _differing(new: Daily, old: Daily, first: int, grain: Grain) -> set[str]:
    """Return the partitions in which any value differs, or that lack a session.

    Args:
        new: the new rows.
        old: the old rows, at least one more than `first`.
        first: how many rows are the same.
        grain: of the lake.
    """
    sessions, held = (each.bars["session"].to_numpy()[first:] for each in (new, old))
    at = np.minimum(np.searchsorted(held, sessions), len(held) - 1)
    differs = held[at] != sessions
    there = first + at
    for name in (*BAR, "flags"):
        ours, theirs = new.bars.get_column(name)[first:], old.bars.get_column(name)[there]
        differs |= ours.ne_missing(theirs).to_numpy()
    for name, values in new.values.items():
        now, then = values[first:], old.values[name][there]
        differs |= (now != then) & (np.isfinite(now) | np.isfinite(then))
    gone = held[~np.isin(held, sessions)]
    return {*_dates(sessions[differs], grain), *_dates(gone, grain)}


def put(lake: Lake, ticker: str, given: Derived, wanted: AbstractSet[str]) -> None:
    """Write parts of a ticker; delete those that have no rows.

    Args:
        lake: the lake.
        ticker: whose history it is.
        given: what its history gives.
        wanted: the parts.
    """
    for part, data in one_by_one(given.encoded(wanted)):
        lake.store.put(key(part, ticker), data)
    lake.store.delete([key(part, ticker) for part in sorted(wanted - given.parts())])


def stored(lake: Lake) -> dict[str, frozenset[str]]:
    """Return the parts that exist, by ticker; none if it only has a history.

    Most tickers have the same parts, and share one set: a wide lake has millions of objects.
    """
    numbers: dict[str, int] = {}
    found = {layout.values(each)["ticker"]: 0 for each in lake.store.keys(layout.HISTORY)}
    for prefix in (layout.DAILY, layout.TICKERS):
        for each in lake.store.keys(prefix):
            values = layout.values(each)
            number = numbers.setdefault(values.get("date", LISTING), len(numbers))
            found[values["ticker"]] = found.get(values["ticker"], 0) | 1 << number
    shared = {
        bits: frozenset(part for part, number in numbers.items() if bits >> number & 1)
        for bits in set(found.values())
    }
    return {ticker: shared[bits] for ticker, bits in found.items()}


def names(bars: pl.DataFrame, grain: Grain) -> set[str]:
    """Return the partitions of bars that are sorted by session."""
    return {name for name, _ in _slices(bars, grain)}


def _slices(bars: pl.DataFrame, grain: Grain) -> Iterator[tuple[str, slice]]:
    """Yield each partition of bars that are sorted by session, with the numbers of its rows."""
    dates = _cut(bars["session"].to_numpy(), grain)
    borders = np.flatnonzero(dates[1:] != dates[:-1]) + 1
    for start, stop in zip((0, *borders), (*borders, len(dates)), strict=True):
        if start < stop:
            yield str(dates[start]), slice(int(start), int(stop))


def _dates(sessions: NDArray[np.datetime64], grain: Grain) -> set[str]:
    return {str(each) for each in np.unique(_cut(sessions, grain))}


def _cut(sessions: NDArray[np.datetime64], grain: Grain) -> NDArray[np.datetime64]:
    return sessions.astype(f"datetime64[{layout.UNITS[grain]}]")
