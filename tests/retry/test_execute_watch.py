"""How accepted retries ended, and what reading back shows of unclear ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retry_toolkit.errors import NotFound
from retry_toolkit.platforms.base import Recalled, Status, TaskRecord
from retry_toolkit.retry.lookback import confirm_new_task, read_back, reset_seen, retry_seen
from retry_toolkit.retry.records import Intent, Item
from retry_toolkit.retry.states import State
from retry_toolkit.retry.watch import MAX_ERROR, end_of, watched_id
from tests.retry.ledger import ORIGIN, KeyedPlatform, LedgerPlatform, failed_task

STAGE = Intent(origin=ORIGIN, task_id="t1", action="stage", attempt=0, stage_id="t1-check", stage="check")
WHOLE = Intent(origin=ORIGIN, task_id="t1", action="task", attempt=1)


def item_of(intent: Intent, state: State = "ACCEPTED", **fields: object) -> Item:
    """An item of a batch."""
    return Item(batch_id="b1", position=0, intent=intent, state=state, **fields)  # type: ignore[arg-type]  # tests name fields


def seen(status: Status, *, retry_count: int = 1, check: Status | None = None, error: str | None = None) -> TaskRecord:
    """The task of the stage intent as a look shows it."""
    task = failed_task("t1", retry_count=retry_count)
    stages = tuple(
        replace(stage, status=check or stage.status, error=error) if stage.stage == "check" else stage
        for stage in task.stages
    )
    return replace(task, status=status, native_status=status, stages=stages)


class TestEnd:
    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("succeeded", "SUCCEEDED"),
            ("failed", "FAILED_AGAIN"),
            ("cancelled", "CANCELLED"),
            *((status, None) for status in ("pending", "running", "unknown")),
        ],
    )
    def test_the_task_tells(self, status: Status, state: State | None) -> None:
        """Accepted is not succeeded: only what the task does afterwards ends an item."""
        ended = end_of(item_of(STAGE, attempt_after=1), seen(status))
        assert (ended and ended.state) == state

    def test_a_look_at_the_past_ends_nothing(self) -> None:
        """A read that is older than the retry shows the failure from before it."""
        assert end_of(item_of(STAGE, attempt_after=1), seen("failed", retry_count=0)) is None
        assert end_of(item_of(STAGE), seen("failed", retry_count=0)) is None

    def test_a_later_retry_means_that_ours_failed(self) -> None:
        """Only a failed stage can be retried again; what its error was is not known any more."""
        ended = end_of(item_of(STAGE, attempt_after=1), seen("running", retry_count=2))
        assert ended is not None
        assert (ended.state, ended.fingerprint, "retried again since" in ended.reason) == ("FAILED_AGAIN", None, True)

    def test_the_error_that_came_back_is_kept(self) -> None:
        """With its fingerprint, and bounded: of a long text the end says what happened."""
        ended = end_of(item_of(STAGE), seen("failed", check="failed", error="x" * 5_000 + "boom 17"))
        assert ended is not None
        assert ended.reason == "The task failed again at 'check'."
        assert (len(ended.detail), ended.detail[-7:]) == (MAX_ERROR, "boom 17")

    def test_a_later_stage_that_fails_is_told_apart(self) -> None:
        """The retried stage succeeded; the task did not."""
        task = seen("failed", check="succeeded")
        finish = replace(task.stages[2], status="failed", error="late trouble 5")
        ended = end_of(item_of(STAGE), replace(task, stages=(*task.stages[:2], finish)))
        assert ended is not None
        assert (ended.fingerprint, ended.reason) == (
            "late trouble *",
            "The task failed again at 'finish', a later stage.",
        )

    def test_a_whole_retry_is_watched_at_its_new_task(self) -> None:
        """The old one stays failed for ever."""
        item = item_of(WHOLE, new_task_id="t2")
        assert (watched_id(item), watched_id(item_of(STAGE))) == ("t2", "t1")
        ended = end_of(item, replace(failed_task("t2"), status="succeeded"))
        assert ended is not None
        assert ended.state == "SUCCEEDED"

    def test_a_task_without_stages_fails_with_its_own_error(self) -> None:
        """As in a queue."""
        ended = end_of(item_of(WHOLE, new_task_id="t2"), replace(failed_task("t2"), stages=(), error="solver error"))
        assert ended is not None
        assert (ended.detail, ended.reason) == ("solver error", "The task failed again.")


class TestReadBack:
    @pytest.mark.parametrize(("now", "state"), [(0, "UNKNOWN"), (1, "ACCEPTED"), (2, "ACCEPTED")])
    def test_the_attempt_number_tells(self, now: int, state: State) -> None:
        """That it has not moved proves nothing; that it has is said with what is not known."""
        verdict = reset_seen(STAGE, seen("failed", retry_count=now))
        assert verdict.state == state
        assert ("does not tell" if state == "ACCEPTED" else "may still be acted on") in verdict.reason

    def test_a_stage_that_is_gone_tells_nothing(self) -> None:
        """It stays unclear."""
        assert reset_seen(STAGE, replace(failed_task("t1"), stages=())).state == "UNKNOWN"

    @pytest.mark.parametrize(
        ("retried_by", "known", "new"),
        [
            (("old",), {"old"}, None),
            (("old", "new"), {"old"}, "new"),
            (("new", "old"), {"old"}, "new"),
            (("old", "new"), None, "new"),
            (("old", "one", "two"), {"old"}, None),
            ((), {"old"}, None),
        ],
    )
    def test_one_new_retry_tells(self, retried_by: tuple[str, ...], known: set[str] | None, new: str | None) -> None:
        """Of several none can be told apart."""
        verdict = retry_seen(WHOLE, replace(failed_task("t1"), retried_by=retried_by), known)
        assert (verdict.state, verdict.new_task_id) == ("UNKNOWN" if new is None else "ACCEPTED", new)

    def test_a_key_tells_whatever_the_numbers_say(self) -> None:
        """Somebody else's retry moves the number and not our key."""
        platform = KeyedPlatform({"t1": seen("failed", retry_count=1)})
        item = item_of(STAGE, "UNKNOWN")
        assert read_back(platform, item).state == "UNKNOWN"
        platform.done[item.key] = None
        assert read_back(platform, item, call_off=True).state == "ACCEPTED"

    def test_calling_off_makes_sure_of_every_round(self) -> None:
        """An item that was sent again has two requests that may be on their way."""
        platform = KeyedPlatform.of("t1")
        item = item_of(STAGE, "UNKNOWN", round=2)
        assert read_back(platform, item, call_off=True).state == "REJECTED"
        assert platform.called_off == set(item.keys)
        assert (len(item.keys), item.keys[-1]) == (2, item.key)

    def test_an_older_platform_that_knows_no_keys_is_read(self) -> None:
        """Then numbers tell."""

        class Older(KeyedPlatform):
            def recall(self, key: str) -> Recalled:
                raise NotFound("Not Found", status=404)

        assert read_back(Older({"t1": seen("running")}), item_of(STAGE, "UNKNOWN")).state == "ACCEPTED"


