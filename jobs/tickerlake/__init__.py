"""tickerlake: a daily stock-market data lake, the same on a laptop and on AWS."""

__version__ = "0.1.0"
