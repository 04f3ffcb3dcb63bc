"""The keeper's chores on a real store, with a workflow engine that can be made to forget."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from retry_toolkit.server.executors import DEAD_AFTER_S, ExecutorName, Heartbeats
from retry_toolkit.server.keeper import Executing, Keeper
from retry_toolkit.server.runs import Outcome, Run
from tests.live import wait_until
from tests.server.workbench import ALICE, Workbench, render, workbench


@dataclass
class Workflows:
    """A workflow engine of a dictionary."""

    known: dict[str, str] = field(default_factory=dict)
    held: list[Executing] = field(default_factory=list)
    mine: set[str] = field(default_factory=set)
    requeued: list[str] = field(default_factory=list)
    broken: bool = False

    def enqueue(self, run: Run) -> None:
        if self.broken:
            raise OSError("the disk is full")
        self.known.setdefault(run.workflow_id, "waiting")

    def states(self, workflow_ids: Sequence[str]) -> dict[str, str]:
        return {one: state for one, state in self.known.items() if one in workflow_ids}

    def executing(self) -> list[Executing]:
        return self.held

    def requeue(self, workflow_ids: Sequence[str]) -> None:
        self.requeued += workflow_ids
        self.held = [one for one in self.held if one.workflow_id not in workflow_ids]

    def active(self) -> Collection[str]:
        return self.mine


@pytest.fixture
def bench(home: Path) -> Iterator[Workbench]:
    """A store with its actions."""
    with workbench(home) as made:
        yield made


@pytest.fixture
def workflows() -> Workflows:
    """A workflow engine that knows nothing yet."""
    return Workflows()


@pytest.fixture
def executor(bench: Workbench) -> Iterator[ExecutorName]:
    """This process's name."""
    name = ExecutorName(bench.store.layout)
    yield name
    name.release()


@pytest.fixture
def keeper(bench: Workbench, workflows: Workflows, executor: ExecutorName) -> Keeper:
    """A keeper that does its chores when told."""
    return Keeper(bench.store, bench.runs, workflows, executor, sweep=lambda: None)


class TestOutbox:
    def test_due_runs_get_their_workflow_once(self, bench: Workbench, keeper: Keeper, workflows: Workflows) -> None:
        """What was committed is started, the retry of it as another workflow, and nothing twice."""
        task_id = bench.submit()
        keeper.start_due()
        keeper.start_due()
        assert list(workflows.known) == [f"{task_id}:1"]
        bench.end(task_id, fail_at="check")
        bench.retry(task_id)
        assert bench.runs.unstarted(limit=9) == [Run(task_id, 2)]
        keeper.start_due()
        assert list(workflows.known) == [f"{task_id}:1", f"{task_id}:2"]
        assert bench.runs.unstarted(limit=9) == []

    def test_a_failed_start_is_made_up_for(self, bench: Workbench, keeper: Keeper, workflows: Workflows) -> None:
        """A run whose workflow could not be made stays due."""
        task_id = bench.submit()
        workflows.broken = True
        with pytest.raises(OSError, match="full"):
            keeper.start_due()
        workflows.broken = False
        keeper.start_due()
        assert list(workflows.known) == [f"{task_id}:1"]

    def test_a_cancelled_task_is_not_started(self, bench: Workbench, keeper: Keeper, workflows: Workflows) -> None:
        """What was cancelled before it was started never is."""
        bench.actions.cancel(bench.submit(), intent=ALICE, render=render)
        keeper.start_due()
        assert workflows.known == {}

    def test_the_bell_starts_it_at_once(self, bench: Workbench, keeper: Keeper, workflows: Workflows) -> None:
        """A thread that sleeps between its rounds wakes for what became due, and ends when told."""
        keeper.start()
        task_id = bench.submit()
        keeper.ring()
        wait_until(lambda: f"{task_id}:1" in workflows.known, "the workflow", 5)
        keeper.stop()
        assert not keeper.is_alive()


