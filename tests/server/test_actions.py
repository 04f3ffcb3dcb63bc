"""What users may do, what they are refused, and that nothing is done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from retry_toolkit.server.actions import ActionRefused, Intent
from retry_toolkit.server.records import Answer
from retry_toolkit.server.runs import Outcome
from tests.server.workbench import ALICE, Workbench, render, workbench

RACERS = 8


@pytest.fixture
def bench(home: Path) -> Iterator[Workbench]:
    """A store with its actions."""
    with workbench(home) as made:
        yield made


def refused(act: Callable[[], object]) -> tuple[int, str]:
    """Status and words of a refusal."""
    with pytest.raises(ActionRefused) as refusal:
        act()
    return refusal.value.status, refusal.value.reason


def race(*acts: Callable[[], Answer]) -> list[Answer | tuple[int, str]]:
    """Do things at the same time; what each was answered, or status and words of its refusal."""
    together = threading.Barrier(len(acts))

    def run(act: Callable[[], Answer]) -> Answer | tuple[int, str]:
        together.wait()
        try:
            return act()
        except ActionRefused as refusal:
            return refusal.status, refusal.reason

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


class TestSubmit:
    def test_a_task_waits_with_its_stages_and_defaults(self, bench: Workbench) -> None:
        """A new task has the pipeline's title and project, its submitter, limits and retention, and is woken."""
        task_id = bench.submit(params={"n": 1})
        task = bench.task(task_id)
        assert (task.title, task.project_id, task.submitter) == ("Three · 三步", "tests", "alice")
        assert (task.status, task.run, task.params) == ("pending", 1, {"n": 1})
        assert [(stage.name, stage.role, stage.max_retries) for stage in task.stages] == [
            ("load", "loader", 3),
            ("check", "checker", 2),
            ("finish", "finisher", 3),
        ]
        assert task.retention_until == task.created_at + timedelta(days=30)
        assert bench.waker.woken == [task_id]

    def test_the_answer_is_what_the_store_has(self, bench: Workbench) -> None:
        """What is rendered before the commit equals what is read after it."""
        seen = []
        answer = bench.actions.submit(
            "three", title="NUL \0 and \udc80", params={"x": float("nan")}, intent=ALICE,
            render=lambda task: seen.append(task) or render(task),  # type: ignore[func-returns-value]  # a list's append
        )  # fmt: skip
        assert seen == [bench.task(answer.body["id"])]
        assert seen[0].title == "NUL \\x00 and \\udc80"
        assert seen[0].params == {"x": None}

    def test_an_unknown_pipeline_is_refused(self, bench: Workbench) -> None:
        """A pipeline that is not loaded is named, with those that are."""
        assert refused(lambda: bench.submit("nothing")) == (400, "Unknown pipeline 'nothing' (loaded: three)")


