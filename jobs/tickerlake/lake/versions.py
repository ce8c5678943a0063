"""The rows of the table `raw` at a state: every version of every bar, and who brought it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import blobs, layout, pushdown
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.time_travel import State
from tickerlake.market.bars import HISTORY, RAW

COMMIT: Final[dict[str, pl.DataType]] = {"run_id": pl.String(), "as_of": HISTORY["as_of"]}


def versions(
    state: State, tickers: Sequence[str], predicate: pl.Expr | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the rows of `raw`: what each run delivered, in the order of the runs."""
    found = state.manifests(set(tickers))
    for ticker in tickers:
        yield ticker, versions_of(state, ticker, found, predicate)


def versions_of(
    state: State, ticker: str, found: Iterable[Manifest], predicate: pl.Expr | None
) -> pl.DataFrame:
    """Return the rows of `raw` of a ticker, given the state's manifests."""
    listed = [
        (manifest, _pruned(entry, predicate))
        for manifest in found
        if (entry := manifest.tickers.get(ticker)) is not None and entry.blobs
    ]
    parts = [pl.DataFrame(schema={**COMMIT, **RAW}), *_delivered(state, ticker, listed)]
    return pl.concat(parts).sort("session", maintain_order=True)


def _pruned(entry: Entry, predicate: pl.Expr | None) -> Entry:
    """Return an entry with the blobs whose partitions may have rows that satisfy a predicate."""
    if predicate is None:
        return entry
    kept = {
        value: name
        for value, name in entry.blobs.items()
        if len(pushdown.sessions(predicate, *layout.sessions(value)))
    }
    return entry.model_copy(update={"blobs": kept})


def _delivered(
    state: State, ticker: str, listed: Sequence[tuple[Manifest, Entry]]
) -> list[pl.DataFrame]:
    try:
        fetched = blobs.fetch(state.lake, ticker, [entry for _, entry in listed])
        found = [blobs.decode(ticker, entry, fetched) for _, entry in listed]
    except CorruptObjectError as error:
        state.explain(error)
        raise
    return [
        rows.select(
            pl.lit(manifest.run_id).alias("run_id"),
            pl.lit(manifest.as_of, dtype=COMMIT["as_of"]).alias("as_of"),
            pl.col(*RAW),
        )
        for (manifest, _), rows in zip(listed, found, strict=True)
    ]
