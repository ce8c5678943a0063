"""Tables as no market makes them, for whoever computes something from them."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
from helpers import bar

from tickerlake.lake.tables import TABLES
from tickerlake.market import features
from tickerlake.market.bars import HISTORY, RAW


def odd_tables(_: object = None) -> dict[str, pl.DataFrame]:
    """Short weeks, halts, unknown opens, ties, negative prices, foreign and huge dividends."""
    dice = random.Random(7)
    daily, listings = [], []
    for number, ticker in enumerate(["A", "B", "C=F", "^D", "E", "ONE"]):
        days = [date(2019, 12, 20) + timedelta(days=n) for n in range(420)]
        days = [day for day in days if day.weekday() < 5 and dice.random() > 0.1]
        if ticker == "ONE":
            days = days[:1]
        close, bars = 100.0, []
        for day in days:
            close = 100.0 if ticker == "E" else round(close + dice.choice([-1, 0, 0.5, 1]), 2)
            close -= 150.0 if ticker == "C=F" and day == date(2020, 4, 20) else 0
            dividend = dice.choice([0.0] * 20 + [0.3, 500.0])
            bars.append(
                {
                    "session": day,
                    "open": dice.choice([None, close, close - 0.25]),
                    "high": close + dice.choice([0, 0.5]),
                    "low": close - dice.choice([0.25, 0.5]),
                    "close": close,
                    "volume": dice.choice([0, 10, 10, 300]),
                    "dividend": dividend,
                    "capital_gain": dice.choice([0.0] * 20 + [0.1]),
                    "split": dice.choice([1.0] * 40 + [2.0, 1 / 3]),
                    "currency": "EUR" if ticker == "B" else "USD",
                    "dividend_currency": dice.choice([None, None, "USD", "+0.5 USD"])
                    if dividend
                    else None,
                    "source": "test",
                    "as_of": None,
                    "basis_factor": 1.0,
                    "flags": "",
                }
            )
        frame = features.daily(pl.DataFrame(bars, schema=HISTORY))
        daily.append(frame.select(pl.lit(ticker).alias("ticker"), pl.all()))
        gaps = [] if number % 2 else [date(2020, 1, 2), date(2020, 5, 4)]
        kind = "INDEX" if ticker == "^D" else None if ticker == "E" else "EQUITY"
        said = {"instrument_type": kind, "gaps": gaps, "exchange": "X", "events": []}
        listings.append({"ticker": ticker, **said})
    listings[0]["events"], listings[1]["events"] = list(happened()), RESTATED
    schema = {"ticker": pl.String(), **TABLES["tickers"].schema}
    tickers = pl.DataFrame(listings, schema=schema)
    return {"daily": pl.concat(daily), "tickers": tickers, "raw": versions(dice)}


SPLITS = {("A", date(2020, 1, 8)): 2.0, ("A", date(2020, 1, 9)): 1 / 3}
KNOWN = {("A", date(2020, 1, 8)): 4, ("A", date(2020, 1, 9)): 7}
"""The numbers of the runs that first saw the splits."""


def run(number: int) -> dict[str, object]:
    return {"run_id": f"run-{number:02}", "as_of": datetime(2020, 2, 1 + number, tzinfo=UTC)}


RESTATED = [
    {**run(6), "event": "restated", "detail": "prices"},
    {**run(9), "event": "retired", "session": date(2020, 2, 9)},
]


def happened() -> Iterator[dict[str, object]]:
    """What the ticker A's row of `tickers` says has happened, besides."""
    yield {**run(0), "event": "renamed_from", "detail": "Z"}
    for (_, day), number in sorted(KNOWN.items()):
        split = {"session": day, "old": 1.0, "new": SPLITS["A", day]}
        yield {**run(number), "event": "split", **split}


def versions(dice: random.Random) -> pl.DataFrame:
    """Deliveries of a few bars, on the basis of their day: wobbles, corrections, late splits."""
    rows = []
    for number in range(12):
        for ticker in ("A", "B"):
            for day in range(6, 11):
                session = date(2020, 1, day)
                if dice.random() < 0.5:
                    continue
                factor = math.prod(
                    ratio
                    for (each, ex_date), ratio in SPLITS.items()
                    if each == ticker and ex_date > session and KNOWN[each, ex_date] <= number
                )
                split = SPLITS.get((ticker, session), 1.0)
                split = split if number >= KNOWN.get((ticker, session), 99) else 1.0
                price = dice.choice([60.0] * 9 + [60.00001, 61.0, 66.0]) / factor
                opened = dice.choice([price] * 9 + [None])
                volume = round(dice.choice([3000] * 9 + [3001]) * factor)
                rows.append(
                    {"ticker": ticker, **run(number)}
                    | bar(session, price, open=opened, split=split, volume=volume)
                )
    schema = {"ticker": pl.String(), "run_id": pl.String(), "as_of": HISTORY["as_of"], **RAW}
    return pl.DataFrame(rows, schema=schema)
