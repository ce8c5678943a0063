"""The keys of the lake: where everything is. No other module builds or parses a key."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

from tickerlake.market import symbols

if TYPE_CHECKING:
    import polars as pl

Grain = Literal["day", "month", "year"]
GRAINS: Final = get_args(Grain)

LAKE: Final = "_lake.json"
RAW: Final = "raw/"
RUNS: Final = "raw/_runs/"
QUARANTINE: Final = "quarantine/"
HISTORY: Final = "history/"
DAILY: Final = "refined/daily/"
TICKERS: Final = "tickers/"
RECEIPTS: Final = "refined/_runs/"
BEHIND: Final = "refined/_behind/"
RECHECK: Final = "refined/_recheck/"
STARTS: Final = "refined/_starts/"
LOST: Final = "raw/_lost/"
INDEX: Final = "refined/_index.json"
LOG: Final = "_log/"
CHECKPOINT: Final = "_log/checkpoint.parquet"
ENTRIES: Final = "_log/entries/"
ARCHIVE: Final = "_log/runs/"

PACK: Final = "pack.parquet"

DIGEST: Final = r"^[0-9a-f]{32}$"
"""What the name of a blob looks like."""

_RUN_ID: Final = r"[0-9]{8}T[0-9]{12}Z-[0-9a-f]{6}"
_DATE: Final = r"date=[0-9]{4}(-[0-9]{2}){0,2}"
_TICKER: Final = r"ticker=[^/]+"
_OBJECTS: Final = {
    RUNS: rf"{_RUN_ID}\.json",
    LOST: rf"{_RUN_ID}\.json",
    RAW: rf"{_DATE}/{_TICKER}/([0-9a-f]{{32}}|pack)\.parquet",
    QUARANTINE: rf"{_DATE}/{_TICKER}/[0-9a-f]{{32}}\.parquet",
    HISTORY: rf"{_TICKER}/history\.parquet",
    DAILY: rf"{_DATE}/{_TICKER}/data\.parquet",
    TICKERS: rf"{_TICKER}/data\.parquet",
    RECEIPTS: rf"{_RUN_ID}\.json",
    BEHIND: rf"{_TICKER}/{_RUN_ID}\.json",
    RECHECK: rf"{_RUN_ID}\.json",
    STARTS: rf"{_RUN_ID}-[0-9]+\.json",
    LOG: r"checkpoint\.parquet",
    ENTRIES: rf"{_RUN_ID}-([0-9]+|tickers)\.parquet",
    ARCHIVE: rf"{_RUN_ID}\.json",
}
"""What the keys below each prefix look like; the longer of two prefixes decides."""

_FOLDERS: Final = {
    prefix[:end] for prefix in _OBJECTS for end, each in enumerate(prefix) if each == "/"
}

UNITS: Final[dict[Grain, str]] = {"day": "D", "month": "M", "year": "Y"}
"""NumPy's units of dates; a date of such a unit prints as the partition column does."""

_FORMATS: Final = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


def partition(grain: Grain) -> "pl.Expr":
    """Return the value of the partition column `date` for the column `session`."""
    import polars as pl

    return pl.col("session").dt.to_string(_FORMATS[grain])


def partition_of(session: date, grain: Grain) -> str:
    """Return the same for one session."""
    return session.strftime(_FORMATS[grain])


def blob(prefix: str, date: str, ticker: str, digest: str) -> str:
    """Key of an immutable object under `RAW` or `QUARANTINE`."""
    return f"{prefix}date={date}/ticker={symbols.encode(ticker)}/{digest}.parquet"


def pack(date: str, ticker: str) -> str:
    """Key of the pack of a partition of `raw`."""
    return f"{RAW}date={date}/ticker={symbols.encode(ticker)}/{PACK}"


def history(ticker: str) -> str:
    """Key of a ticker's history."""
    return f"{HISTORY}ticker={symbols.encode(ticker)}/history.parquet"


def daily(date: str, ticker: str) -> str:
    """Key of a partition of the table `daily`."""
    return f"{DAILY}date={date}/ticker={symbols.encode(ticker)}/data.parquet"


def listing(ticker: str) -> str:
    """Key of a ticker's row of the table `tickers`."""
    return f"{TICKERS}ticker={symbols.encode(ticker)}/data.parquet"


def run(run_id: str) -> str:
    """Key of a run's manifest."""
    return f"{RUNS}{run_id}.json"


def receipt(run_id: str) -> str:
    """Key of the receipt for a run's manifest."""
    return f"{RECEIPTS}{run_id}.json"


def lost(run_id: str) -> str:
    """Key of what is left of a manifest that could not be read."""
    return f"{LOST}{run_id}.json"


def archived(run_id: str) -> str:
    """Key of a manifest that the checkpoint contains."""
    return f"{ARCHIVE}{run_id}.json"


