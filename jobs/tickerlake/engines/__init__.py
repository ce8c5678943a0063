"""Engines: ways to distribute the work. All run the same code and leave the same bytes in the lake.

An engine gets a function and one task per ticker, and reports how each task ended. Tickers share
nothing but the lake, whose keys are deterministic and whose histories are replaced conditionally.
So it does no harm if a task runs twice, at the same time or after its worker was lost.

Names of tickers move, and nothing that grows with tickers times runs: whoever works on tickers
reads what the manifests say about them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickerlake.lake import Lake


@dataclass(frozen=True)
class Task:
    """The work on one ticker.

    Attributes:
        ticker: its symbol.
        bars: an estimate of the work: how many bars are held and delivered.
        behind: the runs that have a receipt, but are not in its history.
        version: the history's version tag before the manifests were listed; a refresh does not
            need it.
        partitions: for a rebuild those that exist, otherwise those to write in any case.
    """

    ticker: str
    bars: int
    behind: tuple[str, ...] = ()
    version: str | None = None
    partitions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refreshed:
    """How the transform of one ticker ended.

    Attributes:
        ticker: its symbol.
        partitions: the parts (see `lake.derived`) that were written or deleted.
        error: why it failed; '' when it did not.
        damaged: the key of the object that is damaged, if that is why.
        is_late: nothing was done, because it has to be derived from all its manifests.
        overtook: another process may still be writing these partitions.
        version: the version tag of the history that the partitions were made from.
        known: what that history says to the next extraction (`lake.index.encode`).
    """

    ticker: str
    partitions: tuple[str, ...] = ()
    error: str = ""
    damaged: str = ""
    is_late: bool = False
    overtook: bool = field(default=False, compare=False)
    version: str | None = field(default=None, compare=False)
    known: str | None = field(default=None, compare=False)


Work = Callable[["Lake", Sequence[Task]], Callable[[Task], Refreshed]]
"""Prepares for tasks, and returns what does one of them, in the thread that calls it; pickled by
its name. A process may get the tasks in several parts: each is prepared for."""

Engine = Callable[["Lake", Work, Sequence[Task]], Iterator[Refreshed]]
"""Does the tasks, in any order; raises errors that make it pointless to continue."""
