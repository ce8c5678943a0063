"""Universe: which tickers a run is for."""

from pathlib import Path

from tickerlake.errors import NoLakeError, StoreError, UsageError
from tickerlake.settings import ExtractSettings


def tickers(settings: ExtractSettings) -> list[str]:
    """Return the tickers of a run.

    The first of these that exists: the tickers given, the universe, the tickers that the lake
    holds, and, offline, all recorded tickers. Of these, those of the run's shard.

    Raises:
        UsageError: no ticker is known, one is malformed, or the shard has none.
    """
    found, shard = _all(settings), settings.shard
    kept = [ticker for ticker in found if shard is None or shard.has(ticker)]
    if not kept:
        raise UsageError(
            f"--shard {shard} has none of the {len(found):,} tickers: share them among fewer"
            " machines"
        )
    return kept


def _all(settings: ExtractSettings) -> list[str]:
    from tickerlake.market import symbols

    if settings.tickers:
        return symbols.parse(settings.tickers)
    if settings.universe:
        return read_universe(settings.universe)
    if held := _held(settings.lake):
        return held
    if settings.source.offline:
        return _recorded()
    raise UsageError(
        "which tickers? Name them (AAPL MSFT), or give --tickers AAPL,MSFT or --universe FILE"
    )


def known(settings: ExtractSettings) -> list[str]:
    """Return existing tickers, as suggestions for misspelt ones."""
    return sorted({*_held(settings.lake), *_recorded()})


def _recorded() -> list[str]:
    from tickerlake.sources.replay import recording

    tickers: list[str] = recording.load()["ticker"].unique().sort().to_list()
    return tickers


def read_universe(location: str) -> list[str]:
    """Read a universe: one symbol per line, `#` starts a comment.

    Args:
        location: a file, or `s3://bucket/key`.

    Raises:
        UsageError: it can't be read or names no symbol.
        BadSymbolError: names the malformed symbols in it.
    """
    from tickerlake.market import symbols

    try:
        # an editor's byte-order mark is not part of a symbol
        lines = _read(location).decode("utf-8-sig").splitlines()
    except (OSError, StoreError, ValueError) as error:
        raise UsageError(f"can't read the universe file {location}: {error}") from error
    entries = [text for line in lines if (text := line.partition("#")[0].strip())]
    if not entries:
        raise UsageError(f"the universe file {location} names no ticker; give one symbol per line")
    return symbols.parse(entries)


def _read(location: str) -> bytes:
    if "://" not in location:
        return Path(location).read_bytes()
    from tickerlake.lake.store import open_store

    folder, _, name = location.rpartition("/")
    if not folder.startswith("s3://") or not name:
        raise UsageError(f"can't read the universe {location}: give a file or s3://bucket/key")
    data = open_store(folder).get(name)
    if data is None:
        raise FileNotFoundError("there is no such object")
    return data


def _held(url: str) -> list[str]:
    import tickerlake.stages.held
    from tickerlake.lake import open_lake

    try:
        return tickerlake.stages.held.tickers(open_lake(url))
    except NoLakeError:
        return []
