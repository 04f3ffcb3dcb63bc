"""Runs one execution of a stage in a process of its own, and says how it ended."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retry_toolkit.server import runner
from retry_toolkit.server.failures import capped, categorize
from retry_toolkit.server.logs import LOG_FILE, LogWriter
from retry_toolkit.server.runs import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from retry_toolkit.server.guards import Guard, Guards
    from retry_toolkit.server.pipelines import Pipeline, StageSpec
    from retry_toolkit.server.runs import Execution

TICK_S = 0.25
KILL_S = 2.0
STDERR_LINES = 20
_CHUNK = 1 << 16
_OUT_OF_MEMORY = ("MemoryError", "Cannot allocate memory", "bad_alloc", "out of memory")


@dataclass(frozen=True, slots=True)
class Stopped:
    """The execution was stopped before its end, and why; it has no outcome."""

    reason: str


def run_execution(
    execution: Execution,
    pipeline: Pipeline,
    spec: StageSpec,
    *,
    guards: Guards,
    should_stop: Callable[[], str | None],
) -> Outcome | Stopped:
    """Run one execution to its end.

    Args:
        execution: What was begun; its directory is made here.
        pipeline: Names the file of the stage.
        spec: The stage and its limits.
        guards: Processes that run stages.
        should_stop: Asked several times a second; a reason to stop, or None.
    """
    try:
        job = _prepare(execution, pipeline, spec)
        writer = LogWriter(execution.directory / LOG_FILE)
    except OSError as error:
        return Outcome(
            status="failed",
            error_message=f"the platform could not prepare the stage: {error.strerror}: {error.filename}",
            failure_category=categorize(error),
        )
    try:
        again = " again: the platform stopped while it ran" if execution.number > 1 else ""
        writer.event(f"attempt {execution.attempt} started{again}")
        ended = _Watch(writer, should_stop, spec.timeout_s).run(job, guards)
        outcome = ended if isinstance(ended, Stopped) else _outcome(ended, spec)
        writer.event(_epilogue(outcome))
        return outcome
    finally:
        writer.close()


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a stage's process ended: its wait status, what it reported, the end of its standard error."""

    status: int | None = None
    report: dict[str, Any] | None = None
    stderr: str = ""
    timed_out: bool = False


