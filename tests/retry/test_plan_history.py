"""What earlier retries of the same error tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from retry_toolkit.analysis.recovery import LEAST_CASES
from retry_toolkit.frames.build import attempts_frame, empty_frame, tasks_frame
from retry_toolkit.frames.schema import ATTEMPTS, TASKS
from retry_toolkit.platforms.base import AttemptRecord, Status, TaskRecord
from retry_toolkit.retry.history import Past, past_of
from retry_toolkit.retry.plan import plan_retry
from tests.retry.ledger import LedgerPlatform

NO_TASKS = empty_frame(TASKS)


def attempt(task: int, number: int, status: Status, *, error: str | None = None, **fields: Any) -> AttemptRecord:
    """One attempt of the stage of a task."""
    return AttemptRecord(
        task_id=f"h{task}",
        stage_id=f"h{task}-check",
        stage="check",
        attempt=number,
        status=status,
        error=error,
        **fields,
    )


def retried(task: int, status: Status, *, seconds: float = 2.0, error: str = "boom") -> list[AttemptRecord]:
    """A stage that failed, and the attempt after it."""
    return [attempt(task, 1, "failed", error=error), attempt(task, 2, status, error="other", duration_s=seconds)]


def attempts(*cases: list[AttemptRecord]) -> pd.DataFrame:
    """A frame of attempts."""
    return attempts_frame(record for case in cases for record in case)


def test_rate_and_median_come_from_enough_cases() -> None:
    """Four of five recovered; the median is that of all five."""
    cases = [retried(number, "succeeded", seconds=number) for number in range(4)]
    known = attempts(*cases, retried(9, "failed", seconds=100))
    assert past_of((NO_TASKS, known), "stage")["boom"] == Past(5, 0.8, 2.0)


def test_few_cases_are_counted_and_nothing_is_said() -> None:
    """With fewer than five neither rate nor median is given."""
    known = attempts(*(retried(number, "succeeded") for number in range(LEAST_CASES - 1)))
    assert past_of((NO_TASKS, known), "stage") == {"boom": Past(LEAST_CASES - 1)}


def test_only_what_has_ended_is_a_case() -> None:
    """Running, cancelled and last attempts tell nothing; an attempt that is known twice counts once."""
    known = attempts(
        retried(1, "running"),
        retried(2, "cancelled"),
        [attempt(3, 1, "failed", error="boom")],
        retried(4, "succeeded"),
        retried(4, "succeeded"),
    )
    assert past_of((NO_TASKS, known), "stage") == {"boom": Past(1)}


def test_each_attempt_is_a_case_of_the_error_before_it() -> None:
    """A stage that failed twice, with two errors, is two cases."""
    known = attempts(
        [attempt(1, 1, "failed", error="one"), attempt(1, 2, "failed", error="two"), attempt(1, 3, "succeeded")]
    )
    assert past_of((NO_TASKS, known), "stage") == {"one": Past(1), "two": Past(1)}


def test_whole_retries_are_learnt_from_the_tasks() -> None:
    """A failed task and the tasks that retry it."""

    def task(name: str, status: Status, **fields: Any) -> TaskRecord:
        created = datetime(2026, 11, 1, tzinfo=UTC)
        return TaskRecord(task_id=name, name=None, status=status, native_status=status, created_at=created, **fields)

    records = [task(f"old{number}", "failed", error=f"boom {number}") for number in range(5)]
    records += [task(f"new{number}", "succeeded", parent_id=f"old{number}", duration_s=3.0) for number in range(5)]
    records += [task("orphan", "succeeded", parent_id="nobody"), task("running", "running", parent_id="old0")]
    assert past_of(tasks_frame(records), "task") == {"boom *": Past(5, 1.0, 3.0)}
    assert past_of(tasks_frame(records), "stage") == {}


@pytest.mark.parametrize("action", ["stage", "task"])
def test_empty_frames_teach_nothing(action: Any) -> None:
    """And break nothing."""
    assert past_of((NO_TASKS, empty_frame(ATTEMPTS)), action) == {}


def test_a_plan_tells_the_past_of_its_errors() -> None:
    """Without history it is missing; with one, an error that was never seen has no cases."""
    found = LedgerPlatform.of("t1")
    assert plan_retry(found, ["t1"]).frame["cases"].isna().tolist() == [True]
    known = attempts(*(retried(number, "succeeded") for number in range(5)))
    frame = plan_retry(found, ["t1"], history=(NO_TASKS, known)).frame
    assert (frame["cases"][0], frame["recovery_rate"][0], frame["median_s"][0]) == (5, 1.0, 2.0)
    other = attempts(*(retried(number, "succeeded", error="other") for number in range(5)))
    frame = plan_retry(found, ["t1"], history=(NO_TASKS, other)).frame
    assert (frame["cases"][0], frame["recovery_rate"].isna()[0]) == (0, True)
    html = plan_retry(found, ["t1"], history=(NO_TASKS, known))._repr_html_()
    assert "100% recovered (n=5)" in html
