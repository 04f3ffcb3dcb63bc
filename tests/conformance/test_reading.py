"""Reading: what the contracts promise of tasks, stages, logs and files, through the client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retry_toolkit import errors, load_attempts, load_logs, load_stages, load_tasks
from retry_toolkit.frames.schema import STAGES, TASKS
from retry_toolkit.platforms.base import Platform, TaskQuery, TaskRecord
from retry_toolkit.server.records import Task
from tests.conformance.conftest import Connect
from tests.live import LivePlatform


def found(client: Platform, **query: object) -> list[TaskRecord]:
    """Tasks that a query finds."""
    return [task for page in client.tasks(TaskQuery(**query)) for task in page.tasks]  # type: ignore[arg-type]  # a query's fields


def test_the_dialect_is_found_by_asking(platform: LivePlatform, connected: Connect) -> None:
    """The embedded platform is recognised as such."""
    made = connected("auto")
    assert made.name.startswith("embedded · 127.0.0.1:")
    assert made.origin == platform.url
    assert made.capabilities.idempotency == "key"


def test_every_dialect_tells_the_same_facts(client: Platform, seen_failed: Task) -> None:
    """Name, status, times, owner and parameters, whatever they are called on the wire."""
    task = client.task(seen_failed.id)
    assert (task.task_id, task.name, task.status, task.owner) == (seen_failed.id, "日报 NA 50%", "failed", "local")
    assert task.native_status == {"queue": "FAILURE"}.get(client.name.split()[0], "failed")
    assert task.created_at is not None
    assert abs(task.created_at - seen_failed.created_at) < timedelta(milliseconds=1)
    assert task.finished_at is not None
    assert seen_failed.completed_at is not None
    assert abs(task.finished_at - seen_failed.completed_at) < timedelta(milliseconds=1)
    assert task.parameters == seen_failed.params
    assert task.duration_s is not None
    assert 0 < task.duration_s < 30
    assert (task.retry_count, task.parent_id, task.retried_by) == (0, None, ())


def test_times_are_aware_and_mean_utc(client: Platform, seen_failed: Task) -> None:
    """Naive text means UTC, epoch seconds are UTC anyway."""
    moment = client.task(seen_failed.id).created_at
    assert moment is not None
    assert moment.tzinfo is not None
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=10)


def test_tasks_come_newest_first_and_once(
    client: Platform, seen_failed: Task, seen_done: Task, seen_spent: Task
) -> None:
    """Every task of the platform, each once."""
    tasks = found(client)
    ids = [task.task_id for task in tasks]
    assert {seen_failed.id, seen_done.id, seen_spent.id} <= set(ids)
    assert len(ids) == len(set(ids))
    times = [task.created_at for task in tasks if task.created_at is not None]
    assert len(times) == len(tasks)
    assert times == sorted(times, reverse=True)


def test_a_limit_takes_the_newest(client: Platform, seen_failed: Task, seen_done: Task) -> None:
    """Nothing else is asked for."""
    assert [task.task_id for task in found(client, limit=2)] == [task.task_id for task in found(client)][:2]
    assert found(client, limit=0) == []


@pytest.mark.parametrize("title", ["日报", "na 50%", "NA 50", "报 na"])
def test_titles_are_found_whatever_their_case(client: Platform, seen_failed: Task, title: str) -> None:
    """A substring; signs that mean something to databases are plain."""
    assert seen_failed.id in {task.task_id for task in found(client, title=title)}


@pytest.mark.parametrize("title", ["日_NA", "50%%", "N%50", "日报\\", "'; drop"])
def test_other_titles_are_not_found(client: Platform, seen_failed: Task, title: str) -> None:
    """No sign is a wildcard."""
    assert found(client, title=title) == []


def test_statuses_are_filtered(client: Platform, seen_failed: Task, seen_done: Task) -> None:
    """By the toolkit's words."""
    failed, done = found(client, status="failed"), found(client, status="succeeded")
    assert seen_failed.id in {task.task_id for task in failed}
    assert seen_done.id in {task.task_id for task in done}
    assert {task.status for task in failed} == {"failed"}
    assert {task.status for task in done} == {"succeeded"}


