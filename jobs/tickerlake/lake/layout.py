"""The keys of the lake: where everything lies. Nothing else builds or takes apart a key."""

from datetime import date
from typing import Final, Literal, get_args

import polars as pl

from tickerlake.market import symbols

Grain = Literal["day", "month", "year"]
GRAINS: Final = get_args(Grain)

LAKE: Final = "_lake.json"
RAW: Final = "raw/"
RUNS: Final = "raw/_runs/"
QUARANTINE: Final = "quarantine/"
HISTORY: Final = "history/"
DAILY: Final = "refined/daily/"
RECEIPTS: Final = "refined/_runs/"

_FORMATS: Final = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


def partition(grain: Grain) -> pl.Expr:
    """The value of the partition column `date` for the column `session`."""
    return pl.col("session").dt.to_string(_FORMATS[grain])


def partition_of(session: date, grain: Grain) -> str:
    """The same of one session."""
    return session.strftime(_FORMATS[grain])


def blob(prefix: str, date: str, ticker: str, digest: str) -> str:
    """Key of an immutable object under `RAW` or `QUARANTINE`."""
    return f"{prefix}date={date}/ticker={symbols.encode(ticker)}/{digest}.parquet"


def history(ticker: str) -> str:
    """Key of a ticker's history."""
    return f"{HISTORY}ticker={symbols.encode(ticker)}/history.parquet"


def daily(date: str, ticker: str) -> str:
    """Key of a partition of the table `daily`."""
    return f"{DAILY}date={date}/ticker={symbols.encode(ticker)}/data.parquet"


def run(run_id: str) -> str:
    """Key of a run's manifest."""
    return f"{RUNS}{run_id}.json"


def receipt(run_id: str) -> str:
    """Key of the receipt for a run's manifest."""
    return f"{RECEIPTS}{run_id}.json"


def run_id(key: str) -> str:
    """The run that a manifest's or a receipt's key names."""
    return key.rpartition("/")[2].removesuffix(".json")


def folder(key: str) -> str:
    """What the keys of a partition have in common, up to the last slash."""
    return key.rpartition("/")[0] + "/"


def values(key: str) -> dict[str, str]:
    """The partition values in a key, decoded: `{"date": "2026-11-20", "ticker": "^GSPC"}`."""
    pairs = (part.split("=", 1) for part in key.split("/") if "=" in part)
    return {name: symbols.decode(value) for name, value in pairs}
