"""Blobs that are lost: a repair could not get their rows again, and a manifest says so.

A blob is named after its rows, so a later run that brings the same rows lists the same name. What
is lost is lost only for the runs before the one that says so.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tickerlake.lake import layout

if TYPE_CHECKING:
    from tickerlake.lake.manifests import Manifest


Lost = Mapping[str, str]
"""The keys of lost blobs, each with the newest run that says so."""


def losses(found: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    """Return what is lost, from runs and the keys that each of them calls lost."""
    lost: dict[str, str] = {}
    for run_id, keys in found:
        for key in keys:
            lost[key] = max(run_id, lost.get(key, ""))
    return lost


def is_lost(key: str, run_id: str, lost: Lost) -> bool:
    """Return whether a blob that a run lists is lost."""
    return run_id < lost.get(key, "")


def without_lost(found: Iterable["Manifest"]) -> "list[Manifest]":
    """Sort manifests, and leave out the blobs that a later one calls lost."""
    ordered = sorted(found, key=lambda manifest: manifest.order)
    lost = losses((manifest.run_id, manifest.lost) for manifest in ordered)
    return [without(manifest, lost) for manifest in ordered] if lost else ordered


def without(manifest: "Manifest", lost: Lost) -> "Manifest":
    """Return a manifest without its blobs that are lost."""

    def kept(prefix: str, ticker: str, names: dict[str, str]) -> dict[str, str]:
        return {
            partition: name
            for partition, name in names.items()
            if not is_lost(layout.blob(prefix, partition, ticker, name), manifest.run_id, lost)
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
