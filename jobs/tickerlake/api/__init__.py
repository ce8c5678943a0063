"""The Python interface: a lake as an object whose tables are Polars frames.

    import tickerlake as tl

    lake = tl.open("s3://bucket/lake")
    lake.daily(["AAPL"], start="2013-01-01", columns=["session", "close", "rsi_14"])

`api.lake` has the class, `api.tables` reads, `api.arguments` checks what callers pass. Every method
raises the errors of `tickerlake.errors`, and nothing else on purpose.
"""
