"""The wire of the storms and the plain platforms behind it: every fault is what its name says, in process."""

from __future__ import annotations

import pytest

from retry_toolkit.errors import BadAnswer, NotSent, Refused, UnclearOutcome
from retry_toolkit.platforms.base import StageRetry
from retry_toolkit.platforms.pipeline import PipelinePlatform
from retry_toolkit.platforms.queue import QueuePlatform
from retry_toolkit.platforms.transport import Bounds, Transport
from tests.faults.kinds import Kind, Schedule, tasks_written
from tests.faults.oracle import Act, fails
from tests.faults.plain import PlainPipeline, PlainQueue
from tests.faults.wire import LONGEST_LAG, FaultyWire

ONCE = Bounds(tries=1)


def retry(*kinds: Kind, seed: int = 1) -> tuple[StageRetry | BaseException, FaultyWire, PlainPipeline]:
    """Retry the stage of a plain task over a wire that breaks every write in one of these ways."""
    platform = PlainPipeline(["t1"])
    wire = FaultyWire(platform, Schedule(seed, writes=1.0, reads=0.0, kinds=kinds))
    with PipelinePlatform(Transport("http://plain.test", bounds=ONCE, wire=wire)) as client:
        try:
            return client.retry_stage("t1", "t1-check"), wire, platform
        except (NotSent, Refused, UnclearOutcome) as error:
            return error, wire, platform


@pytest.mark.parametrize("kind", ["reset_before", "408_before", "429_before", "500_before", "502_before", "504_before"])
def test_what_breaks_before_the_platform_is_not_done(kind: Kind) -> None:
    """It left the client, nothing came of it, and the client cannot know that."""
    caught, wire, platform = retry(kind)
    assert isinstance(caught, UnclearOutcome)
    assert [tasks_written(call) for call in wire.arrived] == [("t1",)]
    assert platform.ledger == []


@pytest.mark.parametrize("kind", ["reset_after", "late_answer", "408_after", "429_after", "500_after", "503_after"])
def test_what_breaks_after_the_platform_is_done_once(kind: Kind) -> None:
    """It left the client and was done, and the client does not learn of it."""
    caught, _, platform = retry(kind)
    assert isinstance(caught, UnclearOutcome)
    assert platform.ledger == [Act(task_id="t1", attempt=0)]


@pytest.mark.parametrize("kind", ["html", "wrong_id", "empty"])
def test_answers_that_lie_come_with_and_without_the_deed(kind: Kind) -> None:
    """Over some seeds the platform is asked in some cases and not in others; the client believes none of them."""
    results = [retry(kind, seed=seed) for seed in range(12)]
    assert all(isinstance(caught, UnclearOutcome) for caught, _, _ in results)
    assert {len(platform.ledger) for _, _, platform in results} == {0, 1}


def test_an_answer_is_torn_everywhere() -> None:
    """In its head, in an announced body and in one that was not announced; the deed is done, and nobody is told."""
    for seed in range(30):
        caught, _, platform = retry("truncate", seed=seed)
        assert isinstance(caught, UnclearOutcome)
        assert len(platform.ledger) == 1


def test_a_refused_connection_never_left() -> None:
    """It is no write of the client."""
    caught, wire, platform = retry("refuse")
    assert isinstance(caught, NotSent)
    assert wire.arrived == []
    assert platform.ledger == []


def test_a_duplicate_is_done_once_and_answered_twice() -> None:
    """The plain dialect refuses the second delivery, and some clients only see that refusal."""
    results = [retry("duplicate", seed=seed) for seed in range(12)]
    assert all(len(platform.ledger) == 1 for _, _, platform in results)
    assert {type(caught) for caught, _, _ in results} == {StageRetry, Refused}


def test_a_late_request_is_done_after_others() -> None:
    """It arrives by itself when enough others have passed, or when the storm is settled."""
    caught, wire, platform = retry("late_request")
    assert isinstance(caught, UnclearOutcome)
    assert platform.ledger == []
    with PipelinePlatform(Transport("http://plain.test", wire=wire)) as client:
        for _ in range(LONGEST_LAG + 1):
            client.task("t1")
    assert len(platform.ledger) == 1
    _, wire, platform = retry("late_request")
    wire.settle()
    assert len(platform.ledger) == 1


def test_the_plain_pipeline_ends_when_it_is_looked_at() -> None:
    """A retried task ends as the world's rule says, and may be retried again up to its limit."""
    platform = PlainPipeline(["t1"])
    calm = Schedule(1, writes=0.0, reads=0.0)
    with PipelinePlatform(Transport("http://plain.test", wire=FaultyWire(platform, calm))) as client:
        assert client.task("t1").refusal is None
        assert client.retry_batch(["t1"]).accepted == 1
        assert client.retry_batch(["t1"]).items[0].reason == "task status is pending"
        assert client.task("t1").status == ("failed" if fails("t1", 1) else "succeeded")


def test_the_plain_queue_makes_new_tasks() -> None:
    """A whole retry makes a task that the old one names."""
    platform = PlainQueue(["j1"])
    calm = Schedule(1, writes=0.0, reads=0.0)
    with QueuePlatform(Transport("http://plain.test", wire=FaultyWire(platform, calm))) as client:
        new = client.retry_task("j1").new_task_id
        assert client.task("j1").retried_by == (new,)
        assert client.task(new).parent_id == "j1"
    assert platform.ledger == [Act(task_id="j1", attempt=0, new_task_id=new)]


def test_a_look_at_another_task_is_not_believed() -> None:
    """A mixed-up answer to a read would show another task's attempt number: it is refused, in both dialects."""
    mixed = Schedule(1, writes=0.0, reads=1.0, kinds=("wrong_id",))
    calm = Schedule(1, writes=0.0, reads=0.0)
    for platform, connected in (
        (PlainPipeline(["t1", "t2"]), PipelinePlatform),
        (PlainQueue(["t1", "t2"]), QueuePlatform),
    ):
        with connected(Transport("http://plain.test", wire=FaultyWire(platform, calm))) as client:
            assert client.task("t1").task_id == "t1"
        with connected(Transport("http://plain.test", wire=FaultyWire(platform, mixed))) as client:
            for _ in range(2):
                with pytest.raises(BadAnswer, match="about"):
                    client.task("t2")
