from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sources.served import Served, opened, serving
from tickerlake.sources.replay import Replay
from tickerlake.sources.yahoo import Yahoo


@pytest.fixture
def replay() -> Iterator[Replay]:
    with Replay(now=datetime(2005, 3, 4, 22, 30, tzinfo=UTC)) as replay:
        yield replay


@pytest.fixture
def yahoo(replay: Replay) -> Iterator[Yahoo]:
    """The real client, pointed to the replay."""
    with opened(replay.url) as yahoo:
        yield yahoo


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Yahoo]:
    """The real client, pointed to a server that says what a test wants."""
    with opened(served.url) as yahoo:
        yield yahoo
