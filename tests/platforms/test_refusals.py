"""Refusals: why a task cannot be retried, in one word."""

from __future__ import annotations

from typing import Any

import pytest

from retry_toolkit.platforms.base import Capabilities, StageRecord, Status, TaskRecord
from retry_toolkit.platforms.refusals import judge, refusal_of

STAGES = Capabilities(stage_retry="in_place", whole_retry="none", batch="per_item")
WHOLE = Capabilities(stage_retry="none", whole_retry="new_task", batch="none")
BOTH = Capabilities(stage_retry="in_place", whole_retry="new_task", batch="per_item")
NEITHER = Capabilities(stage_retry="none", whole_retry="none", batch="none")


def stage(status: Status = "failed", retry_count: int = 0, retry_limit: int | None = 3) -> StageRecord:
    """A stage."""
    return StageRecord(
        task_id="t",
        stage_id="s",
        stage="s",
        position=0,
        status=status,
        native_status=status,
        retry_count=retry_count,
        retry_limit=retry_limit,
    )


def task(status: Status = "failed", *stages: StageRecord) -> TaskRecord:
    """A task."""
    return TaskRecord(task_id="t", name="t", status=status, native_status=status, stages=stages)


CASES: list[tuple[Any, ...]] = [
    (task("failed", stage()), STAGES, False, None),
    (task("failed", stage()), BOTH, False, None),
    (task("failed", stage(retry_limit=None, retry_count=99)), STAGES, False, None),
    (task("failed", stage(retry_count=3)), STAGES, False, "limit_reached"),
    (task("failed", stage(retry_count=3), stage()), STAGES, False, None),
    (task("failed", stage(retry_limit=0)), STAGES, False, "limit_reached"),
    (task("failed"), STAGES, False, "no_failed_stage"),
    (task("failed", stage("succeeded")), STAGES, False, "no_failed_stage"),
    (task("running", stage()), STAGES, False, "not_failed"),
    (task("cancelled", stage()), STAGES, False, "not_failed"),
    (task("unknown", stage()), STAGES, False, "not_failed"),
    (task("failed"), WHOLE, False, None),
    (task("cancelled"), WHOLE, False, None),
    (task("succeeded"), WHOLE, False, "not_failed"),
    (task("unknown"), WHOLE, False, "not_failed"),
    (task("failed"), NEITHER, False, "unsupported"),
    (task("running"), NEITHER, False, "not_failed"),
    (task("failed", stage()), STAGES, True, "read_only"),
    (task("failed", stage(retry_count=3)), STAGES, True, "limit_reached"),
    (task("failed"), WHOLE, True, "read_only"),
]


@pytest.mark.parametrize(("record", "can", "read_only", "refusal"), CASES)
def test_why_a_task_cannot_be_retried(
    record: TaskRecord, can: Capabilities, read_only: bool, refusal: str | None
) -> None:
    """What is wrong with the task comes first, then what the platform or the connection lacks."""
    assert refusal_of(record, can, read_only=read_only) == refusal
    assert judge(record, can, read_only=read_only).refusal == refusal
