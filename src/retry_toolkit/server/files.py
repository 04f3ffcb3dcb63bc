"""Input files of tasks: taken in, copied, linked, removed.

A new task's files are written under `.partial-<task>`, synced, renamed to their place, and only then the task is
committed. Until it is, a marker lies beside them: at the next start, marked files without a task are removed. Everyone
who makes or removes a task's directory holds a shared lock, so the one who cleans up knows that nobody is at it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from retry_toolkit.server import copying
from retry_toolkit.server.layout import Layout
from retry_toolkit.server.records import InputFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from retry_toolkit.settings import Settings

MARKER = ".unsettled"
PARTIAL = ".partial-"
TRASH = ".trash-"
_LONGEST_NAME = 255
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})


class FilesError(Exception):
    """Input files cannot be taken; nothing of them is left behind."""


class FilesMissing(FilesError):
    """Some files are gone; the argument names them."""


class NotAFile(FilesError):
    """Something is not a regular file, or has a name that cannot be used; the argument names it."""


class CannotLink(FilesError):
    """The file system cannot link these files."""


@dataclass
class DiskFull(FilesError):
    """The disk has not enough room."""

    needed_bytes: int
    free_bytes: int


def free_bytes_of_disk(path: Path) -> int:
    """Bytes that this user may still write to the disk of a path."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


