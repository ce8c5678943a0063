"""Wiring of what people look at: `show` and the report. See `app`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tickerlake.progress import Counter, Progress
from tickerlake.settings import LAKE, WORKERS

if TYPE_CHECKING:
    from tickerlake.stages.report.site import Written
    from tickerlake.stages.show import Shown


def show(
    tickers: Sequence[str],
    period: str,
    lake: str = LAKE,
    workers: int = WORKERS,
    as_of: str | None = None,
) -> "list[Shown]":
    """Read what there is to draw of some tickers; all that the lake holds if none is named.

    `as_of` is a moment, a run's id or a stamp.
    """
    import tickerlake.stages.show
    from tickerlake.lake import open_lake, time_travel

    opened = open_lake(lake)
    state = time_travel.resolve(opened, as_of) if as_of else None
    return tickerlake.stages.show.show(opened, tickers, period, workers, state)


def report(
    lake: str,
    out: str,
    tickers: Sequence[str] = (),
    workers: int = WORKERS,
    progress: Progress = lambda *_: None,
) -> "Written":
    """Write a report on the lake into a folder or a bucket."""
    import tickerlake.stages.report
    from tickerlake.lake import open_lake
    from tickerlake.lake.store import open_store

    opened = open_lake(lake)
    return tickerlake.stages.report.report(
        opened,
        open_store(out, create=True),
        tickers,
        workers=workers,
        progress=Counter(progress).one_more,
    )


def single_report(
    lake: str,
    tickers: Sequence[str] = (),
    workers: int = WORKERS,
    progress: Progress = lambda *_: None,
) -> bytes:
    """Return a report on the lake as one file."""
    import tickerlake.stages.report
    from tickerlake.lake import open_lake

    return tickerlake.stages.report.single(
        open_lake(lake), tickers, workers=workers, progress=Counter(progress).one_more
    )