def test_projects_are_filtered(stagewise: Platform, seen_failed: Task, seen_done: Task) -> None:
    """The queue dialect knows no projects."""
    assert {task.task_id for task in found(stagewise, project="conformance-看")} == {seen_failed.id, seen_done.id}
    assert found(stagewise, project="nobody's") == []


def test_since_leaves_out_what_is_older(client: Platform, seen_failed: Task) -> None:
    """By the time of creation."""
    assert seen_failed.id in {
        task.task_id for task in found(client, since=seen_failed.created_at - timedelta(seconds=1))
    }
    assert seen_failed.id not in {
        task.task_id for task in found(client, since=seen_failed.created_at + timedelta(seconds=1))
    }


@pytest.mark.parametrize("task_id", ["nope", "00123", "a/b", "..", "任务", "x?y=1", "task%2F1"])
def test_unknown_tasks_are_not_found(client: Platform, task_id: str) -> None:
    """No id reaches another path."""
    with pytest.raises(errors.NotFound):
        client.task(task_id)


def test_the_platforms_words_are_kept(client: Platform) -> None:
    """404 says what is missing."""
    with pytest.raises(errors.NotFound, match="Task not found") as caught:
        client.task("nope")
    assert (caught.value.status, caught.value.detail) == (404, "Task not found")


def test_stages_are_told_in_template_order(stagewise: Platform, seen_failed: Task) -> None:
    """With status, times, role, tokens, limit, output, and the error of the one that failed."""
    loaded, checked, finished = stagewise.task(seen_failed.id).stages
    assert [(stage.stage, stage.position, stage.status, stage.role) for stage in (loaded, checked, finished)] == [
        ("load", 0, "succeeded", "loader"),
        ("check", 1, "failed", "checker"),
        ("finish", 2, "pending", "finisher"),
    ]
    assert (loaded.output_summary, loaded.tokens, loaded.error) == ("loaded", 10, None)
    assert loaded.output is not None
    assert loaded.output["summary"] == "loaded"
    assert checked.error is not None
    assert "参考文件缺失" in checked.error
    assert (checked.failure_category, checked.retry_count, checked.retry_limit) == ("transient", 0, 3)
    assert checked.started_at is not None
    assert checked.finished_at is not None
    assert checked.started_at < checked.finished_at
    assert (finished.started_at, finished.duration_s) == (None, None)


def test_a_task_knows_the_totals_of_its_completed_stages(
    stagewise: Platform, seen_failed: Task, seen_done: Task
) -> None:
    """Only completed stages count."""
    assert stagewise.task(seen_failed.id).tokens == 10
    assert stagewise.task(seen_done.id).tokens == 120
    assert stagewise.task(seen_done.id).stages[1].score == 0.75


def test_the_queue_tells_the_error_without_stages(connected: Connect, seen_failed: Task) -> None:
    """A hint in lists, the full error in the detail."""
    queue = connected("queue")
    listed = next(task for task in found(queue) if task.task_id == seen_failed.id)
    detail = queue.task(seen_failed.id)
    assert listed.stages == detail.stages == ()
    assert "参考文件缺失" in (listed.error or "")
    assert "参考文件缺失" in (detail.error or "")
    assert detail.template == "gated"


def test_logs_are_told_in_order(stagewise: Platform, seen_failed: Task) -> None:
    """stdout, stderr and events of all stages or of one."""
    frame = load_logs(stagewise, seen_failed.id)
    assert frame["seq"].is_monotonic_increasing
    lines = set(zip(frame["stage"], frame["kind"], frame["text"], strict=True))
    assert {("check", "stdout", "第 1 次尝试 ✓"), ("check", "stderr", "缺少文件")} <= lines
    assert set(load_logs(stagewise, seen_failed.id, "load")["stage"]) == {"load"}
    assert frame["time"].notna().all()


