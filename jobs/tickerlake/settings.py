"""Settings: what the stages need, typed, and checked on creation. They import nothing heavy."""

import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Literal, NamedTuple

from tickerlake.errors import BadSettingError

Grain = Literal["day", "month", "year"]
EngineName = Literal["local", "spark"]
LAKE: Final = "./lake"
WORKERS: Final = 8
REQUESTS_PER_SECOND: Final = 5.0
RECORDED: Final = datetime(2013, 3, 1, 22, 30, tzinfo=UTC)
"""The current time when offline: the evening of the recording's last session."""


@dataclass(frozen=True)
class SourceSettings:
    """Where bars come from: Yahoo; a replay of it at `yahoo_url`; or, offline, recorded bars.

    `as_of` is the moment (UTC) to use as the current time, which only works with a replay; None is
    the real time, or what the replay's clock shows.
    """

    offline: bool = False
    yahoo_url: str | None = None
    requests_per_second: float = REQUESTS_PER_SECOND
    as_of: datetime | None = None

    @property
    def is_sample(self) -> bool | None:
        """Whether this source fills a lake with recorded bars; None when that can't be known."""
        return None if self.yahoo_url else self.offline

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.as_of and not (self.offline or self.yahoo_url):
            raise BadSettingError(
                "--as-of needs --offline or --yahoo-url: Yahoo itself only knows today"
            )


class Shard(NamedTuple):
    """A share of the tickers: that of one of several machines, whose number counts from 1."""

    number: int
    machines: int

    @staticmethod
    def parse(text: str) -> "Shard":
        """Return the share that a text such as 3/8 names.

        Raises:
            BadSettingError: it names none.
        """
        found = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
        if not found or int(found[1]) > int(found[2]):
            raise BadSettingError(f"{text!r} is not a share such as 3/8, the third of eight")
        return Shard(int(found[1]), int(found[2]))

    def has(self, ticker: str) -> bool:
        """Return whether a ticker belongs to it; every ticker belongs to exactly one."""
        return zlib.crc32(ticker.encode()) % self.machines == self.number - 1

    def __str__(self) -> str:
        """Return what a user types."""
        return f"{self.number}/{self.machines}"


@dataclass(frozen=True)
class ExtractSettings:
    """What `extract` needs.

    Without `tickers` and `universe` (a file, or `s3://bucket/key`) it takes the tickers that the
    lake holds; of these, only those of its `shard`. `start` and `end` are sessions; `grain` is that
    of a new lake (None: `day`).
    """

    lake: str = LAKE
    tickers: tuple[str, ...] = ()
    universe: str | None = None
    start: date | None = None
    end: date | None = None
    grain: Grain | None = None
    workers: int = WORKERS
    source: SourceSettings = field(default_factory=SourceSettings)
    shard: Shard | None = None

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.tickers and self.universe:
            raise BadSettingError("give tickers or --universe, not both")
        if self.end and not self.start:
            raise BadSettingError("--end needs --start")
        if self.start and self.end and self.start > self.end:
            raise BadSettingError(f"--start {self.start} is after --end {self.end}")


@dataclass(frozen=True)
class TransformSettings:
    """What `transform` needs.

    `workers` are the tickers in progress at the same time; None is as many as suit the store.
    `catalog` is the Glue Data Catalog's database in which new partitions are registered; the run
    `run_id` must exist, or the transform fails.
    """

    lake: str = LAKE
    workers: int | None = None
    engine: EngineName = "local"
    catalog: str | None = None
    rebuild: bool = False
    run_id: str | None = None


@dataclass(frozen=True)
class DoctorSettings:
    """What `doctor` needs.

    `infra` is the folder with the Terraform configuration, when an AWS account is to be examined
    rather than this machine. `start_jobs` says whether, after the apply, deployed jobs are started.
    """

    lake: str = LAKE
    yahoo_url: str | None = None
    infra: str | None = None
    start_jobs: bool = True


@dataclass(frozen=True)
class WatchSettings:
    """What `watch` needs: the URL of the queue that receives S3's events."""

    queue: str
    workers: int = WORKERS
    catalog: str | None = None
