"""What several test modules need: rows, lakes, processes, the command, and AWS emulators."""

import io
import os
import pickle
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from unittest import mock

import polars as pl
import pytest
from obstore.store import MemoryStore

from tickerlake.cli import main
from tickerlake.lake import Lake, create_lake, establish, history, layout
from tickerlake.lake.objects import Found, Remote, Versioned
from tickerlake.lake.store import Store
from tickerlake.market.bars import RAW


def new_lake(url: str, grain: str | None = None, *, sample: bool = False) -> Lake:
    """A lake that is there, though nothing is stored in it yet."""
    lake = create_lake(url, grain, sample=sample)
    establish(lake)
    return replace(lake, is_new=False)


def bar(session: date, close: float = 100.0, **fields: object) -> dict[str, object]:
    """A plausible bar around a close."""
    return {
        "session": session,
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": 1000,
        "dividend": 0.0,
        "capital_gain": 0.0,
        "split": 1.0,
        "currency": "USD",
        "dividend_currency": None,
        "source": "test",
        **fields,
    }


def bars(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=RAW)


def read_as_spark(reader: Any, parts: Sequence[Any] | None = None) -> pl.DataFrame:
    """The rows that Spark's tasks read, without a JVM: each gets the reader and its part pickled.

    Without rows, a frame without columns.
    """
    given = [(reader, part) for part in (reader.partitions() if parts is None else parts)]
    tasks = pickle.loads(pickle.dumps(given))  # noqa: S301 - our own
    found = [pl.from_arrow(batch) for each, part in tasks for batch in each.read(part)]
    return pl.concat(found) if found else pl.DataFrame()


def objects(lake: Lake, *prefixes: str) -> dict[str, bytes]:
    """All objects below the prefixes, by key."""

    def found() -> Iterator[tuple[str, bytes]]:
        for prefix in prefixes or ("raw/", "quarantine/", "history/", "refined/", "tickers/"):
            for key in lake.store.keys(prefix):
                if key == layout.INDEX:  # names the versions of objects, which no two lakes share
                    continue
                data = lake.store.get(key)
                assert data is not None
                yield key, data

    return dict(sorted(found()))


def tables(lake: Lake) -> dict[str, bytes]:
    """The files of the derived tables; histories without their notes on work that was under way.

    Work that is done twice, as by a speculative attempt of Spark's, leaves other notes.
    """

    def said(key: str, data: bytes) -> bytes:
        if not key.startswith(layout.HISTORY):
            return data
        return history.encode(history.Stored(history.decode(data, key).history))

    found = objects(lake, layout.HISTORY, layout.DAILY, layout.TICKERS)
    return {key: said(key, data) for key, data in found.items()}


class Counting(Store):
    """A store that remembers what is read."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner.url, inner._objects)
        self.reads: Counter[str] = Counter()
        self._guard = threading.Lock()

    def get_versioned(self, key: str) -> Versioned | None:
        with self._guard:
            self.reads[key] += 1
        return super().get_versioned(key)


# ---- processes and ports


def shell(*command: object, check: bool = True, **options: Any) -> str:
    """What a command says; the test fails when the command does."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if check and done.returncode:
        pytest.fail(f"{shlex.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Intercepted(Store):
    """A store that hands its writes to `_write`, which a test defines by means of `_really`."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner.url, inner._objects)

    def _really(self, name: str, *arguments: Any) -> Any:
        return getattr(Store, name)(self, *arguments)

    def _write(self, name: str, *arguments: Any) -> Any:
        raise NotImplementedError

    def put(self, key: str, data: bytes) -> None:
        self._write("put", key, data)

    def put_new(self, key: str, data: bytes) -> bool:
        return bool(self._write("put_new", key, data))

    def replace(self, key: str, data: bytes, version: str | None) -> str:
        return str(self._write("replace", key, data, version))

    def delete(self, keys: list[str]) -> None:
        self._write("delete", keys)


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as free:
        free.bind((host, 0))
        port: int = free.getsockname()[1]
    return port


def until(look: Callable[[], Any], seconds: float = 30, every: float = 0.02) -> Any:
    """Look again and again until there is something; what there is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every)
    return found


def point_to(endpoint: str, settings: pytest.MonkeyPatch) -> None:
    """Let this process, and those that it starts, take an endpoint for AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TICKERLAKE_"))]:
        settings.delenv(name)
    settings.setenv("AWS_ENDPOINT_URL", endpoint)
    settings.setenv("AWS_ACCESS_KEY_ID", "test")
    settings.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings.setenv("AWS_DEFAULT_REGION", "us-east-1")


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def tickerlake(*arguments: str, **environment: str) -> Done:
    """Run the command in this process, which saves seconds of imports for every test."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        mock.patch.dict(os.environ, environment),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(list(arguments))
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return Done(ended.value.code or 0, out.getvalue(), err.getvalue())


class Metered(Remote):
    """A store in memory that counts the requests that S3 would get."""

    PAGE = 1_000

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.requests: Counter[str] = Counter()
        self._guard = threading.Lock()

    def _count(self, name: str, number: int = 1) -> None:
        with self._guard:
            self.requests[name] += number

    def taken(self) -> dict[str, int]:
        """The requests since the last time."""
        taken = {name: self.requests[name] for name in ("get", "put", "list", "delete")}
        self.requests.clear()
        return taken

    def read(self, key: str) -> Versioned | None:
        self._count("get")
        return super().read(key)

    def put(self, key: str, data: bytes) -> str:
        self._count("put")
        return super().put(key, data)

    def create(self, key: str, data: bytes) -> str | None:
        self._count("put")
        return super().create(key, data)

    def swap(self, key: str, data: bytes, version: str) -> str:
        self._count("put")
        return super().swap(key, data, version)

    def find(self, prefix: str) -> Iterator[Found]:
        found = list(super().find(prefix))
        self._count("list", max(1, -(-len(found) // self.PAGE)))
        return iter(found)

    def delete(self, keys: Sequence[str]) -> None:
        self._count("delete", -(-len(keys) // self.PAGE))
        super().delete(keys)
