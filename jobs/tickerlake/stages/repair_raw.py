"""Repair raw: manifests, receipts, blobs, and what has to be extracted again. See `repair`."""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

import polars as pl

from tickerlake.errors import CorruptObjectError, SourceError
from tickerlake.lake import Lake, blobs, checkpointing, history, layout, manifests, packs
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.lake.parquet import digest, to_blob
from tickerlake.market import calendars, splits
from tickerlake.market.bars import RAW
from tickerlake.sources import Source
from tickerlake.stages.extract import extract
from tickerlake.stages.findings import Finding
from tickerlake.stages.transform import transform

log = logging.getLogger(__name__)

Window = tuple[date, date]


class RawRepair:
    """A repair of raw in progress; `done` has a line for each thing done."""

    def __init__(self, lake: Lake, source: Source, as_of: datetime) -> None:
        self.lake, self.source, self.as_of = lake, source, as_of
        self.done: list[str] = []
        self.runs_are_lost = False

    def mend(self, findings: Sequence[Finding]) -> None:
        """Repair manifests, receipts and blobs; extract what is lost again."""
        lost = self._manifests(findings)
        self.runs_are_lost = bool(lost)
        wanted = self._gaps(lost) if lost else {}
        self._counts(findings)
        self._packs(findings)
        gone = []
        for finding in findings:
            if finding.kind in ("blob", "quarantine"):
                window = self._blob(finding)
                if window:
                    gone.append(finding.key)
                    if finding.kind == "blob":
                        wanted.setdefault(finding.ticker, []).append(window)
        self._commit_lost(gone)
        # rebuild without the lost blobs, so that an extraction sees what is missing
        if wanted:
            transform(self.lake, rebuild=True, only=sorted(wanted))
        for ticker, windows in sorted(wanted.items()):
            self._extract(ticker, windows)

    def _manifests(self, findings: Iterable[Finding]) -> list[str]:
        """Move unreadable manifests aside, and remove such receipts; return the lost runs."""
        store, lost = self.lake.store, []
        for finding in findings:
            run_id = finding.run_id
            if finding.kind == "receipt":
                store.delete([finding.key])
                self.done.append(f"{finding.key}: removed; its run is processed again")
            elif finding.kind == "manifest":
                data = store.get(finding.key)
                if data is not None:
                    store.put(layout.lost(run_id), data)
                store.delete([finding.key, layout.receipt(run_id)])
                lost.append(run_id)
                self.done.append(f"{finding.key}: {finding.text}; the run is lost")
        return lost

    def _gaps(self, lost: Collection[str]) -> dict[str, list[Window]]:
        """Return the sessions that histories only have from lost runs, by ticker."""
        everything = manifests.read_all(self.lake.store, manifests.all_ids(self.lake.store))
        found: dict[str, list[Window]] = {}
        for key in sorted(self.lake.store.keys(layout.HISTORY)):
            ticker = layout.values(key)["ticker"]
            try:
                held = history.load(self.lake, ticker).bars
                left = history.rebuild(self.lake, ticker, everything).bars
            except CorruptObjectError as error:
                log.warning("%s: can't tell what runs %s delivered: %s", ticker, lost, error)
                continue
            gone = held.join(left, on=["session", "as_of"], how="anti")["session"]
            if len(gone):
                found[ticker] = [(gone[0], gone[-1])]
        return found

    def _counts(self, findings: Iterable[Finding]) -> None:
        """Correct how many rows manifests say that their blobs have."""
        store = self.lake.store
        for run_id in sorted({each.run_id for each in findings if each.kind == "counts"}):
            manifest = manifests.read(store, run_id)
            tickers = dict(manifest.tickers)
            for ticker, entry in manifest.tickers.items():
                rows = self._rows(layout.RAW, ticker, entry.blobs)
                bad = self._rows(layout.QUARANTINE, ticker, entry.quarantine)
                if rows is None or bad is None:
                    continue
                right = {"new": rows - entry.corrected, "quarantined": bad}
                if rows != entry.new + entry.corrected:
                    corrected = entry.corrected if 0 <= entry.corrected <= rows else 0
                    right.update(new=rows - corrected, corrected=corrected)
                tickers[ticker] = entry.model_copy(update=right)
            checkpointing.rewrite(store, manifest.model_copy(update={"tickers": tickers}))
            self.done.append(f"{layout.run(run_id)}: counts match its blobs again")

    def _packs(self, findings: Iterable[Finding]) -> None:
        """Take the blobs that are right out of damaged packs; the others are repaired like any."""
        for finding in findings:
            if finding.kind == "pack":
                partition = layout.values(finding.key)["date"]
                found = packs.find(self.lake, partition, finding.ticker)
                for name, rows in found.items():
                    if digest(rows) == name:
                        key = layout.blob(layout.RAW, partition, finding.ticker, name)
                        self.lake.store.put(key, to_blob(rows))
                self.lake.store.delete([finding.key])
                self.done.append(f"{finding.key}: unpacked")

    def _rows(self, prefix: str, ticker: str, names: dict[str, str]) -> int | None:
        if prefix == layout.RAW:
            try:
                return blobs.read(self.lake, ticker, Entry(outcome="ok", blobs=names)).height
            except CorruptObjectError:
                return None
        rows = 0
        for partition, name in names.items():
            data = self.lake.store.get(layout.blob(prefix, partition, ticker, name))
            if data is None or not blobs.is_whole(data, name):
                return None
            rows += pl.read_parquet(data, columns=["session"]).height
        return rows

    def _blob(self, finding: Finding) -> Window | None:
        """Restore a damaged blob; if its rows are lost, return the sessions that it was for."""
        store, key = self.lake.store, finding.key
        data = store.get(key)
        if blobs.is_whole(data, layout.digest(key)) and data is not None:
            store.put(key, to_blob(pl.read_parquet(data)))  # only its footer was wrong
            self.done.append(f"{key}: written again with a correct footer")
            return None
        manifest = manifests.read(store, finding.run_id)
        entry = manifest.tickers[finding.ticker]
        first, last = layout.sessions(layout.values(key)["date"])
        window = (max(first, entry.start or first), min(last, entry.end or last))
        if finding.kind == "blob":
            for origin, rows in self._candidates(finding.ticker, manifest, window):
                if digest(rows) == layout.digest(key):
                    store.put(key, to_blob(rows))
                    self.done.append(f"{key}: restored from {origin}")
                    return None
        return window

    def _candidates(
        self, ticker: str, manifest: Manifest, window: Window
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield what a lost blob of a run may have held."""
        inside = pl.col("session").is_between(*window)
        sessions = None
        try:
            held = history.load(self.lake, ticker).bars.filter(inside)
            held = held.filter(pl.col("as_of") == manifest.as_of)
            sessions = held["session"]
            yield "the history", held.select(RAW.keys())
        except CorruptObjectError as error:
            log.debug("%s", error)
        try:
            timezone = calendars.of(ticker).timezone
            fetched = self.source.fetch(ticker, window[0], self.as_of.date(), timezone).bars
        except SourceError as error:
            log.warning("%s: %s", ticker, error)
            return
        # splits that were announced since then have changed what the source says of the past
        known = manifest.tickers[ticker].splits or {}
        changed = splits.changes(splits.announced(fetched), known, window[0])
        then = splits.rebase(fetched.with_columns(basis_factor=pl.lit(1.0)), changed)
        then = then.filter(inside).select(RAW.keys())
        yield "the source", then
        if sessions is not None:
            yield "the source", then.filter(pl.col("session").is_in(sessions.implode()))

    def _commit_lost(self, keys: Sequence[str]) -> None:
        """Commit that blobs are lost, and delete what is left of them."""
        if not keys:
            return
        manifest = Manifest(
            run_id=manifests.new_run_id(),
            as_of=datetime.now(UTC),
            source=self.source.name,
            tickers={},
            lost=tuple(sorted(keys)),
        )
        manifests.commit(self.lake.store, manifest)
        self.lake.store.delete(keys)
        for key in keys:
            self.done.append(f"{key}: lost; run {manifest.run_id} says so")

    def _extract(self, ticker: str, windows: Sequence[Window]) -> None:
        """Bring in sessions again, as the source has them now."""
        start, end = min(first for first, _ in windows), max(last for _, last in windows)
        report = extract(
            self.lake,
            self.source,
            [ticker],
            as_of=self.as_of,
            start=start,
            end=end,
            workers=1,
            is_repair=True,
        )
        entry = report.entries[ticker]
        text = f"{entry.new + entry.corrected:,} bars" if entry.delivers else entry.reason
        self.done.append(f"{ticker}: extracted {start} to {end} again: {text}")
