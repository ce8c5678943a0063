"""What the transformer still has to do: runs without a receipt, and tickers that are behind."""

import logging
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import checkpoints, layout, manifests, notes
from tickerlake.lake.checkpoints import Checkpoint
from tickerlake.lake.lost import Lost, losses, without_lost
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.notes import Behind
from tickerlake.lake.store import Store

log = logging.getLogger(__name__)

RETRIED_RUNS: Final = 5
"""A ticker that has failed for more runs than this is not retried until it is repaired."""

_RECENT: Final = 1_000


class Survey(NamedTuple):
    """Which runs there are, and what the transformer has done about them.

    Attributes:
        runs: all run ids, sorted by the moment of their commit.
        receipts: the ids of the runs that have a receipt.
        behind: the runs that have a receipt but are missing from a ticker's history, by ticker.
        checkpoint: what is known of most of them.
        tail: the runs that have a manifest or a receipt beside the checkpoint.
    """

    runs: tuple[str, ...]
    receipts: frozenset[str]
    behind: Mapping[str, list[str]]
    checkpoint: Checkpoint = Checkpoint()
    tail: frozenset[str] = frozenset()

    @property
    def pending(self) -> tuple[str, ...]:
        """The runs that have no receipt."""
        return tuple(run_id for run_id in self.runs if run_id not in self.receipts)


@dataclass(frozen=True)
class Settled(Container[str]):
    """The runs that have a receipt, in a form that is small enough to travel.

    Attributes:
        recent: the newest ones that have a receipt.
        oldest: the oldest of these; whatever is older and not open has a receipt.
        open: the runs that have none.
    """

    recent: frozenset[str] = frozenset()
    oldest: str = ""
    open: frozenset[str] = frozenset()

    def __contains__(self, run_id: object) -> bool:
        return run_id in self.recent or (
            isinstance(run_id, str) and run_id < self.oldest and run_id not in self.open
        )

    def without(self, behind: Collection[str]) -> "Settled":
        """Return the same for a ticker that is behind with some runs."""
        if not behind:
            return self
        return Settled(self.recent - {*behind}, self.oldest, self.open | {*behind})

    @staticmethod
    def from_survey(survey: Survey) -> "Settled":
        """Return what a survey says."""
        recent = sorted(survey.receipts)[-_RECENT:]
        return Settled(frozenset(recent), recent[0] if recent else "", frozenset(survey.pending))


class Backlog(NamedTuple):
    """What histories lack.

    Attributes:
        manifests: those to fold in, sorted. Those with a receipt are cut down to the tickers that
            are behind and worth another try.
        broken: the tickers whose damage has not been repaired, and why they are behind.
        damaged: what is wrong with pending manifests that can't be read.
    """

    manifests: tuple[Manifest, ...]
    broken: Mapping[str, Behind]
    damaged: tuple[str, ...]


class Outline(NamedTuple):
    """What histories lack, without the entries of the manifests: those may be too many to keep.

    Attributes:
        heads: the manifests to fold in, sorted by the moment of their commit, without tickers.
        again: those of their runs that have a receipt: only tickers that are behind need them.
        lost: the blobs that they call lost.
        bars: how many bars they deliver, by ticker.
        named: for each ticker that is behind, those of the manifests that name it.
        broken: see `Backlog`.
        damaged: see `Backlog`.
    """

    heads: tuple[Manifest, ...]
    again: frozenset[str]
    lost: Lost
    bars: Mapping[str, int]
    named: Mapping[str, set[str]]
    broken: Mapping[str, Behind]
    damaged: tuple[str, ...]


def survey(store: Store) -> Survey:
    """List runs, receipts and notes on tickers that are behind.

    The order matters. A manifest and its receipt are only removed when the checkpoint has the run.
    Notes are written before the receipts that they make exceptions to, so whoever lists them last
    sees every note that matters.
    """
    tail = manifests.ids(store, layout.RUNS)
    receipts = frozenset(manifests.ids(store, layout.RECEIPTS))
    checkpoint = checkpoints.load(store)
    behind = notes.behind_ids(store)
    return Survey(
        tuple(sorted(checkpoint.run_ids.union(tail))),
        receipts | checkpoint.run_ids,
        behind,
        checkpoint,
        receipts.union(tail),
    )


def read(store: Store, surveyed: Survey) -> Backlog:
    """Read the manifests that histories lack, each once."""
    broken, retried = _behind(store, surveyed)
    damaged: list[str] = []
    found = list(_readable(store, surveyed, retried, damaged))
    return Backlog(tuple(without_lost(found)), broken, tuple(damaged))


def outline(store: Store, surveyed: Survey) -> Outline:
    """Read the manifests that histories lack, one after the other; keep what a transform needs."""
    broken, retried = _behind(store, surveyed)
    damaged: list[str] = []
    heads, bars = [], Counter[str]()
    named: dict[str, set[str]] = {ticker: set() for ticker in surveyed.behind}
    for manifest in _readable(store, surveyed, retried, damaged):
        heads.append(manifests.cut(manifest, ()))
        for ticker, entry in manifest.tickers.items():
            if ticker in named:
                named[ticker].add(manifest.run_id)
            if entry.delivers:
                bars[ticker] += entry.new + entry.corrected
        del manifest  # see `_readable`
    again = frozenset(each.run_id for each in heads).difference(surveyed.pending)
    lost = losses((each.run_id, each.lost) for each in heads)
    return Outline(tuple(heads), again, lost, bars, named, broken, tuple(damaged))


def _readable(
    store: Store, surveyed: Survey, retried: Mapping[str, list[str]], damaged: list[str]
) -> Iterator[Manifest]:
    """Yield the manifests that histories lack; add what is wrong with others to a list."""
    again = {run_id for run_ids in retried.values() for run_id in run_ids}
    pending = set(surveyed.pending)
    for run_id in sorted(pending | again):
        try:
            manifest = manifests.read(store, run_id)
        except (CorruptObjectError, UsageError) as error:
            log.error("%s", error)  # noqa: TRY400 - the message says what to do
            damaged.append(str(error))
            continue
        if run_id in pending:
            yield manifest
        else:
            yield manifests.cut(manifest, {name for name in retried if run_id in retried[name]})
        del manifest  # the next one is read without it: it may take thirty megabytes


def is_hopeless(note: Behind, run_ids: Sequence[str]) -> bool:
    """Return whether only a repair can help a ticker that is behind."""
    return bool(note.damaged) or len(run_ids) > RETRIED_RUNS


def _behind(store: Store, surveyed: Survey) -> tuple[dict[str, Behind], dict[str, list[str]]]:
    """Return the tickers that are behind: those that are broken, and those to try again."""
    broken, retried = {}, {}
    for ticker, run_ids in surveyed.behind.items():
        note = notes.read_behind(store, ticker, run_ids)
        if note is None:
            continue
        if is_hopeless(note, run_ids) and not (note.damaged and _is_whole(store, note)):
            broken[ticker] = note
        else:
            retried[ticker] = run_ids
    return broken, retried


def _is_whole(store: Store, note: Behind) -> bool:
    """Return whether the object that a note calls damaged has been replaced by a good one."""
    from tickerlake.lake.parquet import digest, from_parquet

    key = note.damaged
    try:
        data = store.get(key)
        if key.startswith((layout.DAILY, layout.TICKERS)):
            return True  # nothing is in its way any more
        if data is None:
            return False
        rows = from_parquet(data, key)
    except CorruptObjectError:
        return False
    return key.startswith(layout.HISTORY) or digest(rows) == layout.digest(key)
