"""Repair what `verify` finds.

Derived data is rebuilt. A damaged blob is restored from the history, which holds its rows as long
as they are the newest, or from the source. If neither has the same rows any more, a new commit says
that the blob is lost, and the sessions are extracted again. A manifest that can't be read is moved
to `raw/_lost/`, and what it delivered is extracted again.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tickerlake.engines import Engine
from tickerlake.errors import (
    CorruptObjectError,
    LakeFormatError,
    NoLakeError,
    UsageError,
)
from tickerlake.lake import (
    FORMAT,
    Lake,
    audit,
    encode_marker,
    layout,
    manifests,
    open_lake,
)
from tickerlake.lake.layout import Grain
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.store import Store, open_store
from tickerlake.sources import Source
from tickerlake.stages.findings import Finding
from tickerlake.stages.repair_raw import RawRepair
from tickerlake.stages.status import is_simulated
from tickerlake.stages.transform import transform
from tickerlake.stages.verify import strays, verify

log = logging.getLogger(__name__)

ORPHAN_AFTER: Final = 24 * 3600.0
"""Seconds after which a blob that no manifest lists belongs to no extraction in progress."""


@dataclass
class Report:
    """What a repair did.

    Attributes:
        done: a line for each repair.
        strays: what engines read as part of a table although it does not belong to the lake.
        orphans: blobs that no manifest lists; runs that died have left them.
        left: what could not be repaired.
    """

    done: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when everything is right now, otherwise 1."""
        return 1 if self.left else 0


def repair(
    lake: Lake,
    source: Source,
    *,
    as_of: datetime,
    workers: int,
    prune: bool = False,
    engine: Engine | None = None,
    register: Callable[[Iterable[str]], object] = lambda _: None,
) -> Report:
    """Repair what `verify` finds, and verify again.

    Args:
        lake: the lake.
        source: where lost bars are fetched from; it is asked for nothing else.
        as_of: the moment (UTC) of these fetches.
        workers: tickers in progress at the same time.
        prune: remove strays, and blobs that no manifest has listed for a day.
        engine: distributes the tickers; None uses threads.
        register: see `transform`.

    Raises:
        StoreError: the lake can't be read or written; run it again.
    """
    report = Report()
    for key in lake.store.obstacles():
        lake.store.clear(key)
        report.done.append(f"{key}: moved what was in its place out of the way")
    report.done += audit.mend(lake.store)
    findings = verify(lake, workers=workers)
    raw = RawRepair(lake, source, as_of)
    raw.mend(findings)
    report.done += raw.done
    transform(lake, engine=engine, register=register)
    _derived(lake, findings, report, engine, everything=raw.runs_are_lost)
    report.strays, report.orphans = strays(lake), orphans(lake)
    if prune:
        gone = [*report.strays, *report.orphans]
        lake.store.delete(gone)
        report.done += [f"{key}: removed" for key in gone]
    report.left = [each for each in verify(lake, workers=workers) if each.kind != "stray"]
    return report


def open_damaged(url: str) -> tuple[Lake, str]:
    """Open a lake; write `_lake.json` again if it is missing, damaged or wrong.

    Returns:
        The lake, and what was done ('' when nothing was).

    Raises:
        NoLakeError: there is no lake.
        LakeFormatError: it has another format version, or nothing in it shows its grain.
    """
    store = open_store(url)
    data = store.get(layout.LAKE)
    grain = _grain(store)
    if data is not None and _is_right(data, grain):
        return open_lake(url), ""
    if grain is None:
        if next(store.keys(layout.RUNS), None) is None:
            raise NoLakeError(f"there is no lake at {store.url}: `tickerlake run` creates one")
        raise LakeFormatError(
            f"nothing in {store.url} shows its grain; write {layout.LAKE} by hand"
        )
    store.put(layout.LAKE, encode_marker(grain, is_sample=_is_sample(store)))
    return open_lake(url), f"{layout.LAKE}: written again; the lake has partitions by {grain}"


def orphans(lake: Lake) -> list[str]:
    """Return the blobs that no manifest lists and no extraction in progress can be writing."""
    try:
        everything = manifests.read_all(lake.store, manifests.all_ids(lake.store))
    except CorruptObjectError:
        return []  # what it lists is not known
    listed = {key for manifest in everything for key in _blobs(manifest)}
    before = time.time() - ORPHAN_AFTER
    return sorted(
        each.key
        for prefix in (layout.RAW, layout.QUARANTINE)
        for each in lake.store.find(prefix)
        if each.key.endswith(".parquet")
        and not each.key.endswith(layout.PACK)
        and each.key not in listed
        and each.modified < before
    )


def _blobs(manifest: Manifest) -> Iterator[str]:
    """Yield the keys of all blobs that a manifest lists."""
    for ticker, entry in manifest.tickers.items():
        for prefix, names in ((layout.RAW, entry.blobs), (layout.QUARANTINE, entry.quarantine)):
            for partition, name in names.items():
                yield layout.blob(prefix, partition, ticker, name)


def _derived(
    lake: Lake,
    findings: Sequence[Finding],
    report: Report,
    engine: Engine | None,
    *,
    everything: bool,
) -> None:
    """Rebuild the tickers whose derived objects are not right."""
    broken = [each.key for each in findings if each.kind == "note"]
    tickers = sorted({each.ticker for each in findings if each.ticker})
    only = None if broken or everything else tickers
    if only is None or only:
        report.done += _rebuild(lake, findings, only, engine)
    lake.store.delete(broken)
    report.done += [f"{key}: removed after everything was rebuilt" for key in broken]


def _rebuild(
    lake: Lake, findings: Sequence[Finding], only: Sequence[str] | None, engine: Engine | None
) -> list[str]:
    rebuilt = transform(lake, rebuild=True, only=only, engine=engine)
    wrong = {each.ticker for each in findings if each.kind == "derived"}
    return [
        f"{ticker}: rebuilt from raw"
        for ticker, each in sorted(rebuilt.refreshed.items())
        if not each.error and (each.partitions or ticker in wrong)
    ]


def _is_right(data: bytes, grain: Grain | None) -> bool:
    """Return whether a marker is right, or comes from another version of tickerlake."""
    try:
        marker = json.loads(data)
        if isinstance(marker["format"], int) and marker["format"] != FORMAT:
            return True
        is_grain = marker["grain"] in layout.GRAINS and grain in (None, marker["grain"])
        return marker["format"] == FORMAT and is_grain
    except (ValueError, TypeError, KeyError):
        return False


def _grain(store: Store) -> Grain | None:
    """Infer a lake's grain from its partitions."""
    for prefix in (layout.RAW, layout.DAILY):
        keys = (key for key in store.keys(prefix) if "date=" in key)
        if found := layout.grain_of(layout.values(key)["date"] for key in keys):
            return found
    return None


def _is_sample(store: Store) -> bool:
    """Infer from the newest run that can be read whether a lake holds recorded bars."""
    for run_id in reversed(manifests.all_ids(store)):
        try:
            return is_simulated(manifests.read(store, run_id))
        except (CorruptObjectError, UsageError):
            continue
    return False
