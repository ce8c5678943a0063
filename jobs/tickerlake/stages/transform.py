"""Transform: manifests without a receipt become history, features and receipts.

The order of writes makes a crash harmless: refined before history, history before the catalog, the
catalog before the receipt. What was refined by a run that died is written again, with the same
bytes, by the next one, since the history it starts from has not moved.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from tickerlake.engines import Engine, Refreshed, Task
from tickerlake.engines.local import threads
from tickerlake.errors import ConflictError, CorruptObjectError
from tickerlake.lake import Lake, history, layout, manifests
from tickerlake.lake.fold import History
from tickerlake.lake.layout import Grain
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.parquet import partitions, to_parquet
from tickerlake.market import features

log = logging.getLogger(__name__)

_BYTES_A_BAR: Final = 25  # of an encoded history, to weigh tickers


@dataclass
class Report:
    """How a transform ended."""

    refreshed: dict[str, Refreshed] = field(default_factory=dict)
    processed: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when every ticker ended well, 1 when none did, else 3."""
        bad = sum(bool(each.error) for each in self.refreshed.values())
        return 0 if not bad else 1 if bad == len(self.refreshed) else 3


def transform(
    lake: Lake,
    *,
    engine: Engine | None = None,
    rebuild: bool = False,
    progress: Callable[[Refreshed], None] = lambda _: None,
    register: Callable[[Iterable[str]], object] = lambda _: None,
) -> Report:
    """Process every manifest that has no receipt.

    Args:
        lake: the lake.
        engine: what spreads the tickers; None takes threads.
        rebuild: make history and refined from raw alone, for all tickers, put only what differs and
            delete what should not be there.
        progress: is called in this thread with each ticker that has ended.
        register: is called before any receipt is written, with the keys that the manifests without
            one stand for, except those of tickers that failed. What it raises ends the transform;
            the next one calls it with the same keys.

    Raises:
        EngineError: the engine failed; run it again.
        StoreError: the lake can't be read or written; run it again.
        CorruptObjectError: a manifest can't be read.
    """
    store = lake.store
    todo = manifests.pending(lake)
    tasks = _rebuilds(lake) if rebuild else _refreshes(lake, todo)
    report = Report()
    for refreshed in (engine or threads())(lake, perform, tasks):
        report.refreshed[refreshed.ticker] = refreshed
        progress(refreshed)
    failed = {each.ticker for each in report.refreshed.values() if each.error}
    register(_delivered(todo, failed))
    for manifest in todo:
        if not failed & manifest.tickers.keys():
            manifests.acknowledge(store, manifest)
            report.processed.append(manifest.run_id)
    return report


def perform(lake: Lake, task: Task) -> Refreshed:
    """Do the work on one ticker; what is wrong with it alone is returned, not raised.

    Raises:
        StoreError: the lake can't be read or written.
    """
    try:
        if task.stored is None:
            return refresh_ticker(lake, task.ticker, task.manifests)
        return rebuild_ticker(lake, task.ticker, task.manifests, task.stored)
    except (ConflictError, CorruptObjectError) as error:
        log.error("%s: %s", task.ticker, error)  # noqa: TRY400 - the message says what to do
        return Refreshed(task.ticker, error=str(error))


