"""Where journal and evidence are: the caller's, or those of the home directory while they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from retry_toolkit.retry.evidence import EVIDENCE, Evidence
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.journal_file import JOURNAL
from retry_toolkit.settings import load_settings


@dataclass(frozen=True, slots=True)
class Opened:
    """An open journal and evidence; what was opened here is closed here."""

    journal: Journal
    evidence: Evidence
    _closing: ExitStack

    def close(self) -> None:
        """Close what was opened; harmless when repeated."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Opens journal and evidence, unless the caller gave open ones.

    Args:
        journal: An open journal, which stays open.
        evidence: Open evidence, which stays open.
        home: Where to open them otherwise; `RETRY_TOOLKIT_HOME` if None.
    """

    journal: Journal | None = None
    evidence: Evidence | None = None
    home: Path | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a journal yet."""
        home = load_settings().home if self.home is None else self.home
        return self.journal is not None or (home / JOURNAL).exists()

    @property
    def has_evidence(self) -> bool:
        """Whether evidence was ever kept."""
        home = load_settings().home if self.home is None else self.home
        return self.evidence is not None or (home / EVIDENCE).exists()

    @contextmanager
    def look(self) -> Iterator[Evidence | None]:
        """The evidence, to read; None where there is none yet.

        Raises:
            JournalError: It cannot be used.
        """
        if self.evidence is not None or not self.has_evidence:
            yield self.evidence
            return
        with Evidence.open(load_settings().home if self.home is None else self.home) as evidence:
            yield evidence

    def open(self) -> Opened:
        """Both, open.

        Raises:
            JournalError: One of them cannot be used.
        """
        with ExitStack() as stack:
            settings = load_settings()
            home = settings.home if self.home is None else self.home
            journal = self.journal or stack.enter_context(Journal.open(home))
            evidence = self.evidence or stack.enter_context(Evidence.open(home, keep_days=settings.evidence_days))
            return Opened(journal, evidence, stack.pop_all())
