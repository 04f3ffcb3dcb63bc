"""Plans: what a retry would do, made of fresh reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd
import pytest

from retry_toolkit import errors
from retry_toolkit.frames.schema import PLAN
from retry_toolkit.platforms.base import Capabilities, FileRecord, TaskFiles, TaskQuery, TaskRecord
from retry_toolkit.retry.plan import RetryPlan, plan_retry
from tests.retry.ledger import LedgerPlatform, failed_task


def platform(*tasks: TaskRecord, **fields: object) -> LedgerPlatform:
    """A platform with these tasks."""
    return LedgerPlatform({task.task_id: task for task in tasks}, **fields)  # type: ignore[arg-type]  # tests name fields


def reasons(plan: RetryPlan) -> list[str]:
    """Why each row is refused; empty for those that are ready."""
    return [row.reason for row in plan.rows]


def test_a_row_says_what_a_stage_retry_would_do() -> None:
    """The stage that is reset, what stays, what runs behind it, and the attempt number with its limit."""
    plan = plan_retry(platform(failed_task("t1", retry_count=1)), ["t1"])
    (row,) = plan.rows
    assert (row.verdict, row.stage, row.kept, row.after) == ("ready", "check", ("load",), ("finish",))
    assert (row.attempt, row.retry_limit, row.fingerprint, row.input_bytes) == (1, 3, "boom", 0)
    (intent,) = plan.intents
    assert (intent.task_id, intent.stage_id, intent.attempt, intent.fingerprint) == ("t1", "t1-check", 1, "boom")


def test_a_row_says_what_a_whole_retry_would_do() -> None:
    """The number of direct retries, and the bytes that are copied; linking copies nothing."""
    task = replace(failed_task("t1"), retried_by=("t2", "t3"))
    plan = plan_retry(platform(task), ["t1"], action="task", name="再来一次")
    assert (plan.rows[0].attempt, plan.rows[0].input_bytes, plan.totals["input_bytes"]) == (2, 100, 100)
    assert (plan.intents[0].display_name, plan.intents[0].copy_files, plan.intents[0].stage_id) == (
        "再来一次",
        True,
        None,
    )
    linked = plan_retry(platform(task), ["t1"], action="task", copy_files=False)
    assert (linked.totals["input_bytes"], linked.intents[0].copy_files) == (0, False)


def test_every_refusal_says_why() -> None:
    """In words; the rest of the plan is not touched."""
    done = replace(failed_task("done"), status="succeeded", native_status="completed")
    odd = replace(failed_task("odd"), status="unknown", native_status="HIBERNATING")
    healthy = replace(failed_task("healthy"), stages=())
    full = failed_task("full", retry_count=3)
    found = platform(failed_task("ok"), done, odd, healthy, full)
    plan = plan_retry(found, ["ok", "done", "odd", "healthy", "full", "nobody"])
    assert reasons(plan) == [
        "",
        "The task is succeeded.",
        "The task is HIBERNATING.",
        "None of its stages has failed.",
        "The retry limit of 'check' is reached (3/3).",
        "The task does not exist (any more).",
    ]
    assert (plan.totals["ready"], plan.totals["refused"], len(plan.ready), len(plan)) == (1, 5, 1, 6)
    assert plan.rows[4].attempt == 3


def test_a_stage_can_be_named() -> None:
    """One that has not failed, or is not there, is refused with its name."""
    found = platform(failed_task("t1"))
    assert plan_retry(found, ["t1"], stage="check").rows[0].stage_id == "t1-check"
    assert reasons(plan_retry(found, ["t1"], stage="load")) == ["Its stage 'load' has not failed: it is succeeded."]
    assert reasons(plan_retry(found, ["t1"], stage="nope")) == ["It has no stage 'nope'."]


def test_the_earliest_stage_under_its_limit_is_chosen() -> None:
    """As a batch call of the platform chooses it."""
    task = failed_task("t1", retry_count=3)
    later = replace(task.stages[2], status="failed", retry_count=1)
    plan = plan_retry(platform(replace(task, stages=(*task.stages[:2], later))), ["t1"])
    assert (plan.rows[0].stage, plan.rows[0].attempt) == ("finish", 1)


def test_a_succeeded_task_runs_again_only_when_it_was_chosen_alone() -> None:
    """Never by a bulk action."""
    done = replace(failed_task("done"), status="succeeded")
    found = platform(done, failed_task("t1"))
    assert reasons(plan_retry(found, ["done"], action="task")) == [""]
    assert reasons(plan_retry(found, ["done", "t1"], action="task")) == ["The task is succeeded.", ""]


@pytest.mark.parametrize(
    ("files", "reason", "size"),
    [
        ([("a", 1, True), ("b", 2, True)], "", 3),
        ([("a", 1, True), ("b", None, True)], "", None),
        ([("a", 1, True), ("b", 2, False)], "1 of its input files are gone.", None),
        ([], "", 0),
    ],
)
def test_files_decide_what_is_copied(files: list[tuple[str, int | None, bool]], reason: str, size: int | None) -> None:
    """An unknown size is unknown; files that are gone are a refusal before anything is sent."""

    class WithFiles(LedgerPlatform):
        def files(self, task_id: str) -> TaskFiles | None:
            records = tuple(
                FileRecord(name=name, size_bytes=size, exists=there, method="original") for name, size, there in files
            )
            return TaskFiles(task_id=task_id, files=records, free_bytes=9_000)

    plan = plan_retry(WithFiles({"t1": failed_task("t1")}), ["t1"], action="task")
    assert (plan.rows[0].reason, plan.rows[0].input_bytes) == (reason, size)
    assert plan.rows[0].free_bytes == (None if reason else 9_000)


def test_a_selection_is_a_frame_ids_or_a_query() -> None:
    """All three lead to the same plan."""
    found = platform(failed_task("t1"), failed_task("t2"))
    frame = pd.DataFrame({"task_id": ["t1", "t2"]})
    plans = [plan_retry(found, tasks) for tasks in (frame, ["t1", "t2"], TaskQuery(status="failed"))]
    assert len({plan.hash for plan in plans}) == 1


@pytest.mark.parametrize(
    "nothing", [[], (), pd.DataFrame({"task_id": pd.Series([], dtype="str")}), TaskQuery()], ids=lambda _: "nothing"
)
def test_nothing_selected_never_means_everything(nothing: Iterable[str] | TaskQuery) -> None:
    """An empty selection, and a query that leaves nothing out, are refused."""
    with pytest.raises(errors.PlanRefused):
        plan_retry(platform(failed_task("t1")), nothing)


def test_a_task_twice_is_refused() -> None:
    """A frame of stages or attempts is not a selection of tasks."""
    with pytest.raises(errors.PlanRefused, match=r"1 task\(s\) are selected twice: 't1'"):
        plan_retry(platform(failed_task("t1"), failed_task("t2")), ["t1", "t2", "t1"])


def test_too_many_are_refused_unless_they_are_meant() -> None:
    """The platform's bound, else ours; a query is not read further than that."""
    found = platform(*(failed_task(f"t{number}") for number in range(4)))
    found.capabilities = replace(found.capabilities, max_batch=3)
    ids = list(found.records)
    with pytest.raises(errors.PlanRefused, match="4 tasks are selected, and a plan takes at most 3"):
        plan_retry(found, ids)
    with pytest.raises(errors.PlanRefused, match="More than 3 tasks"):
        plan_retry(found, TaskQuery(status="failed"))
    assert len(plan_retry(found, ids, max_items=4)) == 4


