from datetime import datetime
from pathlib import Path

import pytest

import tickerlake as tl

MOMENTS = (datetime(2005, 2, 25, 23), datetime(2005, 3, 10, 23))  # noqa: DTZ001 - taken as UTC


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    """A lake of two runs, before and after Apple's split of 2005-02-28."""
    folder = tmp_path_factory.mktemp("python") / "sample"
    lake = tl.open(folder, create=True, grain="year")
    for moment in MOMENTS:
        lake.run(["AAPL", "GOOG", "MSFT"], start="2004-12-01", offline=True, as_of=moment)
    return folder
