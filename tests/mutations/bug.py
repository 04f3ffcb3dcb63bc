"""One safety bug on purpose: a small change of the source that the suite must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path("src/retry_toolkit")


class Unfit(Exception):
    """The bug does not fit the source any more: its text is not found exactly once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A change of one place in one file.

    Attributes:
        name: What is done wrong, in a few words.
        path: The file, below `src/retry_toolkit`.
        old: Text that occurs there exactly once.
        new: What stands there instead.
        tests: What must notice, as arguments of pytest.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, tree: Path) -> None:
        """Put the bug into a copy of the tree.

        Raises:
            Unfit: Its text is not there exactly once.
        """
        file = tree / PACKAGE / self.path
        file.write_text(self.changed(file.read_text()))

    def changed(self, source: str) -> str:
        """The source with the bug in it.

        Raises:
            Unfit: Its text is not there exactly once.
        """
        found = source.count(self.old)
        if found != 1:
            raise Unfit(f"{self.name}: its text is found {found} times in {self.path}")
        return source.replace(self.old, self.new)
