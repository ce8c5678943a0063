"""Site: where the pages of a report are, and how they are written so that only changes are."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, NamedTuple

from tickerlake.lake.store import Store

INDEX: Final = "pages.json"
"""Lists the objects that a report wrote, with hashes of what they hold and their version tags, so
that what somebody else has replaced since is noticed. It is written last."""

_FORMAT: Final = 1
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
}
_RESERVED: Final = {
    "AUX", "CON", "NUL", "PRN",
    *(f"{name}{number}" for name in ("COM", "LPT") for number in range(1, 10)),
}  # fmt: skip
"""Names that Windows gives to devices, whatever follows the first dot."""


def page_key(ticker: str) -> str:
    """Return the key of a ticker's page: letters that any file system, URL and bucket takes.

    >>> page_key("AAPL"), page_key("^GSPC"), page_key("CON.DE")
    ('tickers/AAPL.html', 'tickers/_5EGSPC.html', 'tickers/_43ON.DE.html')
    """
    name = "".join(
        each if each.isalnum() or each in ".-" else f"_{ord(each):02X}" for each in ticker
    )
    if ticker.partition(".")[0] in _RESERVED:
        name = f"_{ord(name[0]):02X}{name[1:]}"
    return f"tickers/{name}.html"


class Version(NamedTuple):
    """A hash of what an object holds, and the store's version tag."""

    digest: str
    tag: str


@dataclass
class Written:
    """What writing a report did."""

    written: int = 0
    unchanged: int = 0
    deleted: int = 0


@dataclass
class Site:
    """The objects of a report, in a folder or a bucket.

    A page is written when it differs from what the last report wrote, or does not exist. Pages of
    tickers that are gone are deleted; what no report wrote is left alone.
    """

    store: Store
    done: Written = field(default_factory=Written)
    _pages: dict[str, Version] = field(default_factory=dict)
    _before: Mapping[str, Version] = field(default_factory=dict)
    _there: Mapping[str, str] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def open(self) -> "Site":
        """Read what the last report wrote."""
        self._before = _index(self.store.get(INDEX))
        self._there = {each.key: each.version for each in self.store.find_all("")}
        return self

    def write(self, key: str, data: bytes) -> None:
        """Write an object, if it has changed; may be called from several threads."""
        digest = hashlib.sha256(data).hexdigest()[:32]
        before = self._before.get(key)
        is_same = before is not None and before == (digest, self._there.get(key))
        if before is None or not is_same:
            content_type = _TYPES[key.rpartition(".")[2]]
            before = Version(digest, self.store.publish(key, data, content_type))
        with self._guard:
            self._pages[key] = before
            self.done.unchanged += is_same
            self.done.written += not is_same

    def close(self) -> Written:
        """Delete what only the last report had, and write the index."""
        gone = [key for key in self._before if key not in self._pages and key in self._there]
        self.store.delete(gone)
        self.done.deleted = len(gone)
        if self._pages != self._before:
            pages = dict(sorted(self._pages.items()))
            text = json.dumps({"format": _FORMAT, "pages": pages}, indent=1)
            self.store.publish(INDEX, text.encode(), _TYPES["json"])
        return self.done


def _index(data: bytes | None) -> dict[str, Version]:
    """Read an index; what can't be read is as if there was none."""
    try:
        pages = json.loads(data or b"{}")["pages"]
        return {str(key): Version(*value) for key, value in pages.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
