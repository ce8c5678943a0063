"""Wiring: which source, which engine, which catalog, which tickers."""

from pathlib import Path

from tickerlake.errors import UsageError
from tickerlake.lake.store import open_store
from tickerlake.market import symbols


def read_universe(location: str) -> list[str]:
    """Read a universe: a symbol a line, `#` starts a comment.

    Args:
        location: a file, or `s3://bucket/key`.

    Raises:
        UsageError: it can't be read or names no symbol.
        BadSymbolError: names every malformed symbol in it.
        StoreError: S3 refuses, or can't be reached.
    """
    try:
        lines = _read(location).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read the universe file {location}: {error}") from error
    entries = [text for line in lines if (text := line.partition("#")[0].strip())]
    if not entries:
        raise UsageError(f"the universe file {location} names no ticker; write one symbol a line")
    return symbols.parse(entries)


def _read(location: str) -> bytes:
    if "://" not in location:
        return Path(location).read_bytes()
    folder, _, name = location.rpartition("/")
    data = open_store(folder).get(name)
    if data is None:
        raise FileNotFoundError("there is no such object")
    return data
