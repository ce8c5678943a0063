"""Wiring: typed settings in; which source, which engine, which catalog and which tickers.

The command line, the Glue jobs, `watch` and Python all come this way. Heavy imports are inside the
functions, so that settings cost nothing.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tickerlake.errors import (
    BadSettingError,
    NoLakeError,
    StoreError,
    TransformFailedError,
    UsageError,
)

if TYPE_CHECKING:
    import polars as pl

    from tickerlake.aws.glue_catalog import Synced
    from tickerlake.aws.starter import Arrival, Launch
    from tickerlake.engines import Engine
    from tickerlake.lake import Lake
    from tickerlake.sources import Source
    from tickerlake.stages.extract import Report as ExtractReport
    from tickerlake.stages.status import Status
    from tickerlake.stages.transform import Report as TransformReport

log = logging.getLogger(__name__)

Grain = Literal["day", "month", "year"]
EngineName = Literal["local", "spark"]
Progress = Callable[[int, int | None], None]
"""Is called with how many tickers have ended, and of how many (None: that is not known)."""

LAKE: Final = "./lake"
WORKERS: Final = 8
REQUESTS_PER_SECOND: Final = 5.0

BACKFILL: Final = timedelta(days=2 * 365)
"""How far back the first fetch of a ticker reaches when nothing else is said."""

EARLIEST: Final = date(1900, 1, 1)
"""No source has daily bars from before; some can't even be asked for them."""

MANY: Final = 0.1
"""A stage in which a larger share of the tickers failed says so by an event of its own."""


@dataclass(frozen=True)
class SourceSettings:
    """Where bars come from: Yahoo; a replay of it at `yahoo_url`; or, offline, recorded bars.

    `as_of` is the moment (UTC) to take for now, which only a replay can live at; None is now, or
    what the replay's clock shows.
    """

    offline: bool = False
    yahoo_url: str | None = None
    requests_per_second: float = REQUESTS_PER_SECOND
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be."""
        if self.as_of and not (self.offline or self.yahoo_url):
            raise BadSettingError(
                "--as-of needs --offline or --yahoo-url: Yahoo itself only knows today"
            )


@dataclass(frozen=True)
class ExtractSettings:
    """What `extract` needs.

    Without `tickers` and `universe` (a file, or `s3://bucket/key`) it takes the tickers that the
    lake holds. `start` and `end` are sessions; `grain` is that of a new lake (None: `day`).
    """

    lake: str = LAKE
    tickers: tuple[str, ...] = ()
    universe: str | None = None
    start: date | None = None
    end: date | None = None
    grain: Grain | None = None
    workers: int = WORKERS
    source: SourceSettings = field(default_factory=SourceSettings)

    def __post_init__(self) -> None:
        """Refuse what can't be."""
        if self.tickers and self.universe:
            raise BadSettingError("give tickers or --universe, not both")
        if self.end and not self.start:
            raise BadSettingError("--end needs --start")
        if self.start and self.end and self.start > self.end:
            raise BadSettingError(f"--start {self.start} is after --end {self.end}")


@dataclass(frozen=True)
class TransformSettings:
    """What `transform` needs.

    `catalog` is the Glue Data Catalog's database in which new partitions are registered; `run_id`
    must be there, or the transform fails.
    """

    lake: str = LAKE
    workers: int = WORKERS
    engine: EngineName = "local"
    catalog: str | None = None
    rebuild: bool = False
    run_id: str | None = None


@dataclass(frozen=True)
class WatchSettings:
    """What `watch` needs: the URL of the queue that gets S3's events."""

    queue: str
    workers: int = WORKERS
    catalog: str | None = None


