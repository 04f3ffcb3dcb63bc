"""Stages in real processes: how each end is told, and that nothing of them stays behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retry_toolkit.server.execution import Stopped
from retry_toolkit.server.failures import MAX_ERROR_CHARS, capped
from retry_toolkit.server.guards import stage_environment
from retry_toolkit.server.logs import TaskLogs
from retry_toolkit.server.pipelines import load_pipelines
from retry_toolkit.server.runs import Outcome
from tests.live import wait_until
from tests.server.workbench import Workbench, workbench

SAMPLES = Path(__file__).with_name("stage_samples.py")


@pytest.fixture
def bench(home: Path) -> Iterator[Workbench]:
    """A store with the sample pipeline."""
    with workbench(home, *load_pipelines([SAMPLES]).values()) as made:
        yield made


def run(bench: Workbench, stage: str, **params: Any) -> Outcome:
    """How a stage ends."""
    outcome = bench.execute(bench.submit("ends", params=params), stage)
    assert isinstance(outcome, Outcome)
    return outcome


def lines(bench: Workbench, task_id: str, kind: str) -> list[str]:
    """The lines of a task's log of one kind."""
    rows, _ = TaskLogs(bench.store).rows(task_id, page=1, page_size=1000)
    return [row["result"] for row in rows if row["event_type"] == kind]


def is_alive(pid: int) -> bool:
    """Whether a process lives; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestSuccess:
    def test_stages_get_their_context_and_pass_on_their_outputs(self, bench: Workbench, tmp_path: Path) -> None:
        """A text is the summary, a mapping the structured output; commands find everything in their environment."""
        (tmp_path / "in.txt").write_text("数据 data")
        files = {"in.txt": tmp_path / "in.txt"}
        task_id = bench.submit("ends", params={"n": 5, "rows": [1, "二"]}, files=files)
        assert bench.execute(task_id, "text") == Outcome(status="completed", output_summary=f"{task_id} text 1 5")
        mapped = bench.execute(task_id, "mapping")
        assert isinstance(mapped, Outcome)
        assert (mapped.output_summary, mapped.tokens_used) == ("数据 DATA", 12)
        assert mapped.output_structured == {
            "summary": "数据 DATA", "status": "pass", "confidence": 0.5, "tokens_used": 12, "odd": "odd", "set": [1, 2],
        }  # fmt: skip
        assert bench.execute(task_id, "command") == Outcome(status="completed")
        assert lines(bench, task_id, "stdout") == [
            "to stdout 你好",
            'True command 1 5 [1, "\\u4e8c"] 数据 DATA 数据 data []',
        ]
        assert lines(bench, task_id, "stderr") == ["to stderr"]

    def test_no_result_is_a_result(self, bench: Workbench) -> None:
        """A stage may return nothing, or leave by a clean exit."""
        assert run(bench, "nothing") == Outcome(status="completed")
        assert run(bench, "exits", code=0) == Outcome(status="completed")

    def test_standard_input_is_empty(self, bench: Workbench) -> None:
        """A command that reads its input finds its end at once."""
        assert run(bench, "waits_for_input").status == "completed"

    def test_secrets_of_the_platform_stay_with_it(self, home: Path) -> None:
        """A stage does not find the platform's tokens and addresses in its environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("TOKEN", "VIEWER_TOKEN", "OPERATOR_TOKEN", "DATABASE_URL"):
                patch.setenv(f"RETRY_TOOLKIT_{name}", "hunter2")
            assert "hunter2" not in stage_environment().values()


