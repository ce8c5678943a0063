"""The fold that defines a ticker's history: what the runs delivered, oldest first. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from tickerlake.lake.manifests import Order
from tickerlake.market import splits
from tickerlake.market.bars import HISTORY, RAW


@dataclass(frozen=True)
class Delivery:
    """What one run delivers of one ticker: bars (`schema.RAW`), all on one split basis."""

    order: Order
    start: date
    splits: Mapping[date, float]
    bars: pl.DataFrame


@dataclass(frozen=True)
class History:
    """The newest version of every bar (`schema.HISTORY`, sorted by session) on one split basis.

    `splits` are all that are known, by ex-date; `last` orders the newest delivery folded in.
    `contested` counts the times that a run put partitions of this very state again, having lost a
    race: it makes a new version of the object for all others that are about to replace it.
    """

    bars: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HISTORY))
    splits: Mapping[date, float] = field(default_factory=dict)
    last: Order | None = None
    contested: int = 0


def fold(history: History, delivery: Delivery) -> History:
    """Add a delivery that is newer than all that the history has seen."""
    changed = splits.changes(history.splits, delivery.splits, delivery.start)
    kept = history.bars.join(delivery.bars, on="session", how="anti")
    arrived = delivery.bars.select(
        *RAW,
        as_of=pl.lit(delivery.order[0], dtype=HISTORY["as_of"]),
        basis_factor=pl.lit(1.0),
    )
    earlier = {day: ratio for day, ratio in history.splits.items() if day < delivery.start}
    return History(
        bars=pl.concat([splits.rebase(kept, changed), arrived]).sort("session"),
        splits=dict(sorted({**earlier, **delivery.splits}.items())),
        last=delivery.order,
    )
