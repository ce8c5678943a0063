"""How yfinance is set up for this process, once."""

import atexit
import logging
import shutil
import tempfile
import time
import warnings
from functools import cache
from http.cookiejar import Cookie
from types import ModuleType


@cache
def load_yfinance() -> ModuleType:
    """Import yfinance, which takes a second, and set it up.

    Returns:
        The module, with its submodules `data` and `scrapers.history`.
    """
    import yfinance
    import yfinance.scrapers.history

    # without this, an outage looks like a delisting
    yfinance.config.debug.hide_exceptions = False
    # pandas keeps warning about yfinance's code; the client reports what yfinance logs
    warnings.filterwarnings("ignore", module=r"yfinance\b")
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    # if it can't write its cookie cache, it asks for a cookie before every request
    folder = tempfile.mkdtemp(prefix="tickerlake-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yfinance.set_tz_cache_location(folder)
    module: ModuleType = yfinance
    return module


def make_cookie() -> Cookie:
    """Return a stand-in for Yahoo's cookie, for a replay.

    libcurl accepts no cookie for yahoo.com from another host, and without this one, yfinance would
    ask for one before every chart.
    """
    return Cookie(
        version=0,
        name="A3",
        value="replay",
        port=None,
        port_specified=False,
        domain=".yahoo.com",
        domain_specified=True,
        domain_initial_dot=True,
        path="/",
        path_specified=True,
        secure=True,
        expires=int(time.time()) + 86_400,
        discard=False,
        comment=None,
        comment_url=None,
        rest={},
    )
