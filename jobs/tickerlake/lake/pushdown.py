"""What a predicate over a table says about tickers and sessions: which objects must be read."""

import io
import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import polars as pl


def tickers(predicate: pl.Expr | None, held: Sequence[str]) -> list[str]:
    """Return the tickers that may have a row that satisfies a predicate."""
    return _left(predicate, "ticker", pl.Series("ticker", held, pl.String)).to_list()


def sessions(predicate: pl.Expr | None, first: date, last: date) -> pl.Series:
    """Return the days from a first to a last one that a row that satisfies a predicate may have."""
    days = pl.date_range(first, last, eager=True).alias("session")
    return _left(predicate, "session", days)


def _left(predicate: pl.Expr | None, column: str, values: pl.Series) -> pl.Series:
    """Return the values of a column that those parts of a predicate leave that are about it alone.

    Each part is asked about each value, so that all that Polars can compute is understood.
    """
    left = values.to_frame()
    for part in _conjuncts(predicate):
        if set(part.meta.root_names()) == {column}:
            try:
                left = left.filter(part)
            except pl.exceptions.PolarsError:
                continue  # a part that needs more than a value at a time; the rows are asked again
    return left[column]


def _conjuncts(predicate: pl.Expr | None) -> Iterator[pl.Expr]:
    """Yield the parts of a predicate that must all be true."""
    if predicate is None:
        return
    yield predicate
    try:
        tree = json.loads(predicate.meta.serialize(format="json"))
        for part in _split(tree):
            yield pl.Expr.deserialize(io.StringIO(json.dumps(part)), format="json")
    except (ValueError, pl.exceptions.PolarsError):
        return  # it holds what can't be written down, such as a Python function


def _split(tree: Any) -> Iterator[Any]:
    """Yield the operands of the ANDs at the top of an expression's tree."""
    operation = tree.get("BinaryExpr") if isinstance(tree, dict) else None
    if operation and operation["op"] in ("And", "LogicalAnd"):
        yield from _split(operation["left"])
        yield from _split(operation["right"])
    elif operation is None or tree:
        yield tree
