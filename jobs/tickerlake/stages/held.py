"""Which tickers a lake holds. This module must load without Polars."""

from tickerlake.lake import Lake, layout, manifests


def tickers(lake: Lake) -> list[str]:
    """Return the tickers that the lake holds, sorted, whether transformed yet or not."""
    stored = {
        ticker
        for key in lake.store.keys(layout.HISTORY)
        if (ticker := layout.values(key).get("ticker"))
    }
    for manifest in manifests.pending(lake):
        stored |= {ticker for ticker, entry in manifest.tickers.items() if entry.delivers}
    return sorted(stored)
