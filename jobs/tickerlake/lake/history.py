"""A ticker's history as it is stored: reading, writing, continuing and rebuilding it.

`lake.fold` defines what a history is. `advance` continues a stored history with new deliveries,
`rebuild` starts from nothing; that both give the same is the lake's first invariant.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import polars as pl

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import Lake, layout
from tickerlake.lake.fold import Delivery, History, fold_all
from tickerlake.lake.manifests import Entry, Manifest, Rejected, all_ids, read_all
from tickerlake.lake.parquet import from_parquet, to_parquet
from tickerlake.market.bars import RAW


def advance(lake: Lake, ticker: str, history: History, manifests: Sequence[Manifest]) -> History:
    """Fold the manifests that are newer than the history; fall back on a rebuild otherwise.

    A manifest that is not newer either came late or was folded in by a run that died before its
    receipt. A rebuild is right for both.

    Args:
        lake: where the blobs are.
        ticker: whose history it is.
        history: as stored.
        manifests: those not yet processed, sorted.
    """
    relevant = [
        each for each in manifests if ticker in each.tickers and each.tickers[ticker].delivers
    ]
    if history.last and any(each.order <= history.last for each in relevant):
        return rebuild(lake, ticker)
    return fold_all(history, deliveries(lake, ticker, relevant))


def rebuild(lake: Lake, ticker: str, manifests: Sequence[Manifest] | None = None) -> History:
    """Make a history from raw alone.

    Args:
        lake: where the blobs are.
        ticker: whose history it is.
        manifests: all manifests, sorted; None reads them.
    """
    if manifests is None:
        manifests = read_all(lake.store, all_ids(lake.store))
    return fold_all(History(), deliveries(lake, ticker, manifests))


def deliveries(lake: Lake, ticker: str, manifests: Iterable[Manifest]) -> Iterable[Delivery]:
    """Read what manifests deliver of a ticker.

    Raises:
        CorruptObjectError: a listed blob is missing or no Parquet.
    """
    for manifest in manifests:
        entry = manifest.tickers.get(ticker)
        if entry is not None and entry.delivers:
            yield Delivery(manifest.order, entry, _bars(lake, ticker, entry))


def _bars(lake: Lake, ticker: str, entry: Entry) -> pl.DataFrame:
    frames = [pl.DataFrame(schema=RAW)]
    for partition, digest in entry.blobs.items():
        key = layout.blob(layout.RAW, partition, ticker, digest)
        data = lake.store.get(key)
        if data is None:
            raise CorruptObjectError(f"{key} is listed by a manifest, but is not there")
        frames.append(from_parquet(data, key))
    return pl.concat(frames).sort("session")


def read(lake: Lake, ticker: str) -> tuple[History, str | None]:
    """Read a stored history and its version tag (an empty one and None when there is none).

    Raises:
        CorruptObjectError: it can't be read; says how to repair it.
    """
    key = layout.history(ticker)
    found = lake.store.get_versioned(key)
    if found is None:
        return History(), None
    data, version = found
    try:
        return decode(data, key), version
    except (CorruptObjectError, KeyError, ValueError) as error:
        raise CorruptObjectError(
            f"{key} can't be read ({error}); `tickerlake transform --rebuild` makes it anew"
        ) from error


def encode(history: History) -> bytes:
    """Encode a history. What is not a column is in the Parquet file's own metadata."""
    if history.last is None:
        raise ValueError("a history that no run delivered is not stored")
    as_of, run_id = history.last
    return to_parquet(
        history.bars,
        {
            "tickerlake.splits": json.dumps(
                {day.isoformat(): ratio for day, ratio in history.splits.items()}
            ),
            "tickerlake.known": json.dumps(_known(history), default=date.isoformat),
            "tickerlake.last": json.dumps([as_of.isoformat(), run_id]),
            "tickerlake.contested": str(history.contested),
        },
    )


def decode(data: bytes, key: str) -> History:
    """Undo `encode`."""
    import io

    bars = from_parquet(data, key)
    metadata = pl.read_parquet_metadata(io.BytesIO(data))
    splits = json.loads(metadata["tickerlake.splits"])
    as_of, run_id = json.loads(metadata["tickerlake.last"])
    known = json.loads(metadata["tickerlake.known"])
    return History(
        bars,
        splits={date.fromisoformat(day): ratio for day, ratio in splits.items()},
        since=_day(known["since"]),
        gaps=tuple(date.fromisoformat(day) for day in known["gaps"]),
        rejected=tuple(
            Rejected(date.fromisoformat(day), reasons, digest)
            for day, reasons, digest in known["rejected"]
        ),
        timezone=known["timezone"],
        retired=_day(known["retired"]),
        renamed_to=known["renamed_to"],
        last=(datetime.fromisoformat(as_of), run_id),
        contested=int(metadata["tickerlake.contested"]),
    )


def _known(history: History) -> dict[str, object]:
    return {
        "since": history.since and history.since.isoformat(),
        "gaps": [day.isoformat() for day in history.gaps],
        "rejected": history.rejected,
        "timezone": history.timezone,
        "retired": history.retired and history.retired.isoformat(),
        "renamed_to": history.renamed_to,
    }


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def salvage(data: bytes) -> History:
    """An encoded history; an empty one when it can't be read."""
    try:
        return decode(data, "")
    except (CorruptObjectError, KeyError, ValueError):
        return History()
