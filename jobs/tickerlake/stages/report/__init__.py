"""Report: the lake as pages of HTML, which need neither a network nor a server."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, TypeVar

from tickerlake.errors import UsageError
from tickerlake.lake import Lake, blobs, layout, manifests, present
from tickerlake.lake.manifests import Manifest
from tickerlake.lake.present import Present
from tickerlake.market import symbols
from tickerlake.stages.check import Problem, check
from tickerlake.stages.facts import Facts, facts
from tickerlake.stages.report import breadth, cards, pages
from tickerlake.stages.report.cards import Card
from tickerlake.stages.report.pages import Overview, Pages
from tickerlake.stages.report.site import Site, Written, page_key
from tickerlake.stages.status import Status, Ticker, expect, status

if TYPE_CHECKING:
    from tickerlake.lake.store import Store

RUNS: Final = 30
"""How many of the last runs are shown."""

T = TypeVar("T")

Ended = Callable[[str], object]
"""Called with each ticker that is done."""


@dataclass(frozen=True)
class _Source:
    """What the pages are made from."""

    seen: Present
    held: Status
    problems: Sequence[Problem]
    runs: Sequence[Manifest]
    revised: dict[str, set[date]]


def report(
    lake: Lake, store: "Store", names: Sequence[str], *, workers: int, progress: Ended
) -> Written:
    """Write a report into a folder or a bucket; rewrite only the pages that have changed.

    Args:
        lake: the lake.
        store: where the pages go.
        names: the tickers that it is about; none means all.
        workers: how many tickers are worked on at the same time.
        progress: called with each ticker that is done.

    Raises:
        UsageError: the lake does not hold one of the tickers, or `store` is a lake itself.
        BadSettingError: jinja2 or plotly is not installed.
        StoreError, CorruptObjectError: as their names say.
    """
    if store.get(layout.LAKE) is not None:
        raise UsageError(f"{store.url} is a lake: give another place for the report with --out")
    made = Pages()
    source = _read(lake, names, workers)
    site = Site(store).open()
    for key, data in made.assets():
        site.write(key, data)

    def page(known: Facts, neighbours: pages.Neighbours) -> None:
        body = made.ticker(known, source.revised.get(known.ticker, set()), neighbours)
        title = f"{known.ticker} {known.name}" if known.name != known.ticker else known.ticker
        site.write(page_key(known.ticker), made.document("ticker", title, body))

    shown = [found for found, _ in _each(source, workers, progress, page)]
    site.write(pages.SEARCH, made.search(shown))
    overview, quality = _bodies(made, source, shown)
    site.write("index.html", made.document("overview", "Overview", overview))
    site.write("quality.html", made.document("quality", "Quality", quality))
    return site.close()


def single(lake: Lake, names: Sequence[str], *, workers: int, progress: Ended) -> bytes:
    """Return a report as one file, to be sent by e-mail; see `report`."""
    made = Pages(is_single=True)
    source = _read(lake, names, workers)

    def page(known: Facts, neighbours: pages.Neighbours) -> str:
        return made.ticker(known, source.revised.get(known.ticker, set()), neighbours)

    found = _each(source, workers, progress, page)
    shown = [each for each, _ in found]
    overview, quality = _bodies(made, source, shown)
    tickers = {each.ticker: body for each, body in found}
    return made.single(overview, quality, tickers, shown)


def _read(lake: Lake, names: Sequence[str], workers: int) -> _Source:
    asked = symbols.parse(names)
    seen = present.look(lake)
    expect(seen, asked)
    held = status(lake, workers, names=asked or None, state=seen)
    wanted = {each.ticker for each in held.tickers}
    problems = [each for each in check(lake, workers, state=seen).problems if each.ticker in wanted]
    ids = seen.runs[-RUNS:]
    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(lambda run_id: manifests.read(lake.store, run_id), reversed(ids)))
    return _Source(seen, held, problems, runs, _revised(lake, runs, wanted))


def _revised(lake: Lake, runs: Sequence[Manifest], tickers: set[str]) -> dict[str, set[date]]:
    """Return the sessions that the last runs corrected, by ticker.

    A run's blobs hold new bars and corrected ones; the corrected ones are older.
    """
    found: dict[str, set[date]] = {}
    for run in runs:
        for ticker, entry in run.tickers.items():
            if ticker in tickers and entry.corrected and not entry.restated:
                rows = blobs.read(lake, ticker, entry)["session"].sort().to_list()
                found.setdefault(ticker, set()).update(rows[: entry.corrected])
    return found


def _each(
    source: _Source, workers: int, progress: Ended, make: Callable[[Facts, pages.Neighbours], T]
) -> list[tuple[Card, T]]:
    """Make something of every ticker, in their order."""
    held = source.held.tickers
    before: list[Ticker | None] = [None, *held[:-1]]
    after: list[Ticker | None] = [*held[1:], None]

    def one(each: Ticker, previous: Ticker | None, following: Ticker | None) -> tuple[Card, T]:
        known = facts(each, source.seen.history(each.ticker))
        neighbours = pages.Neighbours(
            previous.ticker if previous else None, following.ticker if following else None
        )
        made = make(known, neighbours)
        progress(each.ticker)
        return cards.card(known, breadth.COLUMNS), made

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, held, before, after))


def _bodies(made: Pages, source: _Source, shown: Sequence[Card]) -> tuple[str, str]:
    overview = Overview(source.held, source.problems, source.runs, shown)
    return made.overview(overview), made.quality(source.problems)
