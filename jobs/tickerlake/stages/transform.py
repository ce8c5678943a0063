"""Transform: manifests without a receipt become history, features and receipts.

The order of writes makes a crash harmless: history before refined, both before the catalog, the
catalog before the receipt. A history names the runs that it holds and the partitions that it owes,
so the next transform finishes a run that died, without reading its input again.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from tickerlake.engines import Engine, Refreshed, Task
from tickerlake.engines.local import threads
from tickerlake.errors import (
    ConflictError,
    CorruptObjectError,
    StoreError,
    TickerlakeError,
    UsageError,
)
from tickerlake.lake import Lake, checkpointing, checkpoints, index, layout, manifests, notes
from tickerlake.lake.checkpoints import Checkpoint
from tickerlake.lake.lost import without
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.notes import Behind
from tickerlake.stages import PARTLY_DONE, exit_code
from tickerlake.stages.rounds import Job, Rounds

if TYPE_CHECKING:
    from tickerlake.lake.by_ticker import ByTicker
    from tickerlake.lake.refresh import Outcome

log = logging.getLogger(__name__)


@dataclass
class Report:
    """How a transform ended.

    Attributes:
        refreshed: the tickers for which there was something to do.
        processed: the runs that got their receipt.
        damaged: what is wrong with manifests that can't be read.
        behind: the other tickers that only a repair can bring up to date, and why.
    """

    refreshed: dict[str, Refreshed] = field(default_factory=dict)
    processed: list[str] = field(default_factory=list)
    damaged: tuple[str, ...] = ()
    behind: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 when every ticker succeeded, 1 when none did, otherwise 3."""
        bad = sum(bool(each.error) for each in self.refreshed.values())
        if not bad and self.damaged:
            return PARTLY_DONE
        return exit_code(len(self.refreshed), bad)

    @property
    def is_quiet(self) -> bool:
        """Whether there was nothing to do, and nothing is wrong."""
        return not (self.refreshed or self.processed or self.damaged or self.behind)

    def then(self, later: "Report") -> "Report":
        """Return a report of this transform and a later one."""
        refreshed = self.refreshed | later.refreshed
        for ticker in self.refreshed.keys() & later.refreshed.keys():
            partitions = {*self.refreshed[ticker].partitions, *refreshed[ticker].partitions}
            refreshed[ticker] = replace(refreshed[ticker], partitions=tuple(sorted(partitions)))
        processed = [*self.processed, *later.processed]
        return Report(refreshed, processed, later.damaged, later.behind)


def transform_all(
    lake: Lake,
    *,
    engine: Engine,
    rebuild: bool = False,
    progress: Callable[[Refreshed], None] = lambda _: None,
    register: Callable[[Iterable[str]], object] = lambda _: None,
) -> Report:
    """Transform until no new manifest has arrived in the meantime; see `transform`.

    The starter relies on it: while as many transformers as may run are running, it starts none for
    a manifest (docs/decisions/0080).
    """
    report = latest = transform(
        lake, engine=engine, rebuild=rebuild, progress=progress, register=register
    )
    while latest.processed and manifests.pending_ids(lake.store):
        latest = transform(lake, engine=engine, progress=progress, register=register)
        report = report.then(latest)
    return report


def transform(
    lake: Lake,
    *,
    engine: Engine | None = None,
    rebuild: bool = False,
    only: Collection[str] | None = None,
    progress: Callable[[Refreshed], None] = lambda _: None,
    register: Callable[[Iterable[str]], object] = lambda _: None,
) -> Report:
    """Process every manifest that has no receipt.

    A run gets its receipt even if one of its tickers failed: a note says that the ticker is behind,
    and the next transform tries again, unless only `tickerlake repair` can help.

    Args:
        lake: the lake.
        engine: distributes the tickers; None uses threads.
        rebuild: derive history and refined from raw alone, write only what differs, and delete
            what should not exist.
        only: the tickers to rebuild, which gives no receipts; None rebuilds all.
        progress: is called in this thread with each ticker that has ended.
        register: is called before any receipt is written, with the keys that belong to the
            manifests without one, except those of tickers that failed. What it raises ends the
            transform; the next one calls it with the same keys.

    Raises:
        EngineError: the engine failed; run it again.
        StoreError: the lake can't be read or written; run it again.
        CorruptObjectError: a rebuild needs a manifest that can't be read.
    """
    rounds = Rounds(lake, engine or threads(), prepare, progress)
    if rebuild:
        rounds.rebuild(only)
    else:
        rounds.refresh()
    backlog = rounds.backlog
    report = Report(rounds.refreshed, damaged=backlog.damaged)
    for ticker in backlog.broken.keys() - rounds.refreshed.keys():
        report.behind[ticker] = backlog.broken[ticker].reason
        log.warning("%s is behind: %s", ticker, report.behind[ticker])
    _update_index(rounds)
    if only is None:
        register(_delivered(rounds))
    _write_notes(rounds)
    if only is None:
        report.processed += _write_receipts(rounds)
    _remove_notes(rounds, is_rebuild=rebuild)
    if only is None:
        checkpointing.tidy(lake.store, rounds.survey)
    return report


