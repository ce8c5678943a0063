"""A ticker's history as it is stored: reading, writing and deriving it.

`lake.fold` defines what a history is. `advance` continues a stored history with new deliveries,
`rebuild` starts from nothing; that both give the same is the lake's first invariant.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, blobs, layout
from tickerlake.lake.computing import computed
from tickerlake.lake.fold import Delivery, History, fold_all
from tickerlake.lake.manifests import Manifest, Order, Rejected, all_ids, read_all
from tickerlake.lake.parquet import from_parquet, to_parquet
from tickerlake.market.bars import HISTORY
from tickerlake.market.listing import Event, Listing

_SUMMARY: Final = {name: HISTORY[name] for name in ("session", "flags")}


class Span(NamedTuple):
    """Partitions from a first to a last one."""

    first: str
    last: str


@dataclass(frozen=True)
class Stored:
    """A history, and the bookkeeping that is stored with it.

    Attributes:
        history: the history.
        folded: the runs folded in that had no receipt when it was written. A run with a receipt is
            folded in by definition.
        owed: the partitions of `daily` that this version of the history changes. They are written
            after it, and may still be missing as long as one of `folded` has no receipt.
        gone: the partitions that this version of the history has no rows for any more. They are
            deleted after it, and may still be there as long as one of `folded` has no receipt.
        version: the object's version tag; None when there is no object.
    """

    history: History = field(default_factory=History)
    folded: tuple[str, ...] = ()
    owed: Span | None = None
    gone: tuple[str, ...] = ()
    version: str | None = None


class Backlog(NamedTuple):
    """Pending manifests, by their relation to a stored history.

    Attributes:
        new: those that are newer than all that it has seen, sorted.
        folded: those that are folded in.
        late: those that are older, and not folded in.
    """

    new: list[Manifest]
    folded: list[Manifest]
    late: list[Manifest]


def sort_out(stored: Stored, ticker: str, manifests: Iterable[Manifest]) -> Backlog:
    """Sort pending manifests by their relation to a stored history."""
    found = Backlog([], [], [])
    last = stored.history.last
    for manifest in manifests:
        if ticker not in manifest.tickers or not manifest.tickers[ticker].delivers:
            continue
        if manifest.run_id in stored.folded:
            found.folded.append(manifest)
        elif last is not None and manifest.order <= last:
            found.late.append(manifest)
        else:
            found.new.append(manifest)
    return found


def current(lake: Lake, ticker: str, manifests: Iterable[Manifest]) -> History:
    """Return a ticker's history as of the newest run, whether it has been transformed or not.

    What late runs deliver is left out: adding it would take all manifests.

    Raises:
        CorruptObjectError: the history or a blob can't be read; says how to repair it.
    """
    stored = load_stored(lake, ticker)
    return advance(lake, ticker, stored.history, sort_out(stored, ticker, manifests).new)


def advance(lake: Lake, ticker: str, history: History, manifests: Iterable[Manifest]) -> History:
    """Fold manifests into a history; they are sorted, and newer than all that it has seen."""
    return computed(fold_all, history, deliveries(lake, ticker, manifests))


def rebuild(lake: Lake, ticker: str, manifests: Sequence[Manifest] | None = None) -> History:
    """Derive a history from raw alone.

    Args:
        lake: where the blobs are.
        ticker: whose history it is.
        manifests: all manifests, sorted; None reads them.
    """
    if manifests is None:
        manifests = read_all(lake.store, all_ids(lake.store), {ticker})
    return advance(lake, ticker, History(), manifests)


def deliveries(lake: Lake, ticker: str, manifests: Iterable[Manifest]) -> Iterator[Delivery]:
    """Fetch what manifests deliver for a ticker; it is decoded when it is taken.

    Raises:
        CorruptObjectError: a listed blob is missing or is not a Parquet file.
    """
    found = [
        (manifest.order, entry)
        for manifest in manifests
        if (entry := manifest.tickers.get(ticker)) is not None and entry.delivers
    ]
    fetched = blobs.fetch(lake, ticker, [entry for _, entry in found])
    return (Delivery(order, entry, blobs.decode(ticker, entry, fetched)) for order, entry in found)


def load(lake: Lake, ticker: str) -> History:
    """Read a stored history; an empty one when there is none.

    Raises:
        CorruptObjectError: it can't be read; says how to repair it.
    """
    return load_stored(lake, ticker).history


def read(lake: Lake, ticker: str) -> tuple[History, str | None]:
    """Read a stored history and its version tag (an empty one and None when there is none)."""
    stored = load_stored(lake, ticker)
    return stored.history, stored.version


def load_stored(lake: Lake, ticker: str) -> Stored:
    """Read a stored history with its bookkeeping.

    Raises:
        CorruptObjectError: it can't be read; says how to repair it.
    """
    key = layout.history(ticker)
    found = lake.store.get_versioned(key)
    if found is None:
        return Stored()
    stored = computed(_readable, key, lambda: decode(found.data, key))
    return replace(stored, version=found.version)


def _readable(key: str, read_stored: Callable[[], Stored]) -> Stored:
    try:
        return read_stored()
    except (CorruptObjectError, KeyError, ValueError, TypeError) as error:
        raise CorruptObjectError(
            f"{key} can't be read ({error}); `tickerlake repair` rebuilds it", key
        ) from error


def load_summary(lake: Lake, ticker: str) -> Stored:
    """Read what is known about a ticker, with only `session` and `flags` of its bars."""
    key = layout.history(ticker)
    found = lake.store.get_versioned(key)
    if found is None:
        return Stored(History(pl.DataFrame(schema=_SUMMARY)))
    stored = _readable(key, lambda: decode(found.data, key, list(_SUMMARY)))
    return replace(stored, version=found.version)


def encode(stored: Stored) -> bytes:
    """Encode a history. What is not a column is in the Parquet file's own metadata."""
    history = stored.history
    if history.last is None:
        raise ValueError("a history that no run delivered is not stored")
    return to_parquet(
        history.bars,
        {
            "tickerlake.splits": json.dumps(
                {day.isoformat(): ratio for day, ratio in history.splits.items()}
            ),
            "tickerlake.known": json.dumps(_known(history), default=date.isoformat),
            "tickerlake.last": json.dumps([history.last.as_of.isoformat(), history.last.run_id]),
            "tickerlake.folded": json.dumps(stored.folded),
            "tickerlake.owed": json.dumps(stored.owed),
            "tickerlake.gone": json.dumps(stored.gone),
        },
    )


