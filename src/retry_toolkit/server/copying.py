"""Copies and links files durably, by descriptor, without ever following a link."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file (btrfs, XFS, bcachefs)
_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # not blocking: a pipe must be seen, not waited for
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_DIRECTORY
_CANNOT_SHARE = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EBADF, errno.ETXTBSY}
)


class NotRegular(Exception):
    """What lies there is not a regular file: a link, a directory, a pipe, a device."""


@contextmanager
def open_directory(path: Path | str, *, parent: int | None = None) -> Iterator[int]:
    """Descriptor of a directory.

    Raises:
        NotRegular: It is a link or something else.
        FileNotFoundError: There is none.
    """
    try:
        descriptor = os.open(path, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise NotRegular(str(path)) from error
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_regular(path: Path | str, *, parent: int | None = None) -> Iterator[int]:
    """Descriptor of a regular file, for reading.

    Raises:
        NotRegular: It is a link or something else.
        FileNotFoundError: There is none.
    """
    try:
        descriptor = os.open(path, _READ, dir_fd=parent)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise NotRegular(str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegular(str(path))
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_beneath(directory: int, name: str) -> Iterator[tuple[int, int, str]]:
    """Descriptors of a regular file and of the directory that holds it, and its last name; no part may be a link.

    Raises:
        NotRegular: A part of the name is a link, or the file is something else.
        FileNotFoundError: There is no such file.
    """
    first, *rest = PurePosixPath(name).parts
    if rest:
        with open_directory(first, parent=directory) as inner, open_beneath(inner, "/".join(rest)) as found:
            yield found
    else:
        with open_regular(first, parent=directory) as descriptor:
            yield descriptor, directory, first


def copy_regular(source: int, target: Path) -> int:
    """Copy an open file to a new one and sync it; its size in bytes. Shares blocks where the file system can.

    Raises:
        OSError: It cannot be written; `errno.ENOSPC` if the disk is full.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        if not _clone(source, descriptor) and not _copy_in_kernel(source, descriptor):
            _copy_by_hand(source, descriptor)
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def link_regular(source: int, directory: int, name: str, target: Path) -> int:
    """Link an open file, which lies in `directory` as `name`, to a new name; its size in bytes.

    Raises:
        NotRegular: Another file took its name meanwhile.
        OSError: The file system cannot link.
    """
    os.link(name, target, src_dir_fd=directory, follow_symlinks=False)
    wanted, found = os.fstat(source), os.lstat(target)
    if (wanted.st_dev, wanted.st_ino) != (found.st_dev, found.st_ino):
        raise NotRegular(name)
    return wanted.st_size


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    with open_directory(path) as descriptor:
        os.fsync(descriptor)


def sync_tree(path: Path) -> None:
    """Make the names in a directory and in all below it durable."""
    for directory, _, _ in os.walk(path):
        with open_directory(directory) as descriptor:
            os.fsync(descriptor)


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_SHARE:
            return False
        raise
    return True


def _copy_in_kernel(source: int, target: int) -> bool:
    if not hasattr(os, "copy_file_range"):
        return False
    copied = 0
    try:
        while count := os.copy_file_range(source, target, _CHUNK * 64):
            copied += count
    except OSError as error:
        if error.errno in _CANNOT_SHARE and copied == 0:
            return False
        raise
    # Some file systems (of /proc, FUSE) answer 0 for a file that has content.
    return copied > 0


def _copy_by_hand(source: int, target: int) -> None:
    while chunk := os.read(source, _CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]
