"""Errors that a user can do something about.

TickerlakeError
├── UsageError             exit code 2: the call is wrong; the message says what would be right
│   ├── BadSymbolError     one or more ticker symbols are malformed (all are named)
│   └── BadSettingError    a setting or an argument has an impossible value
├── LakeError              exit code 1: the lake or its store
│   ├── NoLakeError        there is no lake at that place
│   ├── LakeFormatError    the lake was created with another format version or grain
│   ├── LostStateError     a past state can't be read any more, or never was one of this lake
│   ├── StoreError         the store refused a request, or can't be reached
│   └── CorruptObjectError an object is missing or is not what its name or its manifest says
├── SourceError            exit code 1: the source of bars
│   ├── UnknownSymbolError the source does not know the symbol
│   ├── RateLimitedError   the source wants fewer requests
│   └── SourceFailedError  it did not answer, or sent nonsense, even after retries
│       └── SourceUnreachableError  there is no network, or nothing listens at its address
├── EventError             an event that should start the transformer
│   ├── MalformedEventError  it can't be read; it ends in the dead-letter queue
│   └── TransformFailedError the transformer that it started failed; it is delivered again
├── CatalogError           exit code 1: the Data Catalog refused, lacks a table, or is out of reach
├── AllFailedError         exit code 1: every ticker failed; the message says why
├── EngineError            exit code 1: the engine that distributes the work failed
└── ConflictError          another run replaced an object first; handled by redoing the work
"""


class TickerlakeError(Exception):
    """Root of all errors that tickerlake raises on purpose."""

    exit_code = 1


class UsageError(TickerlakeError):
    """The call is wrong."""

    exit_code = 2


class BadSymbolError(UsageError):
    """One or more ticker symbols are malformed."""


class BadSettingError(UsageError):
    """A setting or an argument has an impossible value."""


class LakeError(TickerlakeError):
    """The lake or its store."""


class NoLakeError(LakeError):
    """There is no lake at that place."""


class LakeFormatError(LakeError):
    """The lake was created with another format version or grain."""


class LostStateError(LakeError):
    """A past state of the lake can't be read any more, or never was one of this lake."""


class StoreError(LakeError):
    """The store refused a request, or can't be reached."""


class CorruptObjectError(LakeError):
    """An object is missing, or is not what its name or its manifest says; `key` is its key."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class SourceError(TickerlakeError):
    """The source of bars."""


class UnknownSymbolError(SourceError):
    """The source does not know the symbol."""


class RateLimitedError(SourceError):
    """The source wants fewer requests."""


class SourceFailedError(SourceError):
    """The source did not answer, or sent nonsense, even after retries."""


class SourceUnreachableError(SourceFailedError):
    """The source's name has no address, or nothing listens there."""


class EventError(TickerlakeError):
    """An event that should start the transformer."""


class MalformedEventError(EventError):
    """The event can't be read."""


class TransformFailedError(EventError):
    """The transformer that the event started failed."""


class CatalogError(TickerlakeError):
    """The Glue Data Catalog refused, lacks a table, or can't be reached."""


class AllFailedError(TickerlakeError):
    """Every ticker failed."""


class EngineError(TickerlakeError):
    """The engine that distributes the work on tickers failed."""


class ConflictError(TickerlakeError):
    """Another run replaced an object first."""


def pip_install(extras: str) -> str:
    """Return the command that adds extras to an installation.

    >>> pip_install("query")
    "pip install 'tickerlake[query] @ git+https://github.com/tickerlake/tickerlake'"
    """
    return f"pip install 'tickerlake[{extras}] @ git+https://github.com/tickerlake/tickerlake'"