class TestMending:
    def test_lost_workflows_are_made_again(self, bench: Workbench, keeper: Keeper, workflows: Workflows) -> None:
        """Runs whose workflow is gone, waiting or running, get it again; others are left alone."""
        waiting, running, ended = bench.submit(), bench.submit(), bench.failed()
        keeper.start_due()
        bench.begin(running, "load")
        workflows.known.clear()
        keeper.mend()
        assert set(workflows.known) == {f"{waiting}:1", f"{running}:1"}
        assert bench.task(ended).status == "failed"

    def test_a_run_that_nobody_carries_on_fails_and_can_be_retried(
        self, bench: Workbench, keeper: Keeper, workflows: Workflows
    ) -> None:
        """When the workflow has ended without its run, the stage says so instead of waiting for ever."""
        task_id = bench.submit()
        bench.runs.finish(bench.begin(task_id, "load"), Outcome(status="completed"))
        bench.begin(task_id, "check")
        workflows.known[f"{task_id}:1"] = "ended"
        keeper.mend()
        stage = bench.stage(task_id, "check")
        assert (bench.task(task_id).status, stage.status, stage.failure_category) == ("failed", "failed", "unknown")
        assert "could not carry this task on" in (stage.error_message or "")
        assert bench.stage(task_id, "load").status == "completed"
        assert bench.retry(task_id).status == 200


class TestRescue:
    def test_what_a_dead_process_left_is_handed_on(
        self, bench: Workbench, keeper: Keeper, workflows: Workflows
    ) -> None:
        """A process of this machine whose lock is free is dead: its workflows are taken over at once."""
        other = ExecutorName(bench.store.layout)
        workflows.held = [Executing("a:1", other.name)]
        keeper.rescue()
        assert workflows.requeued == []
        other.release()
        keeper.rescue()
        assert workflows.requeued == ["a:1"]

    def test_what_this_process_lost_is_handed_on(
        self, keeper: Keeper, workflows: Workflows, executor: ExecutorName
    ) -> None:
        """A workflow that is said to be executed here, and twice is not, is requeued; an executed one never."""
        workflows.held = [Executing("a:1", executor.name), Executing("b:1", executor.name)]
        workflows.mine = {"b:1"}
        keeper.rescue()
        assert workflows.requeued == []
        keeper.rescue()
        assert workflows.requeued == ["a:1"]

    def test_silence_is_timed_by_the_watcher(self, bench: Workbench) -> None:
        """A process of another machine is dead when its count stands still for long, and alive when it moves."""
        now = [100.0]
        watcher = Heartbeats(bench.store, clock=lambda: now[0])
        there = Heartbeats(bench.store)
        there.beat("far-0")
        names = {"far-0", "never-seen"}
        assert watcher.silent(names) == set()
        now[0] += DEAD_AFTER_S - 1
        assert watcher.silent(names) == set()
        there.beat("far-0")
        now[0] += 1
        assert watcher.silent(names) == {"never-seen"}
        now[0] += DEAD_AFTER_S
        assert watcher.silent(names) == names


class TestNames:
    def test_living_processes_have_different_names_that_are_used_again(self, bench: Workbench) -> None:
        """Two names at a time differ; a freed name is the next process's."""
        one, two = ExecutorName(bench.store.layout), ExecutorName(bench.store.layout)
        assert one.name != two.name
        assert not one.is_dead(two.name)
        assert not one.is_dead(one.name)
        assert not one.is_dead("elsewhere-0")
        freed = one.name
        one.release()
        assert two.is_dead(freed)
        three = ExecutorName(bench.store.layout)
        assert three.name == freed
        two.release()
        three.release()

    def test_homes_have_names_of_their_own(self, bench: Workbench, tmp_path: Path) -> None:
        """Processes of two home directories on one database cannot be mistaken for each other."""
        with workbench(tmp_path / "other") as other:
            one, two = ExecutorName(bench.store.layout), ExecutorName(other.store.layout)
            assert one.name != two.name
            one.release()
            two.release()
