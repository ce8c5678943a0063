"""What the views should say, computed by Polars and plain Python from the tables' rows."""

import math
from collections.abc import Callable
from datetime import date, timedelta

import polars as pl

from tickerlake.lake.views import VIEWS

Tables = dict[str, pl.DataFrame]
SORTED = ["ticker", "session"]


def latest(tables: Tables) -> pl.DataFrame:
    return tables["daily"].sort("session").group_by("ticker").tail(1)


def _periods(unit: str, first_day: Callable[[date], date], short: str, tables: Tables):
    rows = []
    for ticker, bars in tables["daily"].sort("session").group_by("ticker"):
        cut: dict[date, list[dict]] = {}
        for bar in bars.iter_rows(named=True):
            cut.setdefault(first_day(bar["session"]), []).append(bar)
        before = None
        for day, inside in sorted(cut.items()):
            first, last = inside[0], inside[-1]
            change = total = None
            if before:
                if last["close"] > 0 and before["close"] > 0:
                    change = last["close"] / before["close"] - 1
                worths = last["total_return_index"], before["total_return_index"]
                total = worths[0] / worths[1] - 1 if None not in worths else None
            rows.append(
                {
                    "ticker": ticker[0],
                    unit: day,
                    "first_session": first["session"],
                    "last_session": last["session"],
                    "sessions": len(inside),
                    "open": first["open"],
                    "high": max(bar["high"] for bar in inside),
                    "low": min(bar["low"] for bar in inside),
                    "close": last["close"],
                    "volume": sum(bar["volume"] for bar in inside),
                    "dividend": sum(bar["dividend"] for bar in inside),
                    "capital_gain": sum(bar["capital_gain"] for bar in inside),
                    f"return_1{short}": change,
                    f"total_return_1{short}": total,
                    "currency": last["currency"],
                }
            )
            before = last
    return pl.DataFrame(rows, infer_schema_length=None)


def weekly(tables: Tables) -> pl.DataFrame:
    return _periods("week", lambda day: day - timedelta(days=day.weekday()), "w", tables)


def monthly(tables: Tables) -> pl.DataFrame:
    return _periods("month", lambda day: day.replace(day=1), "m", tables)


def adjusted(tables: Tables) -> pl.DataFrame:
    """Backwards from the newest bar, as vendors do it."""
    rows = []
    for ticker, bars in tables["daily"].sort("session").group_by("ticker"):
        split_factor = adj_factor = 1.0
        inside = bars.to_dicts()
        for number in reversed(range(len(inside))):
            bar = inside[number]
            rows.append(
                {
                    "ticker": ticker[0],
                    "session": bar["session"],
                    "close_as_traded": bar["close"] * split_factor,
                    "volume_as_traded": bar["volume"] / split_factor,
                    "close": bar["close"],
                    **{
                        f"adj_{name}": None if bar[name] is None else bar[name] * adj_factor
                        for name in ("open", "high", "low", "close")
                    },
                    "split_factor": split_factor,
                    "adj_factor": adj_factor,
                }
            )
            split_factor *= bar["split"]
            paid_in = bar["dividend_currency"]
            if number and (paid_in is None or paid_in.startswith("+")):
                cash, before = bar["dividend"] + bar["capital_gain"], inside[number - 1]["close"]
                if 0 < cash < before:
                    adj_factor *= 1 - cash / before
    return pl.DataFrame(rows, infer_schema_length=None)


