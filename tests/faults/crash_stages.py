# ruff: noqa: T201 - what stages print is their log
"""Pipelines whose stages leave traces, so that a test sees who still writes after the platform was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from retry_toolkit.server.pipelines import Pipeline, StageContext

SCRIBBLE = """
import sys, time
while True:
    with open(sys.argv[1], "a") as file:
        file.write(".")
    time.sleep(0.02)
"""

beating = Pipeline("beating", title="Runs until it is released", project="faults")


@beating.stage()
def first(ctx: StageContext) -> dict[str, object]:
    """End at once, with a result that a later look can compare."""
    (ctx.work / "made").write_text(ctx.task_id)
    return {"summary": f"made by {os.getpid()}", "tokens_used": 3}


@beating.stage()
def beat(ctx: StageContext) -> str:
    """Write on and on, together with a child that has left the process group, until released."""
    child = subprocess.Popen([sys.executable, "-S", "-c", SCRIBBLE, str(ctx.work / "child")], start_new_session=True)
    (ctx.work / "pids").write_text(f"{os.getpid()} {child.pid}\n")
    print("beating", flush=True)
    with (ctx.work / "stage").open("a") as file:
        while not Path(ctx.params["release"]).exists():
            file.write(".")
            file.flush()
            time.sleep(0.02)
    child.kill()
    return (ctx.outputs("first") / "made").read_text()


@beating.stage()
def last(ctx: StageContext) -> None:
    """End at once."""


quick = Pipeline("quick", title="Four quick stages", project="faults")
for _name in ("a", "b", "c", "d"):

    @quick.stage(name=_name)
    def step(ctx: StageContext) -> str:
        """Append to the task's own diary: one line for each time that this stage really ran."""
        with Path(ctx.params["diary"]).open("a") as file:
            file.write(f"{ctx.stage} {ctx.attempt}\n")
        return f"{ctx.stage} done"
