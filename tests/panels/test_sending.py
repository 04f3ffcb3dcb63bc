"""What became of a retry: refused, not sent, unclear, and what the desk finds out by itself."""

from __future__ import annotations

import pytest

from retry_toolkit.errors import (
    FilesGone,
    NotFound,
    NotSent,
    PermissionDenied,
    Refused,
    RetryToolkitError,
    Unavailable,
    UnclearOutcome,
)
from retry_toolkit.panels.state.desk import DeskState
from tests.panels.conftest import MakeDesk
from tests.panels.memory import MemoryPlatform, make_task


def confirm(desk: DeskState) -> None:
    """Say yes to what is proposed."""
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)


@pytest.fixture
def platform() -> MemoryPlatform:
    """A failed task with a second retry to come, one at its limit, one that succeeded."""
    return MemoryPlatform.of(
        make_task("a", retry_count=1),
        make_task("limit", retry_count=3, minutes_ago=1),
        make_task("ok", status="succeeded", minutes_ago=2),
    )


@pytest.fixture
def desk(make_desk: MakeDesk, platform: MemoryPlatform) -> DeskState:
    """A desk with the report of the failed task open."""
    made = make_desk(platform)
    made.report.open("a")
    return made


REFUSALS: list[tuple[RetryToolkitError, tuple[str, str, str]]] = [
    (
        FilesGone("gone", status=410, detail="原任务文件已被清理，无法重试"),
        ("refused", "files_gone", "原任务文件已被清理，无法重试"),
    ),
    (PermissionDenied("no", status=403, detail="viewer"), ("refused", "forbidden", "viewer")),
    (NotFound("no", status=404, detail="Task not found"), ("refused", "not_found", "Task not found")),
    (Refused("no", status=409, detail="retry_count is 2"), ("refused", "moved", "retry_count is 2")),
    (Refused("no", status=507, detail="needs 9 GB"), ("refused", "no_space", "needs 9 GB")),
    (Refused("no", status=400, detail="retry limit reached: 2/3"), ("refused", "limit", "retry limit reached: 2/3")),
    (
        Refused("no", status=400, detail="Target stage status is not failed"),
        ("refused", "stage_not_failed", "Target stage status is not failed"),
    ),
    (Refused("no", status=400, detail="computer says no"), ("refused", "refused", "computer says no")),
    (Unavailable("overloaded", status=503), ("refused", "network", "overloaded")),
    (NotSent("connection refused"), ("not_sent", "not_sent", "connection refused")),
    (UnclearOutcome("no answer in time"), ("unclear", "unclear", "no answer in time")),
]


@pytest.mark.parametrize(
    ("error", "told"),
    REFUSALS,
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_went_wrong_is_explained(
    desk: DeskState, platform: MemoryPlatform, error: RetryToolkitError, told: tuple[str, str, str]
) -> None:
    """Each refusal and each uncertainty has its own plain explanation, with the platform's own words."""
    desk.retry.propose_stage()
    platform.breaks["retry_stage"] = error
    confirm(desk)
    assert desk.retry.task_outcome is not None
    (item,) = desk.retry.task_outcome.items
    assert item.problem is not None
    assert (item.verdict, item.problem.key, item.problem.words) == told
    assert not desk.retry.sending
    assert desk.watch.watched == frozenset()


def act(desk: DeskState, kind: str) -> None:
    """Propose a retry of that kind."""
    desk.table.toggle("a")
    {"stage": desk.retry.propose_stage, "batch": desk.retry.propose_batch, "whole": desk.retry.propose_whole}[kind]()


METHODS = {"stage": "retry_stage", "batch": "retry_batch", "whole": "retry_task"}


@pytest.mark.parametrize("kind", list(METHODS))
def test_an_unclear_answer_is_read_back(desk: DeskState, platform: MemoryPlatform, kind: str) -> None:
    """The desk itself looks at the attempt number: what happened is watched like any retry, and nothing is repeated."""
    act(desk, kind)
    platform.breaks[METHODS[kind]] = UnclearOutcome("no answer in time")
    platform.happens_anyway = True
    confirm(desk)
    outcome = desk.retry.batch_outcome if kind == "batch" else desk.retry.task_outcome
    assert outcome is not None
    assert [(item.verdict, item.reread) for item in outcome.items] == [("recovered", True)]
    assert len(platform.called(METHODS[kind])) == 1


@pytest.mark.parametrize("kind", list(METHODS))
def test_an_unclear_answer_without_a_trace_stays_unclear(desk: DeskState, platform: MemoryPlatform, kind: str) -> None:
    """Also where looking fails: the desk never claims that nothing happened."""
    act(desk, kind)
    platform.breaks |= {METHODS[kind]: UnclearOutcome("no answer in time"), "task": Unavailable("gone")}
    confirm(desk)
    outcome = desk.retry.batch_outcome if kind == "batch" else desk.retry.task_outcome
    assert outcome is not None
    assert [item.verdict for item in outcome.items] == ["unclear"]
    assert len(platform.called(METHODS[kind])) == 1


@pytest.mark.parametrize("kind", list(METHODS))
def test_a_mistake_of_ours_is_told_as_unclear(desk: DeskState, platform: MemoryPlatform, kind: str) -> None:
    """An error that nobody planned for may have come before or after the sending; it is named without a traceback."""
    act(desk, kind)
    platform.breaks[METHODS[kind]] = ZeroDivisionError("oops")
    confirm(desk)
    outcome = desk.retry.batch_outcome if kind == "batch" else desk.retry.task_outcome
    assert outcome is not None
    (item,) = outcome.items
    assert item.problem is not None
    assert (item.verdict, item.problem.key, item.problem.words) == ("unclear", "unexpected", "ZeroDivisionError: oops")
    assert not desk.retry.sending