class TestRetryStage:
    def test_only_the_failed_stage_is_reset(self, bench: Workbench) -> None:
        """The failed stage is cleared and pending as the next attempt; every other stage stays as it is."""
        task_id = bench.failed()
        before = bench.task(task_id)
        answer = bench.retry(task_id, intent=Intent("bob"))
        after = bench.task(task_id)
        assert answer == Answer(status=200, body=render(after))
        assert (after.status, after.completed_at, after.run) == ("pending", None, 2)
        assert (after.stages[0], after.stages[2]) == (before.stages[0], before.stages[2])
        stage = after.stages[1]
        assert (stage.status, stage.retry_count, stage.requested_by) == ("pending", 1, "bob")
        cleared = (stage.error_message, stage.failure_category, stage.started_at, stage.completed_at)
        assert cleared == (None, None, None, None)
        assert (stage.duration_seconds, stage.tokens_used) == (None, 0)
        assert (stage.output_summary, stage.output_structured) == (None, None)

    def test_attempts_are_kept_for_ever(self, bench: Workbench) -> None:
        """Every attempt keeps its outcome and who asked for it, whatever comes later."""
        task_id = bench.failed()
        bench.retry(task_id, intent=Intent("bob"))
        bench.end(task_id)
        attempts = [a for a in bench.store.attempts(task_id) if a.stage == "check"]
        assert [(a.attempt, a.status, a.error_message, a.requested_by) for a in attempts] == [
            (1, "failed", "check broke", "alice"),
            (2, "completed", None, "bob"),
        ]
        assert bench.task(task_id).status == "completed"

    @pytest.mark.parametrize(
        ("task", "stage", "expected"),
        [
            ("nobody", "x", (404, "Task not found")),
            (None, "nothing", (404, "Stage not found")),
            (None, "load", (400, "Target stage status is not failed")),
            (None, "finish", (400, "Target stage status is not failed")),
        ],
    )
    def test_what_is_not_there_or_not_failed_is_refused(
        self, bench: Workbench, task: str | None, stage: str, expected: tuple[int, str]
    ) -> None:
        """Unknown tasks and stages are 404, stages that did not fail 400, in the contract's words."""
        task_id = bench.failed()
        stage_id = next((one.id for one in bench.task(task_id).stages if one.name == stage), stage)
        retry = bench.actions.retry_stage
        assert refused(lambda: retry(task or task_id, stage_id, intent=ALICE, render=render)) == expected

    def test_another_tasks_stage_is_not_found(self, bench: Workbench) -> None:
        """A stage id is looked for in its own task only."""
        one, other = bench.failed(), bench.failed()
        stage_id = bench.stage(other, "check").id
        act = bench.actions.retry_stage
        assert refused(lambda: act(one, stage_id, intent=ALICE, render=render)) == (404, "Stage not found")

    def test_tasks_that_did_not_fail_are_refused(self, bench: Workbench) -> None:
        """Waiting, running, completed and cancelled tasks say what they are."""
        task_id = bench.submit()
        assert refused(lambda: bench.retry(task_id)) == (400, "task status is pending")
        bench.begin(task_id, "load")
        assert refused(lambda: bench.retry(task_id)) == (400, "task status is running")
        bench.actions.cancel(task_id, intent=ALICE, render=render)
        assert refused(lambda: bench.retry(task_id)) == (400, "task status is cancelled")
        assert refused(lambda: bench.retry(bench.end(bench.submit()))) == (400, "task status is completed")

    def test_the_limit_holds(self, bench: Workbench) -> None:
        """The third retry of a stage with two is refused with both numbers."""
        task_id = bench.failed()
        for _ in range(2):
            bench.retry(task_id)
            bench.end(task_id, fail_at="check")
        assert refused(lambda: bench.retry(task_id)) == (400, "Retry limit reached (2/2)")
        assert bench.stage(task_id, "check").retry_count == 2

    def test_a_moved_attempt_number_is_a_conflict(self, bench: Workbench) -> None:
        """A late duplicate that expects the first attempt is refused although the stage has failed again."""
        task_id = bench.failed()
        bench.retry(task_id, expected_retry_count=0)
        bench.end(task_id, fail_at="check")
        status, words = refused(lambda: bench.retry(task_id, expected_retry_count=0))
        assert (status, words) == (409, "retry_count is 1, expected 0")

    def test_of_eight_at_once_exactly_one_wins(self, bench: Workbench) -> None:
        """Concurrent retries of one stage make one attempt; the others are refused."""
        task_id = bench.failed()
        answers = race(*[lambda: bench.retry(task_id, expected_retry_count=0)] * RACERS)
        won = [answer for answer in answers if isinstance(answer, Answer)]
        lost = {answer[0] for answer in answers if isinstance(answer, tuple)}
        assert (len(won), lost) == (1, {409})
        assert bench.stage(task_id, "check").retry_count == 1
        assert bench.task(task_id).run == 2

    def test_of_eight_at_once_without_expectation_exactly_one_wins(self, bench: Workbench) -> None:
        """Also callers that expect nothing cannot retry the same failure twice."""
        task_id = bench.failed()
        answers = race(*[lambda: bench.retry(task_id)] * RACERS)
        assert sum(isinstance(answer, Answer) for answer in answers) == 1
        assert {answer for answer in answers if isinstance(answer, tuple)} == {(400, "task status is pending")}


