"""What a ticker's history gives: its partitions of `daily`, and its row of `tickers`.

An object is called by its *part*: the partition's value of `date`, or `LISTING` for the row.
"""

from collections.abc import Collection
from typing import Final

import polars as pl

from tickerlake.lake import Lake, layout
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.parquet import partitions, to_parquet
from tickerlake.market import features
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
    if held.last is None:
        return pl.DataFrame(schema=TICKERS)
    sessions, said = held.bars["session"], held.listing
    first, last = (sessions[0], sessions[-1]) if len(sessions) else (None, None)
    row = {
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
    }
    return pl.DataFrame([row], schema=TICKERS)


def expected(held: History, rows: pl.DataFrame, grain: Grain) -> dict[str, pl.DataFrame]:
    """Return the rows of every part.

    Args:
        held: the history.
        rows: what `refined` returns for it.
        grain: of the lake.
    """
    found = dict(partitions(rows, grain))
    if held.last is not None:
        found[LISTING] = listing(held)
    return found


def changed(
    new: History, rows: pl.DataFrame, old: History, before: pl.DataFrame, grain: Grain
) -> set[str]:
    """Return the parts in which a new history differs from an old one, or that it lacks.

    Args:
        new: the new history; `rows` is what `refined` returns for it.
        rows: see there.
        old: the old history; `before` is what `refined` returns for it.
        before: see there.
        grain: of the lake.
    """
    found = changed_partitions(rows, before, grain) | (names(before, grain) - names(rows, grain))
    return found if listing(new).equals(listing(old)) else found | {LISTING}


def changed_partitions(new: pl.DataFrame, old: pl.DataFrame, grain: Grain) -> set[str]:
    """Return the partitions in which any value of `new` differs from `old`."""
    both = new.join(
        old.with_columns(_held=True), on="session", how="left", suffix="_old", maintain_order="left"
    )
    columns = [name for name in new.columns if name != "session"]
    differs = pl.col("_held").is_null() | pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in columns
    )
    return names(both.filter(differs), grain)


def put(
    lake: Lake, ticker: str, held: History, rows: pl.DataFrame, wanted: Collection[str]
) -> None:
    """Write parts of a ticker; delete those that have no rows.

    Args:
        lake: the lake.
        ticker: whose history it is.
        held: the history.
        rows: what `refined` returns for it.
        wanted: the parts.
    """
    chosen = rows.filter(layout.partition(lake.grain).is_in(list(wanted)))
    found = {
        part: frame for part, frame in expected(held, chosen, lake.grain).items() if part in wanted
    }
    for part, frame in found.items():
        lake.store.put(key(part, ticker), to_parquet(frame))
    lake.store.delete([key(part, ticker) for part in sorted(set(wanted) - found.keys())])


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
    """Return the partitions that have rows."""
    return set(rows.select(layout.partition(grain))["session"])
