"""What the Python interface returns that is not simply a Polars frame."""

from dataclasses import dataclass
from typing import Any

import polars as pl


class Frame(pl.DataFrame):
    """A Polars DataFrame that shows the stamp of the state of the lake that it was read from.

    In everything else it is a DataFrame, and what is made from it has no stamp.

    Attributes:
        stamp: gives the same rows again, in `lake.at(frame.stamp)`; '' if there is none.
    """

    stamp: str = ""

    def __str__(self) -> str:
        return super().__str__() + (f"\nstamp: {self.stamp}" if self.stamp else "")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self, **options: Any) -> str:
        stamp = f"<small>stamp: {self.stamp}</small>" if self.stamp else ""
        return f"{super()._repr_html_(**options)}{stamp}"


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
