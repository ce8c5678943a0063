"""Engines: the ways to spread the work on tickers. One kernel, the same lake byte for byte.

An engine is given a function and a task for each ticker; it says how each ended. Tickers share
nothing but the lake, whose keys are deterministic and whose histories are replaced conditionally.
So a task may be done twice, at the same time or after its worker was lost, and nothing changes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tickerlake.lake import Lake
    from tickerlake.lake.backlog import Settled
    from tickerlake.lake.manifests import Manifest

Kind = Literal["refresh", "derive", "rebuild"]


@dataclass(frozen=True)
class Task:
    """What is to be done for one ticker; `lake.refresh` has a function for each kind.

    Attributes:
        ticker: which.
        manifests: sorted, and cut down to the ticker: those that are pending for a refresh, else
            all of them.
        bars: an estimate of the work: how many are held and delivered.
        kind: what to do.
        settled: the runs that are known to be done; None when nothing is known.
        version: of the history before the manifests were listed; a refresh does not need it.
        partitions: for a rebuild those that exist, else those to put in any case.
    """

    ticker: str
    manifests: tuple["Manifest", ...]
    bars: int
    kind: Kind = "refresh"
    settled: "Settled | None" = None
    version: str | None = None
    partitions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refreshed:
    """How the transform of one ticker ended.

    Attributes:
        ticker: which.
        partitions: of `daily` that were put or deleted.
        error: why it failed; '' when it did not.
        damaged: the key of the object that is damaged, if that is why.
        is_late: it has to be derived from all its manifests; nothing was done.
        overtook: another process may still be writing these partitions.
        version: of the history that the partitions were made from.
    """

    ticker: str
    partitions: tuple[str, ...] = ()
    error: str = ""
    damaged: str = ""
    is_late: bool = False
    overtook: bool = field(default=False, compare=False)
    version: str | None = field(default=None, compare=False)


Work = Callable[["Lake", Task], Refreshed]
"""Does a task, in whatever thread or process it is called; pickled by its name."""

Engine = Callable[["Lake", Work, Sequence[Task]], Iterator[Refreshed]]
"""Does the tasks, in any order; raises what makes it pointless to go on."""