class TestRetryAll:
    def test_every_failed_stage_is_reset(self, bench: Workbench) -> None:
        """The retry of a task resets what failed and nothing else."""
        task_id = bench.failed()
        answer = bench.actions.retry_failed_stages(task_id, intent=ALICE, render=render)
        assert answer.body == {"id": task_id, "status": "pending", "retry_counts": [0, 1, 0]}

    def test_it_is_refused_like_the_retry_of_one(self, bench: Workbench) -> None:
        """Unknown, unfailed and exhausted tasks are refused."""
        act = bench.actions.retry_failed_stages
        assert refused(lambda: act("nobody", intent=ALICE, render=render)) == (404, "Task not found")
        waiting = bench.submit()
        assert refused(lambda: act(waiting, intent=ALICE, render=render)) == (400, "task status is pending")


class TestBatch:
    def test_a_mixed_batch_resets_what_it_can(self, bench: Workbench) -> None:
        """Refusals are items; each accepted task has its earliest failed stage reset; order is the caller's."""
        failed, waiting, exhausted = bench.failed(), bench.submit(), bench.failed()
        for _ in range(2):
            bench.retry(exhausted)
            bench.end(exhausted, fail_at="check")
        moved = bench.failed()
        answer = bench.actions.retry_batch(
            [exhausted, "nobody", failed, waiting, failed, moved],
            expected_retry_counts={failed: 0, moved: 1},
            intent=ALICE,
            render=render,
        )
        items = answer.body.pop("items")
        assert (answer.status, answer.body) == (200, {"total": 6, "succeeded": 1, "failed": 5})
        assert [(item["task_id"], item["success"], item["reason"]) for item in items] == [
            (exhausted, False, "Retry limit reached (2/2)"),
            ("nobody", False, "Task not found"),
            (failed, True, None),
            (waiting, False, "task status is pending"),
            (failed, False, "task status is pending"),
            (moved, False, "retry_count is 0, expected 1"),
        ]
        assert items[2]["task"] == render(bench.task(failed))
        assert bench.stage(failed, "check").retry_count == 1

    def test_two_batches_at_once_reset_each_task_once(self, bench: Workbench) -> None:
        """Batches that name the same tasks in other orders neither block each other nor do anything twice."""
        task_ids = [bench.failed() for _ in range(4)]

        def batch(ids: list[str]) -> Callable[[], Answer]:
            return lambda: bench.actions.retry_batch(ids, intent=ALICE, render=render)

        answers = race(*(batch(task_ids[:: 1 - 2 * (number % 2)]) for number in range(4)))
        assert sum(answer.body["succeeded"] for answer in answers if isinstance(answer, Answer)) == 4
        assert [bench.stage(task_id, "check").retry_count for task_id in task_ids] == [1, 1, 1, 1]


