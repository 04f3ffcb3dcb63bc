"""The oracle of the storms finds each kind of lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from retry_toolkit.retry.records import Intent, Item
from tests.faults.kinds import Call
from tests.faults.oracle import Act, Findings, fails, judge

WORKS = next(f"t{number}" for number in range(99) if not fails(f"t{number}", 1))
BREAKS = next(f"t{number}" for number in range(99) if fails(f"t{number}", 1))


def item(task_id: str = WORKS, state: Any = "ACCEPTED", **fields: Any) -> Item:
    """What a journal says of a stage retry."""
    intent = Intent(origin="http://p.test", task_id=task_id, action="stage", attempt=0, stage_id=f"{task_id}-s2")
    return Item(batch_id="b1", position=0, intent=intent, state=state, **fields)


def act(task_id: str = WORKS, **fields: Any) -> Act:
    """What a platform did."""
    return replace(Act(task_id=task_id, attempt=0), **fields)


def sent(*ids: str) -> Call:
    """A batch request."""
    return Call(method="POST", target="/api/v1/tasks/retry-batch", body=json.dumps({"task_ids": ids}).encode())


def found(items: Sequence[Item], acts: Sequence[Act], arrived: Sequence[Call] = ()) -> Findings:
    """What the oracle finds."""
    return judge({item.task_id: 0 for item in items}, items, acts, arrived)


def names(findings: Findings) -> set[str]:
    """The kinds of what was found."""
    return {name for name in Findings.__slots__ if getattr(findings, name)}


def test_a_true_journal_has_nothing_wrong() -> None:
    """Accepted and done, refused and not done, unknown and not done, sent once."""
    items = [item(), item("a", "REJECTED"), item(BREAKS, "FAILED_AGAIN"), item("c", "SKIPPED")]
    findings = found(items, [act(), act(BREAKS)], [sent(WORKS, "a"), sent(BREAKS)])
    findings.check()
    assert names(found([item("d", "UNKNOWN")], [])) == {"unknown"}
    found([item("d", "UNKNOWN")], []).check(unknown=True)


@pytest.mark.parametrize(
    ("items", "acts", "arrived", "wrong"),
    [
        ([item()], [act(), act(attempt=1)], [], {"duplicates"}),
        ([item()], [act()], [sent(WORKS), sent(WORKS)], {"resent"}),
        ([item(state="SENT")], [act()], [], {"lost"}),
        ([item(state="PLANNED")], [], [], {"lost"}),
        ([item()], [], [], {"false_accepted"}),
        ([item(state="SUCCEEDED")], [], [], {"false_accepted"}),
        ([item()], [act(attempt=1)], [], {"false_accepted"}),
        ([item()], [act(new_task_id="n")], [], {"false_accepted"}),
        ([item()], [act(key="other")], [], {"false_accepted"}),
        ([item()], [act(rival=True)], [], {"false_accepted"}),
        ([item(state="REJECTED")], [act()], [], {"false_refused"}),
        ([item(state="SKIPPED")], [act()], [], {"false_refused"}),
        ([item(state="NOT_SENT")], [], [sent(WORKS)], {"false_refused"}),
        ([item(state="FAILED_AGAIN")], [act()], [], {"false_outcomes"}),
        ([item(BREAKS, "SUCCEEDED")], [act(BREAKS)], [], {"false_outcomes"}),
        ([item(state="UNKNOWN")], [act()], [], {"unknown", "knowable"}),
    ],
)
def test_every_lie_is_found(items: list[Item], acts: list[Act], arrived: list[Call], wrong: set[str]) -> None:
    """Each under its own name, and `check` fails on it."""
    findings = found(items, acts, arrived)
    assert names(findings) == wrong
    with pytest.raises(AssertionError, match=next(iter(wrong))):
        findings.check()


def test_what_a_journal_does_not_know_is_lost() -> None:
    """A retry that was wanted, or done, and that no item tells of."""
    assert names(judge({"t1": 0}, [], [], [])) == {"lost"}
    assert names(judge({}, [], [act("t1")], [])) == {"lost"}


def test_a_key_of_its_own_is_right() -> None:
    """What was done under the key of any of its rounds is the item's, and nothing else is."""
    mine = item()
    again = replace(mine, round=2)
    found([mine], [act(key=mine.key)]).check()
    found([again], [act(key=mine.key)]).check()
    assert names(found([mine], [act(key=again.key)])) == {"false_accepted"}
