"""Extract: plan, fetch, check, write raw, and the run's manifest last.

What a run finds out is complete in its manifests: one entry a ticker. Data objects are written
before the manifest that lists them, so a run that dies leaves blobs that no reader sees.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from tickerlake.errors import (
    CorruptObjectError,
    RateLimitedError,
    SourceFailedError,
    UnknownSymbolError,
)
from tickerlake.lake import Lake, history, layout, manifests
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import GOOD, Entry, Manifest
from tickerlake.lake.parquet import digest, partitions, to_parquet
from tickerlake.market import calendars, quality, splits
from tickerlake.market.bars import PRICES, RAW
from tickerlake.market.calendars import Exchange
from tickerlake.sources import Source
from tickerlake.stages import counted, exit_code

log = logging.getLogger(__name__)

REREAD_SESSIONS: Final = 5
"""A fetch that is due also re-reads this many sessions up to the newest held: Yahoo revises volume
for about a day."""

GAP_LOOKBACK: Final = timedelta(days=365)
"""A fetch that is due also asks for sessions missing for up to this long."""

COMMIT_BLOBS: Final = 5_000
"""A run that delivers more blobs than this is committed in several manifests."""

GIVE_UP_AFTER: Final = 3
"""After so many tickers in a row that ended rate-limited, the others are not even asked for."""

_BASIS_TOLERANCE: Final = 1e-5


@dataclass(frozen=True)
class Window:
    """The sessions to bring in: [start, end].

    What is fetched reaches on to the present day, so that every split that the prices are adjusted
    for is announced in the same answer.
    """

    start: date
    end: date


@dataclass
class Report:
    """How a run ended: an entry a ticker, and the manifests committed (none without news)."""

    entries: dict[str, Entry] = field(default_factory=dict)
    manifests: list[Manifest] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when every ticker ended well, 1 when none did, else 3."""
        bad = sum(entry.outcome not in GOOD for entry in self.entries.values())
        return exit_code(len(self.entries), bad)


def extract(
    lake: Lake,
    source: Source,
    tickers: Sequence[str],
    *,
    as_of: datetime,
    start: date,
    end: date | None = None,
    workers: int,
    progress: Callable[[str, Entry], None] = lambda *_: None,
) -> Report:
    """Bring bars into raw.

    Args:
        lake: where to.
        source: where from.
        tickers: valid symbols.
        as_of: the moment (UTC) of the run; a session that has not closed by then is not stored.
        start: with `end`, the first session to fetch. Without, where the first backfill of a ticker
            that the lake does not hold yet begins; held tickers are brought up to date.
        end: the last session to fetch; None brings the lake up to date.
        workers: tickers in work at the same time.
        progress: is called in this thread with each ticker that has ended.

    Raises:
        StoreError: the lake can't be read or written. What was committed stays.
    """
    pending = manifests.pending(lake)
    report = Report()
    uncommitted: dict[str, Entry] = {}
    breaker = _Breaker()

    def one(ticker: str) -> Entry:
        if breaker.open:
            return Entry(outcome="rate_limited", reason="not asked: the source wants a pause")
        entry = _guarded(lake, source, ticker, pending, as_of, start, end)
        breaker.note(entry)
        return entry

    def commit() -> None:
        if any(_is_news(entry) for entry in uncommitted.values()):
            manifest = Manifest(
                run_id=manifests.new_run_id(),
                as_of=as_of,
                source=source.name,
                tickers=dict(sorted(uncommitted.items())),
            )
            manifests.commit(lake.store, manifest)
            report.manifests.append(manifest)
            log.info("committed run %s", manifest.run_id)
        uncommitted.clear()

    for ticker in tickers:
        calendars.of(ticker)  # takes long at first, and longest when all threads want it at once
    pool = ThreadPoolExecutor(workers, thread_name_prefix="extract")
    try:
        futures = {pool.submit(one, ticker): ticker for ticker in tickers}
        for future in as_completed(futures):
            ticker, entry = futures[future], future.result()
            report.entries[ticker] = uncommitted[ticker] = entry
            level = logging.INFO if entry.outcome in GOOD else logging.WARNING
            log.log(level, "%s: %s %s", ticker, entry.outcome, entry.reason)
            progress(ticker, entry)
            if sum(len(each.blobs) for each in uncommitted.values()) >= COMMIT_BLOBS:
                commit()
    finally:
        # also when interrupted: what has been fetched by now is kept
        pool.shutdown(wait=False, cancel_futures=True)
        commit()
    return report


