"""The table `tickers`: one object with a row for every history, sorted by ticker.

A row follows from its history. It is only accepted while that history still is the stored one; so
of two transforms, the one whose history counts writes the row. The object is replaced by
compare-and-swap, and what it lacks is derived again: losing it costs time and nothing else.
"""

import io
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import polars as pl

from tickerlake.errors import ConflictError, CorruptObjectError
from tickerlake.lake import Lake, derived, history, layout, snapshot
from tickerlake.lake.fold import History
from tickerlake.lake.objects import Versioned
from tickerlake.lake.parquet import from_parquet, to_parquet
from tickerlake.lake.retries import pause
from tickerlake.lake.snapshot import Snapshot
from tickerlake.lake.store import Store
from tickerlake.lake.tables import TABLES

log = logging.getLogger(__name__)

RACES: Final = 100
"""Lost races after which the table is left to the next transform."""

SCHEMA: Final = TABLES["tickers"].schema


def encode(ticker: str, held: History) -> str:
    """Return a ticker's row as text, for `update`."""
    row = {"ticker": ticker, **derived.listing(held)}
    return json.dumps(row, default=lambda each: each.isoformat())


def of_history(ticker: str, held: History) -> pl.DataFrame:
    """Return the row that a history gives; none if no run has delivered it."""
    return derived.row(held).select(pl.lit(ticker).alias("ticker"), pl.all())


def load(store: Store) -> pl.DataFrame:
    """Return the rows that are stored; none when there is no object.

    Raises:
        CorruptObjectError: the object can't be read; says how to repair it.
    """
    return _decoded(store.get(layout.LISTINGS))


def pinned(
    lake: Lake, stored: pl.DataFrame, tickers: Collection[str], taken: Snapshot
) -> pl.DataFrame:
    """Return the rows of some tickers; derive those that a transform may be replacing.

    Args:
        lake: the lake.
        stored: what `load` returned after the snapshot was taken.
        tickers: whose rows to return.
        taken: the snapshot.
    """
    rows = stored.filter(pl.col("ticker").is_in(tickers))
    moved = snapshot.moved(lake.store, taken) | taken.pending.keys()
    for ticker in sorted(moved.intersection(tickers)):
        held = snapshot.derive(lake, ticker, taken)
        if held is not None:
            others = rows.filter(pl.col("ticker") != ticker)
            rows = pl.concat([others, of_history(ticker, held)])
    return rows.sort("ticker")


def update(lake: Lake, given: Mapping[str, tuple[str, str]]) -> None:
    """Bring the object up to date: a row for every history that is stored, and no other.

    Args:
        lake: the lake.
        given: by ticker, the version of its history, and its row (`encode`).

    Raises:
        ConflictError: it lost too many races.
        StoreError: the lake can't be read or written.
    """
    for race in range(1, RACES + 1):
        # before the histories are listed: a row that is newer than the list makes the swap fail
        found = lake.store.get_versioned(layout.LISTINGS)
        versions = _versions(lake.store)
        fresh = {
            name: row for name, (version, row) in given.items() if versions.get(name) == version
        }
        rows = _merged(lake, _readable(found), versions.keys(), fresh)
        # PyArrow can't write string views within lists
        data = to_parquet(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        if found.data == data if found else rows.is_empty():
            return
        try:
            lake.store.replace(layout.LISTINGS, data, found.version if found else None)
        except ConflictError:
            pause(race)
            continue
        return
    raise ConflictError("other runs kept replacing the table `tickers`; run the transform again")


def _merged(
    lake: Lake, stored: pl.DataFrame, tickers: Collection[str], fresh: Mapping[str, str]
) -> pl.DataFrame:
    """Return the rows of some tickers: fresh ones, stored ones, and derived ones, in this order."""
    kept = stored.filter(pl.col("ticker").is_in(sorted(tickers - fresh.keys())))
    new = pl.read_ndjson(io.StringIO("\n".join(fresh.values())), schema=SCHEMA) if fresh else kept
    lacking = tickers - fresh.keys() - {*kept["ticker"]}
    return pl.concat([kept, *([new] if fresh else []), *_derived(lake, lacking)]).sort("ticker")


def _derived(lake: Lake, tickers: Iterable[str]) -> Iterable[pl.DataFrame]:
    for ticker in sorted(tickers):
        try:
            yield of_history(ticker, history.load(lake, ticker))
        except CorruptObjectError as error:
            log.warning("the table `tickers` lacks %s: %s", ticker, error)


def _readable(found: Versioned | None) -> pl.DataFrame:
    try:
        return _decoded(found.data if found else None)
    except CorruptObjectError as error:
        log.warning("%s", error)
        return pl.DataFrame(schema=SCHEMA)


def _decoded(data: bytes | None) -> pl.DataFrame:
    if data is None:
        return pl.DataFrame(schema=SCHEMA)
    rows = from_parquet(data, layout.LISTINGS)
    if dict(rows.schema) != dict(SCHEMA) or rows["ticker"].has_nulls():
        raise CorruptObjectError(
            f"{layout.LISTINGS} has other columns; `tickerlake repair` writes it again",
            layout.LISTINGS,
        )
    return rows


def _versions(store: Store) -> dict[str, str]:
    found = store.find(layout.HISTORY)
    return {layout.values(each.key)["ticker"]: each.version for each in found}
