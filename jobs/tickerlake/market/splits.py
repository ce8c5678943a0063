"""Split basis: bringing bars that were fetched at different moments to the same one.

Yahoo's prices are split-adjusted as of the fetch. A split of ratio r with ex-date e divides all
earlier prices and dividends by r and multiplies their volumes by r; nothing at or after e changes.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from tickerlake.market.bars import PRICES, rounded


def announced(bars: pl.DataFrame) -> dict[date, float]:
    """Return the splits in a source's bars, as ratios by ex-date."""
    ratio = pl.col("split")
    if (bars["split"] == 1.0).all():
        return {}
    found = bars.filter(ratio.is_finite() & (ratio > 0) & (ratio != 1.0))
    return dict(found.select("session", "split").sort("session").iter_rows())


def changes(
    known: Mapping[date, float], announced: Mapping[date, float], start: date
) -> dict[date, float]:
    """Return what an announcement of splits changes, as ratios by ex-date.

    Args:
        known: the splits believed so far.
        announced: all splits from `start` on, as a later fetch knows them; a known split that is
            missing here was withdrawn.
        start: the first session that the fetch asked for.
    """
    dates = sorted({day for day in known if day >= start} | announced.keys())
    ratios = {day: announced.get(day, 1.0) / known.get(day, 1.0) for day in dates}
    return {day: ratio for day, ratio in ratios.items() if ratio != 1.0}


def rebase(bars: pl.DataFrame, changed: Mapping[date, float]) -> pl.DataFrame:
    """Divide the bars' prices by the ratios of the changes that came after them.

    Args:
        bars: columns of `market.bars.HISTORY`; `basis_factor` is multiplied accordingly.
        changed: ratios by ex-date.
    """
    if not changed:
        return bars
    ratio = pl.lit(1.0)
    for day, value in changed.items():
        ratio = ratio * pl.when(pl.col("session") < day).then(value).otherwise(1.0)
    return rounded(
        bars.with_columns(
            pl.col(*PRICES, "dividend", "capital_gain") / ratio,
            (pl.col("volume") * ratio).round().cast(pl.Int64),
            # 9 digits: a split that comes and goes again must leave exactly 1
            (pl.col("basis_factor") * ratio).round_sig_figs(9),
        )
    )