def breadth(tables: Tables) -> pl.DataFrame:
    types = dict(tables["tickers"].select("ticker", "instrument_type").iter_rows())
    counted = [name for name, kind in types.items() if kind not in ("INDEX", "CURRENCY")]
    rows = []
    daily = tables["daily"].filter(pl.col("ticker").is_in(counted))
    for (session, currency), bars in daily.group_by("session", "currency"):
        inside = bars.to_dicts()
        changes = [bar["return_1d"] for bar in inside if bar["return_1d"] is not None]

        def above(name, inside=inside):
            found = [bar["close"] > bar[name] for bar in inside if bar[name] is not None]
            return sum(found) / len(found) if found else None

        rows.append(
            {
                "session": session,
                "currency": currency,
                "tickers": len(inside),
                "advancers": sum(change > 0 for change in changes),
                "decliners": sum(change < 0 for change in changes),
                "unchanged": sum(change == 0 for change in changes),
                "new_highs": sum(bar["high"] == bar["high_252"] for bar in inside),
                "new_lows": sum(bar["low"] == bar["low_252"] for bar in inside),
                "above_sma_50": above("sma_50"),
                "above_sma_200": above("sma_200"),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def ranks(tables: Tables) -> pl.DataFrame:
    worth = pl.col("total_return_index")
    frame = (
        tables["daily"]
        .sort(SORTED)
        .with_columns(momentum=(worth.shift(21) / worth.shift(252)).over("ticker") - 1)
    )
    ranked = {
        "return_rank": "return_1d",
        "momentum_rank": "momentum",
        "volatility_rank": "volatility_20",
        "volume_rank": "volume",
        "volume_ratio_rank": "volume_ratio_20",
    }
    numbers = [
        pl.when(pl.col(name).count().over("session") > 1)
        .then(
            (pl.col(name).rank("min").over("session") - 1)
            / (pl.col(name).count().over("session") - 1)
        )
        .when(pl.col(name).is_not_null())
        .then(0.0)
        .alias(rank)
        for rank, name in ranked.items()
    ]
    return frame.with_columns(numbers).select(*SORTED, *ranked.values(), *ranked)


def beta(tables: Tables) -> pl.DataFrame:
    moves = {
        ticker[0]: dict(rows.select("session", "return_1d").drop_nulls().sort("session").rows())
        for ticker, rows in tables["daily"].group_by("ticker")
    }
    rows = []
    for ticker, own in moves.items():
        for benchmark, other in moves.items():
            if ticker == benchmark:
                continue
            both = sorted(own.keys() & other.keys())
            for number, session in enumerate(both):
                slope = correlation = None
                if number >= 251:
                    inside = both[number - 251 : number + 1]
                    slope, correlation = _slope(
                        [own[day] for day in inside], [other[day] for day in inside]
                    )
                rows.append((ticker, benchmark, session, slope, correlation))
    schema = ["ticker", "benchmark", "session", "beta_252", "correlation_252"]
    return pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)


def _slope(own: list[float], other: list[float]) -> tuple[float | None, float | None]:
    mean, other_mean = math.fsum(own) / len(own), math.fsum(other) / len(other)
    both = math.fsum((a - mean) * (b - other_mean) for a, b in zip(own, other, strict=True))
    square = math.fsum((a - mean) ** 2 for a in own)
    other_square = math.fsum((b - other_mean) ** 2 for b in other)
    if not other_square:
        return None, None
    return both / other_square, both / math.sqrt(square * other_square) if square else None


def gaps(tables: Tables) -> pl.DataFrame:
    return (
        tables["tickers"]
        .select("ticker", "gaps", "exchange")
        .explode("gaps")
        .drop_nulls("gaps")
        .select("ticker", pl.col("gaps").alias("session"), "exchange")
    )


NUMBERS = ["open", "high", "low", "close", "volume", "dividend", "capital_gain", "split"]


def revisions(tables: Tables) -> pl.DataFrame:
    """Version after version, with what has happened to the ticker in between."""
    rows = [
        {"ticker": ticker, **event}
        for ticker, events in tables["tickers"].select("ticker", "events").iter_rows()
        for event in events or []
    ]
    happened = [(each["as_of"], each["run_id"], each) for each in rows]
    held: dict[tuple[str, date], dict] = {}
    for bar in tables["raw"].sort("as_of", "run_id").to_dicts():
        before = held.get((bar["ticker"], bar["session"]))
        held[bar["ticker"], bar["session"]] = bar
        if before is None:
            continue
        first, last = ((each["as_of"], each["run_id"]) for each in (before, bar))
        between = [
            event
            for *moment, event in happened
            if event["ticker"] == bar["ticker"] and first < tuple(moment) <= last
        ]
        if any(event["event"] == "restated" for event in between):
            continue
        ratios = [
            event["new"] / event["old"]
            for event in between
            if event["event"] == "split" and event["session"] > bar["session"]
        ]
        rows += _revised(before, bar, math.prod(ratios))
    columns = {name: [each.get(name) for each in rows] for name in VIEWS["revisions"].columns}
    return pl.DataFrame(columns)


def _revised(before: dict, bar: dict, factor: float):
    said = {name: bar[name] for name in ("ticker", "session", "as_of", "run_id")}
    said |= {"event": "revised", "as_of_before": before["as_of"]}
    for name in NUMBERS:
        was, now = before[name], bar[name]
        if was is not None:
            was *= {"volume": factor, "split": 1.0}.get(name, 1 / factor)
        if not _is_same(was, now, rough=abs(factor - 1) > 1e-8, whole=name == "volume"):
            old, new = (None if each is None else float(each) for each in (was, now))
            yield {**said, "value": name, "old": old, "new": new}
    for name in ("currency", "dividend_currency"):
        if before[name] != bar[name]:
            detail = f"{before[name] or 'none'} to {bar[name] or 'none'}"
            yield {**said, "value": name, "detail": detail}


def _is_same(was: float | None, now: float | None, *, rough: bool, whole: bool) -> bool:
    if was is None or now is None or not rough:
        return was == now
    return abs(now - was) <= 1e-5 * abs(now) + whole


ORACLES = {
    each.__name__: each
    for each in (latest, weekly, monthly, adjusted, breadth, ranks, beta, revisions, gaps)
}
