"""Summary: what the overview and the page on quality say, in numbers and sentences."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from tickerlake.lake.manifests import Manifest
from tickerlake.stages import counted
from tickerlake.stages.check import KINDS, STALE_AFTER, Kind, Problem
from tickerlake.stages.report.cards import Card
from tickerlake.stages.status import Status, committed, is_simulated

NAMED: Final = 5

TITLES: Final[dict[Kind, str]] = {
    "stale": "Behind",
    "gaps": "Gaps",
    "quarantine": "Quarantine",
    "calendars": "Calendars",
    "flags": "Flags",
    "revisions": "Revisions",
}


class Attention(NamedTuple):
    """Something that needs attention: a heading, a sentence, and the command that helps."""

    kind: str
    title: str
    text: str
    command: str


@dataclass(frozen=True)
class Freshness:
    """How many of an exchange's tickers are how far behind."""

    exchange: str
    tickers: int
    last: date | None
    current: int
    late: int
    stale: int
    other: int
    """Retired, or it is not known."""


@dataclass(frozen=True)
class Run:
    """A run, in numbers."""

    run_id: str
    as_of: datetime
    asked: int
    new: int
    corrected: int
    quarantined: int
    failed: Sequence[str]
    """The tickers that failed, with their outcomes."""
    seconds: float | None
    """From the beginning to the commit; None for a replay, whose clock is not ours."""
    is_pending: bool


def attention(status: Status, problems: Sequence[Problem], lake: str) -> list[Attention]:
    """Return what needs attention, the most urgent first.

    Args:
        status: what the lake holds.
        problems: what `check` finds.
        lake: the option that names the lake in commands, or ''.
    """
    found = []
    if status.damaged:
        text = f"{counted(len(status.damaged), 'object')} can't be read: {status.damaged[0]}."
        found.append(Attention("damaged", "Damaged", text, _command("repair", lake)))
    if status.pending:
        number = len(status.pending)
        text = f"{counted(number, 'run')} not processed yet: tables lack what they delivered."
        found.append(Attention("pending", "Pending", text, _command("transform", lake)))
    for kind in TITLES:
        groups: dict[str, list[Problem]] = {}
        for each in problems:
            if each.kind == kind:
                groups.setdefault(each.name, []).append(each)
        found += [_grouped(kind, name, group, lake) for name, group in sorted(groups.items())]
    return found


def _grouped(kind: Kind, name: str, group: Sequence[Problem], lake: str) -> Attention:
    tickers = sorted({each.ticker for each in group})
    number = sum(each.count for each in group)
    who = _named(tickers)
    sentence = {
        "stale": f"{who}: up to {counted(max(each.count for each in group), 'session')} behind.",
        "gaps": f"{counted(number, 'session')} without a bar: {who}.",
        "quarantine": f"{counted(number, 'row')} not accepted ({name.replace(',', ', ')}): {who}.",
        "calendars": f"{who}: {group[0].text}.",
        "flags": f"{counted(number, 'bar')} flagged {name}: {who}.",
        "revisions": f"{counted(number, 'bar')} {name} by the last runs: {who}.",
    }[kind]
    return Attention(kind, TITLES[kind], sentence, _remedy(kind, name, tickers, lake))


def _remedy(kind: Kind, name: str, tickers: Sequence[str], lake: str) -> str:
    few = " ".join(map(shlex.quote, tickers)) if len(tickers) <= NAMED else ""
    match kind:
        case "stale":
            return _command("run", lake, few)
        case "gaps":
            return _command("run", lake)
        case "calendars":
            return "pip install --upgrade exchange_calendars"
        case "flags":
            sql = f"select ticker, session, close, flags from daily where flags like '%{name}%'"
            return _command("query", lake, f'"{sql}"')
        case _:
            return _command("check", lake)


def _command(name: str, lake: str, arguments: str = "") -> str:
    return " ".join(part for part in ("tickerlake", name, lake, arguments) if part)


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def freshness(cards: Sequence[Card]) -> list[Freshness]:
    """Return how fresh the tickers are, by exchange."""
    exchanges: dict[str, list[Card]] = {}
    for each in cards:
        exchanges.setdefault(each.exchange, []).append(each)
    return [_fresh(name, group) for name, group in sorted(exchanges.items())]


def _fresh(name: str, group: Sequence[Card]) -> Freshness:
    known = [each.held.behind for each in group if each.held.behind is not None]
    return Freshness(
        exchange=name or "unknown",
        tickers=len(group),
        last=max((each.held.last for each in group if each.held.last), default=None),
        current=known.count(0),
        late=sum(0 < number <= STALE_AFTER for number in known),
        stale=sum(number > STALE_AFTER for number in known),
        other=len(group) - len(known),
    )


def runs(manifests: Sequence[Manifest], pending: Sequence[str]) -> list[Run]:
    """Return runs in numbers, in their order."""
    return [_run(each, each.run_id in pending) for each in manifests]


def _run(manifest: Manifest, is_pending: bool) -> Run:
    entries = manifest.tickers.values()
    moment = None if is_simulated(manifest) else committed(manifest.run_id)
    return Run(
        run_id=manifest.run_id,
        as_of=manifest.as_of,
        asked=len(manifest.tickers),
        new=sum(each.new for each in entries),
        corrected=sum(each.corrected for each in entries),
        quarantined=sum(each.quarantined for each in entries),
        failed=[
            f"{name}: {each.outcome.replace('_', ' ')}"
            for name, each in manifest.tickers.items()
            if each.outcome not in {"ok", "empty"}
        ],
        seconds=(moment - manifest.as_of).total_seconds() if moment else None,
        is_pending=is_pending,
    )


def by_kind(problems: Sequence[Problem]) -> Iterator[tuple[Kind, str, list[Problem]]]:
    """Yield the problems of each kind that has any, with its title."""
    counts = Counter(each.kind for each in problems)
    for kind in KINDS:
        if counts[kind]:
            yield kind, TITLES[kind], [each for each in problems if each.kind == kind]
