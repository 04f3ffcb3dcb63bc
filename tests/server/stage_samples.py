# ruff: noqa: T201 - what stages print is their log
"""Stages that end in every way there is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

ends = Pipeline("ends", title="Every end")


class Odd:
    """Something that JSON does not know."""

    def __str__(self) -> str:
        return "odd"


@ends.stage()
def text(ctx: StageContext) -> str:
    """Use the whole context."""
    assert Path.cwd() == ctx.work
    (ctx.work / "made.txt").write_text((ctx.inputs / "in.txt").read_text().upper())
    print("to stdout 你好")
    print("to stderr", file=sys.stderr)
    return f"{ctx.task_id} {ctx.stage} {ctx.attempt} {ctx.params['n']}"


@ends.stage()
def mapping(ctx: StageContext) -> dict[str, Any]:
    """Read an earlier stage's output, and return what JSON knows and does not know."""
    made = (ctx.outputs("text") / "made.txt").read_text()
    return {"summary": made, "status": "pass", "confidence": 0.5, "tokens_used": 12, "odd": Odd(), "set": {2, 1}}


ends.command(
    "command",
    [
        sys.executable, "-c",
        "import os; print(os.getcwd() == os.environ['RT_WORK'], os.environ['RT_STAGE'], os.environ['RT_ATTEMPT'],"
        "os.environ['RT_PARAM_N'], os.environ['RT_PARAM_ROWS'],"
        "open(os.environ['RT_OUTPUTS'] + '/text/made.txt').read(), open(os.environ['RT_INPUTS'] + '/in.txt').read(),"
        "[name for name in os.environ if 'TOKEN' in name or 'DATABASE' in name])",
    ],
)  # fmt: skip


@ends.stage()
def nothing(ctx: StageContext) -> None:
    """End well, without a word."""


@ends.stage()
def number(ctx: StageContext) -> Any:
    """Return what is no result."""
    return 7


@ends.stage()
def raises(ctx: StageContext) -> None:
    """Raise what the parameter says."""
    error = eval(ctx.params["raise"], {"StageError": StageError, "subprocess": subprocess})
    if isinstance(error, StageError) and not ctx.params.get("cause"):
        raise error
    _deeper(error)


def _deeper(error: BaseException) -> None:
    try:
        os.environ["THE_CAUSE"]
    except LookupError as cause:
        raise error from cause


@ends.stage()
def exits(ctx: StageContext) -> None:
    """Leave by sys.exit."""
    sys.exit(ctx.params["code"])


@ends.stage(memory_mb=64)
def greedy(ctx: StageContext) -> str:
    """Take more memory than allowed."""
    return str(len(bytearray(200 << 20)))


@ends.stage(timeout_s=2.5)
def endless(ctx: StageContext) -> None:
    """Never end, nor does its child, which has left the process group."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (ctx.work / "pids").write_text(f"{os.getpid()} {child.pid}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


@ends.stage()
def leaves_a_child(ctx: StageContext) -> str:
    """End well while a child that holds the output goes on."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    return str(child.pid)


@ends.stage()
def shoots_itself(ctx: StageContext) -> None:
    """Be killed by a signal."""
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), int(ctx.params["signal"]))


@ends.stage()
def shoots_its_guard(ctx: StageContext) -> None:
    """Kill the process that guards it."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


@ends.stage()
def changes_the_world(ctx: StageContext) -> str:
    """Say how the world was, and change it."""
    found = f"{os.getppid()} {os.environ.get('CHANGED')} {'stage_was_here' not in sys.modules}"
    os.environ["CHANGED"] = "yes"
    sys.modules["stage_was_here"] = sys
    os.chdir("/")
    return found


@ends.stage()
def many_lines(ctx: StageContext) -> None:
    """Print as many lines as the parameter says."""
    sys.stdout.write("".join(f"line {line}\n" for line in range(ctx.params["lines"])))


@ends.stage()
def awkward(ctx: StageContext) -> Mapping[str, Any]:
    """Print what is hard to keep, and return it."""
    out = sys.stdout.buffer
    out.write(b"x" * 100_000 + b"\n")
    out.write(b"not utf-8 \xff\n")
    out.write(b"nul \0 and return\r\n")
    out.write(b"no newline at the end")
    out.flush()
    print("surrogate \ud800", file=sys.stderr)
    return {"summary": "a\0b\udc80", "nan": float("nan")}


DAEMON = "setsid sh -c 'echo $$ > pid; exec sleep 600' & until [ -s pid ]; do sleep 0.01; done"
ends.command("leaves_a_daemon", ["sh", "-c", DAEMON])
ends.command("fails", [sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])
ends.command("no_memory", [sys.executable, "-c", "x = bytearray(200 << 20)"], memory_mb=64)
ends.command("no_such_program", ["/no/such/program"])
ends.command("waits_for_input", [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"])
