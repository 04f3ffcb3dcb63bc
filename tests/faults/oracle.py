"""Who is right: what a journal says of every retry, held against the platform's own ledger of what it did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from retry_toolkit.retry.records import Item
from retry_toolkit.retry.states import State
from tests.faults.kinds import Call, tasks_written

DONE: frozenset[State] = frozenset({"ACCEPTED", "SUCCEEDED", "FAILED_AGAIN", "CANCELLED"})
"""What a journal says of a retry that the platform did."""

NOT_DONE: frozenset[State] = frozenset({"REJECTED", "NOT_SENT", "SKIPPED"})
"""What it says of one that the platform did not do."""

NEVER_LEFT: frozenset[State] = frozenset({"SKIPPED", "NOT_SENT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One retry that a platform did: on which task, at which attempt number before it, as which new task.

    `key` is the idempotency key that it was done under ("" for none), or None where the platform knows no keys.
    `rival` is true for what somebody else asked for.
    """

    task_id: str
    attempt: int
    new_task_id: str | None = None
    key: str | None = None
    rival: bool = False


def fails(task_id: str, attempt: int) -> bool:
    """How the world of a storm goes: the first attempt (0) of every task fails, then one in sixteen."""
    return attempt == 0 or crc32(f"{task_id} {attempt}".encode()) % 16 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is wrong with a journal, as words that name the task; empty where nothing is."""

    duplicates: tuple[str, ...]
    resent: tuple[str, ...]
    lost: tuple[str, ...]
    false_accepted: tuple[str, ...]
    false_refused: tuple[str, ...]
    false_outcomes: tuple[str, ...]
    unknown: tuple[str, ...]
    knowable: tuple[str, ...]

    def check(self, *, unknown: bool = False) -> None:
        """Fail on anything wrong; `unknown` allows what nobody can know."""
        wrong = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        if unknown:
            wrong.pop("unknown", None)
        assert not wrong, "; ".join(f"{len(words)} {name}: {', '.join(words[:5])}" for name, words in wrong.items())


def judge(
    wanted: Mapping[str, int],
    items: Iterable[Item],
    acts: Iterable[Act],
    arrived: Iterable[Call],
) -> Findings:
    """Hold a journal against a ledger.

    Args:
        wanted: The retries that a user asked for: the attempt number by task.
        items: What the journal says.
        acts: What the platform did.
        arrived: The writes that left the client.
    """
    said = {item.task_id: item for item in items}
    done: defaultdict[str, list[Act]] = defaultdict(list)
    for act in acts:
        if not act.rival:
            done[act.task_id].append(act)
    sends = Counter(task_id for call in arrived for task_id in tasks_written(call))
    unknown = [item for item in said.values() if item.state == "UNKNOWN"]
    return Findings(
        duplicates=tuple(task_id for task_id, acts_on in done.items() if len(acts_on) > 1),
        resent=tuple(f"{task_id} {count} times" for task_id, count in sends.items() if count > 1),
        lost=(
            *(f"{task_id} wanted and not in the journal" for task_id in wanted.keys() - said.keys()),
            *(f"{task_id} done and not in the journal" for task_id in done.keys() - said.keys()),
            *(f"{item.task_id} left {item.state}" for item in said.values() if item.state in {"PLANNED", "SENT"}),
        ),
        false_accepted=tuple(_wrongly_accepted(said.values(), done)),
        false_refused=(
            *(f"{i.task_id} {i.state}: {i.reason}" for i in said.values() if i.state in NOT_DONE and done[i.task_id]),
            *(f"{i.task_id} {i.state} but sent" for i in said.values() if i.state in NEVER_LEFT and sends[i.task_id]),
        ),
        false_outcomes=tuple(_wrong_outcomes(said.values())),
        unknown=tuple(f"{item.task_id}: {item.reason}" for item in unknown),
        knowable=tuple(item.task_id for item in unknown if done[item.task_id]),
    )


def _wrongly_accepted(items: Iterable[Item], done: Mapping[str, list[Act]]) -> Iterable[str]:
    for item in items:
        if item.state not in DONE:
            continue
        acts = done.get(item.task_id, [])
        if not acts:
            yield f"{item.task_id} {item.state} and never done"
        elif acts[0].attempt != item.intent.attempt:
            yield f"{item.task_id} done at attempt {acts[0].attempt}, wanted at {item.intent.attempt}"
        elif acts[0].new_task_id != item.new_task_id:
            yield f"{item.task_id} became {acts[0].new_task_id}, not {item.new_task_id}"
        elif acts[0].key not in {None, *item.keys}:
            yield f"{item.task_id} done under another key"


def _wrong_outcomes(items: Iterable[Item]) -> Iterable[str]:
    for item in items:
        if item.state in {"SUCCEEDED", "FAILED_AGAIN"}:
            went_wrong = (
                fails(item.new_task_id, 1) if item.new_task_id else fails(item.task_id, item.intent.attempt + 1)
            )
            if went_wrong != (item.state == "FAILED_AGAIN"):
                yield f"{item.task_id} {item.state}"
