"""What the Python interface returns that is not simply a Polars frame."""

from dataclasses import dataclass
from typing import Any

import polars as pl


class Frame(pl.DataFrame):
    """A Polars DataFrame that shows the stamp of the state of the lake that it was read from.

    What is made from it (`frame.filter(…)`) is an ordinary DataFrame.

    Attributes:
        stamp: gives the same rows again: `lake.at(frame.stamp)`.
    """

    stamp: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()}\nstamp: {self.stamp}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self, **options: Any) -> str:
        return f"{super()._repr_html_(**options)}<small>stamp: {self.stamp}</small>"


@dataclass(frozen=True)
class Ran:
    """How a run ended.

    Attributes:
        tickers: how many it was for.
        new: how many bars are new.
        corrected: how many bars replace earlier versions.
        failed: why tickers failed, by ticker.
        stamp: of the state that the lake is in now.
    """

    tickers: int
    new: int
    corrected: int
    failed: dict[str, str]
    stamp: str
