"""A replay of Yahoo's chart API: it answers from recorded bars what Yahoo would have said then.

The real yfinance runs against it, offline. It can be told to fail in the ways that Yahoo does.

`server` is the replay, `chart` cuts charts from a `tape`, `faults` lists the ways to fail, and
`recording` has the bars.
"""

from tickerlake.sources.replay.faults import Fault, Kind
from tickerlake.sources.replay.server import CHART, END, Replay, clock
from tickerlake.sources.replay.tape import NEW_YORK

__all__ = ["CHART", "END", "NEW_YORK", "Fault", "Kind", "Replay", "clock"]
