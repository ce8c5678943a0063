"""What a store of objects can do, and the kinds that are not local disk: S3 and memory (`obstore`).

`lake.store.Store` builds on this; `lake.disk` is the same for a folder.
"""

import os
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import MemoryStore, ObjectStore, S3Store

from tickerlake.errors import BadSettingError, ConflictError, StoreError

if TYPE_CHECKING:
    from obstore import Attributes, UpdateVersion
    from obstore.store import RetryConfig

ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class Versioned(NamedTuple):
    """An object's bytes and its version tag, which every put changes."""

    data: bytes
    version: str


class Found(NamedTuple):
    """An object in a listing; its size is in bytes, `modified` in seconds since 1970."""

    key: str
    size: int
    version: str
    modified: float = 0.0


class TryAgainError(Exception):
    """The store asks for the same request again (S3's 409 ConditionalRequestConflict)."""


class UncertainError(Exception):
    """A conditional put was refused when it was repeated: the first one may have taken place."""


class Objects(Protocol):
    """Objects by key. Failures are `OSError`s or obstore's own errors."""

    def read(self, key: str) -> Versioned | None:
        """Return an object, or None when there is none."""

    def put(self, key: str, data: bytes) -> str:
        """Put an object, replacing what is there; return its version."""

    def create(self, key: str, data: bytes) -> str | None:
        """Put an object if there is none; return its version, or None when there is one."""

    def swap(self, key: str, data: bytes, version: str) -> str:
        """Put an object if its version is still this one; return the new version.

        Raises:
            ConflictError: the version differs, or there is no object.
        """

    def find(self, prefix: str) -> Iterator[Found]:
        """List the objects below a prefix that ends with a slash."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; it is not an error if one is missing."""


class Remote:
    """Objects on S3 or in memory."""

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner

    def read(self, key: str) -> Versioned | None:
        """See `Objects`."""
        try:
            answer = obstore.get(self.inner, key)
            return Versioned(bytes(answer.bytes()), cast("str", answer.meta["e_tag"]))
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise OSError(str(error)) from error
            return None

    def put(self, key: str, data: bytes) -> str:
        """See `Objects`."""
        return _tag(obstore.put(self.inner, key, data, use_multipart=False))

    def publish(self, key: str, data: bytes, content_type: str) -> str:
        """Put an object for browsers, replacing what is there; return its version."""
        attributes: Attributes = {"Content-Type": content_type}
        found = obstore.put(self.inner, key, data, attributes=attributes, use_multipart=False)
        return _tag(found)

    def create(self, key: str, data: bytes) -> str | None:
        """See `Objects`."""
        try:
            return _tag(obstore.put(self.inner, key, data, mode="create", use_multipart=False))
        except AlreadyExistsError as error:
            # obstore reports a 409, which says nothing about the object, in the same way as a 412
            if "Server returned non-2xx status code: 409" in str(error):
                raise TryAgainError(str(error)) from error
            _check_certain(error)
            return None

    def swap(self, key: str, data: bytes, version: str) -> str:
        """See `Objects`."""
        condition: UpdateVersion = {"e_tag": version}
        try:
            return _tag(obstore.put(self.inner, key, data, mode=condition, use_multipart=False))
        except AlreadyExistsError as error:
            raise TryAgainError(str(error)) from error
        except (PreconditionError, FileNotFoundError) as error:
            _check_certain(error)
            raise ConflictError(f"{key} was replaced by another run") from error

    def find(self, prefix: str) -> Iterator[Found]:
        """See `Objects`."""
        for page in obstore.list(self.inner, prefix):
            for each in page:
                yield Found(
                    each["path"],
                    each["size"],
                    cast("str", each["e_tag"]),
                    each["last_modified"].timestamp(),
                )

    def delete(self, keys: Sequence[str]) -> None:
        """See `Objects`."""
        try:
            obstore.delete(self.inner, list(keys))
        except FileNotFoundError as error:  # memory's way; S3 does not mind
            if "NoSuchBucket" in str(error):
                raise OSError(str(error)) from error


def _tag(result: Any) -> str:
    return cast("str", result["e_tag"])


def _check_certain(error: Exception) -> None:
    if re.search(r"after [0-9]+ retries", str(error)):
        raise UncertainError(str(error)) from error


def memory() -> Remote:
    """Return a store that only lives as long as the process."""
    return Remote(MemoryStore())


def endpoint() -> str | None:
    """Return S3's endpoint when it is not AWS's own.

    Raises:
        BadSettingError: it is not a URL.
    """
    name = next(filter(os.environ.get, ENDPOINTS), None)
    if name is None:
        return None
    url = os.environ[name]
    if not _is_url(url):
        raise BadSettingError(f"{name} is {url!r}, not a URL such as http://localhost:4566")
    return url


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0  # raises when it is not a number
    except ValueError:
        return False
    is_plain = not re.search(r"\s", text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and is_plain


def region(session: Any) -> str | None:
    """Return the region of a boto3 session, which doesn't look at AWS_REGION itself."""
    found: str | None = session.region_name or os.environ.get("AWS_REGION") or None
    return found


_RETRIES: "Final[RetryConfig]" = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=6),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}


def s3(location: str) -> Remote:
    """Open `bucket[/prefix]` on S3.

    Raises:
        BadSettingError: the endpoint is not a URL.
        StoreError: there are no credentials, or neither a region nor an endpoint.
    """
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    bucket, _, prefix = location.partition("/")
    session = boto3.Session()
    if session.get_credentials() is None:
        raise StoreError(
            f"no AWS credentials to open s3://{location}: set AWS_PROFILE or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or run where a role is attached"
        )
    # emulators and other stores than AWS's don't care about the region
    where = region(session) or ("us-east-1" if endpoint() else None)
    if where is None:
        raise StoreError(
            f"no AWS region to open s3://{location}: give --region, or set AWS_DEFAULT_REGION or"
            " the region of your AWS profile; for another store than AWS's, set AWS_ENDPOINT_URL"
        )
    # obstore refuses an endpoint of None; without the option, it uses AWS's own
    elsewhere: dict[str, Any] = {"endpoint": endpoint()} if endpoint() else {}
    return Remote(
        S3Store(
            bucket,
            retry_config=_RETRIES,
            client_options={
                "allow_http": endpoint() is not None,
                "connect_timeout": timedelta(seconds=2),
                "read_timeout": timedelta(seconds=8),
                "timeout": timedelta(seconds=60),
            },
            prefix=prefix.strip("/") or None,
            region=where,
            virtual_hosted_style_request=endpoint() is None,
            credential_provider=Boto3CredentialProvider(session),
            **elsewhere,
        )
    )