def plan(held: History, exchange: Exchange, as_of: datetime, start: date) -> Window | None:
    """The window that brings a ticker up to date; None when it is.

    A ticker is due when a session has closed after the newest one held. Only then are gaps asked
    for again, and the last sessions re-read, so that a gap which stays costs no requests of its
    own.
    """
    if held.bars.is_empty():
        expected = exchange.sessions(start, as_of)
        return None if expected.is_empty() else Window(start, expected[-1])
    sessions = held.bars["session"]
    expected = exchange.sessions(sessions[0], as_of)
    if expected.is_empty() or expected[-1] <= sessions[-1]:
        return None
    end = expected[-1]
    if (held.bars["basis_factor"] != 1.0).any():
        return Window(sessions[0], end)  # the source's own numbers on the new basis
    missing = expected.filter(~expected.is_in(sessions.implode()))
    recent = missing.filter(missing >= end - GAP_LOOKBACK)
    # by the calendar: the first bars of a ticker may be missing, which makes no gap between bars
    until_newest = exchange.schedule["session"].filter(exchange.schedule["session"] <= sessions[-1])
    return Window(min(recent[0], until_newest[-REREAD_SESSIONS:][0]), end)


def changed(bars: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """The fetched bars that are not held, or not like this.

    A held bar that was brought over from an older split basis is replaced by the source's own
    numbers, unless the source still serves it on the old basis, as Yahoo does for days after some
    splits.

    Args:
        bars: good bars of one fetch (`schema.RAW`).
        held: the bars held (`schema.HISTORY`), on the basis of that fetch.

    Returns:
        The differing rows of `bars`, with a column `is_new`.
    """
    both = bars.join(
        held.select(pl.all().name.suffix("_held")),
        left_on="session",
        right_on="session_held",
        how="left",
    )
    factor = pl.col("basis_factor_held")
    old_close = pl.col("close_held") * factor
    still_old = (factor != 1.0) & (
        (pl.col("close") - old_close).abs() <= _BASIS_TOLERANCE * old_close
    )
    facts = (*PRICES, "volume", "dividend", "split", "currency")
    same = (factor == 1.0) & pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(f"{name}_held")) for name in facts
    )
    is_new = factor.is_null()
    return both.filter(is_new | ~(same | still_old)).select(*RAW, is_new=is_new)


def _guarded(
    lake: Lake,
    source: Source,
    ticker: str,
    pending: Sequence[Manifest],
    as_of: datetime,
    start: date,
    end: date | None,
) -> Entry:
    try:
        return _extract_one(lake, source, ticker, pending, as_of, start, end)
    except UnknownSymbolError as error:
        return Entry(outcome="unknown_symbol", reason=str(error))
    except RateLimitedError as error:
        return Entry(outcome="rate_limited", reason=str(error))
    except (SourceFailedError, CorruptObjectError) as error:
        return Entry(outcome="failed", reason=str(error))


