"""Status: what the lake holds. It reads only what it needs: no prices, and no raw data."""

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import Lake, manifests, present
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.present import Present
from tickerlake.lake.time_travel import State
from tickerlake.market import calendars, exchanges
from tickerlake.market.calendars import Exchange

T = TypeVar("T")

LAST_RUNS: Final = 5

GOING_ON: Final = frozenset({"XNYS", "24/5", "24/7", "us_futures"})
"""Calendars that have no last day."""

_EARLIEST_ZONE: Final = "Pacific/Kiritimati"  # where a day begins first

SIMULATED: Final = timedelta(days=1)
"""A run that was committed this long after its `as_of` was a replay's."""


@dataclass(frozen=True)
class Quarantined:
    """How many rows were quarantined, and how many of them failed which check."""

    rows: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Ticker:
    """What is held of a ticker.

    Attributes:
        ticker: its symbol.
        sessions: how many bars are held; 0 when all that arrived is in quarantine.
        first: the session of the first bar, or None.
        last: the session of the last bar, or None.
        behind: how many sessions have closed since the last bar; None when that is not known.
        gaps: the sessions of its exchange between its first and its last bar that have no bar.
        quarantined: the rows that were not accepted, and why.
        flagged: how many bars are kept although something is odd about them.
        retired: the day after which the ticker is not asked for any more.
        renamed_to: the ticker that continues its history.
        calendar_ends: the last day that the exchange's calendar knows, when that is soon or past.
        has_calendar: whether the exchange has a calendar; without one gaps are not known.
    """

    ticker: str
    sessions: int
    first: date | None
    last: date | None
    behind: int | None
    gaps: tuple[date, ...]
    quarantined: Quarantined
    flagged: int = 0
    retired: date | None = None
    renamed_to: str | None = None
    calendar_ends: date | None = None
    has_calendar: bool = True


@dataclass(frozen=True)
class Status:
    """What the lake holds."""

    lake: str
    grain: str
    tickers: tuple[Ticker, ...]
    runs: tuple[Manifest, ...]
    """The last ones, newest first."""
    pending: tuple[str, ...]
    """The runs that the transformer has yet to process."""
    stamp: str
    """Names the state: all runs that are committed."""
    as_of: datetime | None = None
    """The moment of a past state; None is now."""
    damaged: tuple[str, ...] = ()
    """What is wrong with histories and manifests that can't be read, and so are left out."""


class Known(NamedTuple):
    """What is known of a lake, now or then.

    Attributes:
        names: the tickers, sorted.
        read: returns what is known of a ticker, with `session` and `flags` of its bars.
        last: the ids of the last runs, newest first.
        pending: the manifests that stored histories lack.
        stamp: of all runs.
        moment: of a past state; None is now.
    """

    names: Sequence[str]
    read: Callable[[str], History]
    last: Sequence[str]
    pending: Sequence[Manifest]
    stamp: str
    moment: datetime | None = None


def status(
    lake: Lake,
    workers: int,
    *,
    as_of: datetime | None = None,
    names: Collection[str] | None = None,
    state: State | Present | None = None,
) -> Status:
    """Read the state of the lake, with all runs that are committed, whether transformed or not.

    Args:
        lake: the lake.
        workers: how many tickers are read at the same time.
        state: the state to describe; None is the present.
        as_of: the moment that decides which sessions have closed. None is now or, in a lake that a
            replay has filled, the moment of its newest run.
        names: the tickers to read; None reads all.

    Raises:
        StoreError: the lake can't be read.
    """
    with ThreadPoolExecutor(workers) as pool:
        known = _past(state) if isinstance(state, State) else _now(state or present.look(lake))
        runs, damaged_runs = _readable(
            pool.map(_told(lambda run_id: manifests.read(lake.store, run_id)), known.last)
        )
        moment = as_of or known.moment or _moment(runs)
        described, damaged = _readable(
            pool.map(
                _told(lambda name: _ticker(name, known.read(name), moment)),
                known.names if names is None else sorted(names),
            )
        )
    return Status(
        lake=lake.store.url,
        grain=lake.grain,
        tickers=tuple(each for each in described if each.sessions or each.quarantined.rows),
        runs=runs,
        pending=tuple(manifest.run_id for manifest in known.pending),
        stamp=known.stamp,
        as_of=known.moment,
        damaged=(*damaged_runs, *damaged),
    )


