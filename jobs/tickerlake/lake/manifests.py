"""Run manifests (the commits of raw) and the transformer's receipts for them."""

import secrets
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import Lake, checkpoints, layout
from tickerlake.lake.checkpoints import Reader
from tickerlake.lake.lost import without_lost
from tickerlake.lake.store import Store
from tickerlake.market import symbols
from tickerlake.market.flags import Flag
from tickerlake.market.listing import Listing

if TYPE_CHECKING:
    import polars as pl

Outcome = Literal["ok", "empty", "unknown_symbol", "rate_limited", "failed"]
GOOD: Final = ("ok", "empty")

# a manifest that was damaged or edited must not lead anywhere else
Symbol = Annotated[str, StringConstraints(pattern=symbols.PATTERN)]
Partition = Annotated[str, AfterValidator(layout.check_partition)]
Digest = Annotated[str, StringConstraints(pattern=layout.DIGEST)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Order(NamedTuple):
    """What orders manifests: the moment of the fetch, then the run id.

    A run id starts with the moment of the commit.
    """

    as_of: datetime
    run_id: str


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rejected(NamedTuple):
    """A row that was quarantined: its session, the failed checks, and a hash of its values."""

    session: date
    reasons: str
    digest: str


class Entry(_Model):
    """How a run ended for one ticker, and what it delivers.

    Attributes:
        outcome: how it ended.
        reason: why, when it did not end with news.
        start: the first session that was asked for, with `end` the last.
        new: how many bars are new; `corrected` is how many replace earlier versions.
        blobs: partitions and the names of the blobs under raw/ that hold the bars.
        splits: those that the source announced from `start` on: they define the basis of the
            delivered prices. None when the entry delivers nothing.
        restated: why the delivery replaces all that was held; empty when it adds to it.
        quarantined: how many rows were quarantined that no earlier run had; `quarantine` names
            their blobs, and `rejected` says which rows they are.
        gaps: the sessions in [start, end] that have no bar after this delivery.
        flags: those that only the run could set, on bars that are kept although something is odd
            about them.
        timezone: of the exchange, as the source states it.
        listing: what the source says about the ticker itself; None when it was not asked.
        retired: the day after which the ticker is not asked for any more.
        renamed_from: the ticker whose history continues here.
        renamed_to: the ticker that continues this one's history.
    """

    outcome: Outcome
    reason: str = ""
    start: date | None = None
    end: date | None = None
    new: int = 0
    corrected: int = 0
    blobs: dict[Partition, Digest] = Field(default_factory=dict)
    splits: dict[date, Ratio] | None = None
    restated: str = ""
    quarantined: int = 0
    quarantine: dict[Partition, Digest] = Field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    gaps: tuple[date, ...] = ()
    flags: tuple[Flag, ...] = ()
    timezone: str | None = None
    listing: Listing | None = None
    retired: date | None = None
    renamed_from: Symbol | None = None
    renamed_to: Symbol | None = None

    @property
    def delivers(self) -> bool:
        """Whether it changes what is known about the ticker."""
        return self.splits is not None


class Manifest(_Model):
    """A run: a commit of raw.

    Attributes:
        format: of the manifest.
        run_id: starts with the moment of the commit.
        as_of: the moment (UTC) whose state of the market it fetched.
        source: where the bars are from.
        tickers: how the run ended for each ticker.
        lost: the keys of blobs that older runs list but that are lost: a repair could not get the
            same rows again.
    """

    format: Literal[1] = 1
    run_id: str
    as_of: AwareDatetime
    source: str
    tickers: dict[Symbol, Entry]
    lost: tuple[str, ...] = ()

    @property
    def order(self) -> Order:
        """Sorts manifests from the oldest to the newest."""
        return Order(self.as_of, self.run_id)


class Receipt(_Model):
    """Says that the transformer has processed a manifest."""

    format: Literal[1] = 1
    run_id: str


def new_run_id() -> str:
    """Return a run id: the moment of the commit (UTC, microseconds), and a few random digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}"


def commit(store: Store, manifest: Manifest) -> None:
    """Write a manifest: from now on its blobs exist for readers."""
    key = layout.run(manifest.run_id)
    if not store.put_same(key, encode(manifest)):
        raise CorruptObjectError(f"{key} already exists: run ids must not repeat")


def acknowledge(store: Store, manifest: Manifest) -> None:
    """Write the receipt for a processed manifest."""
    store.put_same(layout.receipt(manifest.run_id), encode(Receipt(run_id=manifest.run_id)))


def read(store: Store, run_id: str) -> Manifest:
    """Read a manifest.

    Raises:
        UsageError: there is no such run.
        CorruptObjectError: it is not a manifest.
    """
    return parse(run_id, read_bytes(store, run_id))


def read_bytes(store: Store, run_id: str) -> bytes:
    """Read a manifest as it is stored.

    Raises:
        UsageError: there is no such run.
    """
    data = store.get(layout.run(run_id))
    if data is None:
        data = store.get(layout.archived(run_id))
    if data is None:
        raise UsageError(f"{store.url} has no run {run_id!r}; `tickerlake status` lists the runs")
    return data


def parse(
    run_id: str, data: bytes, decode: Callable[[bytes], Manifest] = Manifest.model_validate_json
) -> Manifest:
    """Decode the manifest of a run.

    Args:
        run_id: the run.
        data: the manifest as it is stored.
        decode: returns the manifest, or what is wanted of it.

    Raises:
        CorruptObjectError: it is not a manifest, or that of another run.
    """
    key = layout.run(run_id)
    try:
        manifest = decode(data)
    except ValidationError as error:
        [first, *_] = error.errors()
        raise CorruptObjectError(
            f"{key} is not a run manifest ({first['msg']}); `tickerlake repair` fetches what it"
            " delivered again"
        ) from error
    if manifest.run_id != run_id:
        raise CorruptObjectError(
            f"{key} holds the manifest of run {manifest.run_id!r}; `tickerlake repair` fetches what"
            " it delivered again"
        )
    return manifest


def cut(manifest: Manifest, tickers: Container[str]) -> Manifest:
    """Return a manifest with only these tickers."""
    kept = {name: entry for name, entry in manifest.tickers.items() if name in tickers}
    return manifest.model_copy(update={"tickers": kept})


def delivered(manifest: Manifest) -> set[str]:
    """Return the tickers for which a manifest delivers something."""
    return {ticker for ticker, entry in manifest.tickers.items() if entry.delivers}


def entries(manifest: Manifest) -> "pl.DataFrame":
    """Return what a manifest says as rows of the checkpoint (`log_columns.ENTRIES`)."""
    import polars as pl

    from tickerlake.lake.log_columns import ENTRIES

    rows = [
        (ticker, manifest.run_id, entry.model_dump_json(exclude_defaults=True))
        for ticker, entry in manifest.tickers.items()
    ]
    return pl.DataFrame(rows, schema=ENTRIES, orient="row")


def all_ids(store: Store) -> list[str]:
    """List the ids of all runs, sorted by the moment of their commit."""
    tail = ids(store, layout.RUNS)
    return sorted(checkpoints.load(store).run_ids.union(tail))


def pending_ids(store: Store) -> list[str]:
    """List the ids of the runs that have no receipt."""
    tail, receipts = ids(store, layout.RUNS), ids(store, layout.RECEIPTS)
    return sorted(set(tail) - set(receipts) - checkpoints.load(store).run_ids)


def read_all(
    store: Store, run_ids: Iterable[str], tickers: Collection[str] | None = None
) -> list[Manifest]:
    """Read manifests, sorted from the oldest to the newest, without the blobs that are lost.

    Args:
        store: where they are.
        run_ids: the runs to read.
        tickers: the tickers to keep; None keeps all.
    """
    wanted = list(run_ids)
    reader = Reader(store, checkpoints.load(store))

    def each() -> Iterator[Manifest]:
        for run_id, data in reader.documents(wanted, tickers):
            yield parse(run_id, data)
        for run_id in wanted:
            if run_id not in reader.checkpoint.run_ids:
                manifest = read(store, run_id)
                yield manifest if tickers is None else cut(manifest, tickers)

    return without_lost(each())


def pending(lake: Lake) -> list[Manifest]:
    """Read the manifests that histories lack, sorted from the oldest to the newest."""
    from tickerlake.lake import backlog

    return list(backlog.read(lake.store, backlog.survey(lake.store)).manifests)


def ids(store: Store, prefix: str) -> list[str]:
    """List the run ids that the keys below a prefix name, sorted."""
    return sorted(layout.run_id(key) for key in store.keys(prefix))


def encode(model: BaseModel) -> bytes:
    """Return a manifest or a receipt as it is stored."""
    return model.model_dump_json(indent=1, exclude_defaults=False).encode() + b"\n"
