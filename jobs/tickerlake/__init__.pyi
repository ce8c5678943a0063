# What type checkers see of the package, whose names are loaded lazily.
from tickerlake import errors as errors
from tickerlake.api.lake import Lake as Lake
from tickerlake.api.opening import open as open  # noqa: A004
from tickerlake.api.results import Frame as Frame
from tickerlake.api.results import Ran as Ran
from tickerlake.aws import starter as starter
from tickerlake.market import calendars as calendars

__version__: str
__all__ = [
    "Frame",
    "Lake",
    "Ran",
    "__version__",
    "calendars",
    "errors",
    "open",
    "starter",
]
