"""The checkpoint and the archive of manifests: compare them, and mend one from the other."""

from collections.abc import Iterator
from typing import NamedTuple

from tickerlake.errors import CorruptObjectError
from tickerlake.lake import checkpointing, checkpoints, layout, manifests
from tickerlake.lake.checkpoints import Checkpoint, Reader
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.store import Store


class Difference(NamedTuple):
    """A run of which checkpoint and archive do not say the same; None is what can't be read."""

    run_id: str
    archived: Manifest | None
    folded: Manifest | None

    @property
    def key(self) -> str:
        """The object that is wrong: the archive's if it can't be read, else the checkpoint."""
        return layout.CHECKPOINT if self.archived else layout.archived(self.run_id)

    @property
    def text(self) -> str:
        """What is wrong with it."""
        if not self.archived:
            return "is missing or can't be read"
        verb = "differs from" if self.folded else "lacks"
        return f"{verb} {layout.archived(self.run_id)}"


def compare(store: Store) -> Iterator[Difference]:
    """Yield the runs of which checkpoint and archive do not say the same.

    Raises:
        CorruptObjectError: the checkpoint can't be used.
    """
    tail = set(manifests.ids(store, layout.RUNS))
    known = checkpoints.load(store)
    yield from _differences(store, tail, _folded(store, known))


def mend(store: Store) -> list[str]:
    """Mend the checkpoint from the archive, and the archive from the checkpoint.

    A manifest that neither of them has returns to the tail as it is, where `verify` finds it.

    Returns:
        A line for each repair.

    Raises:
        ConflictError: another run has just replaced the checkpoint; try again.
    """
    tail = set(manifests.ids(store, layout.RUNS))
    found = store.get_versioned(layout.CHECKPOINT)
    done, again = [], []
    try:
        known = checkpoints.load(store)
        folded = _folded(store, known)
    except CorruptObjectError as error:
        known, folded = Checkpoint(version=found.version if found else None), {}
        done.append(f"{error.key}: the checkpoint is made again")
        tail = set()
    for each in _differences(store, tail, folded):
        if each.archived:
            again.append(each.archived)
        else:
            done.append(_restored(store, each))
    if again or (known.version and not folded):
        checkpointing.fold_or_raise(store, known, again)
        done += [f"{layout.CHECKPOINT}: has run {each.run_id} again" for each in again]
    return done


def _restored(store: Store, each: Difference) -> str:
    """Write an archived manifest that can't be read again, or hand it to `verify`."""
    if each.folded:
        store.put(each.key, manifests.encode(each.folded))
        return f"{each.key}: written again"
    store.put(layout.run(each.run_id), store.get(each.key) or b"")
    store.delete([each.key])
    return f"{each.key}: can't be read"


def _folded(store: Store, known: Checkpoint) -> dict[str, Manifest]:
    checkpoints.tickers(store, known)  # raises if they can't be read
    documents = Reader(store, known).documents(known.run_ids, None)
    return {run_id: manifests.parse(run_id, data) for run_id, data in documents}


def _differences(store: Store, tail: set[str], folded: dict[str, Manifest]) -> Iterator[Difference]:
    archived = manifests.ids(store, layout.ARCHIVE)
    for run_id in sorted(folded.keys() | set(archived)):
        if run_id in tail and run_id not in folded:
            continue  # a process is folding it in, or has died before it did
        found = _archived(store, run_id)
        if found is None or found != folded.get(run_id):
            yield Difference(run_id, found, folded.get(run_id))


def _archived(store: Store, run_id: str) -> Manifest | None:
    try:
        return manifests.parse(run_id, store.get(layout.archived(run_id)) or b"")
    except CorruptObjectError:
        return None