class TestFailure:
    @pytest.mark.parametrize(
        ("raised", "category", "last_line"),
        [
            ("ConnectionResetError('gone')", "transient", "ConnectionResetError: gone"),
            ("TimeoutError()", "transient", "TimeoutError"),
            ("subprocess.TimeoutExpired('x', 1)", "transient", None),
            ("__import__('urllib.error').error.URLError(ConnectionRefusedError(111, 'no'))", "transient", None),
            ("__import__('urllib.error').error.HTTPError('u', 429, 'slow down', {}, None)", "transient", None),
            ("__import__('urllib.error').error.HTTPError('u', 404, 'not there', {}, None)", "unknown", None),
            ("MemoryError()", "resource", "MemoryError"),
            ("OSError(28, 'No space left on device')", "resource", "OSError: [Errno 28] No space left on device"),
            ("subprocess.CalledProcessError(2, 'x')", "tool_error", None),
            ("ValueError('bad row')", "semantic", "ValueError: bad row"),
            ("KeyError('列')", "semantic", "KeyError: '列'"),
            ("__import__('json').JSONDecodeError('no', 'x', 0)", "semantic", None),
            ("ZeroDivisionError('n / 0')", "unknown", "ZeroDivisionError: n / 0"),
            ("FileNotFoundError(2, 'gone', 'f')", "unknown", None),
            ("KeyboardInterrupt()", "unknown", "KeyboardInterrupt"),
        ],
    )  # fmt: skip
    def test_exceptions_have_a_category_and_a_traceback(
        self, bench: Workbench, raised: str, category: str, last_line: str | None
    ) -> None:
        """The message is the author's traceback with its causes, without a frame of ours."""
        outcome = run(bench, "raises", **{"raise": raised})
        assert (outcome.status, outcome.failure_category) == ("failed", category)
        message = outcome.error_message or ""
        assert "KeyError: 'THE_CAUSE'" in message
        assert "stage_samples.py" in message
        assert "in _deeper" in message
        assert "stage_process" not in message
        assert last_line is None or message.splitlines()[-1] == last_line

    def test_a_stage_error_is_its_message_alone(self, bench: Workbench) -> None:
        """What an author says to the reader is not buried in a traceback, and has the author's category."""
        outcome = run(bench, "raises", **{"raise": "StageError('缺少列 amount', 'gate_rejected')"})
        assert outcome == Outcome(status="failed", error_message="缺少列 amount", failure_category="gate_rejected")

    def test_a_stage_error_with_a_cause_keeps_both(self, bench: Workbench) -> None:
        """A message that was raised from another error begins with itself and goes on with the traceback."""
        outcome = run(bench, "raises", **{"raise": "StageError('no answer', 'transient')"}, cause=True)
        message = outcome.error_message or ""
        assert message.startswith("no answer\n\nTraceback")
        assert "KeyError: 'THE_CAUSE'" in message
        assert outcome.failure_category == "transient"

    def test_exit_codes_of_commands_are_told_with_the_last_errors(self, bench: Workbench) -> None:
        """A command's exit status and standard error are the message."""
        outcome = run(bench, "fails")
        assert outcome.error_message == "command exited with status 3\nwhy"
        assert outcome.failure_category == "tool_error"
        missing = run(bench, "no_such_program")
        assert missing.error_message == "cannot start '/no/such/program': No such file or directory"
        assert missing.failure_category == "tool_error"
        assert run(bench, "exits", code=4).error_message == "the stage exited with status 4"

    @pytest.mark.parametrize("stage", ["greedy", "no_memory"])
    def test_the_memory_limit_is_a_matter_of_resources(self, bench: Workbench, stage: str) -> None:
        """A stage or command that takes too much memory fails as one that lacks resources."""
        outcome = run(bench, stage)
        assert outcome.failure_category == "resource"
        assert "MemoryError" in (outcome.error_message or "")

    def test_signals_are_named(self, bench: Workbench) -> None:
        """A stage that is killed says by what, with its last words; out of memory is a matter of resources."""
        segfault = run(bench, "shoots_itself", signal=int(signal.SIGSEGV))
        assert segfault.error_message == "stage was killed by SIGSEGV\nlast words"
        assert segfault.failure_category == "tool_error"
        assert run(bench, "shoots_itself", signal=int(signal.SIGKILL)).failure_category == "resource"

    def test_a_result_that_cannot_be_kept_is_a_failure(self, bench: Workbench) -> None:
        """A stage that returns a number is told what it may return."""
        outcome = run(bench, "number")
        assert (outcome.status, outcome.failure_category) == ("failed", "semantic")
        assert "the stage returned int: it must return nothing, a text or a mapping" in (outcome.error_message or "")

    def test_a_directory_that_cannot_be_made_is_a_failure(self, bench: Workbench) -> None:
        """When the platform cannot even prepare a stage, the stage says why."""
        task_id = bench.submit("ends")
        (bench.home / "tasks" / task_id / "stages").write_text("in the way")
        outcome = bench.execute(task_id, "nothing")
        assert isinstance(outcome, Outcome)
        assert (outcome.error_message or "").startswith("the platform could not prepare the stage: Not a directory")

    def test_long_errors_keep_both_ends(self) -> None:
        """What is too long loses its middle: the head says where, the end what."""
        text = "head" + "x" * (2 * MAX_ERROR_CHARS) + "tail"
        short = capped(text)
        assert len(short) == MAX_ERROR_CHARS
        assert short.startswith("head")
        assert short.endswith("tail")
        assert "characters left out" in short
        assert capped("short") == "short"


