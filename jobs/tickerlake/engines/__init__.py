"""Engines: the ways to spread the work on tickers. One kernel, the same lake byte for byte.

An engine is given a function, and a task a ticker; it says how each ended. Tickers share nothing
but the lake, whose keys are deterministic and whose histories are replaced conditionally. So a task
may be done twice, at the same time or after its worker was lost, and nothing changes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickerlake.lake import Lake
    from tickerlake.lake.manifests import Manifest


@dataclass(frozen=True)
class Task:
    """What is to be done for one ticker.

    `manifests` are sorted, and cut down to the ticker: those that are pending, or all of them for a
    rebuild. `stored` are the ticker's partitions that are there, which only a rebuild wants to
    know. `bars` estimates the work: how many are held and delivered.
    """

    ticker: str
    manifests: tuple["Manifest", ...]
    bars: int
    stored: frozenset[str] | None = None


@dataclass(frozen=True)
class Refreshed:
    """How the transform of one ticker ended: its partitions that were put, or why it failed."""

    ticker: str
    partitions: tuple[str, ...] = ()
    error: str = ""


Work = Callable[["Lake", Task], Refreshed]
"""Does a task, in whatever thread or process it is called; pickled by its name."""

Engine = Callable[["Lake", Work, Sequence[Task]], Iterator[Refreshed]]
"""Does the tasks, in any order; raises what makes it pointless to go on."""
