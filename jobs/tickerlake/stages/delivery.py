"""What an extraction does for one ticker: fetch, judge, compare, write blobs."""

from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tickerlake.lake import Lake, blobs, history, index, layout
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Entry, Rejected
from tickerlake.market import calendars, days, events, quality, seam, splits
from tickerlake.market.calendars import Exchange
from tickerlake.market.flags import Flag
from tickerlake.market.listing import Listing
from tickerlake.market.quality import Judged
from tickerlake.sources import Fetched
from tickerlake.stages.planning import Request, Window, plan, plan_nothing

_FUTURE: Final = "FUTURE"


@dataclass(frozen=True)
class _Answer:
    """A judged answer of the source: `bars` are its good rows, `repaired` those rows repaired."""

    fetched: Fetched
    judged: Judged
    repaired: pl.DataFrame
    announced: dict[date, float]
    last_closed: date

    @property
    def bars(self) -> pl.DataFrame:
        return self.judged.good


def extract_ticker(request: Request, ticker: str) -> Entry:
    """Bring one ticker's bars into raw.

    Raises:
        SourceError, StoreError, CorruptObjectError: as their names say.
    """
    held = history.current(request.lake, ticker, request.pending)
    known = index.known(held)
    if nothing := plan_nothing(request, ticker, known):
        return nothing
    retirement = {"retired": held.retired, "renamed_to": held.renamed_to}
    exchange = calendars.of(ticker, held.timezone)
    window = plan(known, exchange, request.as_of, request.start, request.end)
    if window is None:
        raise AssertionError("unreachable: something is due")
    fetched = _fetch(request, ticker, exchange, window.asked_from)
    if exchange.zone_is_guessed:
        exchange = calendars.of(ticker, fetched.listing.timezone)
        window = plan(known, exchange, request.as_of, request.start, request.end) or window
    answer = _judge(request, ticker, exchange, window, fetched, held)
    changes = splits.changes(held.splits, answer.announced, window.asked_from)
    rebased = splits.rebase(held.bars, changes)
    why = seam.restatement(answer.repaired, rebased, answer.fetched.previous_close)
    if why:
        window = replace(window, start=held.bars["session"][0], asked_from=held.bars["session"][0])
        fetched = _fetch(request, ticker, exchange, window.asked_from)
        held = History(rejected=held.rejected)
        answer = _judge(request, ticker, exchange, window, fetched, held)
    entry = _entry(request.lake, ticker, exchange, window, held, answer)
    reason = why or entry.reason or window.note
    return entry.model_copy(update={"restated": why, "reason": reason, **retirement})


def _fetch(request: Request, ticker: str, exchange: Exchange, start: date) -> Fetched:
    today = request.as_of.astimezone(ZoneInfo(exchange.timezone)).date()
    end = max(today, request.end or today)
    return request.source.fetch(ticker, start, end, exchange.timezone)


def _judge(
    request: Request,
    ticker: str,
    exchange: Exchange,
    window: Window,
    fetched: Fetched,
    held: History,
) -> _Answer:
    """Judge the rows of an answer that are final and wanted."""
    as_of = request.as_of
    today = as_of.astimezone(ZoneInfo(exchange.timezone)).date()
    open_from = date.max
    if fetched.open_until and as_of < fetched.open_until and fetched.current_session:
        open_from = fetched.current_session
    last_closed = exchange.last_closed(window.asked_from, as_of, open_from) or date.min
    bars = events.carry(fetched.bars)
    session = bars["session"].to_numpy()
    is_open = (session > np.datetime64(last_closed)) & (session <= np.datetime64(today))
    is_open |= session >= np.datetime64(open_from)
    bars = days.rows(bars, np.flatnonzero((session <= np.datetime64(window.end)) & ~is_open))
    before = np.searchsorted(held.bars["session"].to_numpy(), np.datetime64(window.asked_from))
    judged = quality.judge(
        bars,
        exchange.denied(bars["session"].to_numpy()),
        today=today,
        last_closed=last_closed,
        close_before=held.bars["close"][int(before) - 1] if before else None,
        may_be_negative=ticker.endswith("=F") or fetched.listing.instrument_type == _FUTURE,
    )
    return _Answer(
        fetched, judged, quality.repair(judged.good), splits.announced(fetched.bars), last_closed
    )