class TestTakingDown:
    def test_a_time_out_kills_everything(self, bench: Workbench) -> None:
        """A stage past its limit is killed with a child that had left its group; the message names the limit."""
        task_id = bench.submit("ends")
        outcome = bench.execute(task_id, "endless")
        assert outcome == Outcome(
            status="failed",
            error_message="time-out: the stage was killed after 2.5 s",
            failure_category="transient",
        )
        pids = (bench.home / "tasks" / task_id / "stages/endless/1-1/work/pids").read_text().split()
        assert [pid for pid in pids if is_alive(int(pid))] == []

    def test_a_stop_kills_everything_within_a_second(self, bench: Workbench) -> None:
        """An execution that is to stop has no outcome, and is gone soon."""
        task_id = bench.submit("ends")
        pids = bench.home / "tasks" / task_id / "stages/endless/1-1/work/pids"
        stopped_at: list[float] = []

        def should_stop() -> str | None:
            if pids.exists() and pids.read_text():
                stopped_at.append(time.monotonic())
                return "enough"
            return None

        patient = next(spec for spec in bench.pipelines["ends"].stages if spec.name == "endless")
        patient.timeout_s = 60
        assert bench.execute(task_id, "endless", should_stop=should_stop) == Stopped("enough")
        assert time.monotonic() - stopped_at[0] < 1
        assert [pid for pid in pids.read_text().split() if is_alive(int(pid))] == []
        assert lines(bench, task_id, "event")[-1] == "stopped: enough"

    def test_a_daemon_of_a_command_dies_with_it(self, bench: Workbench) -> None:
        """A command that ends at once and leaves a process in a session of its own leaves nothing."""
        task_id = bench.submit("ends")
        bench.execute(task_id, "leaves_a_daemon")
        pid = (bench.home / "tasks" / task_id / "stages/leaves_a_daemon/1-1/work/pid").read_text()
        assert not is_alive(int(pid))

    def test_what_a_stage_leaves_behind_is_killed(self, bench: Workbench) -> None:
        """A child that outlives its stage neither delays the stage's end nor goes on writing."""
        outcome = run(bench, "leaves_a_child")
        assert outcome.status == "completed"
        assert not is_alive(int(outcome.output_summary or 0))

    def test_a_dead_guard_is_a_failure_and_no_escape(self, bench: Workbench) -> None:
        """A stage that kills its guard fails, and dies."""
        started = time.monotonic()
        outcome = run(bench, "shoots_its_guard")
        assert outcome.error_message == "the stage's process was killed from outside"
        assert time.monotonic() - started < 10

    def test_executions_do_not_get_each_others_pipes(self, bench: Workbench) -> None:
        """Stages that start at the same time end on their own, not with the last of them."""
        task_ids = [bench.submit("ends") for _ in range(6)]
        ends: dict[str, object] = {}

        def execute(task_id: str) -> None:
            ends[task_id] = bench.execute(task_id, "nothing")

        threads = [threading.Thread(target=execute, args=(task_id,)) for task_id in task_ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert ends == dict.fromkeys(task_ids, Outcome(status="completed"))
        assert not [name for name in Path("/proc/self/fd").iterdir() if _points_into(name, bench.home)]


class TestGuards:
    def test_a_guard_runs_one_stage_after_another_and_each_afresh(self, bench: Workbench) -> None:
        """Stages share the process that forks them, and nothing that one of them changed."""
        told = [run(bench, "changes_the_world").output_summary or "" for _ in range(2)]
        parents, worlds = zip(*(line.split(" ", 1) for line in told), strict=True)
        assert parents[0] == parents[1]
        assert worlds[0] == worlds[1] == "None True"

    def test_large_parameters_reach_every_stage_of_a_guard(self, bench: Workbench) -> None:
        """Parameters that fill a socket many times over arrive whole, at the first stage and at the next."""
        for _ in range(2):
            told = run(bench, "many_lines", lines=1, padding="x" * 3_000_000)
            assert told == Outcome(status="completed")

    def test_a_guard_that_died_while_it_was_free_is_replaced(self, bench: Workbench) -> None:
        """The next stage gets another guard, and knows nothing of it."""
        first = (run(bench, "changes_the_world").output_summary or "").split()[0]
        os.kill(int(first), signal.SIGKILL)
        wait_until(lambda: not is_alive(int(first)), "the guard to die", 5)
        second = (run(bench, "changes_the_world").output_summary or "").split()[0]
        assert first != second

    def test_guards_end_with_the_platform(self, home: Path) -> None:
        """Closing the pool leaves no process behind."""
        with workbench(home, *load_pipelines([SAMPLES]).values()) as bench:
            guard = int((run(bench, "changes_the_world").output_summary or "").split()[0])
            assert is_alive(guard)
        assert not is_alive(guard)


def _points_into(descriptor: Path, home: Path) -> bool:
    try:
        return descriptor.readlink().is_relative_to(home / "tasks")
    except OSError:
        return False


class TestLog:
    def test_what_is_hard_to_keep_is_kept_readably(self, bench: Workbench) -> None:
        """Long lines are cut and say so; other bytes than UTF-8, NUL and lone surrogates stay readable."""
        task_id = bench.submit("ends")
        outcome = bench.execute(task_id, "awkward")
        assert isinstance(outcome, Outcome)
        assert bench.stage(task_id, "awkward").output_structured == {"summary": "a\\x00b\\udc80", "nan": None}
        rows, total = TaskLogs(bench.store).rows(task_id, page=1, page_size=100)
        stdout = [row for row in rows if row["event_type"] == "stdout"]
        assert [(row["result"], row["output_truncated"]) for row in stdout] == [
            ("x" * 65536, True),
            ("not utf-8 \ufffd", False),
            ("nul \\x00 and return", False),
            ("no newline at the end", False),
        ]
        assert lines(bench, task_id, "stderr") == ["surrogate \\ud800"]
        assert lines(bench, task_id, "event") == ["attempt 1 started", "completed"]
        assert total == 7

    def test_it_can_be_read_while_the_stage_runs(self, bench: Workbench) -> None:
        """Lines show before the stage has ended."""
        task_id = bench.submit("ends")

        def should_stop() -> str | None:
            return "seen" if lines(bench, task_id, "event") == ["attempt 1 started"] else None

        assert bench.execute(task_id, "endless", should_stop=should_stop) == Stopped("seen")

    def test_an_interrupted_attempt_keeps_its_log(self, bench: Workbench) -> None:
        """When an attempt runs again after a crash it has the same number, another directory, and both logs."""
        task_id = bench.submit("ends", params={"lines": 1})
        crashed = bench.begin(task_id, "many_lines")
        crashed.directory.mkdir(parents=True)
        (crashed.directory / "log.jsonl").write_text('{"t":0.5,"s":"stdout","line":"before"}\n{"t":0.6,"s":"std')
        assert bench.execute(task_id, "many_lines") == Outcome(status="completed")
        assert lines(bench, task_id, "stdout") == ["before", "line 0"]
        assert lines(bench, task_id, "event")[0] == "attempt 1 started again: the platform stopped while it ran"
        assert [(a.attempt, a.status) for a in bench.store.attempts(task_id)] == [(1, "completed")]
        assert bench.stage(task_id, "many_lines").retry_count == 0
        assert not bench.runs.finish(crashed, Outcome(status="failed"))
