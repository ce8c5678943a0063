"""Dividends, capital gains and splits on days without a bar."""

import polars as pl

from tickerlake.market.bars import PRICES, RAW


def carry(bars: pl.DataFrame) -> pl.DataFrame:
    """Move the events of rows without any price to the next row that has one, and drop the others.

    An event after the last bar is left for the answer that has the next bar. Of two dividends in
    different currencies, the one on the bar's own day is kept.

    Args:
        bars: `market.bars.RAW`, sorted by session.

    Returns:
        The rows that have a price.
    """
    priced = pl.any_horizontal(pl.col(name).is_not_null() for name in PRICES)
    if not bars["close"].null_count() or bars.select(priced.all()).item():
        return bars
    # rows without a price belong to the next row that has one
    marked = bars.with_columns(_priced=priced).with_columns(
        _group=pl.when("_priced").then(pl.int_range(pl.len())).backward_fill()
    )
    carried = (
        marked.filter(~pl.col("_priced") & pl.col("_group").is_not_null())
        .group_by("_group")
        .agg(
            pl.col("dividend").sum().alias("_dividend"),
            pl.col("capital_gain").sum().alias("_gain"),
            pl.col("split").product().alias("_split"),
            pl.col("dividend_currency").drop_nulls().first().alias("_currency"),
        )
    )
    if carried.is_empty():
        return bars.filter(priced)
    same = (pl.col("dividend") == 0) | pl.col("_currency").eq_missing(pl.col("dividend_currency"))
    takes = same & (pl.col("_dividend") != 0)
    return (
        marked.filter("_priced")
        .join(carried, on="_group", how="left")
        .with_columns(
            dividend=pl.when(takes)
            .then(pl.col("dividend") + pl.col("_dividend"))
            .otherwise("dividend"),
            dividend_currency=pl.when(takes).then("_currency").otherwise("dividend_currency"),
            capital_gain=pl.col("capital_gain") + pl.col("_gain").fill_null(0.0),
            split=pl.col("split") * pl.col("_split").fill_null(1.0),
        )
        .select(RAW.keys())
        .sort("session", maintain_order=True)
    )
