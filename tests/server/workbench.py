"""A store with its actions and no engine: tests run stages themselves, or say how they ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retry_toolkit.server.actions import Actions, Intent
from retry_toolkit.server.execution import Stopped, run_execution
from retry_toolkit.server.files import TaskFiles, free_bytes_of_disk
from retry_toolkit.server.guards import Guards
from retry_toolkit.server.pipelines import Pipeline
from retry_toolkit.server.records import Answer, Stage, Task
from retry_toolkit.server.runs import Execution, Outcome, Run, Runs
from retry_toolkit.server.store import Store
from retry_toolkit.settings import load_settings

ALICE = Intent("alice")


def render(task: Task) -> dict[str, Any]:
    """What answers carry in these tests."""
    return {"id": task.id, "status": task.status, "retry_counts": [stage.retry_count for stage in task.stages]}


def three_stages() -> Pipeline:
    """A pipeline whose stages nobody runs; the second may be retried twice."""
    pipeline = Pipeline("three", title="Three · 三步", project="tests")
    pipeline.command("load", ["true"], role="loader")
    pipeline.command("check", ["true"], role="checker", max_retries=2)
    pipeline.command("finish", ["true"], role="finisher")
    return pipeline


@dataclass
class Waker:
    """Remembers who was woken and cancelled."""

    woken: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def wake(self, task_id: str) -> None:
        self.woken.append(task_id)

    def cancel(self, task_id: str) -> None:
        self.cancelled.append(task_id)


@dataclass
class Workbench:
    """The parts, and what tests do with them."""

    home: Path
    store: Store
    files: TaskFiles
    runs: Runs
    waker: Waker
    actions: Actions
    pipelines: Mapping[str, Pipeline]
    guards: Guards

    def submit(self, pipeline: str = "three", **submission: Any) -> str:
        """Submit a task; its id."""
        answer = self.actions.submit(pipeline, intent=ALICE, render=render, **submission)
        assert answer.status == 201
        return str(answer.body["id"])

    def task(self, task_id: str) -> Task:
        """The task as it stands."""
        task = self.store.task(task_id)
        assert task is not None
        return task

    def stage(self, task_id: str, name: str) -> Stage:
        """One stage of a task."""
        return next(stage for stage in self.task(task_id).stages if stage.name == name)

    def run(self, task_id: str) -> Run:
        """The current run of a task."""
        return Run(task_id, self.task(task_id).run)

    def begin(self, task_id: str, stage: str) -> Execution:
        """Begin an execution of a stage in the task's current run."""
        run = self.run(task_id)
        self.runs.open(run)
        begun = self.runs.begin(run, stage, "tests")
        assert isinstance(begun, Execution), begun
        return begun

    def end(self, task_id: str, *, fail_at: str | None = None) -> str:
        """Say that the stages of the current run went well, but for one; the task's id."""
        for name in self.runs.open(self.run(task_id)):
            failed = Outcome(status="failed", error_message=f"{name} broke", failure_category="semantic", tokens_used=7)
            outcome = failed if name == fail_at else Outcome(status="completed", output_summary=f"{name} done")
            assert self.runs.finish(self.begin(task_id, name), outcome)
            if name == fail_at:
                break
        return task_id

    def failed(self, **submission: Any) -> str:
        """A task that failed at its second stage; its id."""
        return self.end(self.submit(**submission), fail_at="check")

    def execute(
        self, task_id: str, stage: str, *, should_stop: Callable[[], str | None] = lambda: None
    ) -> Outcome | Stopped:
        """Really run one stage, and report how it ended."""
        execution = self.begin(task_id, stage)
        pipeline = self.pipelines[execution.task.pipeline]
        spec = pipeline.find(stage)
        assert spec is not None
        outcome = run_execution(execution, pipeline, spec, guards=self.guards, should_stop=should_stop)
        if isinstance(outcome, Outcome):
            assert self.runs.finish(execution, outcome)
        return outcome

    def retry(self, task_id: str, stage: str = "check", *, intent: Intent = ALICE, **rest: Any) -> Answer:
        """Retry one stage of a task, by name."""
        stage_id = self.stage(task_id, stage).id
        return self.actions.retry_stage(task_id, stage_id, intent=intent, render=render, **rest)

    def audit(self) -> list[tuple[str, str, str]]:
        """The audit trail, oldest first: who, what, outcome."""
        entries, _ = self.store.audit(page=1, page_size=1000)
        return [(entry["actor"], entry["action"], entry["outcome"]) for entry in reversed(entries)]


@contextmanager
def workbench(
    home: Path,
    *pipelines: Pipeline,
    free_bytes: Callable[[Path], int] = free_bytes_of_disk,
    **settings: Any,
) -> Iterator[Workbench]:
    """A workbench in a home directory, with these pipelines or `three_stages`."""
    found = load_settings(home=home, **settings)
    by_name = {pipeline.name: pipeline for pipeline in pipelines or (three_stages(),)}
    store = Store.open(found)
    files = TaskFiles(found, free_bytes=free_bytes)
    waker, guards = Waker(), Guards()
    actions = Actions(store, waker, files, by_name, found)
    try:
        yield Workbench(
            home=home,
            store=store,
            files=files,
            runs=Runs(store),
            waker=waker,
            actions=actions,
            pipelines=by_name,
            guards=guards,
        )
    finally:
        guards.close()
        store.close()