class TestConfirm:
    def confirm(self, *tasks: TaskRecord, known: frozenset[str] = frozenset()) -> State:
        """What an answer that names `new` as the retry of `t1` is worth."""
        platform = LedgerPlatform({task.task_id: task for task in tasks})
        return confirm_new_task(platform, item_of(WHOLE, "SENT"), "new", known).state

    def test_a_retry_that_the_old_task_names_is_ours(self) -> None:
        """Unless it was there before."""
        old = replace(failed_task("t1"), retried_by=("new",))
        assert self.confirm(old) == "ACCEPTED"
        assert self.confirm(old, replace(failed_task("new"), parent_id="t1"), known=frozenset({"new"})) == "UNKNOWN"

    @pytest.mark.parametrize(
        ("parent", "retry_count", "state"),
        [("t1", 1, "ACCEPTED"), ("another", 1, "UNKNOWN"), (None, 0, "UNKNOWN"), (None, None, "ACCEPTED")],
    )
    def test_else_the_new_task_tells(self, parent: str | None, retry_count: int | None, state: State) -> None:
        """A platform without lineage tells nothing, and is believed."""
        new = replace(failed_task("new"), parent_id=parent, retry_count=retry_count)
        assert self.confirm(failed_task("t1"), new) == state

    def test_a_task_that_does_not_exist_is_nobodys(self) -> None:
        """The answer was wrong."""
        assert self.confirm(failed_task("t1")) == "UNKNOWN"
