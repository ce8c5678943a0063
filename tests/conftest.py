import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from helpers import new_lake, point_to
from hypothesis import Phase, settings

from tickerlake.lake import Lake
from tickerlake.market import calendar_cache

# `make test-browser` installs what these need
collect_ignore = [] if find_spec("playwright") else ["browser"]

# what another version of the code has kept must not answer for this one
calendar_cache._folder = lambda: None

# only a machine that dies loses what is not synced; tests/lake/test_faults.py spies on the call
os.fsync = lambda _: None

# a busy machine is no failure
settings.register_profile("tickerlake", deadline=None)
# `make mutants`: a failure is enough, the smallest one is not needed
settings.register_profile(
    "mutants",
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("tickerlake")


@pytest.fixture(params=["day", "month", "year"])
def any_grain(request, tmp_path) -> Lake:
    return new_lake(str(tmp_path / "lake"), request.param)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return new_lake(str(tmp_path / "lake"), "year")


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The endpoint of moto's server, whose state is the process's own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto, monkeypatch) -> None:
    """AWS is moto's server."""
    point_to(moto, monkeypatch)
