"""Idempotency keys: of single items of a batch, recalled, and called off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from retry_toolkit import errors
from retry_toolkit.connector import connect
from retry_toolkit.platforms.base import Recalled, Remembering
from retry_toolkit.platforms.embedded import EmbeddedPlatform
from retry_toolkit.server.actions import ActionRefused, Intent
from tests.conftest import VIEWER
from tests.live import LivePlatform
from tests.server.workbench import ALICE, Workbench, render, workbench

ITEM_KEYS = "/api/v1/idempotency-keys"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    """Actions without an engine."""
    with workbench(tmp_path) as made:
        yield made


@pytest.fixture
def client(platform: LivePlatform) -> Iterator[EmbeddedPlatform]:
    """The toolkit's own client of the live platform."""
    with connect(platform.url) as connected:
        assert isinstance(connected, EmbeddedPlatform)
        yield connected


def test_an_item_under_its_key_is_done_once_in_whatever_batch(bench: Workbench) -> None:
    """The same task under the same key gets the same item again, also beside others in another batch."""
    one, two = bench.failed(), bench.failed()
    first = bench.actions.retry_batch([one], keys={one: "k-1"}, intent=ALICE, render=render).body["items"]
    again = bench.actions.retry_batch([two, one], keys={one: "k-1"}, intent=ALICE, render=render).body["items"]
    assert again[1] == first[0]
    assert (bench.stage(one, "check").retry_count, bench.stage(two, "check").retry_count) == (1, 1)


def test_an_item_key_of_another_task_is_refused(bench: Workbench) -> None:
    """A key names one intent; the other task stays as it is."""
    one, two = bench.failed(), bench.failed()
    bench.actions.retry_batch([one], keys={one: "k-1"}, intent=ALICE, render=render)
    items = bench.actions.retry_batch([two], keys={two: "k-1"}, intent=ALICE, render=render).body["items"]
    assert (items[0]["success"], items[0]["reason"]) == (False, "Idempotency-Key was used for another request")
    assert bench.stage(two, "check").retry_count == 0


def test_a_refused_item_leaves_its_key_open(bench: Workbench) -> None:
    """Only what was done is stored."""
    waiting = bench.submit()
    bench.actions.retry_batch([waiting], keys={waiting: "k-1"}, intent=ALICE, render=render)
    assert bench.store.recall("k-1") is None


def test_a_key_that_was_called_off_is_never_acted_on(bench: Workbench) -> None:
    """A request that arrives later is refused, alone and in a batch, and calling off again changes nothing."""
    task_id = bench.failed()
    assert bench.actions.call_off("k-1", intent=ALICE).called_off
    assert bench.actions.call_off("k-1", intent=ALICE).called_off
    with pytest.raises(ActionRefused, match="called off") as caught:
        bench.retry(task_id, intent=Intent("alice", "k-1", "a request"))
    assert caught.value.status == 409
    items = bench.actions.retry_batch([task_id], keys={task_id: "k-1"}, intent=ALICE, render=render).body["items"]
    assert (items[0]["success"], items[0]["reason"]) == (False, "This request was called off")
    assert bench.stage(task_id, "check").retry_count == 0
    assert bench.audit().count(("alice", "call_off", "accepted")) == 1


def test_what_was_done_cannot_be_called_off(bench: Workbench) -> None:
    """The stored answer stays."""
    task_id = bench.failed()
    answer = bench.retry(task_id, intent=Intent("alice", "k-1", "a request"))
    stored = bench.actions.call_off("k-1", intent=ALICE)
    assert (stored.called_off, stored.answer) == (False, answer)


def test_the_client_recalls_and_calls_off(platform: LivePlatform, client: EmbeddedPlatform) -> None:
    """Over the wire: open, done with the new task's id, called off."""
    assert isinstance(client, Remembering)
    task, key, other = platform.failed(), uuid4().hex, uuid4().hex
    assert client.recall(key) == Recalled(state="open")
    made = client.retry_task(task.id, idempotency_key=key)
    assert client.recall(key) == client.call_off(key) == Recalled(state="done", new_task_id=made.new_task_id)
    assert client.call_off(other) == client.recall(other) == Recalled(state="called_off")
    with pytest.raises(errors.Refused, match="called off"):
        client.retry_task(task.id, idempotency_key=other)
    assert len(platform.task(task.id).retried_task_ids) == 1


def test_the_client_names_every_item_of_a_batch(platform: LivePlatform, client: EmbeddedPlatform) -> None:
    """Each item has its own key and expectation: one that has moved is refused, the rest goes on."""
    one, two = platform.failed(), platform.failed()
    keys = {one.id: uuid4().hex, two.id: uuid4().hex}
    batch = client.retry_batch([one.id, two.id], expected_retry_counts={one.id: 0, two.id: 3}, item_keys=keys)
    assert [item.accepted for item in batch.items] == [True, False]
    assert batch.items[1].reason == "retry_count is 0, expected 3"
    assert [client.recall(key).state for key in keys.values()] == ["done", "open"]


def test_viewers_recall_but_do_not_call_off(guarded_platform: LivePlatform) -> None:
    """Calling off decides something: it takes the operator's token."""
    with guarded_platform.client(VIEWER) as viewer:
        assert viewer.get(f"{ITEM_KEYS}/k-9").json() == {"key": "k-9", "state": "open", "new_task_id": None}
        assert viewer.post(f"{ITEM_KEYS}/k-9/call-off").status_code == 403


@pytest.mark.parametrize("key", ["%20", "%C3%A9", "x" * 201])
def test_keys_are_short_and_visible(platform: LivePlatform, key: str) -> None:
    """What cannot stand in a header is no key."""
    with platform.client() as api:
        answers: list[httpx.Response] = [api.get(f"{ITEM_KEYS}/{key}"), api.post(f"{ITEM_KEYS}/{key}/call-off")]
    assert {answer.status_code for answer in answers} == {422}
