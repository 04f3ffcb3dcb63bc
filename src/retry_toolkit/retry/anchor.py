"""The anchor: a small file beside the journal that remembers how far it had come.

SQLite opens a file whose last commits are gone (a write-ahead log cut short, deleted, or left behind by a copy)
without a word. The anchor holds number and hash of the last audit row. It is written after every commit and before
anybody is told of it, so what somebody acted upon is anchored. A process killed in between leaves it one step behind,
never ahead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.records import digest
from retry_toolkit.sqlite import locked

_SLOT = 128
_SLOTS = 2  # the older one survives a torn write of the other


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of the audit trail: its number and its hash."""

    seq: int
    hash: str


NOTHING = Head(0, "0" * 64)
"""What the first audit row follows."""


class Anchor:
    """`journal.anchor`; may be used from several threads and processes at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """The furthest head that was ever anchored, or None where there is no anchor.

        Raises:
            JournalError: There is one, and it cannot be read.
        """
        try:
            return self._furthest(_slots(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def start(self) -> None:
        """Make the file, durably, before there is anything to anchor."""
        self.advance(NOTHING)
        for path in (self.path, self.path.parent):
            _sync(path)

    def advance(self, head: Head) -> None:
        """Remember `head`, unless the anchor is further.

        It is not synced: after a power failure an older anchor notices less, and refuses nothing wrongly.
        """
        with locked(self.path) as descriptor:
            try:
                slots = _slots(os.pread(descriptor, _SLOT * _SLOTS, 0))
                known = self._furthest(slots)
                if known is None or head.seq > known.seq:
                    # Never over the furthest one: a torn write must leave it readable.
                    slot = 0 if known is None else 1 - slots.index(known)
                    os.pwrite(descriptor, _line(head), slot * _SLOT)
            except OSError as error:
                raise self._unusable(error) from error

    def _furthest(self, slots: list[Head | None]) -> Head | None:
        heads = [head for head in slots if head is not None]
        if slots and not heads:
            raise JournalError(
                f"{self.path} is damaged: nothing tells whether the journal is complete.",
                advice="Restore it from a backup together with the journal.",
            )
        return max(heads, key=lambda head: head.seq, default=None)

    def _unusable(self, error: OSError) -> JournalError:
        return JournalError(f"{self.path} cannot be used: {error.strerror}.", advice="Check the disk.")


def _slots(content: bytes) -> list[Head | None]:
    """The heads of an anchor's content; None stands for a slot that is torn or was never written."""
    return [_head(content[start : start + _SLOT]) for start in range(0, min(len(content), _SLOTS * _SLOT), _SLOT)]


def _line(head: Head) -> bytes:
    """A slot: number, hash, and a checksum of both, in a line of fixed length."""
    text = f"{head.seq} {head.hash} {digest([head.seq, head.hash])[:16]}"
    return text.ljust(_SLOT - 1).encode("ascii") + b"\n"


def _head(slot: bytes) -> Head | None:
    words = slot.decode("ascii", "ignore").split()
    if len(words) != 3 or not words[0].isdecimal():  # noqa: PLR2004 - number, hash, checksum
        return None
    head = Head(int(words[0]), words[1])
    return head if _line(head) == slot else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