def test_long_logs_are_read_to_the_end(platform: LivePlatform, stagewise: Platform) -> None:
    """Over several pages, each line once."""
    task = platform.run("noisy", "completed", params={"lines": 250})
    texts = [line.text for line in stagewise.logs(task.id) if line.kind == "stdout"]
    assert [text for text in texts if text.startswith("line ")] == [f"line {number}" for number in range(250)]
    assert "你好, мир, 🌍 <script>alert(1)</script>" in texts


def test_logs_of_an_unknown_task_are_not_found(stagewise: Platform) -> None:
    """Not an empty log."""
    with pytest.raises(errors.NotFound):
        list(stagewise.logs("nope"))


def test_a_queue_has_no_logs(connected: Connect, seen_failed: Task) -> None:
    """It says so."""
    with pytest.raises(errors.Unsupported):
        connected("queue").logs(seen_failed.id)


def test_attempts_are_all_or_the_latest(connected: Connect, seen_spent: Task) -> None:
    """The embedded platform keeps them all; the plain dialect knows the latest."""
    every = load_attempts(connected("embedded"), [seen_spent.id])
    latest = load_attempts(connected("pipeline"), [seen_spent.id])
    divided = every[every["stage"] == "divide"]
    assert divided["attempt"].tolist() == [1, 2, 3]
    assert divided["status"].tolist() == ["failed"] * 3
    assert divided["error"].str.contains("ZeroDivisionError").all()
    assert divided["fingerprint"].nunique() == 1
    assert latest.loc[latest["stage"] == "divide", "attempt"].tolist() == [3]
    assert load_attempts(connected("queue"), [seen_spent.id]).empty


def test_files_have_sizes_where_they_are_known(taskwise: Platform, seen_failed: Task, seen_done: Task) -> None:
    """Name, size, method, and until when they are kept."""
    files = taskwise.files(seen_failed.id)
    assert files is not None
    assert {(file.name, file.size_bytes, file.exists, file.method) for file in files.files} == {
        ("订单.csv", 8, True, "original"),
        ("b.bin", 1000, True, "original"),
    }
    assert files.retention_until is not None
    assert files.retention_until > datetime.now(UTC) + timedelta(days=29)
    empty = taskwise.files(seen_done.id)
    assert empty is not None
    assert empty.files == ()


def test_the_plain_pipeline_dialect_knows_no_files(connected: Connect, seen_failed: Task) -> None:
    """Unknown, not none."""
    assert connected("pipeline").files(seen_failed.id) is None


def test_frames_of_every_dialect_are_canonical(client: Platform, seen_failed: Task, seen_done: Task) -> None:
    """The same columns and dtypes, whatever the platform tells."""
    frame = load_tasks(client, progress=False)
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
        (column.name, column.dtype) for column in TASKS
    ]
    assert frame.attrs["rejected"] == []
    row = frame.set_index("task_id").loc[seen_failed.id]
    assert "参考文件缺失" in str(row["fingerprint"])
    assert seen_failed.id not in str(row["fingerprint"])
    assert row["retryable"]
    assert frame.set_index("task_id").loc[seen_done.id, "refusal"] == "not_failed"


def test_stages_load_with_their_tasks(stagewise: Platform, seen_failed: Task) -> None:
    """In one pass over the pages, or for chosen tasks."""
    frame = load_stages(stagewise, status="failed", progress=False)
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
        (column.name, column.dtype) for column in STAGES
    ]
    chosen = load_stages(stagewise, [seen_failed.id], progress=False)
    same = frame[frame["task_id"] == seen_failed.id].reset_index(drop=True)
    assert chosen["stage"].tolist() == same["stage"].tolist() == ["load", "check", "finish"]
    assert chosen["duration_s"].isna().tolist() == [False, False, True]


def test_a_task_at_its_limit_says_so(stagewise: Platform, seen_spent: Task) -> None:
    """Its stage allows two retries."""
    task = stagewise.task(seen_spent.id)
    assert task.refusal == "limit_reached"
    assert task.failed_stage is not None
    assert (task.failed_stage.retry_count, task.failed_stage.retry_limit) == (2, 2)