def _now(seen: Present) -> Known:
    """Return what the lake knows."""
    last = seen.runs[: -LAST_RUNS - 1 : -1]
    return Known(seen.tickers(), seen.summary, last, seen.pending, seen.stamp)


def _past(state: State) -> Known:
    """Return what a past state knew, as if all its runs had been processed."""
    last = state.runs[: -LAST_RUNS - 1 : -1]
    return Known(state.tickers(), state.history, last, (), state.stamp, state.moment)


def _told(read: Callable[[str], T]) -> Callable[[str], T | CorruptObjectError]:
    """Let a function return what it finds damaged, rather than raise it."""

    def told(name: str) -> T | CorruptObjectError:
        try:
            return read(name)
        except CorruptObjectError as error:
            return error

    return told


def _readable(found: Iterable[T | CorruptObjectError]) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Separate what could be read from what is wrong with the rest."""
    everything = list(found)
    damaged = tuple(str(each) for each in everything if isinstance(each, CorruptObjectError))
    return tuple(each for each in everything if not isinstance(each, CorruptObjectError)), damaged


def expect(seen: State | Present, names: Sequence[str]) -> None:
    """Refuse tickers that the lake does not hold, or did not hold in a past state.

    Raises:
        UsageError: names the first of them, and what may have been meant.
    """
    if not names:
        return
    found = seen.tickers()
    for name in names:
        if name not in found:
            similar = difflib.get_close_matches(name, found, 1)
            hint = (
                f"did you mean {similar[0]}?"
                if similar
                else "`tickerlake status` lists what it does"
            )
            raise UsageError(f"the lake does not hold {name}; {hint}")


def _moment(runs: Sequence[Manifest]) -> datetime:
    """Return the lake's current time, given its last runs."""
    newest = max(runs, key=lambda run: run.order, default=None)
    return newest.as_of if newest and is_simulated(newest) else datetime.now(UTC)


def is_simulated(run: Manifest) -> bool:
    """Return whether a run was a replay's."""
    moment = committed(run.run_id)
    return moment is not None and moment - run.as_of > SIMULATED


def committed(run_id: str) -> datetime | None:
    """Return the moment of a run's commit; None when its id does not say."""
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S%f%z")
    except ValueError:  # a run id that another program wrote
        return None


def _ticker(ticker: str, known: History, moment: datetime) -> Ticker:
    quarantined = _quarantined(known)
    sessions = known.bars["session"]
    if sessions.is_empty():
        return Ticker(ticker, 0, None, None, None, (), quarantined)
    exchange = _exchange(ticker, known, moment)
    behind, ends = 0, None
    if exchange is not None:
        behind = int((exchange.sessions(sessions[-1], moment) > sessions[-1]).sum())
        ends = exchange.ends if exchange.ends_soon(moment) else None
    return Ticker(
        ticker=ticker,
        sessions=len(sessions),
        first=sessions[0],
        last=sessions[-1],
        behind=None if known.retired else behind,
        gaps=tuple(day for day in known.gaps if day < sessions[-1]),
        quarantined=quarantined,
        flagged=int((known.bars["flags"] != "").sum()),
        retired=known.retired,
        renamed_to=known.renamed_to,
        calendar_ends=ends,
        has_calendar=calendars.exchange(ticker) is not None or ticker.startswith("^"),
    )


def _quarantined(known: History) -> Quarantined:
    rejected = set(known.rejected)
    reasons = Counter(name for each in rejected for name in each.reasons.split(","))
    return Quarantined(len(rejected), dict(sorted(reasons.items())))


def _exchange(ticker: str, known: History, moment: datetime) -> Exchange | None:
    """Return a ticker's exchange, unless its calendar has nothing to say.

    Calendars are slow to load, so they are only asked when they may end, or when a day has passed
    that may have been a session.
    """
    if (place := exchanges.place(ticker, known.timezone)) is None:
        return None
    today = moment.astimezone(ZoneInfo(known.timezone or _EARLIEST_ZONE)).date()
    last = known.bars["session"][-1]
    passed = (last + timedelta(days=number) for number in range(1, (today - last).days + 1))
    if place.calendar in GOING_ON and not any(day.isoweekday() in place.weekdays for day in passed):
        return None
    return calendars.of(ticker, known.timezone)
