"""Extract: plan, fetch, judge, write raw, and the run's manifest last.

A run's manifests record everything that it found out: one entry per ticker. Data objects are
written before the manifest that lists them, so a run that dies leaves blobs that no reader sees.
"""

import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from tickerlake.errors import (
    CorruptObjectError,
    RateLimitedError,
    SourceFailedError,
    SourceUnreachableError,
    StoreError,
    UnknownSymbolError,
)
from tickerlake.lake import Lake, establish, index, manifests
from tickerlake.lake.index import Known
from tickerlake.lake.manifests import GOOD, Entry, Manifest
from tickerlake.lake.retries import arriving
from tickerlake.market import calendars
from tickerlake.sources import Source
from tickerlake.stages import counted, exit_code
from tickerlake.stages.planning import Request, plan_nothing

log = logging.getLogger(__name__)

COMMIT_BLOBS: Final = 5_000
"""A run that delivers more blobs than this is committed in several manifests."""

GIVE_UP_AFTER: Final = 3
"""After this many tickers in a row were rate-limited, or could not be reached, the others are not
even requested."""

RETIRE_AFTER: Final = 10
"""A ticker that the source did not know in this many runs in a row is suggested for retirement."""


@dataclass
class Report:
    """How a run ended.

    Attributes:
        entries: one per ticker.
        manifests: those committed; none if there was no news.
        warnings: sentences for people.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    manifests: list[Manifest] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when every ticker succeeded, 1 when none did, otherwise 3."""
        bad = sum(entry.outcome not in GOOD for entry in self.entries.values())
        return exit_code(len(self.entries), bad)

    @property
    def is_quiet(self) -> bool:
        """Whether there was no news, and nothing failed."""
        return not self.manifests and not self.exit_code


def extract(
    lake: Lake,
    source: Source,
    tickers: Sequence[str],
    *,
    as_of: datetime,
    start: date | None = None,
    end: date | None = None,
    workers: int,
    is_repair: bool = False,
    known: Callable[[], Sequence[str]] = tuple,
    progress: Callable[[str, Entry], None] = lambda *_: None,
) -> Report:
    """Bring bars into raw.

    Args:
        lake: where the bars go.
        source: where they come from.
        tickers: valid symbols.
        as_of: the moment (UTC) of the run; a session that has not closed by then is not stored.
        start: how far back the lake should reach, for held tickers too; None is two years back for
            tickers that are not held yet. With `end`, the first session to fetch.
        end: the last session to fetch; None brings the lake up to date.
        workers: how many tickers are in progress at the same time.
        is_repair: bring in what was lost, even of tickers that are retired.
        known: returns existing tickers, as suggestions for misspelt ones.
        progress: is called in this thread with each ticker that has ended.

    Raises:
        StoreError: the lake can't be read or written. What was committed stays.
        SourceUnreachableError: the source can't be reached at all.
    """
    request = Request(lake, source, manifests.pending(lake), as_of, start, end, is_repair)
    run = _Run(request, index.read(lake.store), len(tickers), known)
    for ticker in tickers:
        calendars.of(ticker)  # slow at first, and slowest when all threads want it at once
    pool = ThreadPoolExecutor(workers, thread_name_prefix="extract")
    try:
        futures = {pool.submit(run.extract, ticker): ticker for ticker in tickers}
        for future in arriving(list(futures)):
            run.take(futures[future], future.result())
            progress(futures[future], future.result())
    finally:
        # also when interrupted: what has been fetched by now is kept
        pool.shutdown(wait=False, cancel_futures=True)
        run.commit()
    run.warn()
    return run.report


