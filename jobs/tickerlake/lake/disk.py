"""Objects in a folder: flushed before they are named, staged where no reader looks.

A new object is written to `.staging/` at the top of the lake, flushed, and renamed to its key. So a
table's folder never holds a half-written file, not even under another name. A process that was
killed leaves its staging files; the next one that writes removes them.
"""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock, Timeout

from tickerlake.errors import ConflictError, CorruptObjectError, StoreError
from tickerlake.lake import layout
from tickerlake.lake.objects import Found, Versioned

LOCK: Final = ".lock"
"""Held while an object is created on a file system without hard links."""

STAGING: Final = ".staging"
ASIDE: Final = "_aside"
"""Where `repair` moves what is in an object's place but is not a file."""

LOCK_SECONDS: Final = 10.0
_LOOK_AGAIN: Final = 0.005

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_numbers = count()


class Disk:
    """Objects in a folder. A disk has no compare-and-swap: locks provide it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._swept = False

    def read(self, key: str) -> Versioned | None:
        """See `lake.objects.Objects`."""
        path = self.folder / key
        try:
            with path.open("rb") as file:
                return Versioned(file.read(), _version(os.fstat(file.fileno())))
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                raise _in_the_way(path, "a link to nothing", key) from None
            return None
        except IsADirectoryError:
            raise _in_the_way(path, "a folder", key) from None

    def put(self, key: str, data: bytes) -> str:
        """See `lake.objects.Objects`."""
        path = self.folder / key
        with self._staged(path, data) as staged:
            version = _version(staged.stat())
            try:
                staged.replace(path)
            except IsADirectoryError:
                raise _in_the_way(path, "a folder", key) from None
            return version

    def create(self, key: str, data: bytes) -> str | None:
        """See `lake.objects.Objects`."""
        path = self.folder / key
        with self._staged(path, data) as staged:
            try:
                os.link(staged, path)
            except FileExistsError:
                return None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                with self._locked():
                    if os.path.lexists(path):
                        return None
                    staged.replace(path)
            return _version(path.stat())

    def swap(self, key: str, data: bytes, version: str) -> str:
        """See `lake.objects.Objects`."""
        path = self.folder / key
        with self._staged(path, data) as staged, _held(path) as found:
            if found != version:
                raise ConflictError(f"{key} was replaced by another run")
            new = _version(staged.stat())
            staged.replace(path)
            return new

    def find(self, prefix: str) -> Iterator[Found]:
        """See `lake.objects.Objects`."""
        return _find(self.folder / prefix.rstrip("/"), prefix, ())

    def delete(self, keys: Sequence[str]) -> None:
        """See `lake.objects.Objects`."""
        for key in keys:
            path = self.folder / key
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (IsADirectoryError, PermissionError):
                if path.is_dir():
                    raise _in_the_way(path, "a folder", key) from None
                raise

    def obstacles(self) -> Iterator[str]:
        """Yield the keys at which there is a folder or a dangling link instead of an object."""
        for folder, folders, files in os.walk(self.folder):
            for name in (*folders, *files):
                path = Path(folder, name)
                key = path.relative_to(self.folder).as_posix()
                if layout.is_object(key) and not path.is_file():
                    yield key

    def clear(self, key: str) -> None:
        """Move a folder that is in an object's place to `_aside/`; remove a dangling link."""
        path = self.folder / key
        if path.is_symlink() and not path.exists():
            path.unlink()
        elif path.is_dir():
            aside = self.folder / ASIDE / f"{key.replace('/', '_')}.{os.getpid()}-{next(_numbers)}"
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)

    @contextmanager
    def _staged(self, path: Path, data: bytes) -> Iterator[Path]:
        """Write and flush a file outside the tables' folders; remove it if it was not renamed."""
        self._sweep()
        staged = self.folder / STAGING / f"{_owner()}{next(_numbers)}"
        try:
            with staged.open("wb") as file:
                file.write(data)
                file.flush()
                # the system's own timestamps are too coarse to tell two versions apart, as a new
                # file may get the inode of the previous one
                os.utime(file.fileno(), ns=(time.time_ns(),) * 2)
                os.fsync(file.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            yield staged
        finally:
            with suppress(OSError):
                staged.unlink()

    def _sweep(self) -> None:
        if self._swept:
            return
        folder = self.folder / STAGING
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            host, _, rest = left.name.rpartition("@")
            process = rest.partition("-")[0]
            if host == socket.gethostname() and process.isdigit() and not _alive(int(process)):
                with suppress(OSError):
                    left.unlink()
        self._swept = True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise _busy(self.folder / LOCK) from None
        try:
            yield
        finally:
            lock.release()


@contextmanager
def _held(path: Path) -> Iterator[str | None]:
    """Lock the file that is about to be replaced, and yield the version of what is there now.

    Whoever expects the same version waits for the same file's lock, and then finds another file in
    its place. So tickers do not wait for each other, and no lock file is left behind.
    """
    try:
        file = path.open("r+b")
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with file:
        _lock(file, path)
        try:
            found = _version(path.stat())
        except FileNotFoundError:
            found = None
        yield found


def _lock(file: BinaryIO, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _busy(path) from None
            time.sleep(_LOOK_AGAIN)
        else:
            return


def _busy(path: Path) -> StoreError:
    return StoreError(
        f"{path} has been held by another process for {LOCK_SECONDS:.0f} seconds: wait for that"
        " process, or end it, and run the command again"
    )


def _owner() -> str:
    return f"{socket.gethostname()}@{os.getpid()}-"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _find(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        key = prefix + entry.name
        try:
            found = entry.stat()
        except FileNotFoundError:
            if entry.is_symlink():  # a dangling link; otherwise it was just deleted
                yield Found(key, 0, "")
            continue
        if not entry.is_dir():
            yield Found(key, found.st_size, _version(found), found.st_mtime)
        elif (identity := (found.st_dev, found.st_ino)) not in above:  # a link may lead upwards
            yield from _find(Path(entry.path), f"{key}/", (*above, identity))


def _in_the_way(path: Path, what: str, key: str) -> CorruptObjectError:
    return CorruptObjectError(
        f"{path} is {what}, where a file should be; `tickerlake repair` moves it out of the way",
        key,
    )
