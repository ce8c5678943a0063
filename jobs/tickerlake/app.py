"""Wiring: typed settings decide which source, engine, catalog and tickers are used.

The command line, the Glue jobs, `watch` and Python callers all come through here. Heavy imports are
inside the functions, so that checking settings stays cheap.
"""

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tickerlake import universe, wiring
from tickerlake.errors import BadSettingError, TransformFailedError, UsageError
from tickerlake.progress import Counter, Progress
from tickerlake.settings import (
    LAKE,
    WORKERS,
    DoctorSettings,
    ExtractSettings,
    SourceSettings,
    TransformSettings,
    WatchSettings,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tickerlake.aws.glue_catalog import Synced
    from tickerlake.aws.starter import Arrival, Launch
    from tickerlake.diagnosis import Diagnosis
    from tickerlake.lake import Lake
    from tickerlake.lake.manifests import Manifest
    from tickerlake.lake.once import Histories
    from tickerlake.sources import Source
    from tickerlake.stages.compact import Report as CompactReport
    from tickerlake.stages.extract import Report as ExtractReport
    from tickerlake.stages.findings import Finding
    from tickerlake.stages.repair import Report as RepairReport
    from tickerlake.stages.transform import Report as TransformReport

log = logging.getLogger(__name__)

EARLIEST: Final = date(1900, 1, 1)
"""No source has daily bars from before this day; some can't even be asked for them."""

_DAYS_A_YEAR: Final = 365.25

MANY: Final = 0.1
"""A stage logs a separate event when a larger share of its tickers failed."""


def extract(
    settings: ExtractSettings,
    progress: Progress = lambda *_: None,
    histories: "Histories | None" = None,
) -> "ExtractReport":
    """Fetch bars into the lake's raw data; create the lake if there is none.

    Args:
        settings: what to fetch.
        progress: see `progress.Progress`.
        histories: keeps what is read of histories for the transform that follows.

    Raises:
        UsageError: the settings are wrong, or no ticker is known.
        LakeError, SourceError: as their names say.
    """
    import tickerlake.stages.extract
    from tickerlake.lake import create_lake
    from tickerlake.lake.manifests import GOOD
    from tickerlake.stages.planning import BACKFILL

    tickers = universe.tickers(settings)
    with wiring.source(settings.source, settings.workers) as (source, moment):
        start, end = _window(settings, moment)
        # last, so that a wrong call leaves no folder
        lake = create_lake(settings.lake, settings.grain, sample=settings.source.is_sample)
        _advise(lake, len(tickers), start or (moment - BACKFILL).date(), moment)
        ended = Counter(progress, len(tickers))
        report = tickerlake.stages.extract.extract(
            histories.of(lake) if histories else lake,
            source,
            tickers,
            as_of=moment,
            start=start,
            end=end,
            workers=settings.workers,
            known=lambda: universe.known(settings),
            progress=ended.one_more,
        )
    failed = sum(entry.outcome not in GOOD for entry in report.entries.values())
    _tell_of_failures("extract", failed, len(report.entries))
    return report


def transform(
    settings: TransformSettings,
    progress: Progress = lambda *_: None,
    histories: "Histories | None" = None,
) -> "TransformReport":
    """Process pending runs into history and refined.

    Args:
        settings: what to process.
        progress: see `progress.Progress`.
        histories: what the extraction before has read of histories.

    Raises:
        UsageError: the settings are wrong, or there is no such run.
        LakeError, EngineError, CatalogError: as their names say.
    """
    import tickerlake.stages.transform
    from tickerlake.lake import manifests, open_lake

    lake = open_lake(settings.lake)
    if settings.run_id:
        manifests.read(lake.store, settings.run_id)
    report = tickerlake.stages.transform.transform_all(
        histories.of(lake) if histories else lake,
        engine=wiring.engine(settings.engine, settings.workers),
        rebuild=settings.rebuild,
        progress=Counter(progress).one_more,
        register=wiring.registering(lake, settings.catalog, rebuild=settings.rebuild),
    )
    failed = sum(bool(each.error) for each in report.refreshed.values())
    _tell_of_failures("transform", failed, len(report.refreshed))
    return report


def verify(
    lake: str = LAKE, workers: int = WORKERS, progress: Progress = lambda *_: None
) -> "list[Finding]":
    """Derive everything from raw again; return the differences from what the lake has."""
    import tickerlake.stages.verify
    from tickerlake.lake import open_lake

    return tickerlake.stages.verify.verify(
        open_lake(lake), workers=workers, progress=Counter(progress).one_more
    )


def doctor(settings: DoctorSettings) -> "Iterator[Diagnosis]":
    """Examine this machine, or the AWS account that Terraform deploys to."""
    from pathlib import Path

    if settings.infra is not None:
        import tickerlake.aws.doctor

        return tickerlake.aws.doctor.doctor(Path(settings.infra), start_jobs=settings.start_jobs)
    import tickerlake.stages.doctor
    from tickerlake.diagnosis import examine

    def source() -> "AbstractContextManager[tuple[Source, datetime]]":
        asked = SourceSettings(yahoo_url=settings.yahoo_url)
        return wiring.source(asked, workers=1, retries=0)

    checks = tickerlake.stages.doctor.checks(settings.lake, source, settings.yahoo_url)
    return examine(checks)


def repair(
    lake: str, source: SourceSettings, *, workers: int = WORKERS, prune: bool = False
) -> "RepairReport":
    """Repair what `verify` finds."""
    import tickerlake.stages.repair

    opened, done = tickerlake.stages.repair.open_damaged(lake)
    with wiring.source(source, workers) as (bars, moment):
        report = tickerlake.stages.repair.repair(
            opened, bars, as_of=moment, workers=workers, prune=prune
        )
    if done:
        report.done.insert(0, done)
    return report


def compact(
    lake: str = LAKE, workers: int = WORKERS, progress: Progress = lambda *_: None
) -> "CompactReport":
    """Put the loose blobs of closed partitions into packs."""
    import tickerlake.stages.compact
    from tickerlake.lake import open_lake

    return tickerlake.stages.compact.compact(
        open_lake(lake), workers=workers, progress=Counter(progress).one_more
    )


def rename(lake: str, old: str, new: str, first_day: date) -> "Manifest":
    """Continue a ticker's history under another name."""
    import tickerlake.stages.lifecycle
    from tickerlake.lake import open_lake
    from tickerlake.market import symbols

    [old], [new] = symbols.parse([old]), symbols.parse([new])
    return tickerlake.stages.lifecycle.rename(open_lake(lake), old, new, first_day)


def retire(lake: str, ticker: str, last_day: date | None) -> "Manifest":
    """Stop fetching a ticker."""
    import tickerlake.stages.lifecycle
    from tickerlake.lake import open_lake
    from tickerlake.market import symbols

    [ticker] = symbols.parse([ticker])
    return tickerlake.stages.lifecycle.retire(open_lake(lake), ticker, last_day)


def sync_catalog(lake: str, database: str) -> "Synced":
    """Make the partitions and columns in a Glue Data Catalog database match the lake."""
    from tickerlake.aws.glue_catalog import Catalog
    from tickerlake.lake import open_lake

    return Catalog(open_lake(lake), database).sync()


def watch(settings: WatchSettings) -> Iterator[list[str]]:
    """Wait for manifests to arrive on S3, and transform each run; yield the ids of the runs."""
    import tickerlake.aws.watch

    return tickerlake.aws.watch.watch(settings.queue, transforming(settings))


def transforming(settings: WatchSettings) -> "Launch":
    """Return a function that runs the transformer in this process when a run has arrived."""

    def launch(arrival: "Arrival") -> None:
        from tickerlake.lake import manifests, open_lake

        if arrival.run_id not in manifests.pending_ids(open_lake(arrival.lake).store):
            log.info("run %s is done", arrival.run_id)
            return
        report = transform(
            TransformSettings(arrival.lake, workers=settings.workers, catalog=settings.catalog)
        )
        log.info("run %s: processed %s", arrival.run_id, report.processed)
        if report.exit_code:
            failed = {name: each.error for name, each in report.refreshed.items() if each.error}
            raise TransformFailedError(f"run {arrival.run_id}: {failed}")

    return launch


def serve_replay(host: str, port: int, as_of: datetime | None, latency: float) -> None:
    """Serve the replay of Yahoo in this thread, until the process ends.

    Raises:
        BadSettingError: the address is in use, or can't be listened on.
    """
    from tickerlake.sources.replay import END, Replay

    try:
        Replay(now=as_of or END, latency=latency, host=host, port=port).serve_forever()
    except OSError as error:
        raise BadSettingError(f"can't listen on {host}:{port}: {error.strerror}") from error


def _window(settings: ExtractSettings, moment: datetime) -> tuple[date | None, date | None]:
    """Return the first and the last session to ask for, limited to days that can have bars."""
    tomorrow = moment.date() + timedelta(days=1)  # it has already begun further east
    start = max(settings.start, EARLIEST) if settings.start else None
    if start and start > tomorrow:
        raise UsageError(f"--start {start} is in the future: today is {moment:%Y-%m-%d}")
    if settings.end and settings.end < EARLIEST:
        raise UsageError(f"--end {settings.end} is before {EARLIEST}: there are no bars that old")
    return start, min(settings.end, tomorrow) if settings.end else None


def _advise(lake: "Lake", tickers: int, start: date, moment: datetime) -> None:
    """Warn when a new lake gets many more objects than it needs."""
    if not lake.is_new:
        return
    from tickerlake.stages.plan import grains  # loads Polars

    years = (moment.date() - start).days / _DAYS_A_YEAR
    if advice := grains.advice(tickers, years, lake.grain):
        log.warning("%s", advice)


def _tell_of_failures(stage: str, failed: int, tickers: int) -> None:
    """Log the event that alarms look for."""
    if failed > MANY * tickers:
        log.error(
            "%s: %s of %s tickers failed",
            stage,
            f"{failed:,}",
            f"{tickers:,}",
            extra={"event": "many_tickers_failed", "failed": failed, "tickers": tickers},
        )
