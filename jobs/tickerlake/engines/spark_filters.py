"""What the filters that Spark pushes down leave of a table's files."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark.sql.datasource import (
    DataSourceReader,
    EqualTo,
    Filter,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    LessThan,
    LessThanOrEqual,
)

from tickerlake.lake import layout


@dataclass
class Bounds:
    """What filters leave of a column: the values of a set, between a least and a greatest one."""

    among: set[Any] | None = None
    least: Any = None
    greatest: Any = None

    def narrow(self, condition: Filter) -> bool:
        """Apply a filter; return False if it can't be expressed as bounds."""
        match condition:
            case EqualTo(value=value) if value is not None:
                self.among = {value} & (self.among if self.among is not None else {value})
            case In(value=values):
                found = set(values)
                self.among = found & (self.among if self.among is not None else found)
            # the bounds of partitions are inclusive: Spark checks every row again
            case GreaterThan(value=value) | GreaterThanOrEqual(value=value) if value is not None:
                self.least = value if self.least is None else max(self.least, value)
            case LessThan(value=value) | LessThanOrEqual(value=value) if value is not None:
                self.greatest = value if self.greatest is None else min(self.greatest, value)
            case _:
                return False
        return True

    def of_partition(self, grain: layout.Grain) -> "Bounds":
        """Return these bounds of a session as bounds of its partition."""

        def cut(day: date | None) -> str | None:
            return None if day is None else layout.partition_of(day, grain)

        among = None if self.among is None else {cut(day) for day in self.among}
        return Bounds(among, cut(self.least), cut(self.greatest))

    def leave(self, value: Any) -> bool:
        """Return whether a value is within the bounds."""
        return (
            (self.among is None or value in self.among)
            and (self.least is None or value >= self.least)
            and (self.greatest is None or value <= self.greatest)
        )


class Pruning(DataSourceReader):
    """A reader that notes the filters that decide what it has to read."""

    bounds: dict[str, Bounds]

    def pushFilters(self, filters: list[Filter]) -> Iterator[Filter]:  # noqa: N802 - Spark's name
        """Note the filters that prune partitions; return all, as Spark has to check the rows."""
        for condition in filters:
            column = getattr(condition, "attribute", ())
            if column in (("ticker",), ("date",), ("session",)):
                self.bounds.setdefault(column[0], Bounds()).narrow(condition)
            yield condition