def extract(settings: ExtractSettings, progress: Progress = lambda *_: None) -> "ExtractReport":
    """Bring bars into the lake's raw data, making the lake when there is none.

    Raises:
        UsageError: the settings are wrong, or no ticker is known.
        LakeError, SourceError: as their names say.
    """
    from tickerlake.lake import create_lake
    from tickerlake.lake.manifests import GOOD
    from tickerlake.stages import extract as stage

    tickers = _tickers(settings)
    with _source(settings.source, settings.workers) as (source, moment):
        start, end = _window(settings, moment)
        ended = _Counter(progress, len(tickers))
        report = stage.extract(
            create_lake(settings.lake, settings.grain),
            source,
            tickers,
            as_of=moment,
            start=start,
            end=end,
            workers=settings.workers,
            progress=ended.one_more,
        )
    failed = sum(entry.outcome not in GOOD for entry in report.entries.values())
    _tell_of_failures("extract", failed, len(report.entries))
    return report


def transform(
    settings: TransformSettings, progress: Progress = lambda *_: None
) -> "TransformReport":
    """Turn the runs that are pending into history and refined.

    Raises:
        UsageError: the settings are wrong; there is no such run.
        LakeError, EngineError, CatalogError: as their names say.
    """
    from tickerlake.lake import manifests, open_lake
    from tickerlake.stages import transform as stage

    lake = open_lake(settings.lake)
    if settings.run_id:
        manifests.read(lake.store, settings.run_id)
    report = stage.transform(
        lake,
        engine=_engine(settings.engine, settings.workers),
        rebuild=settings.rebuild,
        progress=_Counter(progress).one_more,
        register=_registering(lake, settings.catalog, rebuild=settings.rebuild),
    )
    failed = sum(bool(each.error) for each in report.refreshed.values())
    _tell_of_failures("transform", failed, len(report.refreshed))
    return report


def status(lake: str = LAKE, workers: int = WORKERS) -> "Status":
    """Say what the lake holds."""
    from tickerlake.lake import open_lake
    from tickerlake.stages import status as stage

    return stage.status(open_lake(lake), workers)


def query(sql: str, lake: str = LAKE, *, unsafe: bool = False) -> "pl.DataFrame":
    """Run one SQL statement over the lake's tables."""
    from tickerlake.lake import open_lake
    from tickerlake.stages import query as stage

    return stage.query(open_lake(lake), sql, unsafe=unsafe)


def verify(
    lake: str = LAKE, workers: int = WORKERS, progress: Progress = lambda *_: None
) -> list[str]:
    """Derive everything from raw again; return the differences from what the lake has."""
    from tickerlake.lake import open_lake
    from tickerlake.stages import verify as stage

    return stage.verify(open_lake(lake), workers=workers, progress=_Counter(progress).one_more)


def sync_catalog(lake: str, database: str) -> "Synced":
    """Make the partitions and columns in a database of the Glue Data Catalog equal to the lake."""
    from tickerlake.aws.glue_catalog import Catalog
    from tickerlake.lake import open_lake

    return Catalog(open_lake(lake), database).sync()


def watch(settings: WatchSettings) -> Iterator[list[str]]:
    """Wait for manifests to arrive on S3, and transform each run; yield the ids of the runs."""
    from tickerlake.aws import watch as queue

    return queue.watch(settings.queue, transforming(settings))


