"""Opening a lake: `tickerlake.open`."""

import os

from tickerlake.api.lake import Lake
from tickerlake.errors import NoLakeError
from tickerlake.lake import create_lake, open_lake
from tickerlake.settings import LAKE, Grain


def open(  # noqa: A001 - `tl.open` reads as `io.open` does
    url: "str | os.PathLike[str] | None" = None, *, create: bool = False, grain: Grain | None = None
) -> "Lake":
    """Open a lake.

    Args:
        url: a folder, or `s3://bucket/prefix`. None is what the environment variable
            `TICKERLAKE_LAKE` says, otherwise `./lake`.
        create: allow a place where there is no lake yet; the first `run` creates it.
        grain: how the lake is partitioned: `day`, `month` or `year`. An existing lake must have
            this grain; None is that of the lake, and `day` for a new one.

    Raises:
        NoLakeError: there is no lake at that place.
        LakeFormatError: the lake has another format version, or another grain.

    >>> open("sample")
    <Lake sample: 3 tickers, partitions by year, stamp ...>
    """
    place = os.fspath(url) if url is not None else os.environ.get("TICKERLAKE_LAKE") or LAKE
    try:
        found = open_lake(place)
    except NoLakeError as error:
        if not create:
            raise NoLakeError(f"{error}; in Python: tickerlake.open(…, create=True)") from error
    else:
        if grain not in (None, found.grain):
            create_lake(place, grain)  # says that the grain of a lake can't be changed
    return Lake(place, grain=grain)