class _Watch:
    """Watches one stage: keeps its output, hears its end, and has it killed when its time is over."""

    def __init__(self, writer: LogWriter, should_stop: Callable[[], str | None], timeout_s: float) -> None:
        self._writer = writer
        self._should_stop = should_stop
        self._timeout_s = timeout_s
        self._stderr: deque[bytes] = deque(maxlen=STDERR_LINES)
        self._stderr_rest = b""
        self._answer = bytearray()
        self._stopped: Stopped | None = None
        self._timed_out = False

    def run(self, job: dict[str, Any], guards: Guards) -> _Ended | Stopped:
        """Have a guard do the job, and watch it to its end."""
        try:
            guard = guards.take()
        except OSError as error:
            message = f"the platform cannot start a process: {error.strerror}"
            return _Ended(report={"error": message, "category": categorize(error)})
        try:
            with _pipe() as (stdout, stdout_end), _pipe() as (stderr, stderr_end):
                with suppress(OSError):  # a guard that is gone is seen at once: its socket is closed
                    guard.start(job, (stdout_end.fileno(), stderr_end.fileno()))
                stdout_end.close()
                stderr_end.close()
                self._watch(guard, stdout, stderr)
        except BaseException:
            guard.dispose()
            raise
        if self._is_answered and not self._was_killed:
            guards.give_back(guard)
        else:
            guard.dispose()
        return self._stopped or self._ended()

    @property
    def _was_killed(self) -> bool:
        return self._timed_out or self._stopped is not None

    @property
    def _is_answered(self) -> bool:
        if len(self._answer) < runner.ANSWER.size:
            return False
        _, length = runner.ANSWER.unpack_from(self._answer)
        return len(self._answer) >= runner.ANSWER.size + int(length)

    def _watch(self, guard: Guard, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        deadline = time.monotonic() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            guard.control.setblocking(False)
            for stream in (stdout, stderr):
                os.set_blocking(stream.fileno(), False)
            for source, name in ((stdout, "stdout"), (stderr, "stderr"), (guard.control, "answer")):
                selector.register(source, selectors.EVENT_READ, name)
            while not self._is_answered and guard.control in selector.get_map():
                self._read(selector, max(0.0, min(TICK_S, deadline - time.monotonic())))
                if self._was_killed:
                    if time.monotonic() >= deadline:
                        break
                elif self._is_due(deadline):
                    guard.kill_stage()
                    deadline = time.monotonic() + KILL_S
            while self._read(selector, 0):
                pass  # what the stage left in its pipes; others that may hold them open are not waited for

    def _is_due(self, deadline: float) -> bool:
        """Whether the stage has to be killed now."""
        if self._is_answered:
            return False
        reason = self._should_stop()
        self._stopped = Stopped(reason) if reason else None
        self._timed_out = time.monotonic() >= deadline
        return self._was_killed

    def _read(self, selector: selectors.BaseSelector, timeout: float) -> bool:
        """Read once from everything that has something; whether anything had."""
        found = False
        for key, _ in selector.select(timeout):
            data = _read_some(key.fd)
            if not data:
                selector.unregister(key.fileobj)
                continue
            found = True
            if key.data == "answer":
                self._answer += data
            else:
                self._writer.feed(key.data, data)
                if key.data == "stderr":
                    self._keep_stderr(data)
        return found

    def _keep_stderr(self, data: bytes) -> None:
        *lines, rest = (self._stderr_rest + data).split(b"\n")
        self._stderr.extend(line[:_CHUNK] for line in lines)
        self._stderr_rest = rest[-_CHUNK:]

    def _ended(self) -> _Ended:
        lines = [*self._stderr, *([self._stderr_rest] if self._stderr_rest else [])]
        stderr = b"\n".join(lines[-STDERR_LINES:]).decode(errors="replace")
        if not self._is_answered:
            return _Ended(stderr=stderr, timed_out=self._timed_out)
        status, _ = runner.ANSWER.unpack_from(self._answer)
        report = None
        with suppress(ValueError):
            report = json.loads(bytes(self._answer[runner.ANSWER.size :]) or b"null")
        return _Ended(status=status, report=report, stderr=stderr, timed_out=self._timed_out)


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The two ends of a pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as read, os.fdopen(writing, "wb", buffering=0) as write:
        yield read, write


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except ConnectionResetError:
        return b""  # the guard died with something unread in its socket


def _prepare(execution: Execution, pipeline: Pipeline, spec: StageSpec) -> dict[str, Any]:
    """Make the execution's directories; the job for its process."""
    work, outputs = execution.directory / "work", execution.directory / "outputs"
    work.mkdir(parents=True)
    outputs.mkdir()
    for name, path in execution.outputs.items():
        (outputs / name).symlink_to(path)
    return {
        "path": str(pipeline.path),
        "pipeline": pipeline.name,
        "stage": spec.name,
        "task_id": execution.task.id,
        "attempt": execution.attempt,
        "params": execution.task.params,
        "inputs": str(execution.inputs),
        "work": str(work),
        "outputs": {name: str(path) for name, path in execution.outputs.items()},
        "outputs_directory": str(outputs),
        "memory_mb": spec.memory_mb,
        "argv": spec.argv,
    }


def _outcome(ended: _Ended, spec: StageSpec) -> Outcome:
    """What the end of a process means."""
    if ended.timed_out:
        return _failed(f"time-out: the stage was killed after {spec.timeout_s:g} s", "transient")
    if ended.report is not None and "error" in ended.report:
        return _failed(str(ended.report["error"]), str(ended.report["category"]))
    if ended.status is None:
        return _failed(_with_stderr("the stage's process was killed from outside", ended), "unknown")
    code = os.waitstatus_to_exitcode(ended.status)
    if ended.report is not None or (code == 0 and spec.argv is not None):
        return _completed((ended.report or {}).get("result"))
    return _crashed(code, ended, spec)


def _crashed(code: int, ended: _Ended, spec: StageSpec) -> Outcome:
    """The outcome of a process that ended without a report of its own."""
    what = "command" if spec.argv is not None else "stage"
    out_of_memory = spec.memory_mb is not None and any(word in ended.stderr for word in _OUT_OF_MEMORY)
    if code >= 0:
        message = f"{what} exited with status {code}"
        category = "tool_error"
    else:
        message = f"{what} was killed by {_signal_name(-code)}"
        category = "tool_error" if -code != signal.SIGKILL else "resource"
    return _failed(_with_stderr(message, ended), "resource" if out_of_memory else category)


def _completed(result: str | dict[str, Any] | None) -> Outcome:
    if not isinstance(result, dict):
        return Outcome(status="completed", output_summary=result)
    summary, tokens = result.get("summary"), result.get("tokens_used")
    return Outcome(
        status="completed",
        output_summary=capped(summary) if isinstance(summary, str) else None,
        output_structured=result,
        tokens_used=tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else 0,
    )


def _failed(message: str, category: str) -> Outcome:
    return Outcome(status="failed", error_message=capped(message), failure_category=category)


def _with_stderr(message: str, ended: _Ended) -> str:
    return f"{message}\n{ended.stderr}" if ended.stderr.strip() else message


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _epilogue(outcome: Outcome | Stopped) -> str:
    if isinstance(outcome, Stopped):
        return f"stopped: {outcome.reason}"
    return "completed" if outcome.status == "completed" else f"failed ({outcome.failure_category})"
