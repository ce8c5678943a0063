"""Which tickers a lake holds. This module must load without Polars."""

from collections.abc import Iterable

from tickerlake.lake import Lake, layout, manifests
from tickerlake.lake.manifests import Manifest


def tickers(lake: Lake) -> list[str]:
    """Return the tickers that the lake holds, sorted, whether transformed yet or not."""
    return names(lake, manifests.pending(lake))


def names(lake: Lake, pending: Iterable[Manifest]) -> list[str]:
    """Return the same, given the manifests that histories lack."""
    stored = {
        ticker
        for key in lake.store.keys(layout.HISTORY)
        if (ticker := layout.values(key).get("ticker"))
    }
    for manifest in pending:
        stored |= {ticker for ticker, entry in manifest.tickers.items() if entry.delivers}
    return sorted(stored)
