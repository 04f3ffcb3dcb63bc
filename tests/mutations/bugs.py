"""The seeded safety bugs: each breaks one thing that the project promises."""

from __future__ import annotations

from tests.mutations.bug import Bug
from tests.mutations.journal_bugs import JOURNAL_BUGS
from tests.mutations.platform_bugs import PLATFORM_BUGS
from tests.mutations.sending_bugs import SENDING_BUGS

BUGS: tuple[Bug, ...] = (*SENDING_BUGS, *JOURNAL_BUGS, *PLATFORM_BUGS)