class TestRetryTask:
    def test_a_new_task_with_lineage_both_ways(self, bench: Workbench) -> None:
        """The new task has the same parameters, a default name and its place in the lineage; the old one knows it."""
        old = bench.failed(params={"n": 1}, submitter="carol")
        answer = bench.actions.retry_task(old, intent=ALICE)
        new = bench.task(answer.body["new_task_id"])
        assert (new.title, new.params, new.submitter, new.project_id) == (
            "Three · 三步 (重试)",
            {"n": 1},
            "carol",
            "tests",
        )
        assert (new.status, new.parent_task_id, new.retry_count) == ("pending", old, 1)
        assert bench.task(old).retried_task_ids == (new.id,)
        assert bench.task(old).status == "failed"
        bench.end(new.id, fail_at="load")
        third = bench.actions.retry_task(new.id, display_name="三", submitter="dave", intent=ALICE).body["new_task_id"]
        assert (bench.task(third).title, bench.task(third).retry_count) == ("三", 2)
        assert bench.task(third).submitter == "dave"

    def test_the_answer_is_the_contracts(self, bench: Workbench) -> None:
        """The answer names both tasks and counts the files."""
        old = bench.failed()
        body = bench.actions.retry_task(old, intent=ALICE).body
        assert body["original_task_id"] == old
        assert (body["status"], body["files_copied"], body["files_linked"]) == ("PENDING", 0, 0)

    def test_completed_and_cancelled_tasks_may_be_run_again(self, bench: Workbench) -> None:
        """What has ended may be retried as a whole, on purpose."""
        completed, cancelled = bench.end(bench.submit()), bench.submit()
        bench.actions.cancel(cancelled, intent=ALICE, render=render)
        for task_id in (completed, cancelled):
            assert bench.actions.retry_task(task_id, intent=ALICE).status == 200

    def test_what_has_not_ended_is_refused(self, bench: Workbench) -> None:
        """Unknown, waiting and running tasks cannot be retried as a whole."""
        task_id = bench.submit()
        assert refused(lambda: bench.actions.retry_task("nobody", intent=ALICE)) == (404, "Task not found")
        assert refused(lambda: bench.actions.retry_task(task_id, intent=ALICE)) == (400, "task status is pending")
        bench.begin(task_id, "load")
        assert refused(lambda: bench.actions.retry_task(task_id, intent=ALICE)) == (400, "task status is running")

    def test_of_eight_that_expect_none_exactly_one_wins(self, bench: Workbench) -> None:
        """The number of direct retries is compared in the transaction that adds one."""
        old = bench.failed()
        answers = race(*[lambda: bench.actions.retry_task(old, expected_retry_count=0, intent=ALICE)] * RACERS)
        assert sum(isinstance(answer, Answer) for answer in answers) == 1
        assert {answer[0] for answer in answers if isinstance(answer, tuple)} == {409}
        assert len(bench.task(old).retried_task_ids) == 1
        assert len(list((bench.home / "tasks").iterdir())) == 2


class TestClone:
    def test_a_clone_has_no_lineage(self, bench: Workbench) -> None:
        """A clone is a new task of the caller's, with the same name and parameters."""
        old = bench.failed(title="Once", params={"n": 2})
        answer = bench.actions.clone(old, intent=Intent("bob"), render=render)
        new = bench.task(answer.body["id"])
        assert (answer.status, new.title, new.params, new.submitter) == (201, "Once", {"n": 2}, "bob")
        assert (new.parent_task_id, new.retry_count, bench.task(old).retried_task_ids) == (None, 0, ())


class TestCancel:
    def test_a_waiting_task_is_cancelled(self, bench: Workbench) -> None:
        """What waits is skipped, and its run is over for whoever comes to it later."""
        task_id = bench.submit()
        run = bench.run(task_id)
        assert bench.actions.cancel(task_id, intent=ALICE, render=render).body["status"] == "cancelled"
        task = bench.task(task_id)
        assert [stage.status for stage in task.stages] == ["skipped"] * 3
        assert task.completed_at is not None
        assert bench.runs.open(run) == []
        assert bench.waker.cancelled == [task_id]

    def test_a_running_task_is_cancelled_and_its_execution_comes_too_late(self, bench: Workbench) -> None:
        """What ran and what waited is skipped, what had completed stays, and a late outcome changes nothing."""
        task_id = bench.submit()
        bench.runs.finish(bench.begin(task_id, "load"), Outcome(status="completed"))
        running = bench.begin(task_id, "check")
        assert bench.runs.is_current(running)
        bench.actions.cancel(task_id, intent=ALICE, render=render)
        assert [stage.status for stage in bench.task(task_id).stages] == ["completed", "skipped", "skipped"]
        assert not bench.runs.is_current(running)
        assert not bench.runs.finish(running, Outcome(status="completed"))
        attempt = bench.store.attempts(task_id)[-1]
        assert (attempt.stage, attempt.status) == ("check", "skipped")
        assert attempt.duration_seconds is not None
        assert bench.task(task_id).status == "cancelled"

    def test_what_has_ended_is_refused(self, bench: Workbench) -> None:
        """A task that has ended cannot be cancelled."""
        task_id = bench.failed()
        act = bench.actions.cancel
        assert refused(lambda: act(task_id, intent=ALICE, render=render)) == (400, "task status is failed")
        assert refused(lambda: act("nobody", intent=ALICE, render=render)) == (404, "Task not found")


