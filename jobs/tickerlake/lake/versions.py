"""The rows of the table `raw` at a state: every version of every bar, and who brought it."""

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import blobs, layout, pushdown
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.states import State
from tickerlake.market.bars import HISTORY, RAW

COMMIT: Final[dict[str, pl.DataType]] = {"run_id": pl.String(), "as_of": HISTORY["as_of"]}


def versions(
    state: State, tickers: Sequence[str], predicate: pl.Expr | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the rows of `raw`: what each run delivered, in the order of the runs."""
    found = state.manifests(set(tickers))
    for ticker in tickers:
        parts = [pl.DataFrame(schema={**COMMIT, **RAW})]
        for manifest in found:
            entry = manifest.tickers.get(ticker)
            if entry is not None and entry.blobs:
                parts.append(_delivered(state, ticker, manifest, _pruned(entry, predicate)))
        yield ticker, pl.concat(parts).sort("session", maintain_order=True)


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


def _delivered(state: State, ticker: str, manifest: Manifest, entry: Entry) -> pl.DataFrame:
    try:
        rows = blobs.read(state.lake, ticker, entry)
    except CorruptObjectError as error:
        state.explain(error)
        raise
    return rows.select(
        pl.lit(manifest.run_id).alias("run_id"),
        pl.lit(manifest.as_of, dtype=COMMIT["as_of"]).alias("as_of"),
        pl.col(*RAW),
    )
