"""Objects by key, on local disk, in memory or on S3, with the two conditional puts the lake needs.

A thin layer over `obstore`, which has no compare-and-swap for local disk: there a lock file makes
one.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

import obstore
from filelock import FileLock
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PreconditionError,
)
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from tickerlake.errors import BadSettingError, ConflictError, NoLakeError, StoreError

if TYPE_CHECKING:
    from obstore import UpdateVersion

P = ParamSpec("P")
T = TypeVar("T")

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_LOCK: Final = ".lock"


class Store:
    """Objects by key below one URL.

    Every method raises `StoreError` when the store refuses or can't be reached.
    """

    def __init__(self, url: str, objects: ObjectStore) -> None:
        self.url = url
        self._objects = objects

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None when there is none."""
        found = self.get_versioned(key)
        return found[0] if found else None

    def get_versioned(self, key: str) -> tuple[bytes, str] | None:
        """The object's bytes and its version tag, or None when there is none."""
        try:
            answer = self._try(obstore.get, self._objects, key)
            return self._try(lambda: bytes(answer.bytes())), cast("str", answer.meta["e_tag"])
        except FileNotFoundError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Put an object, replacing what is there."""
        self._try(obstore.put, self._objects, key, data, use_multipart=False)

    def put_new(self, key: str, data: bytes) -> bool:
        """Put an object only if there is none; say whether it was put."""
        try:
            self._try(obstore.put, self._objects, key, data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def replace(self, key: str, data: bytes, version: str | None) -> None:
        """Put an object only if its version tag is still `version` (None: if there is none).

        Raises:
            ConflictError: somebody else put it first.
        """
        if version is None:
            if not self.put_new(key, data):
                raise ConflictError(f"{key} was put by another run")
            return
        try:
            with self._lock():
                if isinstance(self._objects, LocalStore):
                    found = self._try(obstore.head, self._objects, key)
                    if found["e_tag"] != version:
                        raise ConflictError(f"{key} was replaced by another run")
                    self.put(key, data)
                else:
                    condition: UpdateVersion = {"e_tag": version}
                    self._try(obstore.put, self._objects, key, data, mode=condition)
        except (PreconditionError, FileNotFoundError) as error:
            raise ConflictError(f"{key} was replaced by another run") from error

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys below a prefix that ends with a slash, in no particular order."""
        return (key for key, _ in self.sizes(prefix))

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """The same, with the objects' sizes in bytes."""
        pages = iter(self._try(obstore.list, self._objects, prefix))
        while page := self._try(next, pages, None):
            for found in page:
                yield found["path"], found["size"]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        if keys:
            self._try(obstore.delete, self._objects, list(keys))

    def filesystem(self) -> Any:
        """The same store as an `fsspec` file system, for readers that want one."""
        from obstore.fsspec import FsspecStore

        class Filesystem(FsspecStore):
            protocol = "lake"

            def _construct_store(self, bucket: str) -> ObjectStore:  # noqa: ARG002 - one store
                return objects

        objects = self._objects
        filesystem = Filesystem("s3")
        filesystem.protocol = "lake"  # the constructor knows no such protocol
        return filesystem

    def _lock(self) -> AbstractContextManager[object]:
        if isinstance(self._objects, LocalStore):
            return FileLock(Path(self.url) / _LOCK)
        return nullcontext()

    def _try(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return _try(self.url, call, *args, **kwargs)


def _try(url: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return call(*args, **kwargs)
    except (AlreadyExistsError, PreconditionError):
        raise
    except (BaseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
            raise
        reason = str(error).partition("\n\nDebug source")[0].strip()
        raise StoreError(f"the lake's store {url} failed: {reason}") from error


def open_store(url: str, *, create: bool = False) -> Store:
    """Open a store by URL.

    Args:
        url: a folder, `file:///...`, `s3://bucket[/prefix]`, or `memory://` (gone with the
        process).
            S3's endpoint comes from the standard `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`;
            credentials and region from wherever boto3 finds them.
        create: make the folder when there is none (a bucket is never made).

    Raises:
        BadSettingError: the URL is of no kind that we know.
        NoLakeError: there is no such folder.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        folder = Path(rest if separator else url).absolute()
        if not create and not folder.is_dir():
            raise NoLakeError(f"there is no lake at {folder}: `tickerlake extract` makes one")
        return Store(str(folder), _try(url, LocalStore, prefix=folder, mkdir=True))
    if scheme == "memory":
        return Store(url, MemoryStore())
    if scheme == "s3" and rest.strip("/"):
        return Store(url, _s3(rest))
    raise BadSettingError(
        f"can't open a lake at {url!r}: give a folder or s3://bucket/prefix (--lake)"
    )


def surroundings(url: str) -> dict[str, str]:
    """Environment variables by which a process on another machine opens a store as this one does.

    Region and endpoints, but no credentials: those are for the machine to have. A folder needs
    none.
    """
    if not url.startswith("s3://"):
        return {}
    import boto3

    found = {name: os.environ[name] for name in _ENDPOINTS if name in os.environ}
    region = boto3.Session().region_name
    return found | ({"AWS_DEFAULT_REGION": region} if region else {})


def _s3(location: str) -> S3Store:
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    bucket, _, prefix = location.partition("/")
    session = boto3.Session()
    if session.get_credentials() is None:
        raise StoreError(
            f"no AWS credentials to open s3://{location}: set AWS_PROFILE or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or run where a role is attached"
        )
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
    # an endpoint of None is refused, and none at all is AWS's own
    elsewhere: dict[str, Any] = {}
    if endpoint:
        elsewhere = {"endpoint": endpoint, "client_options": {"allow_http": True}}
    return S3Store(
        bucket,
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=30)},
        prefix=prefix.strip("/") or None,
        region=session.region_name or "us-east-1",
        virtual_hosted_style_request=endpoint is None,
        credential_provider=Boto3CredentialProvider(session),
        **elsewhere,
    )
