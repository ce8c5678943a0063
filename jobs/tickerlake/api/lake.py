"""A lake as an object; see the package."""

from datetime import datetime
from typing import TYPE_CHECKING

from tickerlake.api import arguments, runs
from tickerlake.api.arguments import Day, Tickers
from tickerlake.api.readable import Readable
from tickerlake.api.results import Ran
from tickerlake.errors import UsageError
from tickerlake.settings import WORKERS, ExtractSettings, SourceSettings

if TYPE_CHECKING:
    from tickerlake.stages.check import Checked
    from tickerlake.stages.status import Status


class Lake(Readable):
    """A lake, as it is or as of a moment of its past; made by `tickerlake.open`."""

    def status(self) -> "Status":
        """Return what the lake holds, and what is missing.

        >>> [(each.ticker, each.sessions) for each in open("sample").status().tickers]
        [('AAPL', 69), ('GOOG', 69), ('MSFT', 69)]
        """
        from tickerlake.stages.status import status

        return status(self._opened, WORKERS, state=self._state)

    def check(self) -> "Checked":
        """Return what needs attention: gaps, flags, quarantine, stale tickers, revisions.

        >>> open("sample").check().counts()
        {'revisions': 1}
        """
        from tickerlake.stages.check import check

        return check(self._opened, WORKERS, state=self._state)

    def run(
        self,
        tickers: Tickers | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        offline: bool = False,
        yahoo_url: str | None = None,
        as_of: datetime | None = None,
        workers: int = WORKERS,
        shard: str | None = None,
    ) -> Ran:
        """Fetch what is missing and process it, as `tickerlake run` does.

        Args:
            tickers: one or several; None is those that the lake holds.
            start: how far back the lake should reach; with `end`, the first session to fetch.
            end: the last session to fetch.
            offline: use recorded bars from 2000-2013 instead of Yahoo.
            yahoo_url: ask a replay at this address instead of Yahoo.
            as_of: the moment to use as the current time; only with a replay.
            workers: how many tickers are fetched at the same time.
            shard: take only this machine's share of the tickers: "3/8" on the third of eight
                machines; None is all.

        Raises:
            AllFailedError: every ticker failed.
            UsageError, LakeError, SourceError: as their names say.

        >>> lake = open("new-lake", create=True)
        >>> lake.run("AAPL", start="2013-02-01", offline=True).new
        20
        >>> lake.run(offline=True).new
        0
        """
        if self._state is not None:
            raise UsageError("the past can't be changed: run a lake without `at`")
        source = SourceSettings(offline, yahoo_url, as_of=arguments.moment(as_of))
        first, last = arguments.days(start, end)
        names = arguments.names(tickers) or ()
        share = None if shard is None else arguments.share(shard)
        settings = ExtractSettings(
            self.url, names, None, first, last, self._grain, workers, source, share
        )
        return runs.run(settings)
