"""Verify the packs of a ticker: each holds the blobs that it names."""

from collections.abc import Iterable

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout, packs
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.parquet import digest
from tickerlake.stages.findings import Finding


def packs_of(
    lake: Lake, ticker: str, listed: Iterable[Manifest]
) -> tuple[list[Finding], dict[str, dict[str, int]]]:
    """Read the packs of the partitions of which manifests list blobs.

    Returns:
        What is wrong with them, and the blobs that are right: how many rows they have, by partition
        and name.
    """
    found: list[Finding] = []
    right: dict[str, dict[str, int]] = {}
    for partition in sorted({name for each in listed for name in each.tickers[ticker].blobs}):
        key = layout.pack(partition, ticker)
        try:
            blobs = packs.load(lake, partition, ticker).blobs
        except CorruptObjectError as error:
            found.append(Finding("pack", key, f"can't be read: {error}", ticker))
            continue
        right[partition] = {
            name: rows.height for name, rows in blobs.items() if digest(rows) == name
        }
        if len(right[partition]) < len(blobs):
            found.append(Finding("pack", key, "has other rows than those that it names", ticker))
    return found, right
