"""What an extraction has to know of every ticker, in one object, to see that nothing is due.

An entry names the version of the history that it was made from. It only counts while the stored
history still has this version, so it can't be out of date; without it, the history is read. Losing
the object, or a race for it, costs time and nothing else.

This module must load without Polars.
"""

import logging
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tickerlake.lake import layout
from tickerlake.lake.store import Store

if TYPE_CHECKING:
    from tickerlake.lake.fold import History

log = logging.getLogger(__name__)

FORMAT: Final = 1


class Known(BaseModel):
    """What decides which sessions of a ticker are asked for; see `lake.fold.History`.

    Attributes:
        first: the first session held; None when there is none.
        last: the last session held.
        since: the earliest session that the source has been asked for.
        gaps: the exchange's sessions since the first bar that have no bar.
        is_rebased: some bars were brought over from an older split basis.
        timezone: of the exchange, as the source states it.
        retired: the day after which the ticker is not asked for any more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: date | None = None
    last: date | None = None
    since: date | None = None
    gaps: tuple[date, ...] = ()
    is_rebased: bool = False
    timezone: str | None = None
    retired: date | None = None


class _Index(BaseModel):
    """The object: what is known by ticker, each with the version of the history that it is from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    tickers: dict[str, tuple[str, Known]] = Field(default_factory=dict)


def known(history: "History") -> Known:
    """Return what a history says."""
    sessions, factors = history.bars["session"], history.bars["basis_factor"]
    return Known(
        first=sessions[0] if len(sessions) else None,
        last=sessions[-1] if len(sessions) else None,
        since=history.since,
        gaps=history.gaps,
        is_rebased=bool((factors.to_numpy() != 1.0).any()),
        timezone=history.timezone,
        retired=history.retired,
    )


def encode(history: "History") -> str:
    """Return what a history says as text, for `update`."""
    return known(history).model_dump_json(exclude_defaults=True)


def read(store: Store) -> dict[str, Known]:
    """Return what is known of the tickers whose entry is of the history that is stored."""
    indexed = entries(store)
    if not indexed:
        return {}
    stored = versions(store)
    return {
        ticker: each for ticker, (version, each) in indexed.items() if stored.get(ticker) == version
    }


def update(store: Store, found: Mapping[str, tuple[str, str]]) -> None:
    """Add tickers: the versions of their histories, and what these say (`encode`)."""
    if not found:
        return
    new = {
        ticker: (version, Known.model_validate_json(text))
        for ticker, (version, text) in found.items()
    }
    stored = versions(store)
    kept = {
        ticker: entry
        for ticker, entry in (entries(store) | new).items()
        if stored.get(ticker) == entry[0]
    }
    index = _Index(format=FORMAT, tickers=dict(sorted(kept.items())))
    store.put(layout.INDEX, index.model_dump_json(exclude_defaults=True).encode())


def entries(store: Store) -> dict[str, tuple[str, Known]]:
    """Return what the object says: by ticker, the version of a history, and what is known of it."""
    data = store.get(layout.INDEX)
    if data is None:
        return {}
    try:
        return _Index.model_validate_json(data).tickers
    except ValidationError as error:
        log.info("%s is ignored, and written again with the next run: %s", layout.INDEX, error)
        return {}


def versions(store: Store) -> dict[str, str]:
    """Return the version tags of the stored histories, by ticker."""
    found = store.find(layout.HISTORY)
    return {layout.values(each.key)["ticker"]: each.version for each in found}