def entries(name: str) -> str:
    """Key of an object that the checkpoint names."""
    return f"{ENTRIES}{name}.parquet"


def behind(ticker: str, run_id: str) -> str:
    """Key of the note that a run is not in a ticker's history, though it has a receipt."""
    return f"{BEHIND}ticker={symbols.encode(ticker)}/{run_id}.json"


def recheck(note_id: str) -> str:
    """Key of the note that partitions must be written again."""
    return f"{RECHECK}{note_id}.json"


def is_object(key: str) -> bool:
    """Return whether a key is that of an object of a table, a run or a note.

    >>> is_object("history/ticker=AAPL/history.parquet"), is_object("history/ticker=AAPL")
    (True, False)
    """
    prefix = max((each for each in _OBJECTS if key.startswith(each)), key=len, default=None)
    if prefix is None or not re.fullmatch(_OBJECTS[prefix], key.removeprefix(prefix)):
        return False
    encoded = re.search(r"/ticker=([^/]+)/", f"/{key}")
    return encoded is None or symbols.encode(symbols.decode(encoded[1])) == encoded[1]


def is_run_id(text: str) -> bool:
    """Return whether a text is a run's id.

    >>> is_run_id("20261120T223005123456Z-70b0bb"), is_run_id("2026-11-20")
    (True, False)
    """
    return bool(re.fullmatch(_RUN_ID, text))


def committed_at(run_id: str) -> datetime:
    """Return the moment (UTC) of a run's commit; it saw the market at that moment or before.

    >>> committed_at("20261120T223005123456Z-70b0bb")
    datetime.datetime(2026, 11, 20, 22, 30, 5, 123456, tzinfo=datetime.timezone.utc)
    """
    moment, _, _ = run_id.partition("-")
    return datetime.strptime(moment, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


def is_alien(key: str) -> bool:
    """Return whether a key lies in a folder of the lake, but does not belong to the lake.

    >>> is_alien("raw/_runs/notes.txt"), is_alien("history/ticker=AAPL/history.parquet")
    (True, False)
    """
    # the S3 console creates an empty object for a folder
    return key in _FOLDERS or (key.startswith(tuple(_OBJECTS)) and not is_object(key))


def is_stray(key: str) -> bool:
    """Return whether an engine that reads a table's folder would mistake a key for part of it.

    Engines leave out names that begin with a dot or an underscore.

    >>> is_stray("history/ticker=AAPL/history 2.parquet"), is_stray("history/_SUCCESS")
    (True, False)
    """
    name = key.rpartition("/")[2]
    in_table = key.startswith((RAW, QUARANTINE, HISTORY, DAILY, TICKERS)) and not key.startswith(
        (RUNS, LOST)
    )
    is_hidden = name.startswith((".", "_")) and not name.endswith(".parquet")
    return in_table and name != "" and is_alien(key) and not is_hidden


def grain_of(date_values: Iterable[str]) -> Grain | None:
    """Return the grain that most partitions have; None when there are none.

    >>> grain_of(["2012-02", "2012-03", "2012"])
    'month'
    """
    grains: dict[int, Grain] = {10: "day", 7: "month", 4: "year"}
    found = Counter(grains.get(len(value)) for value in date_values)
    return found.most_common(1)[0][0] if found else None


def check_partition(date_value: str) -> str:
    """Return a value of the partition column `date`.

    Raises:
        ValueError: it is none at any grain.
    """
    if not re.fullmatch(_DATE.removeprefix("date="), date_value):
        raise ValueError(f"{date_value!r} is not a partition")
    sessions(date_value)
    return date_value


def sessions(date_value: str) -> tuple[date, date]:
    """Return the first and the last day of a partition.

    >>> sessions("2012-02")
    (datetime.date(2012, 2, 1), datetime.date(2012, 2, 29))
    """
    year, month, day = (*map(int, date_value.split("-")), 0, 0)[:3]
    first = date(year, month or 1, day or 1)
    if day:
        return first, first
    last = date(year, month or 12, 1)
    return first, (last.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def run_id(key: str) -> str:
    """The run that a manifest's or a receipt's key names."""
    return key.rpartition("/")[2].removesuffix(".json")


def digest(key: str) -> str:
    """The digest that a blob's key names."""
    return key.rpartition("/")[2].removesuffix(".parquet")


def folder(key: str) -> str:
    """What the keys of a partition have in common, up to the last slash."""
    return key.rpartition("/")[0] + "/"


def values(key: str) -> dict[str, str]:
    """The partition values in a key, decoded: `{"date": "2026-11-20", "ticker": "^GSPC"}`."""
    pairs = (part.split("=", 1) for part in key.split("/") if "=" in part)
    return {name: symbols.decode(value) for name, value in pairs}
