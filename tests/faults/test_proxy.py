"""The proxy of the storms: every fault is what its name says, on a real socket, to the real client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from retry_toolkit.errors import NotSent, UnclearOutcome
from retry_toolkit.platforms.embedded import CAPABILITIES_PATH, EmbeddedPlatform
from retry_toolkit.platforms.transport import Bounds, Transport
from tests.faults.kinds import ARRIVING, Call, Fault, Kind, Reply, Schedule, Spoiler, tasks_written
from tests.faults.proxy import ClosedDoor, FaultProxy
from tests.faults.sizes import fast_home
from tests.faults.still import StillPlatform, stage_id, still_platform, task_ids
from tests.live import wait_until

pytestmark = pytest.mark.faults

QUICK = Bounds(connect_s=5.0, silence_s=0.4, tries=1)
_numbers = count()


@pytest.fixture(scope="module")
def still() -> Iterator[StillPlatform]:
    """A still platform; tests take tasks of their own."""
    with fast_home() as home, still_platform(home, 100) as platform:
        yield platform


def connected(url: str, *, door: Schedule | None = None, bounds: Bounds = QUICK) -> EmbeddedPlatform:
    """A client of the platform at that address."""
    capabilities = {"stage_retry": "in_place", "whole_retry": "new_task", "batch": "per_item", "idempotency": "key"}
    wire = ClosedDoor(door) if door else None
    return EmbeddedPlatform(Transport(url, bounds=bounds, wire=wire), capabilities)


def retry_through(still: StillPlatform, *kinds: Kind, seed: int = 1) -> tuple[str, FaultProxy, BaseException | None]:
    """Retry a task through a proxy that breaks every write in one of these ways: the task, the proxy, what came up."""
    task_id = task_ids(100)[next(_numbers)]
    schedule = Schedule(seed, writes=1.0, reads=0.0, kinds=kinds)
    with FaultProxy(still.url, schedule) as proxy, connected(proxy.url) as client:
        caught: BaseException | None = None
        try:
            client.retry_stage(task_id, stage_id(task_id), expected_retry_count=0, idempotency_key=f"key-{task_id}")
        except (NotSent, UnclearOutcome) as error:
            caught = error
        proxy.settle()
    assert schedule.fired.total() == 1
    assert [tasks_written(call) for call in proxy.arrived] == [(task_id,)]
    return task_id, proxy, caught


def acts_on(still: StillPlatform, task_id: str) -> int:
    """How often a task was retried."""
    return sum(act.task_id == task_id for act in still.acts())


@pytest.mark.parametrize("kind", ["reset_before", "408_before", "429_before", "500_before", "503_before", "504_before"])
def test_what_breaks_before_the_platform_is_not_done(still: StillPlatform, kind: Kind) -> None:
    """The platform never sees such a request, and the client cannot know that."""
    task_id, _, caught = retry_through(still, kind)
    assert isinstance(caught, UnclearOutcome)
    assert acts_on(still, task_id) == 0


@pytest.mark.parametrize(
    "kind",
    ["reset_after", "late_request", "late_answer", "truncate", "408_after", "429_after", "502_after", "503_after"],
)
def test_what_breaks_after_the_platform_is_done_once(still: StillPlatform, kind: Kind) -> None:
    """The platform acts on such a request, and the client does not learn of it."""
    task_id, _, caught = retry_through(still, kind)
    assert isinstance(caught, UnclearOutcome)
    assert acts_on(still, task_id) == 1


@pytest.mark.parametrize("kind", ["html", "wrong_id", "empty"])
def test_answers_that_lie_come_with_and_without_the_deed(still: StillPlatform, kind: Kind) -> None:
    """Over some seeds the platform is asked in some cases and not in others; the client believes none of them."""
    done = []
    for seed in range(8):
        task_id, _, caught = retry_through(still, kind, seed=seed)
        assert isinstance(caught, UnclearOutcome)
        done.append(acts_on(still, task_id))
    assert set(done) == {0, 1}


def test_a_request_that_comes_twice_is_done_once(still: StillPlatform) -> None:
    """The platform gets a duplicate, knows its key, and gives the same answer again."""
    for seed in range(8):
        task_id, _, caught = retry_through(still, "duplicate", seed=seed)
        assert caught is None
        assert acts_on(still, task_id) == 1


def test_a_refused_connection_was_never_sent(still: StillPlatform) -> None:
    """The kernel refuses it, and the client says that nothing left."""
    door = Schedule(1, writes=1.0, reads=0.0, kinds=("refuse",))
    task_id = task_ids(100)[next(_numbers)]
    with connected(still.url, door=door) as client:
        assert client.task(task_id).status == "failed"
        with pytest.raises(NotSent):
            client.retry_stage(task_id, stage_id(task_id))
    assert door.fired == {"refuse": 1}
    assert acts_on(still, task_id) == 0


def test_without_faults_everything_passes(still: StillPlatform) -> None:
    """A proxy that has nothing to break changes nothing, for stages, batches and whole tasks."""
    first, second, third = (task_ids(100)[next(_numbers)] for _ in range(3))
    schedule = Schedule(1, writes=1.0, reads=1.0, kinds=ARRIVING)
    schedule.pause()
    with FaultProxy(still.url, schedule) as proxy, connected(proxy.url, bounds=Bounds()) as client:
        assert client.retry_stage(first, stage_id(first), idempotency_key="a").task.task_id == first
        assert client.retry_batch([second], item_keys={second: "b"}).accepted == 1
        new = client.retry_task(third, idempotency_key="rival-c").new_task_id
        wait_until(lambda: client.task(first).status != "pending", "the retried task to end")
    acts = {act.task_id: act for act in still.acts() if act.task_id in {first, second, third}}
    assert [(acts[task_id].key, acts[task_id].attempt) for task_id in (first, second)] == [("a", 0), ("b", 0)]
    assert (acts[third].new_task_id, acts[third].rival) == (new, True)
    assert [tasks_written(call) for call in proxy.arrived] == [(first,), (second,), (third,)]


def test_a_seed_is_a_storm() -> None:
    """What a request meets depends on the seed, the request and how often it came, not on what came between."""
    calls = [Call(method="POST", target=f"/api/v1/tasks/t{number}/retry-from-stage") for number in range(200)]

    def storm(seed: int, order: list[Call]) -> dict[str, list[Fault | None]]:
        schedule = Schedule(seed, writes=0.5, reads=0.0)
        met: dict[str, list[Fault | None]] = {}
        for call in order:
            met.setdefault(call.target, []).append(schedule.draw(call))
        return met

    assert storm(1, calls + calls) == storm(1, calls[::-1] + calls)
    assert storm(1, calls) != storm(2, calls)
    assert storm(1, calls) != {target: met[1:] for target, met in storm(1, calls + calls).items()}


def test_a_mixed_up_answer_is_a_true_one_about_something_else() -> None:
    """The wrong id comes from the latest answer to the same kind of request, if there was one."""
    fault = Fault(kind="wrong_id", asked=False, where=0.5, coin=0.5)
    spoiler = Spoiler()
    one, other = (Call(method="GET", target=f"/api/v1/tasks/{name}") for name in ("t1", "t2"))
    assert b"stranger" in spoiler.spoil(fault, one).body
    spoiler.note(one, Reply(status=200, body=b'{"id": "t1"}'))
    assert spoiler.spoil(fault, other).body == b'{"id": "t1"}'
    assert b"stranger" in spoiler.spoil(fault, one).body
    assert CAPABILITIES_PATH not in one.shape


def test_a_gate_holds_writes_back(still: StillPlatform) -> None:
    """The first go through; the others wait until the gate is opened, and arrive although their client may be gone."""
    first, second, left = (task_ids(100)[next(_numbers)] for _ in range(3))
    patient, hasty = Bounds(connect_s=5.0, silence_s=30.0, tries=1), QUICK

    def retry(task_id: str, bounds: Bounds) -> None:
        with connected(proxy.url, bounds=bounds) as client:
            client.retry_stage(task_id, stage_id(task_id), expected_retry_count=0, idempotency_key=f"key-{task_id}")

    with FaultProxy(still.url, Schedule(1, writes=0.0, reads=0.0), writes_through=1) as proxy:
        retry(first, hasty)
        with pytest.raises(UnclearOutcome):
            retry(left, hasty)
        waiting = threading.Thread(target=retry, args=(second, patient))
        waiting.start()
        wait_until(lambda: len(proxy.arrived) == 3, "the third write to arrive")
        assert [acts_on(still, task_id) for task_id in (first, second, left)] == [1, 0, 0]
        proxy.open_gate()
        waiting.join()
        proxy.settle()
    assert [acts_on(still, task_id) for task_id in (first, second, left)] == [1, 1, 1]
