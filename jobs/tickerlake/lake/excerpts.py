"""Manifests cut down to some tickers while they are parsed: most of a large one is skipped."""

from collections.abc import Collection
from functools import lru_cache, partial
from typing import Any, Final

from pydantic import ConfigDict, Field, create_model
from pydantic_core import from_json

from tickerlake.lake import manifests
from tickerlake.lake.manifests import Entry, Manifest

FEW: Final = 20
"""For more tickers than this, a model that ignores the others costs more than it saves."""


def parse(run_id: str, data: bytes, tickers: Collection[str] | None) -> Manifest:
    """Decode the manifest of a run with some tickers; None is all of them.

    Raises:
        CorruptObjectError: it is not a manifest, or that of another run.
    """
    if tickers is None:
        return manifests.parse(run_id, data)
    if len(tickers) > FEW:
        return manifests.parse(run_id, data, partial(_cut, tickers=tickers))
    return manifests.parse(run_id, data, partial(_decode, tickers=tuple(sorted(tickers))))


def _cut(data: bytes, tickers: Collection[str]) -> Manifest:
    """Decode a manifest with many tickers; the entries of the others are not checked."""
    try:
        said = from_json(data)
        said["tickers"] = {
            each: entry for each, entry in said["tickers"].items() if each in tickers
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return Manifest.model_validate_json(data)  # says what is wrong
    return Manifest.model_validate(said)


def _decode(data: bytes, tickers: tuple[str, ...]) -> Manifest:
    """Decode a manifest with some tickers: what is said of the others is not looked at."""
    found = _excerpt(tickers).model_validate_json(data)
    values = {name: getattr(found, name) for name in Manifest.model_fields}
    entries = {ticker: getattr(found.tickers, f"t{n}") for n, ticker in enumerate(tickers)}
    values["tickers"] = {ticker: entry for ticker, entry in entries.items() if entry}
    return Manifest.model_construct(**values)


@lru_cache(maxsize=64)
def _excerpt(tickers: tuple[str, ...]) -> Any:
    """Return the model of a manifest that ignores all but some tickers."""
    ignoring = ConfigDict(extra="ignore")
    fields: dict[str, Any] = {
        f"t{n}": (Entry | None, Field(default=None, alias=ticker))
        for n, ticker in enumerate(tickers)
    }
    entries = create_model("Entries", __config__=ignoring, **fields)
    return create_model("Excerpt", __base__=Manifest, tickers=(entries, ...))
