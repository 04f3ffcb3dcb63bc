"""What happens in a stage's own process: limits, the author's code, and the report of how it went."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from retry_toolkit.server.failures import capped, categorize, describe
from retry_toolkit.server.pipelines import PipelineFileError, StageContext, load_file

TYPE_CHECKING = False  # `typing` costs every stage several milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn, TextIO

MAX_RESULT_BYTES = 4 << 20
# RLIMIT_DATA counts what a process really writes to; the address space also counts libraries and mere reservations.
MEMORY_LIMIT = resource.RLIMIT_DATA if sys.platform.startswith("linux") else resource.RLIMIT_AS


class _NotAResult(Exception):
    """A stage returned something that cannot be kept."""


def run(job: Mapping[str, Any], report: int) -> NoReturn:
    """Do the job in this process and end it; the report goes to the descriptor `report` as JSON."""
    os.chdir(job["work"])
    sys.stdout = _output(1)
    sys.stderr = _output(2)
    limit_memory(job["memory_mb"])
    if job["argv"] is not None:
        _run_command(job, report)
    _report(report, _run_function(job))
    sys.exit(0)


def _output(descriptor: int) -> TextIO:
    """A stream on a descriptor: every line goes out at once, and no character is refused."""
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def limit_memory(megabytes: int | None) -> None:
    """Limit this process's memory; None lifts the limit."""
    _, hard = resource.getrlimit(MEMORY_LIMIT)
    wanted = hard if megabytes is None else megabytes << 20
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(MEMORY_LIMIT, (wanted, hard))


def _run_command(job: Mapping[str, Any], report: int) -> NoReturn:
    argv = job["argv"]
    try:
        os.execvpe(argv[0], argv, os.environ | _environment(job))  # noqa: S606 - no shell, and meant so
    except OSError as error:
        message = f"cannot start {argv[0]!r}: {error.strerror}"
        _report(report, {"error": message, "category": "tool_error"})
        sys.exit(127)


def _environment(job: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "RT_TASK_ID": job["task_id"],
        "RT_STAGE": job["stage"],
        "RT_ATTEMPT": str(job["attempt"]),
        "RT_INPUTS": job["inputs"],
        "RT_WORK": job["work"],
        "RT_OUTPUTS": job["outputs_directory"],
    }
    for name, value in job["params"].items():
        found[f"RT_PARAM_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    return {name: value for name, value in found.items() if "=" not in name and "\0" not in name + value}


def _run_function(job: Mapping[str, Any]) -> dict[str, Any]:
    """Call the stage's function; what to report."""
    try:
        return {"result": _as_result(_call(job))}
    except PipelineFileError as error:
        return {"error": str(error), "category": "tool_error"}
    except SystemExit as error:
        if error.code in {None, 0}:
            return {"result": None}
        return {"error": f"the stage exited with status {error.code}", "category": "tool_error"}
    except BaseException as error:  # noqa: BLE001 - whatever the author's code raises is this stage's failure
        limit_memory(None)  # a stage that ran out of memory still has to say so
        return {"error": describe(error, hide=__file__), "category": categorize(error)}


def _call(job: Mapping[str, Any]) -> object:
    found = next((one for one in load_file(Path(job["path"])) if one.name == job["pipeline"]), None)
    spec = found.find(job["stage"]) if found else None
    if spec is None or spec.function is None:
        raise PipelineFileError(f"{job['path']}: pipeline {job['pipeline']!r} has no stage {job['stage']!r} any more")
    context = StageContext(
        task_id=job["task_id"],
        stage=job["stage"],
        attempt=job["attempt"],
        params=job["params"],
        inputs=Path(job["inputs"]),
        work=Path(job["work"]),
        outputs={name: Path(path) for name, path in job["outputs"].items()},
    )
    return spec.function(context)


def _as_result(value: object) -> str | dict[str, Any] | None:
    """What a stage returned, as JSON can carry it."""
    if value is None:
        return None
    if isinstance(value, str):
        return capped(value)
    if not hasattr(value, "keys"):
        raise _NotAResult(f"the stage returned {type(value).__name__}: it must return nothing, a text or a mapping")
    text = json.dumps(dict(value), default=_plain)  # type: ignore[call-overload]  # has keys, so it is a mapping
    if len(text) > MAX_RESULT_BYTES:
        raise _NotAResult(f"the stage returned {len(text)} bytes of JSON: the limit is {MAX_RESULT_BYTES}")
    result: dict[str, Any] = json.loads(text)
    return result


def _plain(value: object) -> object:
    """A JSON value for something that is none: numbers of numpy as numbers, sets as lists, anything else as text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def _report(descriptor: int, report: Mapping[str, Any]) -> None:
    view = memoryview(json.dumps(report).encode())
    while view:
        view = view[os.write(descriptor, view) :]
    os.close(descriptor)
