"""tickerlake: a daily stock-market data lake, the same on a laptop and on AWS.

    import tickerlake as tl

    lake = tl.open("./lake")
    lake.daily(["AAPL"], start="2013-01-01")

Everything public is loaded when it is first used: importing the package alone costs nothing.
"""

__version__ = "0.1.0"

_LAZY = {
    "Frame": "api.results:Frame",
    "Lake": "api.lake:Lake",
    "Ran": "api.results:Ran",
    "calendars": "market.calendars",
    "errors": "errors",
    "open": "api.opening:open",
    "starter": "aws.starter",
}
"""Public names and where they are. The Lambda function imports this package, too."""

__all__ = ["__version__", *_LAZY]  # noqa: PLE0604 - all are strings


def __getattr__(name):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - see __init__.pyi
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _LAZY[name].partition(":")
    found = import_module(f"{__name__}.{module}")
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted(__all__)
