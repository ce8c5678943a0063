"""Logs and differences as frames."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl

from tickerlake.market.bars import HISTORY

if TYPE_CHECKING:
    from tickerlake.stages.log import Delivered, Difference

_LOG: Final[dict[str, pl.DataType]] = {
    "run_id": pl.String(),
    "as_of": HISTORY["as_of"],
    "source": pl.String(),
    "first": pl.Date(),
    "last": pl.Date(),
    "new": pl.Int64(),
    "replaced": pl.Int64(),
    "revised": pl.Int64(),
    "splits": pl.String(),
    "rebased": pl.Int64(),
    "restated": pl.String(),
    "quarantined": pl.Int64(),
    "retired": pl.Date(),
    "renamed_from": pl.String(),
    "renamed_to": pl.String(),
}

_DIFFERENCES: Final[dict[str, pl.DataType]] = {
    "session": pl.Date(),
    "change": pl.String(),
    "column": pl.String(),
    "old": pl.Float64(),
    "new": pl.Float64(),
    "old_text": pl.String(),
    "new_text": pl.String(),
    "as_of": HISTORY["as_of"],
}


def deliveries(found: "Sequence[Delivered]") -> pl.DataFrame:
    """Return a row per run."""
    rows = [
        {**asdict(each), "revised": len(each.revised), "splits": _splits(each.splits)}
        for each in found
    ]
    return pl.DataFrame(rows, schema=_LOG)


def differences(found: "Difference") -> pl.DataFrame:
    """Return a row per session that was added or removed, and per value that was revised."""
    rows: list[dict[str, object]] = [
        {"session": session, "change": change}
        for change, sessions in (("added", found.added), ("removed", found.removed))
        for session in sessions
    ]
    for each in found.changed:
        is_text = isinstance(each.old, str) or isinstance(each.new, str)
        names = ("old_text", "new_text") if is_text else ("old", "new")
        values = dict(zip(names, (each.old, each.new), strict=True))
        known = {"session": each.session, "column": each.column, "as_of": each.as_of}
        rows.append({**known, "change": "revised", **values})
    return pl.DataFrame(rows, schema=_DIFFERENCES).sort("session", maintain_order=True)


def _splits(ratios: Mapping[date, float]) -> str:
    return ", ".join(f"{ratio:g} on {day}" for day, ratio in ratios.items())