def _entry(
    lake: Lake, ticker: str, exchange: Exchange, window: Window, held: History, answer: _Answer
) -> Entry:
    """Compare an answer with what is held, and write the blobs of what is new."""
    changes = splits.changes(held.splits, answer.announced, window.asked_from)
    differing = seam.differences(answer.repaired, splits.rebase(held.bars, changes), window.start)
    is_news, _ = days.find(answer.bars["session"].to_numpy(), differing.sessions)
    news = days.rows(answer.bars, np.flatnonzero(is_news))
    rejected = _rejected(answer.judged.bad, held)
    listing = answer.fetched.listing
    delivers = bool(changes or rejected or news.height) or _says_more(window, held, listing)
    new = int(differing.is_new.sum())
    bad = answer.judged.bad
    if len(rejected) < bad.height:
        bad = bad.filter(pl.col("session").is_in([each.session for each in rejected]))
    return Entry(
        outcome="ok" if delivers else "empty",
        reason="" if delivers else "nothing new",
        start=window.asked_from,
        end=window.end,
        new=new,
        corrected=news.height - new,
        blobs=blobs.write(lake, layout.RAW, ticker, news),
        splits=answer.announced if delivers else None,
        quarantined=bad.height,
        quarantine=blobs.write(lake, layout.QUARANTINE, ticker, bad),
        rejected=rejected,
        gaps=_gaps(exchange, window, held, answer),
        flags=_flags(exchange, news, listing.timezone),
        timezone=listing.timezone,
        listing=listing,
    )


def _says_more(window: Window, held: History, listing: Listing) -> bool:
    """Return whether an answer reaches further back than all before, or changes the listing."""
    reaches_back = held.since is None or window.asked_from < held.since
    if reaches_back and not held.bars.is_empty():
        return True
    return held.last is not None and held.listing.updated(listing) != held.listing


def _rejected(bad: pl.DataFrame, held: History) -> tuple[Rejected, ...]:
    """Return the quarantined rows that are not known from an earlier run."""
    found = [
        Rejected(row["session"], row["reasons"], sha256(repr(row).encode()).hexdigest()[:8])
        for row in bad.iter_rows(named=True)
    ]
    known = set(held.rejected)
    return tuple(each for each in found if each not in known)


def _gaps(exchange: Exchange, window: Window, held: History, answer: _Answer) -> tuple[date, ...]:
    """Return the sessions of a window without a bar, from the ticker's first bar on."""
    known = [held.bars["session"], answer.bars["session"]]
    first = min((sessions[0] for sessions in known if len(sessions)), default=None)
    if first is None:
        return ()
    end = min(window.end, answer.last_closed)
    expected = exchange.expected(max(window.asked_from, first), end)
    for sessions in known:
        expected = expected[~days.find(expected, sessions.to_numpy())[0]]
    return tuple(expected.tolist())


def _flags(exchange: Exchange, news: pl.DataFrame, stated: str | None) -> tuple[Flag, ...]:
    """Return the flags that need the calendar, and those that a person should see at once."""
    sessions, currencies = news["session"], news["dividend_currency"]
    denied = exchange.denied(sessions.to_numpy())
    flags = [Flag(session, "off_calendar") for session in sessions.to_numpy()[denied].tolist()]
    flags += [
        Flag(session, "dividend_currency", currency)
        for session, currency in zip(sessions, currencies, strict=True)
        if currency is not None
    ]
    if calendars.contradicts(exchange, stated):
        detail = f"{stated} instead of {exchange.timezone}"
        flags += [Flag(session, "timezone", detail) for session in sessions]
    return tuple(flags)
