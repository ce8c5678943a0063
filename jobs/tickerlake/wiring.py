"""The parts that `app` connects: source, engine and catalog, made from settings.

Heavy imports are inside the functions, so that checking settings stays cheap.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from tickerlake.settings import RECORDED, EngineName, SourceSettings

if TYPE_CHECKING:
    from tickerlake.engines import Engine
    from tickerlake.lake import Lake
    from tickerlake.sources import Fetched, Source
    from tickerlake.sources.yahoo import Yahoo

RETRIES: Final = 4
"""How often a failed request is retried."""


class _OnDemand:
    """A source that is opened when it is first asked: loading yfinance takes seconds."""

    def __init__(self, name: str, connect: "Callable[[], Yahoo]") -> None:
        self.name = name
        self._connect = connect
        self._lock = threading.Lock()
        self._source: Yahoo | None = None

    def _opened(self) -> "Yahoo":
        with self._lock:
            self._source = self._source or self._connect()
            return self._source

    def fetch(self, symbol: str, start: date, end: date, timezone: str) -> "Fetched":
        """See `sources.Source`."""
        return self._opened().fetch(symbol, start, end, timezone)

    def search(self, text: str) -> list[str]:
        """See `Yahoo.search`."""
        return self._opened().search(text)


@contextmanager
def source(
    settings: SourceSettings, workers: int, retries: int = RETRIES
) -> "Iterator[tuple[Source, datetime]]":
    """Yield the source, which is opened when it is first asked, and its current time."""
    moment, url = settings.as_of, settings.yahoo_url
    if settings.offline:
        moment = moment or RECORDED
    elif url and not moment:
        from tickerlake.sources.replay import clock

        moment = clock(url)
    with ExitStack() as stack:

        def connect() -> "Yahoo":
            from tickerlake.sources.yahoo import Yahoo

            place = url
            if settings.offline:
                from tickerlake.sources.replay import Replay

                place = stack.enter_context(Replay(now=moment or RECORDED)).url
            rate = settings.requests_per_second
            return stack.enter_context(
                Yahoo(url=place, requests_per_second=rate, workers=workers, retries=retries)
            )

        yield _OnDemand("yahoo", connect), moment or datetime.now(UTC)


def engine(name: EngineName, workers: int | None) -> "Engine":
    """Return the engine with a name; only `local` uses the workers."""
    if name == "spark":
        from tickerlake.engines import spark

        return spark.spark(spark.session())
    from tickerlake.engines.local import threads

    return threads(workers)


def registering(
    lake: "Lake", database: str | None, *, rebuild: bool
) -> Callable[[Iterable[str]], object]:
    """Return a function that registers keys' partitions in a database of the Data Catalog."""
    if database is None:
        return lambda _: None
    from tickerlake.aws.glue_catalog import Catalog

    catalog = Catalog(lake, database)
    # a rebuild writes and deletes partitions that no new manifest names
    return (lambda _: catalog.sync()) if rebuild else catalog.register
