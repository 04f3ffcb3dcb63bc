"""Attempts as users ask for them: those of the platform, beside those that retries erased there."""

from __future__ import annotations

import pandas as pd

from retry_toolkit.frames import load
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.load import AttemptSource, Tasks
from retry_toolkit.frames.schema import ATTEMPTS
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.evidence import EVIDENCE, Evidence
from retry_toolkit.settings import load_settings


@describes(ATTEMPTS)
def load_attempts(
    platform: Platform, tasks: Tasks | None = None, *, evidence: AttemptSource | None = None, progress: bool = True
) -> pd.DataFrame:
    """Attempts that are known, one row each; tasks in the order given, then by stage and attempt.

    Those of the platform, and those that it erased and this machine kept (`source` tells which). A platform that keeps
    no attempts (`capabilities.keeps_attempts`) knows the latest of each stage only.

    Args:
        platform: Where to read, from `connect()`.
        tasks: Whose attempts: a frame with `task_id`, ids, or records; None for all tasks. One request a task.
        evidence: What was kept before retries; None for the evidence of this user's home directory.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.
        JournalError: The evidence is damaged.

    Source: `GET /api/v1/tasks/{id}/attempts` (embedded), else the stages of `GET /api/v1/tasks/{id}`; `evidence.db`.
    """
    home = load_settings().home
    if evidence is not None or not (home / EVIDENCE).exists():
        return load.load_attempts(platform, tasks, evidence=evidence, progress=progress)
    with Evidence.open(home) as kept:
        return load.load_attempts(platform, tasks, evidence=kept, progress=progress)
