"""Attempts of a stage from wherever they are known, two of them compared, and what is near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from retry_toolkit.errors import JournalError
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.splitting import split_log
from retry_toolkit.platforms.base import AttemptRecord, LogRecord, TaskRecord
from retry_toolkit.retry.archive import Archive
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk
from tests.panels.memory import EVERYTHING, NOW, MemoryPlatform, make_task

FORGETFUL = replace(EVERYTHING, keeps_attempts=False)
MINUTE = timedelta(minutes=1)


@dataclass
class Diary(MemoryPlatform):
    """A platform whose log is what `diary` says: seconds after `NOW`, and the line."""

    diary: tuple[tuple[float, str], ...] = ()

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        self._note("logs", task_id, stage)
        yield from log_of(self.diary, task_id, stage)


def log_of(diary: tuple[tuple[float, str], ...], task_id: str = "a", stage: str | None = "join") -> Iterator[LogRecord]:
    """Lines at so many seconds after `NOW`."""
    for seq, (seconds, text) in enumerate(diary):
        time = NOW + timedelta(seconds=seconds)
        yield LogRecord(task_id=task_id, stage=stage, seq=seq, time=time, kind="stdout", text=text)


def tried(number: int, *, start: float, error: str = "KeyError: 'amount' in row 3", **fields: Any) -> TaskRecord:
    """The task `a` whose stage `join` has failed for the n-th time, so many seconds after `NOW`."""
    task = make_task("a", retry_count=number - 1, error=error, **fields)
    begun = NOW + timedelta(seconds=start)
    stages = tuple(
        replace(stage, started_at=begun, finished_at=begun + timedelta(seconds=10)) if stage.stage == "join" else stage
        for stage in task.stages
    )
    return replace(task, stages=stages)


def attempt(number: int, started: datetime | None, finished: datetime | None = None) -> AttemptRecord:
    """An attempt at that time."""
    return AttemptRecord(
        task_id="a",
        stage_id="a-join",
        stage="join",
        attempt=number,
        status="failed",
        started_at=started,
        finished_at=finished,
    )


def opened(make_desk: MakeDesk, platform: MemoryPlatform, **options: Any) -> DeskState:
    """A desk with the task `a` open."""
    desk = make_desk(platform, **options)
    desk.report.open("a")
    return desk


def test_lines_belong_to_attempts_by_their_times() -> None:
    """Half-way between two attempts; a line without a time stays with the one before it."""
    first, second = attempt(1, NOW, NOW + MINUTE), attempt(2, NOW + 2 * MINUTE)
    records = [*log_of(((0, "a"), (60, "b"), (89, "c"), (91, "d"), (200, "e")))]
    records.insert(4, replace(records[0], time=None, text="none"))
    parts = split_log(records, (first, second))
    assert {number: [one.text for one in part] for number, part in parts.items()} == {
        1: ["a", "b", "c"],
        2: ["d", "none", "e"],
    }


def test_without_times_no_line_is_given_to_the_wrong_attempt() -> None:
    """Only where there is one attempt, the first, are all lines its own."""
    records = list(log_of(((0, "a"),)))
    assert split_log(records, (attempt(1, None),)) == {1: records}
    assert split_log(records, (attempt(1, None), attempt(2, NOW))) == {}
    assert split_log(records, (attempt(1, NOW + MINUTE), attempt(2, NOW))) == {}
    assert split_log(records, (attempt(2, NOW + MINUTE),)) == {2: []}


def test_what_the_platform_erased_comes_from_the_evidence(make_desk: MakeDesk, archive: Archive) -> None:
    """Attempt, log and parameters as they were before the retry; what truly differs is told, numbers are not."""
    assert archive.evidence is not None
    first = tried(1, start=0, parameters={"month": "March", "rows": 3})
    origin = MemoryPlatform.of(first).origin
    archive.evidence.save(first, log_of(((1, "reading 12 rows"), (2, "using the old index"))), origin=origin)
    second = tried(2, start=100, error="KeyError: 'total' in row 9", parameters={"month": "April", "rows": 3})
    platform = Diary.of(second, capabilities=FORGETFUL)
    platform.diary = ((101, "reading 15 rows"), (102, "using the new index"))
    desk = opened(make_desk, platform)
    assert [(each.attempt, each.source) for each in desk.attempts.attempts] == [(1, "evidence"), (2, "platform")]
    assert desk.attempts.pair == (1, 2)
    found = desk.attempts.comparison
    assert found is not None
    assert found.log is not None
    assert (found.error.changes, found.log.changes, found.without_log) == (1, 1, ())
    assert found.parameters == {"month": ("March", "April")}
    assert not found.equal


def test_nothing_but_times_and_numbers_is_no_difference(make_desk: MakeDesk) -> None:
    """A platform that keeps all: its log is split by the times of the attempts."""
    task = tried(2, start=100, error="row 2 is torn")
    platform = Diary.of(task)
    platform.diary = ((1, "row 1 of 3"), (101, "row 2 of 3"))
    platform.attempts = lambda task_id: (  # type: ignore[method-assign]
        replace(attempt(1, NOW, NOW + timedelta(seconds=5)), error="row 1 is torn"),
        replace(attempt(2, NOW + timedelta(seconds=100)), error="row 2 is torn"),
    )
    desk = opened(make_desk, platform)
    found = desk.attempts.comparison
    assert found is not None
    assert found.log is not None
    assert found.equal
    assert not found.log.identical


def test_a_log_that_nobody_kept_is_told(make_desk: MakeDesk, archive: Archive) -> None:
    """And so is an attempt that nobody kept."""
    assert archive.evidence is not None
    archive.evidence.save(tried(2, start=50), (), origin=MemoryPlatform.of().origin)
    platform = Diary.of(tried(3, start=100), capabilities=FORGETFUL, diary=((101, "x"),))
    desk = opened(make_desk, platform)
    assert [each.attempt for each in desk.attempts.attempts] == [2, 3]
    assert desk.attempts.unknown == (1,)
    found = desk.attempts.comparison
    assert found is not None
    assert (found.log, found.without_log) == (None, (2,))


def test_other_attempts_can_be_chosen(make_desk: MakeDesk) -> None:
    """Two different ones that are known, in either order."""
    desk = opened(make_desk, MemoryPlatform.of(make_task("a", retry_count=2)))
    state = desk.attempts
    assert state.pair == (2, 3)
    state.choose("before", 1)
    assert state.pair == (1, 3)
    assert state.comparison is not None
    assert state.comparison.before.attempt == 1
    state.choose("before", 3)
    state.choose("after", 99)
    assert state.pair == (1, 3)
    desk.report.choose("a-clean")
    assert desk.attempts.comparison is None
    state.choose("before", 1)
    assert state.pair == ()


def test_the_comparison_of_another_task_comes_too_late(make_desk: MakeDesk) -> None:
    """What is still being compared when another task is opened is shown nowhere."""
    background = WhenTold()
    platform = MemoryPlatform.of(make_task("a", retry_count=2), make_task("b"))
    desk = make_desk(platform, background=background)
    desk.report.open("a")
    background.run()
    assert desk.attempts.comparison is not None
    desk.attempts.choose("before", 1)
    desk.report.open("b")
    background.waiting.pop(0)()
    assert desk.attempts.comparison is None
    background.run()
    assert [each.task_id for each in desk.attempts.attempts] == ["b"]


def test_damaged_evidence_leaves_what_the_platform_knows(make_desk: MakeDesk, archive: Archive) -> None:
    """And says what is wrong."""

    def broken(*_: Any) -> Any:
        raise JournalError("damaged", advice="Restore it.")

    archive.evidence.attempts = broken  # type: ignore[union-attr, method-assign]
    desk = opened(make_desk, MemoryPlatform.of(make_task("a", retry_count=1)))
    assert [each.attempt for each in desk.attempts.attempts] == [1, 2]
    assert desk.attempts.problem is not None


def test_a_log_asked_for_while_it_is_read_is_read_once_more(make_desk: MakeDesk) -> None:
    """Not once for each time that somebody asked."""
    background = WhenTold()
    platform = MemoryPlatform.of(make_task("a"))
    desk = make_desk(platform, background=background)
    background.run()
    desk.report.open("a")
    background.run()
    before = len(platform.called("logs"))
    for _ in range(5):
        desk.report.reload_log()
    background.run()
    assert len(platform.called("logs")) == before + 2


def test_neighbours_are_found(make_desk: MakeDesk) -> None:
    """The same cause by its fingerprint, the newest first, and the last success of this stage in this template."""
    others = [make_task(f"o{number}", minutes_ago=number, error=f"row {number} is torn") for number in range(1, 8)]
    well = make_task("well", status="succeeded", minutes_ago=3)
    older = make_task("older", status="succeeded", minutes_ago=9)
    foreign = make_task("foreign", status="succeeded", minutes_ago=1, template="other")
    ended = {"well": NOW - 3 * MINUTE, "older": NOW - 9 * MINUTE, "foreign": NOW - MINUTE}
    good = [
        replace(task, stages=tuple(replace(stage, finished_at=ended[task.task_id]) for stage in task.stages))
        for task in (older, well, foreign)
    ]
    mine = make_task("a", error="row 99 is torn")
    mine = replace(mine, stages=tuple(replace(stage, finished_at=NOW) for stage in mine.stages))
    platform = MemoryPlatform.of(mine, *others, *good, make_task("x", error="other"))
    desk = opened(make_desk, platform)
    found = desk.neighbours.neighbours
    assert found is not None
    assert (found.count, [each.task_id for each in found.named]) == (7, ["o1", "o2", "o3", "o4", "o5"])
    assert found.succeeded is not None
    assert (found.succeeded.task_id, found.succeeded.time) == ("well", NOW - 3 * MINUTE)
    desk.report.choose("a-clean")
    assert desk.neighbours.neighbours is not None
    assert desk.neighbours.neighbours.succeeded == found.succeeded


def test_neighbours_need_a_list(make_desk: MakeDesk) -> None:
    """Until it is loaded there are none; a stage without an error has no cause, a task without template no success."""
    background = WhenTold()
    platform = MemoryPlatform.of(make_task("a", template=None))
    desk = make_desk(platform, background=background)
    desk.report.open("a")
    the_list = background.waiting.pop(0)
    background.run()
    assert desk.report.task is not None
    assert desk.neighbours.neighbours is None
    background.waiting.append(the_list)
    background.run()
    found = desk.neighbours.neighbours
    assert found is not None
    assert (found.count, found.succeeded) == (0, None)
    desk.report.choose("a-clean")
    background.run()
    assert desk.neighbours.neighbours is not None
    assert desk.neighbours.neighbours.fingerprint is None