def _extract_one(
    lake: Lake,
    source: Source,
    ticker: str,
    pending: Sequence[Manifest],
    as_of: datetime,
    start: date,
    end: date | None,
) -> Entry:
    exchange = calendars.of(ticker)
    stored, _ = history.read(lake, ticker)
    held = history.advance(lake, ticker, stored, pending)
    window = Window(start, end) if end else plan(held, exchange, as_of, start)
    if window is None:
        return Entry(outcome="empty", reason="up to date")

    today = as_of.astimezone(ZoneInfo(exchange.timezone)).date()
    fetched = source.fetch(ticker, window.start, max(window.end, today), exchange.timezone).bars
    closed = exchange.sessions(window.start, as_of)
    last_closed = closed[-1] if len(closed) else date.min
    open_today = (pl.col("session") > last_closed) & (pl.col("session") <= today)
    wanted = fetched.filter((pl.col("session") <= window.end) & ~open_today)

    good, bad = quality.check(wanted, exchange.schedule["session"], today)
    announced = _splits(fetched)
    changes = splits.changes(held.splits, announced, window.start)
    news = changed(good, splits.rebase(held.bars, changes))
    missing = _gaps(closed.filter(closed <= window.end), held.bars["session"], good["session"])
    is_delivery = bool(changes) or not news.is_empty()
    quarantine = _write(lake, layout.QUARANTINE, ticker, bad)
    fresh = int(news["is_new"].sum())
    flags = [flag for flag in quality.suspicious(good) if flag.session in set(news["session"])]
    return Entry(
        outcome="ok" if is_delivery else "empty",
        reason="" if is_delivery else "nothing new",
        start=window.start,
        end=window.end,
        new=fresh,
        corrected=news.height - fresh,
        blobs=_write(lake, layout.RAW, ticker, news.select(RAW.keys())),
        splits=announced if is_delivery else None,
        quarantined=bad.height,
        quarantine=quarantine,
        gaps=tuple(missing),
        flags=tuple(flags),
    )


def _splits(fetched: pl.DataFrame) -> dict[date, float]:
    """All splits announced in a fetch, also those of sessions that are not stored."""
    ratio = pl.col("split")
    splits = fetched.filter(ratio.is_finite() & (ratio > 0) & (ratio != 1.0))
    return dict(splits.select("session", "split").sort("session").iter_rows())


def _gaps(expected: pl.Series, held: pl.Series, arrived: pl.Series) -> list[date]:
    """Expected sessions without a bar, from the ticker's first bar on."""
    known = pl.concat([held, arrived])
    if known.is_empty():
        return []
    first = known.min()
    return expected.filter((expected > first) & ~expected.is_in(known.implode())).to_list()


def _write(lake: Lake, prefix: str, ticker: str, rows: pl.DataFrame) -> dict[str, str]:
    """Write rows as blobs, one a partition, and name them by partition."""
    blobs = {}
    for partition, part in partitions(rows, lake.grain):
        blobs[partition] = digest(part)
        lake.store.put_new(
            layout.blob(prefix, partition, ticker, blobs[partition]), to_parquet(part)
        )
    return blobs


def _is_news(entry: Entry) -> bool:
    return entry.delivers or entry.outcome not in GOOD or bool(entry.quarantine)


class _Breaker:
    """Opens when several tickers in a row ended rate-limited."""

    def __init__(self) -> None:
        self._in_a_row = 0

    @property
    def open(self) -> bool:
        return self._in_a_row >= GIVE_UP_AFTER

    def note(self, entry: Entry) -> None:
        self._in_a_row = self._in_a_row + 1 if entry.outcome == "rate_limited" else 0


def summary(entries: Mapping[str, Entry]) -> str:
    """One line on how a run ended."""
    new = sum(entry.new for entry in entries.values())
    corrected = sum(entry.corrected for entry in entries.values())
    quarantined = sum(entry.quarantined for entry in entries.values())
    bad = [
        f"{name}: {entry.outcome}" for name, entry in entries.items() if entry.outcome not in GOOD
    ]
    text = f"{counted(len(entries), 'ticker')}, {counted(new, 'new bar')}, {corrected:,} corrected"
    if quarantined:
        text += f", {quarantined:,} quarantined"
    return text + (f" ({'; '.join(sorted(bad))})" if bad else "")
