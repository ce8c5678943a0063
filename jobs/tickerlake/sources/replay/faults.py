"""The ways in which a replay can fail, as Yahoo sometimes does."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np

from tickerlake.sources.replay.tape import VALUES, Floats, Ints

Kind = Literal[
    "no_crumb",  # 429 instead of the crumb; not counted
    "rate_limited",  # 429; with `retry_after`, the header Retry-After
    "unauthorized",  # 401, as for an old crumb
    "server_error",  # 500 with HTML
    "slow",  # the answer comes `seconds` late
    "html",  # 200 with a page instead of JSON
    "truncated",  # 200, and the JSON breaks off
    "empty",  # 200 without a result, and without an error
    "null_row",  # `session` has no prices and no volume
    "null_close",  # `session` has no close
    "dropped",  # `session` is missing
    "duplicated",  # the last row comes twice
    "wrong",  # `field` of `session` is `value`
    "late_split",  # splits are served `days` days after their ex-date
    "wobble",  # prices differ in the 7th digit from one answer to the next
]

_WOBBLE: Final = 3e-7


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to fail. It strikes requests for charts.

    Attributes:
        kind: see `Kind`.
        ticker: the one it strikes; None is every one.
        times: the answers it spoils. It is counted down in `Replay.faults`, and leaves at 0. None
            is for as long as it is listed.
        since: the first New York date on the replay's clock that it is in force; None is always.
        until: the date from which it is no longer in force.
        session: the session that it falsifies.
        field: with `wrong`: open, high, low, close or volume.
        value: with `wrong`: the wrong value, unadjusted.
        days: with `late_split`.
        seconds: with `slow`.
        retry_after: with `rate_limited`: seconds, or an HTTP date.
    """

    kind: Kind
    ticker: str | None = None
    times: int | None = None
    since: date | None = None
    until: date | None = None
    session: date | None = None
    field: Literal["open", "high", "low", "close", "volume"] = "volume"
    value: float = 0.0
    days: int = 0
    seconds: float = 0.0
    retry_after: str | None = None

    def strikes(self, ticker: str, today: date) -> bool:
        """Return whether it is in force for a ticker on a date."""
        return (
            self.ticker in (None, ticker)
            and (self.since is None or self.since <= today)
            and (self.until is None or today < self.until)
        )


def has(faults: list[Fault], kind: Kind) -> bool:
    """Return whether a fault of a kind is among them."""
    return any(fault.kind == kind for fault in faults)


def split_delay(faults: list[Fault]) -> timedelta:
    """Return how long after their ex-date splits are served."""
    return timedelta(days=sum(fault.days for fault in faults if fault.kind == "late_split"))


def falsify(sessions: list[date], values: dict[str, Floats], faults: list[Fault]) -> Ints:
    """Make the values wrong in the ways that the faults describe.

    Args:
        sessions: of the rows.
        values: by name, unadjusted; changed in place.
        faults: the ones in force.

    Returns:
        The numbers of the rows to serve, in their order.
    """
    rows = list(range(len(sessions)))
    for fault in faults:
        if fault.kind == "duplicated":
            rows += rows[-1:]
        if fault.session in sessions:
            row = sessions.index(fault.session)
            _falsify_row(row, values, fault)
            if fault.kind == "dropped":
                rows = [number for number in rows if number != row]
    return np.array(rows, dtype=np.int64)


def _falsify_row(row: int, values: dict[str, Floats], fault: Fault) -> None:
    match fault.kind:
        case "null_row":
            for name in VALUES:
                values[name][row] = np.nan
        case "null_close":
            values["close"][row] = np.nan
        case "wrong":
            values[fault.field][row] = fault.value
        case _:
            pass


def wobble(rows: int, request: int) -> Floats:
    """Return the factors by which the rows' prices are off in one of several requests."""
    signs = 1.0 - 2.0 * ((np.arange(rows) + request) % 2)
    return np.asarray(1.0 + _WOBBLE * signs, dtype=np.float64)