def _refreshes(lake: Lake, todo: Sequence[Manifest]) -> list[Task]:
    held = {layout.values(key)["ticker"]: size for key, size in lake.store.sizes(layout.HISTORY)}
    return [
        Task(ticker, each, _bars(ticker, each) + held.get(ticker, 0) // _BYTES_A_BAR)
        for ticker, each in _by_ticker(todo).items()
    ]


def _rebuilds(lake: Lake) -> list[Task]:
    everything = _by_ticker(manifests.read_all(lake.store, manifests.all_ids(lake.store)))
    stored = stored_partitions(lake)
    return [
        Task(
            ticker,
            everything.get(ticker, ()),
            _bars(ticker, everything.get(ticker, ())),
            frozenset(stored.get(ticker, ())),
        )
        for ticker in sorted(everything.keys() | stored.keys())
    ]


def _delivered(of: Iterable[Manifest], failed: Collection[str]) -> Iterator[str]:
    """The keys of raw, history and daily that processed manifests stand for.

    A partition is new only when a manifest delivers the first session in it. So these keys, unlike
    those that were put just now, also tell what a run that died before its receipts has put.
    """
    for manifest in of:
        for ticker, entry in manifest.tickers.items():
            if entry.delivers and ticker not in failed:
                yield layout.history(ticker)
                for date, name in entry.blobs.items():
                    yield layout.blob(layout.RAW, date, ticker, name)
                    yield layout.daily(date, ticker)


def _by_ticker(of: Sequence[Manifest]) -> dict[str, tuple[Manifest, ...]]:
    found: dict[str, tuple[Manifest, ...]] = {}
    for manifest in of:
        for ticker, entry in sorted(manifest.tickers.items()):
            if entry.delivers:
                own = manifest.model_copy(update={"tickers": {ticker: entry}})
                found[ticker] = (*found.get(ticker, ()), own)
    return found


def _bars(ticker: str, of: Sequence[Manifest]) -> int:
    entries = [each.tickers[ticker] for each in of]
    return sum(entry.new + entry.corrected for entry in entries)


def refresh_ticker(lake: Lake, ticker: str, pending: Sequence[Manifest]) -> Refreshed:
    """Bring one ticker's history and features up to date.

    However often it loses a race, it does its work again: what it has put may lie on top of what
    the winner put, and only it knows. Each race lost is another run's work done.

    Raises:
        CorruptObjectError, StoreError: as their names say.
    """
    touched: set[str] = set()
    while True:
        old, version = history.read(lake, ticker)
        new = history.advance(lake, ticker, old, pending)
        rows = refined(new)
        touched |= changed_partitions(rows, refined(old), lake.grain)
        moved = rows.filter(layout.partition(lake.grain).is_in(touched))
        for partition, part in partitions(moved, lake.grain):
            lake.store.put(layout.daily(partition, ticker), to_parquet(part))
        unchanged = same(new, old)
        if unchanged and not touched:
            return Refreshed(ticker)
        new = replace(new, contested=old.contested + 1 if unchanged else 0)
        try:
            lake.store.replace(layout.history(ticker), history.encode(new), version)
        except ConflictError:
            log.info("%s: another run was first, doing it again", ticker)
            continue
        return Refreshed(ticker, tuple(sorted(touched)))


def rebuild_ticker(
    lake: Lake, ticker: str, everything: Sequence[Manifest], stored: AbstractSet[str]
) -> Refreshed:
    """Make one ticker's history and features from raw alone, and put or delete what differs.

    Args:
        lake: the lake.
        ticker: whose.
        everything: all manifests, sorted.
        stored: the ticker's partitions that are there.

    Raises:
        ConflictError: another run is at work on the ticker.
        CorruptObjectError, StoreError: as their names say.
    """
    store, key = lake.store, layout.history(ticker)
    found = store.get_versioned(key)
    held = history.salvage(found[0]) if found else History()
    known = {each.run_id for each in everything}
    if held.last and held.last[1] not in known and store.get(layout.run(held.last[1])):
        # its receipt is there: what it delivered would be lost
        raise ConflictError(f"{ticker}: a run was processed meanwhile; rebuild again")
    new = history.rebuild(lake, ticker, everything)
    expected = dict(partitions(refined(new), lake.grain))
    touched = set()
    for partition, rows in expected.items():
        data = to_parquet(rows)
        if partition not in stored or store.get(layout.daily(partition, ticker)) != data:
            store.put(layout.daily(partition, ticker), data)
            touched.add(partition)
    strays = stored - expected.keys()
    store.delete([layout.daily(partition, ticker) for partition in sorted(strays)])
    if new.last is None:
        store.delete([key] if found else [])
    elif found is None or found[0] != history.encode(replace(new, contested=held.contested)):
        store.replace(key, history.encode(new), found[1] if found else None)
    elif touched:
        data = history.encode(replace(new, contested=held.contested + 1))
        store.replace(key, data, found[1])
    return Refreshed(ticker, tuple(sorted(touched | strays)))


def refined(of: History) -> pl.DataFrame:
    """The rows of `daily` (`features.DAILY`) that a history gives."""
    return features.daily(of.bars)


def changed_partitions(new: pl.DataFrame, old: pl.DataFrame, grain: Grain) -> set[str]:
    """The partitions of `daily` in which any value differs between two states of a ticker."""
    both = new.join(
        old.with_columns(_held=True), on="session", how="left", suffix="_old", maintain_order="left"
    )
    columns = [name for name in new.columns if name != "session"]
    differs = pl.col("_held").is_null() | pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in columns
    )
    return set(both.filter(differs).select(layout.partition(grain))["session"])


def same(new: History, old: History) -> bool:
    """Whether two histories are stored as the same object."""
    return new is old or (
        new.last == old.last
        and history.encode(replace(new, contested=old.contested)) == history.encode(old)
    )


def tickers_of(of: Iterable[Manifest]) -> set[str]:
    """The tickers that manifests deliver something of."""
    return {
        ticker for manifest in of for ticker, entry in manifest.tickers.items() if entry.delivers
    }


def stored_partitions(lake: Lake) -> dict[str, set[str]]:
    """The partitions of `daily` that are there, by ticker; also tickers with a history alone."""
    stored: dict[str, set[str]] = {}
    for key in lake.store.keys(layout.HISTORY):
        stored.setdefault(layout.values(key)["ticker"], set())
    for key in lake.store.keys(layout.DAILY):
        values = layout.values(key)
        stored.setdefault(values["ticker"], set()).add(values["date"])
    return stored