class _Run:
    """A run in progress: its entries, and those of them that are not committed yet."""

    def __init__(
        self,
        request: Request,
        indexed: Mapping[str, Known],
        tickers: int,
        known: Callable[[], Sequence[str]],
    ) -> None:
        self.report = Report()
        pending = {ticker for each in request.pending for ticker in each.tickers}
        self._indexed = {name: each for name, each in indexed.items() if name not in pending}
        self._tickers = tickers
        self._request = request
        self._known = known
        self._uncommitted: dict[str, Entry] = {}
        self._limited = self._unreachable = 0
        self._gave_up: SourceUnreachableError | StoreError | None = None

    def extract(self, ticker: str) -> Entry:
        """Extract one ticker; what is wrong with it alone is in its entry.

        Raises:
            SourceUnreachableError, StoreError: several tickers in a row failed for the same reason,
                which is not theirs.
        """
        if self._gave_up:
            raise self._gave_up
        if self._limited >= GIVE_UP_AFTER:
            return Entry(outcome="rate_limited", reason="not asked: the source wants a pause")
        try:
            entry = self._extract(ticker)
        except UnknownSymbolError as error:
            entry = Entry(outcome="unknown_symbol", reason=f"{error}{self._suggest(ticker)}")
        except RateLimitedError as error:
            entry = Entry(outcome="rate_limited", reason=str(error))
        except (SourceUnreachableError, StoreError) as error:
            self._unreachable += 1
            few = self._tickers if isinstance(error, StoreError) else GIVE_UP_AFTER
            if self._unreachable >= min(few, GIVE_UP_AFTER):
                self._gave_up = error  # a worker may begin another ticker before it is stopped
                raise
            return Entry(outcome="failed", reason=str(error))
        except (SourceFailedError, CorruptObjectError) as error:
            entry = Entry(outcome="failed", reason=str(error))
        self._unreachable = 0
        self._limited = self._limited + 1 if entry.outcome == "rate_limited" else 0
        return entry

    def _extract(self, ticker: str) -> Entry:
        indexed = self._indexed.get(ticker)
        if indexed and (nothing := plan_nothing(self._request, ticker, indexed)):
            return nothing
        from tickerlake.stages.delivery import extract_ticker  # loads Polars

        return extract_ticker(self._request, ticker)

    def take(self, ticker: str, entry: Entry) -> None:
        """Take the entry of a ticker that has ended, and commit when there are many."""
        self.report.entries[ticker] = self._uncommitted[ticker] = entry
        level = logging.INFO if entry.outcome in GOOD else logging.WARNING
        log.log(level, "%s: %s", ticker, f"{entry.outcome} {entry.reason}".rstrip())
        if sum(len(each.blobs) for each in self._uncommitted.values()) >= COMMIT_BLOBS:
            self.commit()

    def commit(self) -> None:
        """Write the manifest of what is not committed yet, if it has news."""
        if _has_news(self.report.entries, self._uncommitted):
            manifest = Manifest(
                run_id=manifests.new_run_id(),
                as_of=self._request.as_of,
                source=self._request.source.name,
                tickers=dict(sorted(self._uncommitted.items())),
            )
            establish(self._request.lake)
            manifests.commit(self._request.lake.store, manifest)
            self.report.manifests.append(manifest)
            log.info("committed run %s", manifest.run_id)
        self._uncommitted.clear()

    def warn(self) -> None:
        """Report and log what people should know besides the entries."""
        entries = self.report.entries
        self.report.warnings = [
            *_ending_calendars(entries, self._request.as_of),
            *_lost_tickers(self._request.lake, entries),
            *(
                f"{ticker}: {entry.reason}"
                for ticker, entry in sorted(entries.items())
                if entry.delivers and entry.reason
            ),
        ]
        for warning in self.report.warnings:
            log.warning("%s", warning)

    def _suggest(self, ticker: str) -> str:
        similar = difflib.get_close_matches(ticker, self._known(), n=3)
        if not similar:
            search = getattr(self._request.source, "search", None)
            similar = search(ticker)[:3] if search else []
        return f". Did you mean {' or '.join(similar)}?" if similar else ""


def _has_news(entries: Mapping[str, Entry], uncommitted: Mapping[str, Entry]) -> bool:
    """Return whether a manifest is worth writing: for failures alone, unless everything failed."""
    if any(entry.delivers for entry in uncommitted.values()):
        return True
    failed = any(entry.outcome not in GOOD for entry in uncommitted.values())
    return failed and any(entry.outcome in GOOD for entry in entries.values())


def _ending_calendars(entries: Mapping[str, Entry], as_of: datetime) -> list[str]:
    ending: dict[tuple[str, date], list[str]] = {}
    for ticker in sorted(entries):
        exchange = calendars.of(ticker, entries[ticker].timezone)
        if exchange.ends and exchange.ends_soon(as_of):
            ending.setdefault((exchange.name, exchange.ends), []).append(ticker)
    return [
        f"the calendar {name} ends on {ends}: after it every weekday of {', '.join(tickers)} counts"
        " as a possible session, and no gap is noticed. Update the package exchange_calendars."
        for (name, ends), tickers in ending.items()
    ]


def _lost_tickers(lake: Lake, entries: Mapping[str, Entry]) -> list[str]:
    """Suggest retiring tickers that the source has not known for many runs in a row."""
    lost = {name for name, entry in entries.items() if entry.outcome == "unknown_symbol"}
    recent = manifests.all_ids(lake.store)[-RETIRE_AFTER:] if lost else []
    if len(recent) < RETIRE_AFTER:
        return []
    for run_id in recent:
        tickers = manifests.read(lake.store, run_id).tickers
        lost &= {name for name, each in tickers.items() if each.outcome == "unknown_symbol"}
    return [
        f"{ticker} has been unknown for {RETIRE_AFTER} runs in a row: `tickerlake retire {ticker}`"
        " stops asking for it, `tickerlake rename` gives it its new symbol."
        for ticker in sorted(lost)
    ]


def summary(entries: Mapping[str, Entry]) -> str:
    """Return one line on how a run ended."""
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
