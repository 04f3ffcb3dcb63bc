"""What files really occupy on this machine: blocks instead of lengths, and hard links once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_BLOCK: Final = 512  # POSIX counts st_blocks in these, whatever the file system's own blocks are


def allocated_bytes(paths: Mapping[str, Path | str]) -> dict[str, int | None]:
    """Bytes that the regular files below each path occupy; None where they cannot all be read.

    A file that several paths share by hard links counts for the first of them. Symbolic links are not followed, and
    directories count nothing. Copies that share blocks on the file system (reflinks) cannot be told from others: each
    counts in full.

    Args:
        paths: A file or directory for each task, in the order in which shared files are charged.
    """
    charged: set[tuple[int, int]] = set()
    found: dict[str, int | None] = {}
    for task_id, path in paths.items():
        try:
            files = {(entry.st_dev, entry.st_ino): entry.st_blocks * _BLOCK for entry in _files(Path(path))}
        except OSError:
            found[task_id] = None
            continue
        found[task_id] = sum(size for inode, size in files.items() if inode not in charged)
        charged |= files.keys()
    return found


def _files(path: Path) -> Iterator[os.stat_result]:
    entry = path.lstat()
    if stat.S_ISREG(entry.st_mode):
        yield entry
    elif stat.S_ISDIR(entry.st_mode):
        for below in path.iterdir():
            yield from _files(below)