def transforming(settings: WatchSettings) -> "Launch":
    """Return what runs the transformer in this process for a run that has arrived."""

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
        BadSettingError: the address is taken, or can't be listened on.
    """
    from tickerlake.sources.replay import END, Replay

    try:
        Replay(now=as_of or END, latency=latency, host=host, port=port).serve_forever()
    except OSError as error:
        raise BadSettingError(f"can't listen on {host}:{port}: {error.strerror}") from error


def read_universe(location: str) -> list[str]:
    """Read a universe: a symbol a line, `#` starts a comment.

    Args:
        location: a file, or `s3://bucket/key`.

    Raises:
        UsageError: it can't be read or names no symbol.
        BadSymbolError: names the malformed symbols in it.
    """
    from tickerlake.market import symbols

    try:
        # an editor's byte-order mark is no part of a symbol
        lines = _read(location).decode("utf-8-sig").splitlines()
    except (OSError, StoreError, ValueError) as error:
        raise UsageError(f"can't read the universe file {location}: {error}") from error
    entries = [text for line in lines if (text := line.partition("#")[0].strip())]
    if not entries:
        raise UsageError(f"the universe file {location} names no ticker; write one symbol a line")
    return symbols.parse(entries)


def _read(location: str) -> bytes:
    if "://" not in location:
        return Path(location).read_bytes()
    from tickerlake.lake.store import open_store

    folder, _, name = location.rpartition("/")
    if not folder.startswith("s3://") or not name:
        raise UsageError(f"can't read the universe {location}: give a file or s3://bucket/key")
    data = open_store(folder).get(name)
    if data is None:
        raise FileNotFoundError("there is no such object")
    return data


def _tickers(settings: ExtractSettings) -> list[str]:
    from tickerlake.market import symbols

    if settings.tickers:
        return symbols.parse(settings.tickers)
    if settings.universe:
        return read_universe(settings.universe)
    if held := _held(settings.lake):
        return held
    if settings.source.offline:
        from tickerlake.sources.replay import recording

        return recording.load()["ticker"].unique().sort().to_list()
    raise UsageError(
        "which tickers? Name them (AAPL MSFT), or give --tickers AAPL,MSFT or --universe FILE"
    )


def _held(url: str) -> list[str]:
    from tickerlake.lake import open_lake
    from tickerlake.stages import status as stage

    try:
        return stage.tickers(open_lake(url))
    except NoLakeError:
        return []


def _window(settings: ExtractSettings, moment: datetime) -> tuple[date, date | None]:
    """Return the first and the last session to ask for, as far as there can be any."""
    tomorrow = moment.date() + timedelta(days=1)  # it has begun east of here
    start = max(settings.start or (moment - BACKFILL).date(), EARLIEST)
    if start > tomorrow:
        raise UsageError(f"--start {start} is in the future: today is {moment:%Y-%m-%d}")
    if settings.end and settings.end < EARLIEST:
        raise UsageError(f"--end {settings.end} is before {EARLIEST}: there are no bars so old")
    return start, min(settings.end, tomorrow) if settings.end else None


@contextmanager
def _source(settings: SourceSettings, workers: int) -> "Iterator[tuple[Source, datetime]]":
    """Open the source; give it and the moment that it lives at."""
    from contextlib import ExitStack

    from tickerlake.sources.yahoo import Yahoo

    moment, url = settings.as_of, settings.yahoo_url
    with ExitStack() as stack:
        if settings.offline:
            from tickerlake.sources.replay import END, Replay

            moment = moment or END
            url = stack.enter_context(Replay(now=moment)).url
        elif url and not moment:
            from tickerlake.sources.replay import clock

            moment = clock(url)
        rate = settings.requests_per_second
        yahoo = Yahoo(url=url, requests_per_second=rate, workers=workers)
        yield stack.enter_context(yahoo), moment or datetime.now(UTC)


def _engine(name: EngineName, workers: int) -> "Engine":
    if name == "spark":
        from tickerlake.engines import spark

        return spark.spark(spark.session())
    from tickerlake.engines.local import threads

    return threads(workers)


def _registering(
    lake: "Lake", database: str | None, *, rebuild: bool
) -> Callable[[Iterable[str]], object]:
    if database is None:
        return lambda _: None
    from tickerlake.aws.glue_catalog import Catalog

    catalog = Catalog(lake, database)
    # a rebuild puts and deletes partitions that no new manifest tells of
    return (lambda _: catalog.sync()) if rebuild else catalog.register


class _Counter:
    """Counts the tickers that have ended, for whoever watches."""

    def __init__(self, progress: Progress, total: int | None = None) -> None:
        self._progress, self._ended, self._total = progress, 0, total
        progress(0, total)

    def one_more(self, *_: object) -> None:
        """Take what a stage says of a ticker that has ended."""
        self._ended += 1
        self._progress(self._ended, self._total)


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
