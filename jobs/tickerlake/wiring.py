"""The parts that `app` connects: source, engine and catalog, made from settings.

Heavy imports are inside the functions, so that checking settings stays cheap.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tickerlake.settings import EngineName, SourceSettings

if TYPE_CHECKING:
    from tickerlake.engines import Engine
    from tickerlake.lake import Lake
    from tickerlake.sources import Source

RETRIES: Final = 4
"""How often a failed request is retried."""


@contextmanager
def source(
    settings: SourceSettings, workers: int, retries: int = RETRIES
) -> "Iterator[tuple[Source, datetime]]":
    """Open the source; yield it and its current time."""
    from contextlib import ExitStack

    from tickerlake.sources.yahoo import Yahoo

    moment, url = settings.as_of, settings.yahoo_url
    with ExitStack() as stack:
        if settings.offline:
            from tickerlake.sources.replay import END, Replay

            moment = moment or END
            url = stack.enter_context(Replay(now=moment)).url
        elif url and not moment:
            from tickerlake.sources.replay import clock

            moment = clock(url)
        rate = settings.requests_per_second
        yahoo = Yahoo(url=url, requests_per_second=rate, workers=workers, retries=retries)
        yield stack.enter_context(yahoo), moment or datetime.now(UTC)


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
