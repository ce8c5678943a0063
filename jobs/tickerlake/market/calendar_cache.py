"""What `exchange_calendars` knows of an exchange, kept between runs in the user's cache folder.

Importing the library, which takes pandas along, and building a calendar takes seconds; reading the
table that was built the last time takes milliseconds. The table is only ever a copy: one that is
damaged, old, or of another version of the library is built again, and a folder that can't be
written only costs the time.
"""

import hashlib
import json
import logging
import tempfile
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

log = logging.getLogger(__name__)

FORMAT: Final = 1
"""Raise it when the same calendar gives another table."""

KEPT_DAYS: Final = 30
"""A calendar ends a year after the day on which it is built, and time zones change."""

_FIRST: Final = {"XNYS": "1927-01-03"}
_DEFAULT_FIRST: Final = "1970-01-01"
"""Without this bound, a calendar could reach back into years whose holidays it does not know."""

_WEEK: Final = 7


class Timetable(NamedTuple):
    """The sessions that a calendar knows.

    Attributes:
        timezone: of the exchange.
        sessions: ascending, as ordinals (`date.toordinal`).
        closes: the closing bell of each session, in seconds since 1970.
        ends: the last day that the calendar knows, as an ordinal; None when it has no end.
    """

    timezone: str
    sessions: tuple[int, ...]
    closes: tuple[int, ...]
    ends: int | None


def load(name: str) -> Timetable:
    """Return the timetable of a calendar of `exchange_calendars`, from the cache if it is there."""
    folder = _folder()
    if folder is None:
        return build(name)
    path = folder / f"{name.replace('/', '-')}.json"
    key = [FORMAT, name, version("exchange_calendars"), _first(name)]
    found = _read(path, key)
    if found is None:
        found = build(name)
        _write(path, key, found)
    return found


def build(name: str) -> Timetable:
    """Return the timetable of a calendar, from `exchange_calendars` itself."""
    import exchange_calendars
    import pandas as pd

    factory = exchange_calendars.calendar_utils.global_calendar_dispatcher._calendar_factories  # noqa: SLF001 - only the class knows its bounds
    bounds = factory[exchange_calendars.resolve_alias(name)]
    first = bounds.bound_min() or pd.Timestamp(_first(name))
    calendar = exchange_calendars.get_calendar(name, start=first)
    bound = bounds.bound_max()
    last = calendar.sessions[-1].date().toordinal()
    ends = None if bound is None else bound.date().toordinal()
    closes = calendar.closes.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    days = calendar.sessions.to_numpy().astype("datetime64[D]").astype(int)
    return Timetable(
        timezone=str(calendar.tz),
        sessions=tuple((days + date(1970, 1, 1).toordinal()).tolist()),
        closes=tuple(closes.astype(int).tolist()),
        ends=ends if ends is not None and ends <= last + _WEEK else None,
    )


def _first(name: str) -> str:
    return _FIRST.get(name, _DEFAULT_FIRST)


def _folder() -> Path | None:
    """Return where tables are kept; None when there is no such place."""
    import platformdirs

    try:
        return platformdirs.user_cache_path("tickerlake") / "calendars"
    except (OSError, RuntimeError):  # a container's user may have no home
        return None


def _read(path: Path, key: list[object]) -> Timetable | None:
    """Return a table that was kept; None unless it is whole, of this key and recent."""
    try:
        digest, _, text = path.read_bytes().partition(b"\n")
        if digest.decode() != hashlib.sha256(text).hexdigest():
            return None
        kept = json.loads(text)
        age = (datetime.now(UTC).date() - date.fromisoformat(kept["built"])).days
        if kept["key"] != key or not 0 <= age <= KEPT_DAYS:
            return None
        zone, sessions, closes, ends = kept["timetable"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Timetable(zone, tuple(sessions), tuple(closes), ends)


def _write(path: Path, key: list[object], table: Timetable) -> None:
    """Keep a table. Readers see the old one or the new one, whole."""
    kept = {"key": key, "built": f"{datetime.now(UTC):%Y-%m-%d}", "timetable": table}
    text = json.dumps(kept, separators=(",", ":")).encode()
    staged = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            staged = Path(file.name)
            file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        staged.replace(path)
    except OSError as error:
        log.debug("the calendar can't be kept in %s: %s", path, error)
        if staged is not None:
            with suppress(OSError):
                staged.unlink()