class TaskFiles:
    """The directories of tasks under the home directory.

    Args:
        settings: Name the home directory.
        free_bytes: Looks up the room on a path's disk.
    """

    def __init__(self, settings: Settings, *, free_bytes: Callable[[Path], int] = free_bytes_of_disk) -> None:
        self._layout = Layout(settings.home)
        self._free_bytes = free_bytes

    def inputs(self, task_id: str) -> Path:
        """Directory of a task's input files."""
        return self._layout.inputs(task_id)

    @contextmanager
    def take_in(self, task_id: str, sources: Mapping[str, Path]) -> Iterator[tuple[InputFile, ...]]:
        """Copy files in for a new task, which the body commits; if it fails, nothing of them stays.

        Raises:
            FilesError: A file is missing, is no regular file, or does not fit.
        """

        def fill(directory: Path) -> tuple[InputFile, ...]:
            for name in sources:
                check_name(name)
            self._check_room(sum(_size_of(path) for path in sources.values()))
            found = []
            for name, path in sorted(sources.items()):
                with copying.open_regular(path) as source:
                    size = copying.copy_regular(source, _place(directory, name))
                found.append(InputFile(name=name, size_bytes=size, method="original"))
            return tuple(found)

        with self._new_task(task_id, fill) as files:
            yield files

    @contextmanager
    def repeat(
        self, task_id: str, origin: str, files: Iterable[InputFile], *, copy: bool
    ) -> Iterator[tuple[InputFile, ...]]:
        """Copy or link another task's input files for a new task, which the body commits; see `take_in`.

        Raises:
            FilesError: A file is gone, is no regular file any more, does not fit, or cannot be linked.
        """
        names = [file.name for file in files]

        def fill(directory: Path) -> tuple[InputFile, ...]:
            if not names:
                return ()
            with copying.open_directory(self.inputs(origin)) as inputs:
                needed = _total_size(inputs, names)
                if copy:
                    self._check_room(needed)
                return tuple(repeat_file(inputs, name, directory, origin, copy=copy) for name in names)

        with self._new_task(task_id, fill) as made:
            yield made

    @contextmanager
    def removing(self, task_id: str) -> Iterator[None]:
        """Remove a task's directory if the body, which deletes the task, succeeds."""
        directory = self._layout.task(task_id)
        with self._lock(fcntl.LOCK_SH):
            if not directory.exists():
                yield
                return
            marker = directory / MARKER
            marker.touch()
            try:
                yield
            except BaseException:
                marker.unlink(missing_ok=True)
                raise
            with suppress(OSError):  # the task is gone; the next start removes what stayed
                self.erase(self.set_aside(directory))

    def set_aside(self, directory: Path) -> Path:
        """Take a directory out of everyone's sight, in one step; `erase` what this answers."""
        trash = self._layout.tasks / f"{TRASH}{secrets.token_hex(8)}"
        directory.rename(trash)
        return trash

    def erase(self, trash: Path) -> None:
        """Remove what was set aside; what cannot be removed now is at the next start."""
        shutil.rmtree(trash, ignore_errors=True)

    def clean_up(self, is_known: Callable[[str], bool]) -> int:
        """Remove what crashes left behind; how many directories. Does nothing while another process makes a task."""
        with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB) as locked:
            if not locked:
                return 0
            return sum(self._settle(entry, is_known) for entry in list(self._layout.tasks.iterdir()))

    def _settle(self, entry: Path, is_known: Callable[[str], bool]) -> bool:
        if entry.name.startswith((PARTIAL, TRASH)):
            shutil.rmtree(entry, ignore_errors=True)
            return True
        marker = entry / MARKER
        if not marker.is_file():
            return False
        if is_known(entry.name):
            marker.unlink()
            return False
        self.erase(self.set_aside(entry))
        return True

    @contextmanager
    def _new_task(self, task_id: str, fill: Callable[[Path], tuple[InputFile, ...]]) -> Iterator[tuple[InputFile, ...]]:
        partial = self._layout.tasks / f"{PARTIAL}{task_id}"
        final = self._layout.task(task_id)
        with self._lock(fcntl.LOCK_SH):
            try:
                files = self._fill(partial, fill)
                partial.rename(final)
                copying.sync_directory(self._layout.tasks)
                yield files
            except BaseException as error:
                # A commit whose answer was lost may have happened: the next start knows, and settles it.
                if not (isinstance(error, DBAPIError) and error.connection_invalidated):
                    for directory in (partial, final):
                        shutil.rmtree(directory, ignore_errors=True)
                raise
            with suppress(OSError):
                (final / MARKER).unlink()

    def _fill(self, partial: Path, fill: Callable[[Path], tuple[InputFile, ...]]) -> tuple[InputFile, ...]:
        inputs = partial / "inputs"
        try:
            inputs.mkdir(parents=True)
            (partial / MARKER).touch()
            files = fill(inputs)
            copying.sync_tree(partial)
        except FileNotFoundError as error:
            raise FilesMissing(str(error.filename)) from error
        except (copying.NotRegular, FileExistsError, NotADirectoryError) as error:
            raise NotAFile(str(error)) from error
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFull(0, self._free_bytes(self._layout.tasks)) from error
            raise
        return files

    def _check_room(self, needed: int) -> None:
        free = self._free_bytes(self._layout.tasks)
        if needed > free:
            raise DiskFull(needed, free)

    @contextmanager
    def _lock(self, how: int) -> Iterator[bool]:
        """Hold the lock on the directory of tasks; False if it is held by others and `how` does not wait."""
        descriptor = os.open(self._layout.locks / "tasks.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def check_name(name: str) -> None:
    """Refuse a name that would leave the input directory or cannot be stored.

    Raises:
        NotAFile: It is such a name.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "/".join(parts) != name or not name.isprintable():
        raise NotAFile(name)
    if any(part == ".." or len(part.encode()) > _LONGEST_NAME for part in parts):
        raise NotAFile(name)


def _place(directory: Path, name: str) -> Path:
    place = directory / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _size_of(path: Path) -> int:
    with copying.open_regular(path) as source:
        return os.fstat(source).st_size


def _total_size(inputs: int, names: Iterable[str]) -> int:
    total = 0
    for name in names:
        with copying.open_beneath(inputs, name) as (source, _, _):
            total += os.fstat(source).st_size
    return total


def repeat_file(inputs: int, name: str, directory: Path, origin: str, *, copy: bool) -> InputFile:
    """Copy or link one file from below an open directory into another one.

    Raises:
        CannotLink: The file system refuses.
        copying.NotRegular: It is a link or something else.
        FileNotFoundError: It is gone.
    """
    with copying.open_beneath(inputs, name) as (source, parent, last):
        place = _place(directory, name)
        if copy:
            size = copying.copy_regular(source, place)
            return InputFile(name=name, size_bytes=size, method="copied", source_task_id=origin)
        try:
            size = copying.link_regular(source, parent, last, place)
        except OSError as error:
            if error.errno in _CANNOT_LINK:
                raise CannotLink(name) from error
            raise
        return InputFile(name=name, size_bytes=size, method="linked", source_task_id=origin)
