"""Whole retries: a new task with the same parameters, copied or linked files, and links both ways."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from retry_toolkit import disk_by_root, errors, load_disk, load_lineage
from retry_toolkit.platforms.base import Platform
from retry_toolkit.server.records import Task
from tests.conformance.conftest import Connect, WatchedWire
from tests.live import LivePlatform


@pytest.fixture
def failed(platform: LivePlatform) -> Task:
    """A task of its own that failed, with input files."""
    return platform.failed(title="求解", files={"a.csv": b"1,2\n", "b.bin": b"x" * 500})


@pytest.mark.parametrize("copy_files", [True, False], ids=["copied", "linked"])
def test_a_retry_is_a_new_task_with_links_both_ways(
    platform: LivePlatform, taskwise: Platform, wire: WatchedWire, failed: Task, copy_files: bool
) -> None:
    """Same parameters, the default name, files as asked for; the old task stays as it was."""
    retry = taskwise.retry_task(failed.id, copy_files=copy_files)
    assert (retry.task_id, retry.files_copied, retry.files_linked) == (failed.id, 2 * copy_files, 2 * (not copy_files))
    assert retry.message
    new, old = taskwise.task(retry.new_task_id), taskwise.task(failed.id)
    assert (new.name, new.parent_id, new.retry_count, new.parameters) == ("求解 (重试)", failed.id, 1, old.parameters)
    assert (old.status, old.retried_by, old.retry_count) == ("failed", (new.task_id,), 0)
    files = taskwise.files(new.task_id)
    assert files is not None
    method = "copied" if copy_files else "linked"
    assert {(file.name, file.size_bytes, file.method, file.source_task_id) for file in files.files} == {
        ("a.csv", 4, method, failed.id),
        ("b.bin", 500, method, failed.id),
    }
    assert wire.writes == [f"POST /api/tasks/{failed.id}/retry"]
    platform.wait(new.task_id, "failed")


def test_a_retry_can_be_named(platform: LivePlatform, taskwise: Platform, failed: Task) -> None:
    """Instead of the default name."""
    retry = taskwise.retry_task(failed.id, display_name="第二次 <b>")
    assert taskwise.task(retry.new_task_id).name == "第二次 <b>"
    platform.wait(retry.new_task_id, "failed")


def test_a_chain_counts_and_the_forest_shows_it(platform: LivePlatform, taskwise: Platform, failed: Task) -> None:
    """Retry of a retry: copied once, linked once, then recovered; the extra space is that of the copy."""
    first = taskwise.retry_task(failed.id).new_task_id
    platform.wait(first, "failed")
    platform.mend(failed.id)
    second = taskwise.retry_task(first, copy_files=False).new_task_id
    platform.wait(second, "completed")
    assert taskwise.task(second).retry_count == 2
    lineage = load_lineage(taskwise, progress=False).set_index("task_id").loc[[failed.id, first, second]]
    assert lineage["root_id"].tolist() == [failed.id] * 3
    assert lineage["depth"].tolist() == [0, 1, 2]
    assert lineage["outcome"].tolist() == ["recovered"] * 3
    assert not lineage[["orphan", "cycle", "conflict"]].to_numpy().any()
    cost = load_disk(taskwise, [failed.id, first, second], progress=False).set_index("task_id")
    assert cost.loc[[failed.id, first, second], "method"].tolist() == ["original", "copied", "linked"]
    assert cost.loc[[failed.id, first, second], "extra_bytes"].tolist() == [0, 504, 0]
    assert disk_by_root(cost.reset_index())[["copied", "linked", "extra_bytes"]].to_numpy().tolist() == [[1, 1, 504]]


def test_a_task_that_succeeded_may_be_run_again_on_purpose(
    platform: LivePlatform, taskwise: Platform, seen_done: Task
) -> None:
    """But it is not offered among what can be retried."""
    assert taskwise.task(seen_done.id).refusal == "not_failed"
    retry = taskwise.retry_task(seen_done.id)
    assert (retry.files_copied, retry.files_linked) == (0, 0)
    platform.wait(retry.new_task_id, "completed")


def test_a_running_task_is_refused(taskwise: Platform, running: Task) -> None:
    """With the platform's words; an unknown one is not found."""
    with pytest.raises(errors.Refused, match="running"):
        taskwise.retry_task(running.id)
    with pytest.raises(errors.NotFound):
        taskwise.retry_task("nope")


def test_files_that_are_gone_are_told_in_the_known_words(
    platform: LivePlatform, taskwise: Platform, failed: Task
) -> None:
    """410, and what to do about it; nothing is made."""
    with platform.client() as raw:
        folder = raw.get(f"/api/tasks/{failed.id}/detail").json()["input_dir"]
    (Path(folder) / "a.csv").unlink()
    for copy_files in (True, False):
        with pytest.raises(errors.FilesGone, match="原任务文件已被清理，无法重试") as caught:
            taskwise.retry_task(failed.id, copy_files=copy_files)
        assert caught.value.status == 410
        assert "administrator" in caught.value.advice
    assert taskwise.task(failed.id).retried_by == ()
    assert load_disk(taskwise, [failed.id], progress=False)["missing_files"].tolist() == [1]


def test_a_retry_that_someone_else_made_is_refused(platform: LivePlatform, taskwise: Platform, failed: Task) -> None:
    """The number of direct retries is the attempt number."""
    made = taskwise.retry_task(failed.id, expected_retry_count=0)
    with pytest.raises(errors.Refused):
        taskwise.retry_task(failed.id, expected_retry_count=0)
    assert platform.task(failed.id).retried_task_ids == (made.new_task_id,)
    platform.wait(made.new_task_id, "failed")


def test_one_intent_makes_one_task(platform: LivePlatform, connected: Connect, failed: Task) -> None:
    """The same key gives the same answer again."""
    made, key = connected("embedded"), uuid4().hex
    first = made.retry_task(failed.id, idempotency_key=key)
    assert made.retry_task(failed.id, idempotency_key=key) == first
    assert platform.task(failed.id).retried_task_ids == (first.new_task_id,)
    platform.wait(first.new_task_id, "failed")


def test_a_queue_retries_no_stages(connected: Connect, wire: WatchedWire, seen_failed: Task) -> None:
    """Neither one nor many; nothing is sent."""
    queue = connected("queue")
    with pytest.raises(errors.Unsupported):
        queue.retry_stage(seen_failed.id, seen_failed.stages[1].id)
    with pytest.raises(errors.Unsupported):
        queue.retry_batch([seen_failed.id])
    assert wire.writes == []
