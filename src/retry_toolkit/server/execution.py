"""Runs one execution of a stage in a process of its own, and says how it ended."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retry_toolkit.server import runner
from retry_toolkit.server.failures import capped, categorize
from retry_toolkit.server.logs import LOG_FILE, LogWriter
from retry_toolkit.server.runs import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from retry_toolkit.server.pipelines import Pipeline, StageSpec
    from retry_toolkit.server.runs import Execution

TICK_S = 0.25
KILL_S = 2.0
STDERR_LINES = 20
_CHUNK = 1 << 16
_SECRETS = frozenset(f"RETRY_TOOLKIT_{name}" for name in ("DATABASE_URL", "TOKEN", "VIEWER_TOKEN", "OPERATOR_TOKEN"))
_OUT_OF_MEMORY = ("MemoryError", "Cannot allocate memory", "bad_alloc", "out of memory")


@dataclass(frozen=True, slots=True)
class Stopped:
    """The execution was stopped before its end, and why; it has no outcome."""

    reason: str


def run_execution(
    execution: Execution, pipeline: Pipeline, spec: StageSpec, *, should_stop: Callable[[], str | None]
) -> Outcome | Stopped:
    """Run one execution to its end.

    Args:
        execution: What was begun; its directory is made here.
        pipeline: Names the file of the stage.
        spec: The stage and its limits.
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
        ended = _Guarded(writer, should_stop, spec.timeout_s).run(job)
        outcome = ended if isinstance(ended, Stopped) else _outcome(ended, spec)
        writer.event(_epilogue(outcome))
        return outcome
    finally:
        writer.close()


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a stage's process ended: its wait status, what it reported, the end of its standard error."""

    status: int | None
    report: dict[str, Any] | None
    stderr: str
    timed_out: bool


class _Guarded:
    """One guard process (see `runner`) with its pipes."""

    def __init__(self, writer: LogWriter, should_stop: Callable[[], str | None], timeout_s: float) -> None:
        self._writer = writer
        self._should_stop = should_stop
        self._timeout_s = timeout_s
        self._stderr: deque[bytes] = deque(maxlen=STDERR_LINES)
        self._stderr_rest = b""
        self._result = bytearray()

    def run(self, job: dict[str, Any]) -> _Ended | Stopped:
        """Start the job, watch it to its end, and take everything down."""
        result, passed = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", runner.__file__, str(passed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(passed,),
                start_new_session=True,
                env=stage_environment(),
            )
        except OSError as error:
            os.close(result)
            return _Ended(None, _failure(f"cannot start a process: {error.strerror}", categorize(error)), "", False)
        finally:
            os.close(passed)
        with process, os.fdopen(result, "rb", buffering=0) as report:
            try:
                _send(process.stdin, job)
                return self._watch(process, report)
            finally:
                _take_down(process)

    def _watch(self, process: subprocess.Popen[bytes], report: IO[bytes]) -> _Ended | Stopped:
        deadline = time.monotonic() + self._timeout_s
        stopped: Stopped | None = None
        timed_out = False
        with selectors.DefaultSelector() as selector:
            for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr"), (report, "report")):
                assert stream is not None  # noqa: S101 - all three are pipes
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, name)
            killed_at: float | None = None
            while selector.get_map():
                self._read(selector, _patience(deadline if killed_at is None else killed_at + KILL_S))
                if process.poll() is not None:
                    self._read_rest(selector)
                    break
                now = time.monotonic()
                if killed_at is not None:
                    if now >= killed_at + KILL_S:
                        break
                    continue
                reason = self._should_stop()
                stopped = Stopped(reason) if reason else None
                timed_out = now >= deadline
                if stopped or timed_out:
                    killed_at = now
                    _close_lifeline(process)
        return stopped or self._ended(timed_out)

    def _read_rest(self, selector: selectors.BaseSelector) -> None:
        """Read what the ended process left in its pipes; never waits for others that may hold them open."""
        while self._read(selector, 0):
            pass

    def _read(self, selector: selectors.BaseSelector, timeout: float) -> bool:
        """Read once from every pipe that has something; whether any had."""
        found = False
        for key, _ in selector.select(timeout):
            data = os.read(key.fd, _CHUNK)
            if not data:
                selector.unregister(key.fileobj)
                continue
            found = True
            if key.data == "report":
                self._result += data
            else:
                self._writer.feed(key.data, data)
                if key.data == "stderr":
                    self._keep_stderr(data)
        return found

    def _keep_stderr(self, data: bytes) -> None:
        *lines, rest = (self._stderr_rest + data).split(b"\n")
        self._stderr.extend(line[:_CHUNK] for line in lines)
        self._stderr_rest = rest[-_CHUNK:]

    def _ended(self, timed_out: bool) -> _Ended:
        lines = [*self._stderr, *([self._stderr_rest] if self._stderr_rest else [])]
        stderr = b"\n".join(lines[-STDERR_LINES:]).decode(errors="replace")
        status, report = None, None
        if len(self._result) >= runner.STATUS.size:
            (status,) = runner.STATUS.unpack_from(self._result)
            with suppress(ValueError):
                report = json.loads(bytes(self._result[runner.STATUS.size :]) or b"null")
        return _Ended(status, report, stderr, timed_out)


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


def _patience(until: float) -> float:
    return max(0.0, min(TICK_S, until - time.monotonic()))


def stage_environment() -> dict[str, str]:
    """The platform's environment without its secrets; what is printed comes at once and as UTF-8."""
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def _send(stdin: IO[bytes] | None, job: dict[str, Any]) -> None:
    assert stdin is not None  # noqa: S101 - it is a pipe
    text = json.dumps(job).encode()
    with suppress(BrokenPipeError):  # it ended already, and how is seen soon
        stdin.write(runner.LENGTH.pack(len(text)) + text)
        stdin.flush()


def _close_lifeline(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()


def _take_down(process: subprocess.Popen[bytes]) -> None:
    """End the guard with everything below it, whatever happened here."""
    _close_lifeline(process)
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_S)
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that is gone
        os.killpg(process.pid, signal.SIGKILL)


def _outcome(ended: _Ended, spec: StageSpec) -> Outcome:
    """What the end of a process means."""
    if ended.timed_out:
        return _failed(f"time-out: the stage was killed after {spec.timeout_s:g} s", "transient")
    if ended.status is None:
        return _failed(_with_stderr("the stage's process was killed from outside", ended), "unknown")
    code = os.waitstatus_to_exitcode(ended.status)
    if ended.report is not None and "error" in ended.report:
        return _failed(str(ended.report["error"]), str(ended.report["category"]))
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


def _failure(message: str, category: str) -> dict[str, Any]:
    return {"error": message, "category": category}


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
