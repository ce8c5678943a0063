"""Recorded answers of Yahoo, through the real client, against a plain reading of the same JSON.

The environment variable TICKERLAKE_RECORDED_ANSWERS names a folder of bodies of
`/v8/finance/chart/SYMBOL?interval=1d`, one a file (`*.json`).
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from helpers import new_lake

from sources.served import NEW_YORK, Served
from tickerlake.errors import UnknownSymbolError
from tickerlake.lake import history
from tickerlake.sources import Fetched
from tickerlake.sources.yahoo import Yahoo
from tickerlake.stages import extract, transform, verify

FOLDER = os.environ.get("TICKERLAKE_RECORDED_ANSWERS")
if not FOLDER:
    pytest.skip("TICKERLAKE_RECORDED_ANSWERS is not set", allow_module_level=True)

PRICES = ("open", "high", "low", "close")
EVERYTHING = date(1900, 1, 1), date(2100, 1, 1)


@dataclass
class Row:
    """What an answer says of one session; nothing, at first."""

    prices: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(PRICES))
    volume: float | None = None
    dividend: float = 0.0
    capital_gain: float = 0.0
    split: float = 1.0


@dataclass
class Reading:
    """A plain reading of one answer: every row and event by the date of its moment."""

    symbol: str
    currency: str | None
    rows: dict[date, Row]


def read(path: Path) -> Reading | None:
    """Read a file; None when the answer is an error."""
    results = json.loads(path.read_bytes())["chart"]["result"]
    if not results:
        return None
    (result,) = results
    meta, events = result["meta"], result.get("events") or {}
    zone = ZoneInfo(meta["exchangeTimezoneName"])
    rows: dict[date, Row] = {}

    def row(moment: int) -> Row:
        # the negative moments of before 1970 are fine with a sum
        local = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(seconds=moment)
        return rows.setdefault(local.astimezone(zone).date(), Row())

    (quote,) = result["indicators"]["quote"]
    for number, moment in enumerate(result.get("timestamp") or ()):
        prices = {name: quote[name][number] for name in PRICES}
        if any(price is not None for price in prices.values()) or row(moment) == Row():
            row(moment).prices = prices
            row(moment).volume = quote["volume"][number]
    for dividend in (events.get("dividends") or {}).values():
        row(dividend["date"]).dividend += dividend["amount"]
    for gain in (events.get("capitalGains") or {}).values():
        row(gain["date"]).capital_gain += gain["amount"]
    for split in (events.get("splits") or {}).values():
        row(split["date"]).split *= split["numerator"] / split["denominator"]
    return Reading(meta["symbol"], meta.get("currency"), dict(sorted(rows.items())))


def differences(reading: Reading, rows: Mapping[date, Mapping[str, Any]]) -> list[str]:
    """What rows (columns as in `market.bars.RAW`, by session) have otherwise than an answer."""
    found = [f"{day}: lost" for day in reading.rows.keys() - rows.keys()]
    found += [f"{day}: invented" for day in rows.keys() - reading.rows.keys()]
    for day in reading.rows.keys() & rows.keys():
        want, got = reading.rows[day], rows[day]
        wanted = {
            **want.prices,
            "volume": want.volume,
            "dividend": want.dividend,
            "capital_gain": want.capital_gain,
            "split": want.split,
            "currency": reading.currency,
            "dividend_currency": None,
        }
        for name, value in wanted.items():
            is_price = isinstance(value, float) and name not in ("volume", "split")
            same = got[name] == (pytest.approx(value, rel=5.1e-6) if is_price else value)
            found += [] if same else [f"{day}: {name} is {got[name]}, should be {value}"]
    return sorted(found)


def fetch(served: Served, client: Yahoo, path: Path, symbol: str) -> Fetched:
    error = json.loads(path.read_bytes())["chart"]["error"]
    statuses = {"Bad Request": 400, "Not Found": 404}
    status = statuses.get(error["code"], 500) if error else 200
    served.answers[symbol] = (status, path.read_bytes())
    return client.fetch(symbol, *EVERYTHING, NEW_YORK)


FILES = sorted(Path(FOLDER).glob("*.json"))
CHARTS = [path for path in FILES if read(path)]
LONG = [path for path in CHARTS if len(read(path).rows) > 3]
ERRORS = [path for path in FILES if path not in CHARTS]


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.stem)
def test_nothing_is_lost_and_nothing_is_invented(served: Served, client: Yahoo, path: Path) -> None:
    reading = read(path)
    fetched = fetch(served, client, path, reading.symbol)
    rows = {row["session"]: row for row in fetched.bars.iter_rows(named=True)}
    assert fetched.bars.height == len(rows), "a session is there twice"
    assert differences(reading, rows) == []
    assert fetched.listing.currency == reading.currency


@pytest.mark.parametrize("path", LONG, ids=lambda path: path.stem)
def test_any_part_of_it_is_the_same_as_in_the_whole(
    served: Served, client: Yahoo, path: Path
) -> None:
    reading = read(path)
    whole = fetch(served, client, path, reading.symbol)
    days = sorted(reading.rows)
    first, last = days[len(days) // 3], days[len(days) * 2 // 3]
    part = client.fetch(reading.symbol, first, last, "Asia/Tokyo")
    assert part.bars.equals(whole.bars.filter(whole.bars["session"].is_between(first, last)))
    before = whole.bars.filter(whole.bars["session"] < first)["close"].drop_nulls()
    assert before.is_empty() or part.previous_close == before[-1]


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_an_error_is_told_or_is_nothing_new(served: Served, client: Yahoo, path: Path) -> None:
    told = json.loads(path.read_bytes())["chart"]["error"]["description"]
    if "Data doesn't exist" in told:
        assert fetch(served, client, path, "X").bars.is_empty()
    else:
        with pytest.raises(UnknownSymbolError, match=told):
            fetch(served, client, path, "X")


# ---- in a lake


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.stem)
def test_in_a_lake_every_difference_is_flagged(served, client, path, tmp_path):
    reading = read(path)
    bars = {day: row for day, row in reading.rows.items() if any(row.prices.values())}
    if not bars:
        pytest.skip("it has no bar")
    served.answers[reading.symbol] = (200, path.read_bytes())
    lake = new_lake(str(tmp_path / "lake"), "year")
    # three days later every session is over
    as_of = datetime.combine(max(bars), time(23), UTC) + timedelta(days=3)
    extract.extract(lake, client, [reading.symbol], as_of=as_of, start=min(bars), workers=1)
    assert transform.transform(lake).exit_code == 0
    assert verify.verify(lake, workers=1) == []
    held = history.load(lake, reading.symbol)
    refused = {each.session for each in held.rejected}
    rows = {row["session"]: row for row in held.bars.iter_rows(named=True)}
    assert rows.keys() | refused == bars.keys()
    assert not rows.keys() & refused
    for day, row in rows.items():
        flags = set(row["flags"].split(","))
        for name in PRICES:
            same = row[name] == pytest.approx(bars[day].prices[name] or None, rel=5.1e-6)
            assert same or flags & {"range_widened", "range_unknown", "open_unknown"}, (day, name)
        assert row["close"] == pytest.approx(bars[day].prices["close"], rel=5.1e-6)
        assert row["volume"] == (bars[day].volume or 0)
        assert row["currency"] == reading.currency
    paid = [row.dividend for day, row in reading.rows.items() if day <= max(rows)]
    assert held.bars["dividend"].sum() == pytest.approx(sum(paid), rel=1e-5)
    ratios = [row.split for day, row in reading.rows.items() if day <= max(rows)]
    assert held.bars["split"].product() == pytest.approx(math.prod(ratios))
