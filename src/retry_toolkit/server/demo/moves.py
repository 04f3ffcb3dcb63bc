"""Doing what the plan says, as users would: each submission and retry is an intent that happens once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from retry_toolkit.server.actions import ActionRefused, Actions, Intent
from retry_toolkit.server.demo.data import write_inputs
from retry_toolkit.server.demo.places import demo_dir
from retry_toolkit.server.demo.plan import Case
from retry_toolkit.server.demo.stories import Move
from retry_toolkit.server.records import Answer, Task
from retry_toolkit.server.store import Store
from retry_toolkit.settings import Settings

KEYS = "demo-1"
ON_CALL = "值班 on-call"


class Moves:
    """The plan's submissions and retries, and the ids of the tasks that they made."""

    def __init__(self, actions: Actions, store: Store, settings: Settings) -> None:
        self._actions = actions
        self._store = store
        self._settings = settings
        self._ids: dict[tuple[str, str], str] = {}

    def task_id(self, case: Case, name: str = "") -> str | None:
        """Id of a case's original, or of the retry that the plan calls `name`; None if it was not made."""
        if (case.key, name) not in self._ids and (body := self._answered(_key(case, name))):
            self._ids[case.key, name] = str(body.get("new_task_id") or body["id"])
        return self._ids.get((case.key, name))

    def submit(self, case: Case) -> str:
        """Submit a case's task, unless it was."""
        if known := self.task_id(case):
            return known
        folder = demo_dir(self._settings.home) / "outbox" / case.key
        try:
            answer = self._actions.submit(
                case.pipeline,
                title=case.title,
                params=case.params,
                files=write_inputs(case, folder),
                project_id=case.project,
                submitter=case.owner,
                intent=_intent(case.owner, _key(case, "")),
                render=_render,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return str(answer.body["id"])

    def cancel(self, case: Case, task_id: str) -> None:
        """Cancel a case's task."""
        intent = _intent(case.owner, _key(case, "cancel"))
        self._ask(lambda: self._actions.cancel(task_id, intent=intent, render=_render))

    def make(self, number: int, moves: Sequence[tuple[Case, Move]]) -> Iterator[str | None]:
        """Make the moves of a round; yields the task that runs because of each, or None where the platform refused."""
        together = [(case, move) for case, move in moves if move.act == "batch"]
        accepted = self._retry_batch(number, [self.task_id(case, move.of) for case, move in together])
        for case, move in moves:
            match move.act:
                case "batch":
                    target = self.task_id(case, move.of)
                    yield target if target in accepted else None
                case "stage":
                    yield self._retry_stage(case, move)
                case _:
                    yield self._retry_task(case, move)

    def _retry_stage(self, case: Case, move: Move) -> str | None:
        task = self._task(case, move)
        key = _key(case, f"{move.of}.{move.round}")
        if task is None:
            return None
        if self._answered(key):
            return task.id
        failed = next((stage for stage in task.stages if stage.status == "failed"), None)
        if failed is None:
            return None
        intent = _intent(case.owner, key)
        answer = self._ask(lambda: self._actions.retry_stage(task.id, failed.id, intent=intent, render=_render))
        return task.id if answer else None

    def _retry_batch(self, number: int, task_ids: Sequence[str | None]) -> set[str]:
        """Retry many tasks in one call; returns those that the platform took."""
        known = [task_id for task_id in task_ids if task_id]
        if not known:
            return set()
        intent = _intent(ON_CALL, f"{KEYS}/batch.{number}")
        answer = self._ask(lambda: self._actions.retry_batch(known, intent=intent, render=_render))
        return {str(item["task_id"]) for item in answer.body["items"] if item["success"]} if answer else set()

    def _retry_task(self, case: Case, move: Move) -> str | None:
        task = self._task(case, move)
        if task is None:
            return None
        intent = _intent(case.owner, _key(case, move.makes))
        self._ask(
            lambda: self._actions.retry_task(task.id, copy_files=move.copy_files, submitter=case.owner, intent=intent)
        )
        return self.task_id(case, move.makes)

    def _task(self, case: Case, move: Move) -> Task | None:
        target = self.task_id(case, move.of)
        return self._store.task(target) if target else None

    def _answered(self, key: str) -> dict[str, Any] | None:
        """Body of the answer that was given under a key before, or None."""
        stored = self._store.recall(key)
        return stored.answer.body if stored else None

    def _ask(self, action: Callable[[], Answer]) -> Answer | None:
        """The platform's answer, or None if it refused: a visitor may have got there first."""
        try:
            return action()
        except ActionRefused:
            return None


def _key(case: Case, what: str) -> str:
    return f"{KEYS}/{case.key}/{what}"


def _intent(actor: str, key: str) -> Intent:
    return Intent(actor=actor, key=key, fingerprint=key)


def _render(task: Task) -> dict[str, Any]:
    return {"id": task.id}