class TestDelete:
    def test_the_task_goes_and_the_trail_stays(self, bench: Workbench) -> None:
        """A deleted task is gone with its directory; what was done to it is still told."""
        task_id = bench.failed()
        bench.actions.delete(task_id, intent=Intent("bob"))
        assert bench.store.task(task_id) is None
        assert list((bench.home / "tasks").iterdir()) == []
        assert bench.audit() == [("alice", "submit", "accepted"), ("bob", "delete", "accepted")]

    def test_a_running_task_is_refused(self, bench: Workbench) -> None:
        """A task must be stopped before it can be deleted; its files stay."""
        task_id = bench.submit()
        bench.begin(task_id, "load")
        assert refused(lambda: bench.actions.delete(task_id, intent=ALICE))[0] == 409
        assert not (bench.home / "tasks" / task_id / ".unsettled").exists()
        assert refused(lambda: bench.actions.delete("nobody", intent=ALICE)) == (404, "Task not found")

    @pytest.mark.parametrize("task_id", ["..", ".", "../x", "locks"])
    def test_an_id_that_is_no_task_touches_no_directory(self, bench: Workbench, task_id: str) -> None:
        """An id that looks like a path is an unknown task, and nothing else."""
        before = sorted(bench.home.rglob("*"))
        assert refused(lambda: bench.actions.delete(task_id, intent=ALICE)) == (404, "Task not found")
        assert sorted(bench.home.rglob("*")) == before

    def test_children_outlive_their_parent(self, bench: Workbench) -> None:
        """A retry of a deleted task keeps pointing to it."""
        old = bench.failed()
        new = bench.actions.retry_task(old, intent=ALICE).body["new_task_id"]
        bench.actions.delete(old, intent=ALICE)
        assert bench.task(new).parent_task_id == old


