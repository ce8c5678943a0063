"""Daily bars from Yahoo, through yfinance.

`source` is what others use; `tap` has a picture of how bars get through yfinance; `client` decides
what happens to a request; `answers`, `chart` and `events` read the answers.
"""

from tickerlake.sources.yahoo.client import LONGEST_PAUSE
from tickerlake.sources.yahoo.source import Yahoo

__all__ = ["LONGEST_PAUSE", "Yahoo"]
