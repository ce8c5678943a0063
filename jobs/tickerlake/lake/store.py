"""Objects by key, in a folder, in memory or on S3, with the two conditional puts the lake needs.

This is the one place that knows what to do when a store fails: a request is retried for a few
seconds, and a put whose answer was lost is recognised by what is stored.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from obstore.store import ObjectStore

from tickerlake.errors import (
    BadSettingError,
    ConflictError,
    NoLakeError,
    StoreError,
)
from tickerlake.lake import layout, objects
from tickerlake.lake.disk import Disk
from tickerlake.lake.objects import Found, Objects, Remote, UncertainError, Versioned
from tickerlake.lake.retries import ATTEMPTS, attempt, interruptible, pause

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READERS: Final = 16
"""Objects that `get_all` reads at the same time."""

_MANY: Final = 4
_NAMED: Final = 5


class Store:
    """Objects by key below one URL.

    Every method raises `StoreError` when the store refuses or can't be reached.
    """

    def __init__(self, url: str, objects: Objects | ObjectStore) -> None:
        self.url = url
        self._objects = Remote(objects) if isinstance(objects, ObjectStore) else objects

    def get(self, key: str) -> bytes | None:
        """Return the object's bytes, or None when there is none.

        Raises:
            CorruptObjectError: there is a folder or a dangling link in its place.
        """
        found = self.get_versioned(key)
        return found.data if found else None

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of objects, in the order of their keys; see `get`.

        On S3, where each takes a round trip, many are read at the same time.
        """
        if not self.is_remote or len(keys) < _MANY:
            return [self.get(key) for key in keys]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self.get, keys))

    def get_versioned(self, key: str) -> Versioned | None:
        """Return the object's bytes and its version tag, or None when there is none."""
        return self._try(self._objects.read, key)

    def put(self, key: str, data: bytes) -> None:
        """Put an object, replacing what is there."""
        self._try(self._objects.put, key, data)

    def publish(self, key: str, data: bytes, content_type: str) -> str:
        """Put an object for browsers, replacing what is there; return its version tag.

        A folder keeps no content type.
        """
        if isinstance(self._objects, Remote):
            return self._try(self._objects.publish, key, data, content_type)
        return self._try(self._objects.put, key, data)

    def put_new(self, key: str, data: bytes) -> bool:
        """Put an object only if there is none; return whether it was put."""
        return self._put_if(self._objects.create, key, data) is not None

    def put_same(self, key: str, data: bytes) -> bool:
        """Put an object only if there is none; return whether it now holds these bytes."""
        for number in range(1, ATTEMPTS + 1):
            if self.put_new(key, data):
                return True
            found = self.get(key)
            if found is not None:
                return found == data
            pause(number)
        raise StoreError(f"the lake's store {self.url} failed: it neither has {key} nor takes it")

    def replace(self, key: str, data: bytes, version: str | None) -> str:
        """Put an object only if its version tag is still `version` (None: if there is none).

        Returns:
            The new version tag.

        Raises:
            ConflictError: somebody else put it first.
        """
        if version is None:
            new = self._put_if(self._objects.create, key, data)
        else:
            new = self._put_if(self._objects.swap, key, data, version)
        if new is None:
            raise ConflictError(f"{key} was replaced by another run")
        return new

    def _put_if(
        self, put: Callable[..., str | None], key: str, data: bytes, *condition: str
    ) -> str | None:
        """Put an object on a condition; return its version, or None when the condition failed.

        When the put was retried, its condition may have failed because the first attempt succeeded
        and only its answer was lost. What is stored now tells the two cases apart.
        """
        attempts = 0

        def once() -> str | None:
            nonlocal attempts
            attempts += 1
            return put(key, data, *condition)

        try:
            if (version := self._try(once)) or attempts == 1:
                return version
        except ConflictError:
            if attempts == 1:
                return None
        except UncertainError:
            pass
        found = self.get_versioned(key)
        return found.version if found and found.data == data else None

    def keys(self, prefix: str) -> Iterator[str]:
        """List the keys below a prefix that ends with a slash, in no particular order.

        What does not belong to the lake is left out, with a warning that names it.
        """
        return (each.key for each in self.find(prefix))

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """List the same, with the objects' sizes in bytes."""
        return ((each.key, each.size) for each in self.find(prefix))

    def find(self, prefix: str) -> Iterator[Found]:
        """List the same, with sizes and version tags."""
        aliens = []
        for each in self.find_all(prefix):
            if layout.is_alien(each.key):
                aliens.append(each.key)
            else:
                yield each
        if aliens:
            more = f" and {len(aliens) - _NAMED:,} more" if len(aliens) > _NAMED else ""
            log.warning(
                "ignored, not part of the lake: %s%s", ", ".join(sorted(aliens)[:_NAMED]), more
            )

    def find_all(self, prefix: str) -> Iterator[Found]:
        """List everything below a prefix, including what does not belong to the lake."""
        if isinstance(self._objects, Remote):
            # the client does not retry a truncated page; so the whole listing is retried
            return iter(self._try(lambda: list(self._objects.find(prefix))))
        return self._lazily(self._objects.find(prefix))

    def _lazily(self, found: Iterator[Found]) -> Iterator[Found]:
        while (each := self._try(next, found, None)) is not None:
            yield each

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        if keys:
            self._try(self._objects.delete, keys)

    @property
    def is_remote(self) -> bool:
        """Whether each request takes a round trip."""
        return isinstance(self._objects, Remote)

    def obstacles(self) -> list[str]:
        """Return the keys at which there is something other than an object."""
        return sorted(self._objects.obstacles()) if isinstance(self._objects, Disk) else []

    def clear(self, key: str) -> None:
        """Move something other than an object out of an object's place."""
        if isinstance(self._objects, Disk):
            self._try(self._objects.clear, key)

    def filesystem(self) -> Any:
        """Return the same store as an `fsspec` file system, for readers that want one."""
        from obstore.fsspec import FsspecStore

        if not isinstance(self._objects, Remote):
            raise TypeError("a folder has a file system of its own")
        inner = self._objects.inner

        class Filesystem(FsspecStore):
            protocol = "lake"

            def _construct_store(self, bucket: str) -> Any:  # noqa: ARG002 - one store
                return inner

        filesystem = Filesystem("s3")
        filesystem.protocol = "lake"  # the constructor knows no such protocol
        return filesystem

    def _try(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if (
            isinstance(self._objects, Remote)
            and threading.current_thread() is threading.main_thread()
        ):
            return attempt(self.url, interruptible, partial(call, *args, **kwargs))
        return attempt(self.url, call, *args, **kwargs)


def open_store(url: str, *, create: bool = False) -> Store:
    """Open a store by URL.

    Args:
        url: a folder, `file:///...`, `s3://bucket[/prefix]`, or `memory://` (gone with the
            process). S3's endpoint comes from the standard `AWS_ENDPOINT_URL_S3` or
            `AWS_ENDPOINT_URL`; credentials and region from wherever boto3 finds them.
        create: create the folder if there is none (a bucket is never created).

    Raises:
        BadSettingError: it is not a kind of URL that we know.
        NoLakeError: there is no such folder.
        StoreError: the folder can't be created.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return _open_folder(Path(rest if separator else url).absolute(), create=create)
    if scheme == "memory":
        return Store(url, objects.memory())
    if scheme == "s3" and rest.strip("/"):
        return Store(url, objects.s3(rest))
    raise BadSettingError(
        f"can't open a lake at {url!r}: give a folder or s3://bucket/prefix (--lake)"
    )


def _open_folder(folder: Path, *, create: bool) -> Store:
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, not a folder: give another place with --lake")
    if not create and not folder.is_dir():
        raise NoLakeError(f"there is no lake at {folder}: `tickerlake run` creates one")
    if create:
        attempt(str(folder), lambda: folder.mkdir(parents=True, exist_ok=True))
    return Store(str(folder), Disk(folder))


def environment(url: str) -> dict[str, str]:
    """Return the environment variables that let another machine open a store as this one does.

    They are the region and endpoints, but no credentials: the machine must have its own. A folder
    needs none.
    """
    if not url.startswith("s3://"):
        return {}
    import boto3

    found = {name: os.environ[name] for name in objects.ENDPOINTS if name in os.environ}
    region = objects.region(boto3.Session())
    return found | ({"AWS_DEFAULT_REGION": region} if region else {})