@pytest.mark.parametrize("wrong", [{"action": "all"}, {"name": "x"}, {"action": "task", "stage": "check"}])
def test_what_makes_no_sense_is_an_error_of_the_caller(wrong: dict[str, str]) -> None:
    """Nothing is read."""
    with pytest.raises(ValueError, match=r"action|name|stage"):
        plan_retry(platform(failed_task("t1")), ["t1"], **wrong)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError, match="list of ids"):
        plan_retry(platform(failed_task("t1")), "t1")


def test_a_platform_that_cannot_says_so() -> None:
    """Before anything is read."""
    nothing = Capabilities(stage_retry="none", whole_retry="none", batch="none")
    for action in ("stage", "task"):
        with pytest.raises(errors.Unsupported):
            plan_retry(platform(failed_task("t1"), capabilities=nothing), ["t1"], action=action)


def test_a_task_that_cannot_be_read_is_a_row_but_a_missing_permission_is_an_error() -> None:
    """One sick task does not hide the others; a wrong token hides all of them."""
    assert reasons(plan_retry(platform(failed_task("t1"), fails=True), ["t1"])) == [
        "It could not be read: No answer from the platform."
    ]

    class Locked(LedgerPlatform):
        def task(self, task_id: str) -> TaskRecord:
            raise errors.PermissionDenied("no", status=403)

    with pytest.raises(errors.PermissionDenied):
        plan_retry(Locked({}), ["t1"])


def test_the_hash_covers_what_will_be_done() -> None:
    """Other rows, numbers, verdicts, actions, files or names are another plan; the same is the same."""
    one, other = failed_task("t1"), failed_task("t2")
    found = platform(one, other)
    plans = [
        plan_retry(found, ["t1"]),
        plan_retry(found, ["t1", "t2"]),
        plan_retry(found, ["t2", "t1"]),
        plan_retry(platform(failed_task("t1", retry_count=1)), ["t1"]),
        plan_retry(platform(failed_task("t1", retry_count=3)), ["t1"]),
        plan_retry(platform(one, origin="http://elsewhere"), ["t1"]),
        plan_retry(found, ["t1"], action="task"),
        plan_retry(found, ["t1"], action="task", copy_files=False),
        plan_retry(found, ["t1"], action="task", name="x"),
    ]
    assert len({plan.hash for plan in plans}) == len(plans)
    assert plan_retry(found, ["t1"]).hash == plans[0].hash == plans[0].content_hash()
    assert replace(plans[1], rows=plans[0].rows).content_hash() != plans[1].hash


def test_the_frame_has_the_columns_of_the_schema() -> None:
    """Exactly, with their dtypes, also for rows of which nothing is known."""
    frame = plan_retry(platform(failed_task("t1")), ["t1", "nobody"]).frame
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [(col.name, col.dtype) for col in PLAN]
    assert frame["verdict"].tolist() == ["ready", "refused"]
    assert frame["attempt"].isna().tolist() == [False, True]
    assert frame["stages_kept"].tolist()[0] == "load"
    assert frame["free_bytes"].isna().all()


def test_strangers_text_stays_text() -> None:
    """In a notebook nothing of a task becomes markup."""
    nasty = "<script>alert(1)</script>"
    task = replace(failed_task(nasty), name=nasty)
    plan = plan_retry(platform(task, origin=f"http://x{nasty}"), [nasty, "&amp;"], stage=nasty)
    html = plan._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&amp;amp;" in html
    assert repr(plan).startswith("RetryPlan(stage, ready=0, refused=2, ")


def test_long_plans_show_their_beginning() -> None:
    """And say how much more there is, and what copying costs."""
    ids = [f"t{number}" for number in range(60)]
    html = plan_retry(LedgerPlatform.of(*ids), ids, action="task")._repr_html_()
    assert "60 of 60" in html
    assert "… and 10 more" in html
    assert "6 kB more disk" in html
