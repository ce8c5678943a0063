"""The life of a ticker: renaming it and retiring it. Both are commits, as extractions are."""

from datetime import date

import polars as pl

from tickerlake.errors import UsageError
from tickerlake.lake import Lake, blobs, history, layout, manifests
from tickerlake.lake.fold import History
from tickerlake.lake.manifests import Entry, Manifest
from tickerlake.market.bars import RAW
from tickerlake.market.flags import CONTEXTUAL, Flag

SOURCE = "tickerlake"


def retire(lake: Lake, ticker: str, last_day: date | None = None) -> Manifest:
    """Stop fetching a ticker; its bars stay in the lake.

    Args:
        lake: the lake.
        ticker: a held one.
        last_day: its last day; None is the newest session held.

    Raises:
        UsageError: the lake does not hold the ticker, or it is retired already.
    """
    held = _held(lake, ticker)
    day = last_day or held.bars["session"][-1]
    return _commit(lake, {ticker: _retirement(held, day)}, held)


def rename(lake: Lake, old: str, new: str, first_day: date) -> Manifest:
    """Continue a ticker's history under another name.

    The bars before the change are delivered to the new name, on today's split basis; the old name
    is retired.

    Args:
        lake: the lake.
        old: the held ticker.
        new: its new name, whether the lake holds bars of it already or not.
        first_day: the first session under the new name.

    Raises:
        UsageError: the lake does not hold the old ticker, it is retired already, or it has no bar
            before the change.
    """
    if old == new:
        raise UsageError(f"{old} already has that name")
    held = _held(lake, old)
    before = held.bars.filter(pl.col("session") < first_day)
    if before.is_empty():
        raise UsageError(
            f"{old} has no bar before {first_day}: its history begins on {_first(held)}"
        )
    known = _current(lake, new)
    moved = before.filter(~pl.col("session").is_in(known.bars["session"].implode()))
    entry = Entry(
        outcome="ok",
        reason=f"renamed from {old}",
        start=min([_first(held), *([held.since] if held.since else [])]),
        end=before["session"][-1],
        new=moved.height,
        blobs=blobs.write(lake, layout.RAW, new, moved.select(RAW.keys())),
        splits=dict(held.splits),
        gaps=tuple(day for day in held.gaps if day < first_day),
        flags=tuple(_flags(moved)),
        timezone=held.timezone,
        listing=held.listing if known.last is None else None,
        renamed_from=old,
    )
    ended = _retirement(held, first_day).model_copy(update={"renamed_to": new})
    return _commit(lake, {new: entry, old: ended}, held, known)


def _retirement(held: History, day: date) -> Entry:
    """Return an entry that changes nothing but whether the ticker is asked for."""
    newest = held.bars["session"][-1]
    known = {session: ratio for session, ratio in held.splits.items() if session >= newest}
    return Entry(outcome="ok", start=newest, end=newest, splits=known, retired=day)


def _flags(bars: pl.DataFrame) -> list[Flag]:
    """Return the flags that must go along with the bars; the others are set again."""
    flagged = bars.filter(pl.col("flags") != "").select("session", "flags")
    return [
        Flag(session, name)
        for session, names in flagged.iter_rows()
        for name in names.split(",")
        if name not in CONTEXTUAL
    ]


def _held(lake: Lake, ticker: str) -> History:
    held = _current(lake, ticker)
    if held.bars.is_empty():
        raise UsageError(f"the lake does not hold {ticker}; `tickerlake status` lists its tickers")
    if held.retired:
        raise UsageError(f"{ticker} was retired on {held.retired}")
    return held


def _current(lake: Lake, ticker: str) -> History:
    return history.current(lake, ticker, manifests.pending(lake))


def _first(held: History) -> date:
    first: date = held.bars["session"][0]
    return first


def _commit(lake: Lake, entries: dict[str, Entry], *histories: History) -> Manifest:
    """Commit entries by the lake's own clock, so that they come after what they build on."""
    manifest = Manifest(
        run_id=manifests.new_run_id(),
        as_of=max(each.last.as_of for each in histories if each.last),
        source=SOURCE,
        tickers=dict(sorted(entries.items())),
    )
    manifests.commit(lake.store, manifest)
    return manifest