def decode(data: bytes, key: str, columns: list[str] | None = None) -> Stored:
    """Undo `encode`; the version is not known here.

    Args:
        data: what `encode` made.
        key: of the object, for messages.
        columns: the columns of the bars to read; None reads all.
    """
    bars = from_parquet(data, key, columns)
    metadata = pl.read_parquet_metadata(io.BytesIO(data))
    splits = json.loads(metadata["tickerlake.splits"])
    as_of, run_id = json.loads(metadata["tickerlake.last"])
    owed = json.loads(metadata["tickerlake.owed"])
    return Stored(
        History(
            bars,
            splits={date.fromisoformat(day): ratio for day, ratio in splits.items()},
            last=Order(datetime.fromisoformat(as_of), run_id),
            **_parse_known(json.loads(metadata["tickerlake.known"])),
        ),
        tuple(json.loads(metadata["tickerlake.folded"])),
        Span(*owed) if owed else None,
        tuple(json.loads(metadata["tickerlake.gone"])),
    )


def _known(history: History) -> dict[str, object]:
    """Return what is known about a ticker besides its bars and splits."""
    return {
        "since": history.since,
        "gaps": history.gaps,
        "rejected": history.rejected,
        "timezone": history.timezone,
        "listing": asdict(history.listing),
        "retired": history.retired,
        "renamed_to": history.renamed_to,
        "events": [(each.as_of.isoformat(), *each[1:]) for each in history.events],
    }


def _parse_known(known: dict[str, Any]) -> dict[str, Any]:
    """Undo `_known`, after a round trip through JSON."""
    return {
        **known,
        "since": _day(known["since"]),
        "gaps": tuple(date.fromisoformat(day) for day in known["gaps"]),
        "rejected": tuple(
            Rejected(date.fromisoformat(day), reasons, digest)
            for day, reasons, digest in known["rejected"]
        ),
        "listing": _listing(known.get("listing") or {}),
        "retired": _day(known["retired"]),
        "events": tuple(_event(*each) for each in known["events"]),
    }


def _event(as_of: str, run_id: str, event: str, day: str | None, *rest: Any) -> Event:
    return Event(datetime.fromisoformat(as_of), run_id, event, _day(day), *rest)


def _listing(said: dict[str, Any]) -> Listing:
    return Listing(**{**said, "first_trade_date": _day(said.get("first_trade_date"))})


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def is_same(one: History, other: History) -> bool:
    """Return whether two histories say the same."""
    if one.last is None or other.last is None:
        return one.last == other.last
    return encode(Stored(one)) == encode(Stored(other))