class TestOnce:
    def test_a_repeat_gets_the_same_answer_and_does_nothing(self, bench: Workbench) -> None:
        """Same key, same request: the stored answer, also after the stage has failed again."""
        task_id = bench.failed()
        intent = Intent("alice", key="k", fingerprint="f")
        first = bench.retry(task_id, intent=intent)
        bench.end(task_id, fail_at="check")
        assert bench.retry(task_id, intent=intent) == first
        assert bench.stage(task_id, "check").retry_count == 1

    def test_a_key_belongs_to_one_request(self, bench: Workbench) -> None:
        """Same key, other request: refused, nothing done."""
        task_id = bench.failed()
        bench.retry(task_id, intent=Intent("alice", key="k", fingerprint="f"))
        bench.end(task_id, fail_at="check")
        status, words = refused(lambda: bench.retry(task_id, intent=Intent("alice", key="k", fingerprint="g")))
        assert (status, words) == (422, "Idempotency-Key was used for another request")
        assert bench.stage(task_id, "check").retry_count == 1

    def test_refusals_are_not_remembered(self, bench: Workbench) -> None:
        """A refused request may be sent again under its key once it is possible."""
        task_id = bench.submit()
        intent = Intent("alice", key="k", fingerprint="f")
        assert refused(lambda: bench.retry(task_id, intent=intent))[0] == 400
        bench.end(task_id, fail_at="check")
        assert bench.retry(task_id, intent=intent).status == 200

    def test_answers_survive_a_restart(self, home: Path) -> None:
        """A repeat after a restart gets the first answer."""
        intent = Intent("alice", key="k", fingerprint="f")
        with workbench(home) as bench:
            first = bench.actions.submit("three", intent=intent, render=render)
        with workbench(home) as bench:
            assert bench.actions.submit("three", intent=intent, render=render) == first
            assert bench.store.tasks(page=1, page_size=10).total == 1

    @pytest.mark.parametrize("action", ["submit", "retry_stage", "retry_task", "clone", "cancel"])
    def test_eight_at_once_under_one_key_do_one_thing(self, bench: Workbench, tmp_path: Path, action: str) -> None:
        """Concurrent repeats all get the one answer, and leave no files of what was not done."""
        (tmp_path / "a.csv").write_text("a")
        task_id = bench.submit(files={"a.csv": tmp_path / "a.csv"})
        if action != "cancel":
            bench.end(task_id, fail_at="check")
        stage_id = bench.stage(task_id, "check").id
        intent = Intent("alice", key="k", fingerprint="f")
        rest: dict[str, Any] = {"intent": intent, "render": render}
        acts: dict[str, Callable[[], Answer]] = {
            "submit": lambda: bench.actions.submit("three", files={"a.csv": tmp_path / "a.csv"}, **rest),
            "retry_stage": lambda: bench.actions.retry_stage(task_id, stage_id, **rest),
            "retry_task": lambda: bench.actions.retry_task(task_id, intent=intent),
            "clone": lambda: bench.actions.clone(task_id, **rest),
            "cancel": lambda: bench.actions.cancel(task_id, **rest),
        }
        answers = race(*[acts[action]] * RACERS)
        assert all(answer == answers[0] for answer in answers)
        assert isinstance(answers[0], Answer)
        assert bench.audit().count(("alice", action, "accepted")) == (2 if action == "submit" else 1)
        assert len(list((bench.home / "tasks").iterdir())) == bench.store.tasks(page=1, page_size=9).total


def test_a_full_disk_is_507(home: Path) -> None:
    """When the database cannot grow, the action is refused as one that lacks room, and nothing of it stays."""
    with workbench(home) as bench:
        bench.submit()

        @sa.event.listens_for(bench.store.engine, "connect")
        def limit(connection: Any, record: object) -> None:
            connection.execute("PRAGMA max_page_count=1")

        bench.store.engine.dispose()
        assert refused(lambda: bench.submit(params={"long": "x" * 1_000_000})) == (507, "The disk is full")
        assert bench.store.tasks(page=1, page_size=1).total == 1
    assert len(list((home / "tasks").iterdir())) == 1


class TestAudit:
    def test_every_action_is_told_with_what_it_changed(self, bench: Workbench) -> None:
        """The trail says who did what, to which task and stage, and how it was before and after."""
        task_id = bench.failed()
        bench.retry(task_id, intent=Intent("bob"))
        entry = bench.store.audit(page=1, page_size=1)[0][0]
        assert (entry["actor"], entry["action"], entry["task_id"]) == ("bob", "retry_stage", task_id)
        assert entry["stage_id"] == bench.stage(task_id, "check").id
        assert entry["before"]["stages"]["check"] == {"status": "failed", "retry_count": 0}
        assert entry["after"]["stages"]["check"] == {"status": "pending", "retry_count": 1}

    def test_refusals_are_told(self, bench: Workbench) -> None:
        """What was refused is in the trail with the platform's words."""
        task_id = bench.submit()
        refused(lambda: bench.retry(task_id, intent=Intent("mallory")))
        assert bench.audit()[-1] == ("mallory", "retry_stage", "refused (400): task status is pending")

    def test_history_keeps_every_status(self, bench: Workbench) -> None:
        """A task remembers every status with its time, and why it failed."""
        task_id = bench.failed()
        bench.retry(task_id)
        bench.end(task_id)
        history = bench.task(task_id).status_history
        assert [entry["status"] for entry in history] == [
            "pending", "running", "failed", "pending", "running", "completed",
        ]  # fmt: skip
        assert [entry["error"] for entry in history][2] == "check broke"
        times = [entry["timestamp"] for entry in history]
        assert times == sorted(times)
