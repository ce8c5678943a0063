"""Blobs that are lost: a repair could not get their rows again, and a manifest says so."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from tickerlake.lake import layout

if TYPE_CHECKING:
    from tickerlake.lake.manifests import Manifest


def without_lost(found: Iterable["Manifest"]) -> "list[Manifest]":
    """Sort manifests, and leave out the blobs that one of them calls lost."""
    ordered = sorted(found, key=lambda manifest: manifest.order)
    lost = {key for manifest in ordered for key in manifest.lost}
    return [without(manifest, lost) for manifest in ordered] if lost else ordered


def without(manifest: "Manifest", lost: Container[str]) -> "Manifest":
    """Return a manifest without some blobs."""

    def kept(prefix: str, ticker: str, names: dict[str, str]) -> dict[str, str]:
        return {
            partition: name
            for partition, name in names.items()
            if layout.blob(prefix, partition, ticker, name) not in lost
        }

    tickers = {
        ticker: entry.model_copy(
            update={
                "blobs": kept(layout.RAW, ticker, entry.blobs),
                "quarantine": kept(layout.QUARANTINE, ticker, entry.quarantine),
            }
        )
        for ticker, entry in manifest.tickers.items()
    }
    return manifest.model_copy(update={"tickers": tickers})
