"""Parameter types: what a user may type, checked where it enters."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

import click

from tickerlake.errors import BadSettingError
from tickerlake.settings import Shard


class Text(click.ParamType[str]):
    """Any text but a blank one."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        text = str(value)
        if not text.strip():
            self.fail("it is empty", param, ctx)
        if "\0" in text:
            self.fail("it has a null character", param, ctx)
        return text


class Tickers(click.ParamType[tuple[str, ...]]):
    """Symbols, separated by commas; `market.symbols` decides which are valid."""

    name = "tickers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the symbols as they were typed."""
        if isinstance(value, tuple):
            return value
        if not value.strip():
            self.fail("it names no ticker; give AAPL,MSFT", param, ctx)
        return tuple(value.split(","))


class Share(click.ParamType[Shard]):
    """A share of the work, such as 3/8."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """Return the share."""
        if isinstance(value, Shard):
            return value
        try:
            return Shard.parse(value)
        except BadSettingError as error:
            self.fail(str(error), param, ctx)


class Day(click.ParamType[date]):
    """A date."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - only the date
        except ValueError:
            self.fail(f"{value!r} is not a date such as 2013-03-01", param, ctx)


class Moment(click.ParamType[datetime]):
    """A moment in time, in UTC when no zone is given."""

    name = "moment"
    YEARS = range(1900, 2200)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment, in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a moment such as 2013-03-01T22:30Z", param, ctx)
        if moment.year not in self.YEARS:
            first, last = self.YEARS[0], self.YEARS[-1]
            self.fail(f"{value!r} is not in the years {first} to {last}", param, ctx)
        return moment


class Number(click.FloatRange):
    """A float in a range that is a number and finite."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Changes(click.ParamType[dict[str, float]]):
    """Names and amounts, such as glue=0.44,get=0.0004."""

    name = "changes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """Return the amounts by name."""
        found = {}
        for each in str(value).split(","):
            name, _, amount = each.partition("=")
            if not re.fullmatch(r"[0-9]*\.?[0-9]+", amount.strip()):
                self.fail(f"{each!r} is not a price such as glue=0.308", param, ctx)
            found[name.strip()] = float(amount)
        return found
