"""The columns of the checkpoint and of its parts; see `lake.checkpoints`."""

from typing import Any, Final

import polars as pl

RUNS: Final[dict[str, Any]] = {
    "run_id": pl.String(),
    "as_of": pl.Datetime("us", "UTC"),
    "source": pl.String(),
    "lost": pl.List(pl.String()),
}
ENTRIES: Final[dict[str, Any]] = {
    "ticker": pl.String(),
    "run_id": pl.String(),
    "entry": pl.String(),
}
"""`entry` is the JSON of a manifest's entry, without what is at its default."""
TICKERS: Final[dict[str, Any]] = {"ticker": pl.String()}
