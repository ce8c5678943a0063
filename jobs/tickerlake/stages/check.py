"""Check: what in the lake needs attention, though nothing is broken."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from tickerlake.lake import Lake, present
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Manifest, Rejected
from tickerlake.lake.present import Present
from tickerlake.lake.time_travel import State
from tickerlake.market.flags import FLAGS
from tickerlake.stages import counted
from tickerlake.stages.status import Ticker, status

Kind = Literal["gaps", "flags", "quarantine", "stale", "calendars", "revisions"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

STALE_AFTER: Final = 3
"""A ticker is stale when it is more sessions behind than this."""


@dataclass(frozen=True)
class Problem:
    """Something that needs attention.

    Attributes:
        kind: one of `KINDS`.
        ticker: whose it is.
        name: which flag, or which failed check; '' where the kind says all.
        count: how many bars, rows or sessions it is about.
        session: the last of them; None when it is not about a session.
        text: a sentence.
    """

    kind: Kind
    ticker: str
    name: str
    count: int
    session: date | None
    text: str


@dataclass(frozen=True)
class Checked:
    """What needs attention, by kind and ticker."""

    problems: tuple[Problem, ...]
    damaged: tuple[str, ...] = ()
    """What could not be read, and so was not checked."""

    def counts(self) -> dict[Kind, int]:
        """Return how many problems there are of each kind that has any."""
        found = Counter(each.kind for each in self.problems)
        return {kind: found[kind] for kind in KINDS if found[kind]}


def check(lake: Lake, workers: int, *, state: State | Present | None = None) -> Checked:
    """Find gaps, flags, quarantined rows, stale tickers, calendars that end, and revisions.

    Args:
        lake: the lake.
        workers: how many tickers are read at the same time.
        state: the state to look at; None is the present.

    Raises:
        StoreError: the lake can't be read.
    """
    seen = state or present.look(lake)
    found = status(lake, workers, state=seen)
    names = [each.ticker for each in found.tickers]
    problems: list[Problem] = []
    for ticker, known in zip(found.tickers, _histories(seen, names), strict=True):
        problems += _of_ticker(ticker)
        flags = [
            (session, name)
            for session, names in known.bars.select("session", "flags").iter_rows()
            for name in names.split(",")
            if name
        ]
        problems += _flags(ticker.ticker, flags)
        problems += _quarantine(ticker.ticker, known.rejected)
    problems += _revisions(found.runs)
    problems.sort(key=lambda each: (KINDS.index(each.kind), each.ticker))
    return Checked(tuple(problems), found.damaged)


def _histories(seen: State | Present, names: Sequence[str]) -> Iterator[History]:
    if isinstance(seen, Present):
        return map(seen.summary, names)
    return (known for _, known in seen.histories(names))


def _of_ticker(ticker: Ticker) -> Iterator[Problem]:
    name = ticker.ticker
    if ticker.gaps:
        count = len(ticker.gaps)
        text = f"{counted(count, 'session')} without a bar; the next runs ask for recent ones again"
        yield Problem("gaps", name, "", count, ticker.gaps[-1], text)
    if ticker.behind is not None and ticker.behind > STALE_AFTER:
        text = f"{counted(ticker.behind, 'session')} behind; `tickerlake run {name}` fetches them"
        yield Problem("stale", name, "", ticker.behind, ticker.last, text)
    if ticker.calendar_ends:
        text = "the exchange's calendar ends: update the package exchange_calendars"
        yield Problem("calendars", name, "", 1, ticker.calendar_ends, text)
    elif not ticker.has_calendar and ticker.sessions:
        text = "the exchange has no calendar: weekdays count as sessions, gaps are not known"
        yield Problem("calendars", name, "", 1, None, text)


def _flags(ticker: str, flags: Sequence[tuple[date, str]]) -> Iterator[Problem]:
    counts = Counter(name for _, name in flags)
    for name, count in sorted(counts.items()):
        last = max(session for session, each in flags if each == name)
        text = f"{counted(count, 'bar')}: {FLAGS.get(name, '')}"
        yield Problem("flags", ticker, name, count, last, text)


def _quarantine(ticker: str, rejected: Sequence[Rejected]) -> Iterator[Problem]:
    counts = Counter(each.reasons for each in rejected)
    for reasons, count in sorted(counts.items()):
        last = max(each.session for each in rejected if each.reasons == reasons)
        text = f"{counted(count, 'row')} not accepted: {reasons.replace(',', ', ')}"
        yield Problem("quarantine", ticker, reasons, count, last, text)


def _revisions(runs: Sequence[Manifest]) -> Iterator[Problem]:
    for run in runs:
        for ticker, entry in run.tickers.items():
            if entry.restated:
                text = f"run {run.run_id} replaced the past: {entry.restated}"
                yield Problem("revisions", ticker, "restated", entry.new, entry.end, text)
            elif entry.corrected:
                text = f"run {run.run_id} corrected {counted(entry.corrected, 'bar')}"
                yield Problem("revisions", ticker, "corrected", entry.corrected, entry.end, text)