def prepare(job: Job, lake: Lake, tasks: Sequence[Task]) -> Callable[[Task], Refreshed]:
    """Read what the tasks of a job need; return what does one of them.

    What is wrong with a ticker is returned, not raised.
    """
    from tickerlake.lake.by_ticker import ByTicker  # loads Polars

    try:
        # what is pending is not in the checkpoint
        known = Checkpoint() if job.kind == "refresh" else checkpoints.load(lake.store)
        tickers = {task.ticker for task in tasks}
        said = ByTicker(lake.store, job.again.union(job.runs), tickers, known)
    except (CorruptObjectError, StoreError, UsageError) as error:
        failure = error
        return lambda task: _failed(task, failure)
    return partial(_perform, job, lake, said)


def _perform(job: Job, lake: Lake, said: "ByTicker", task: Task) -> Refreshed:
    try:
        done = _done(job, lake, said, task)
    except (ConflictError, CorruptObjectError, StoreError) as error:
        return _failed(task, error)
    return Refreshed(
        task.ticker,
        done.partitions,
        is_late=done.is_late,
        overtook=done.overtook,
        version=done.version,
        known=done.known,
    )


def _failed(task: Task, error: TickerlakeError) -> Refreshed:
    log.error("%s: %s", task.ticker, error)
    damaged = error.key if isinstance(error, CorruptObjectError) else ""
    return Refreshed(task.ticker, error=str(error), damaged=damaged)


def _done(job: Job, lake: Lake, said: "ByTicker", task: Task) -> "Outcome":
    from tickerlake.lake import refresh  # loads Polars

    ticker, settled = task.ticker, job.settled.without(task.behind)
    not_for_it = job.again.difference(task.behind)
    found = [each for each in said.of(ticker) if each.run_id not in not_for_it]
    match job.kind:
        case "refresh":
            return refresh.refresh(lake, ticker, found, settled, task.partitions)
        case "derive":
            return refresh.derive(lake, ticker, found, settled, task.version, task.partitions)
        case "rebuild":
            return refresh.rebuild(lake, ticker, found, settled, task.version, task.partitions)


def _delivered(rounds: Rounds) -> Iterator[str]:
    """Yield the keys of tables that belong to processed manifests, which are read again.

    A partition is new only when a manifest delivers the first session in it. So these keys, unlike
    those written just now, also cover what a run that died before its receipts has written.
    """
    for manifest in _processed(rounds):
        for ticker, entry in manifest.tickers.items():
            if entry.delivers and ticker not in rounds.failed:
                yield layout.history(ticker)
                yield layout.listing(ticker)
                for date, name in entry.blobs.items():
                    yield layout.blob(layout.RAW, date, ticker, name)
                    yield layout.daily(date, ticker)


def _processed(rounds: Rounds) -> Iterator[Manifest]:
    """Read the manifests that were folded in, one after the other."""
    store, outline = rounds.lake.store, rounds.backlog
    for head in outline.heads:
        manifest = manifests.read(store, head.run_id)
        if head.run_id in outline.again:
            behind = {name for name, runs in outline.named.items() if head.run_id in runs}
            manifest = manifests.cut(manifest, behind)
        yield without(manifest, outline.lost) if outline.lost else manifest


def _update_index(rounds: Rounds) -> None:
    """Let the next extraction know what the histories say that have been written."""
    index.update(
        rounds.lake.store,
        {
            ticker: (each.version, each.known)
            for ticker, each in rounds.refreshed.items()
            if each.version and each.known and not each.error
        },
    )


def _write_receipts(rounds: Rounds) -> list[str]:
    """Write the receipts of pending runs; return the runs."""
    pending = set(rounds.survey.pending)
    done = [head for head in rounds.backlog.heads if head.run_id in pending]
    for head in done:
        manifests.acknowledge(rounds.lake.store, head)
    return [head.run_id for head in done]


def _write_notes(rounds: Rounds) -> None:
    """Note the exceptions to the receipts: tickers that failed, and partitions at risk."""
    store, refreshed = rounds.lake.store, rounds.refreshed
    at_risk = {name: each.partitions for name, each in refreshed.items() if each.overtook}
    if at_risk:
        notes.put_recheck(store, at_risk)
    for manifest in _processed(rounds) if rounds.failed else ():
        for ticker in sorted(rounds.failed & manifests.delivered(manifest)):
            failure = refreshed[ticker]
            known = rounds.backlog.broken.get(ticker)
            reason = known.reason if known else failure.error
            note = Behind(
                ticker=ticker,
                run_id=manifest.run_id,
                reason=reason,
                damaged=failure.damaged,
            )
            notes.put_behind(store, note)


def _remove_notes(rounds: Rounds, *, is_rebuild: bool) -> None:
    """Remove the notes on tickers that have caught up, and rechecks that are old and done."""
    store, failed = rounds.lake.store, rounds.failed
    for ticker, run_ids in rounds.survey.behind.items():
        if ticker in failed or ticker not in rounds.refreshed:
            continue
        read = rounds.backlog.named.get(ticker, set())
        notes.remove_behind(store, ticker, run_ids if is_rebuild else read & set(run_ids))
    done = rounds.refreshed.keys() - failed
    store.delete(
        [
            key
            for key, note in rounds.rechecks.items()
            if note.is_old and note.tickers.keys() <= done
        ]
    )
