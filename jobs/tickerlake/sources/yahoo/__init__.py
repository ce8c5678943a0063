"""Daily bars from Yahoo, by way of yfinance.

`source` is what others use; `tap` has a picture of how bars get past yfinance; `client` decides
what happens to a request; `answers`, `chart` and `events` read what comes.
"""

from tickerlake.sources.yahoo.client import LONGEST_PAUSE
from tickerlake.sources.yahoo.source import Yahoo

__all__ = ["LONGEST_PAUSE", "Yahoo"]
