"""tickerlake: a daily stock-market data lake, the same on a laptop and on AWS."""

from importlib import import_module
from typing import Any, Final

__version__ = "0.1.0"

_LAZY: Final = {
    "calendars": "tickerlake.market.calendars",
    "starter": "tickerlake.aws.starter",
}
"""Public names and where they are: imported when first used, since the Lambda function imports this
package, too."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(_LAZY[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
