"""Pipelines that fail for real, in ways that a story can choose by parameters."""

from __future__ import annotations

import time
from pathlib import Path

from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

report = Pipeline("report", title="Daily report · 日报", project="sales")


@report.stage(role="reader")
def read(ctx: StageContext) -> str:
    """Count the input rows."""
    rows = sum(len(path.read_text("utf-8").splitlines()) for path in ctx.inputs.iterdir())
    (ctx.work / "rows.txt").write_text(str(rows), "utf-8")
    return f"{rows} rows read"


@report.stage(role="checker")
def check(ctx: StageContext) -> dict[str, object]:
    """Fail until the attempt that the task's `good_from` names."""
    rows = (ctx.outputs("read") / "rows.txt").read_text("utf-8")
    print(f"attempt {ctx.attempt}: checking {rows} rows")  # noqa: T201 - what a stage prints is its log
    if ctx.attempt < int(ctx.params.get("good_from", 2)):
        raise StageError(str(ctx.params.get("error", "column 'amount' is missing in sales.csv")), category="semantic")
    return {"summary": f"{rows} rows are good", "status": "pass", "confidence": 0.9, "tokens_used": 1200}


@report.stage(role="writer")
def write(ctx: StageContext) -> str:
    """Write the report."""
    (ctx.work / "report.txt").write_text((ctx.outputs("read") / "rows.txt").read_text("utf-8"), "utf-8")
    return "report.txt written"


once = Pipeline("once", title="Once only · 一次性", project="sales")


@once.stage(role="sender", max_retries=0)
def send(ctx: StageContext) -> None:
    """Fail at once, with no retry left."""
    raise StageError("the mailbox refused the message", category="gate_rejected")


chatty = Pipeline("chatty", title="Chatty · 话多", project="sales")


@chatty.stage(role="reader")
def prepare(ctx: StageContext) -> dict[str, object]:
    """Tell much of what it made."""
    deep: dict[str, object] = {"bottom": "<b>here</b>"}
    for level in range(12):
        deep = {f"level {level}": deep}
    return {
        "summary": "Three sources were read, one of them twice · 读取了三个来源",
        "status": "partial",
        "confidence": 0.72,
        "artifacts": ["sources.json", "报告/汇总.csv", "<img src=x onerror=window.ran=1>"],
        "metadata": {"sources": ["a", "b", "c"], "rows": 1200, "deep": deep, "empty": {}, "none": None},
        "reviewer": "qa-agent",
        "tokens_used": 18_250,
        "turns_used": 7,
        "self_fix_count": 1,
        "self_assessment_score": 0.81,
    }


@chatty.stage(role="worker")
def work(ctx: StageContext) -> str:
    """Print `lines` lines, wait for the file `gate` where there is one, and fail until the attempt `good_from`."""
    lines = int(ctx.params.get("lines", 1500))
    for number in range(lines):
        if number == lines // 2:
            print(f"\x1b[31mERROR\x1b[0m the {ctx.attempt}. row is torn; it is left out")  # noqa: T201
        elif number == lines // 3:
            print("WARNING: the clock of the source is late")  # noqa: T201
        else:
            print(f"{ctx.attempt}: row {number} of batch 0x{number:08x} read in {number % 7} ms")  # noqa: T201
    gate = ctx.params.get("gate")
    while gate and not Path(str(gate)).exists():
        print(f"waiting, {time.monotonic():.3f}", flush=True)  # noqa: T201
        time.sleep(0.2)
    if ctx.params.get("by_attempt"):
        print(f"using the {'old' if ctx.attempt == 1 else 'new'} index")  # noqa: T201
    if ctx.attempt < int(ctx.params.get("good_from", 2)):
        raise ValueError(str(ctx.params.get("error", f"row {ctx.attempt} of part {ctx.attempt + 4} has no amount")))
    return "done"


@chatty.stage(role="writer")
def finish(ctx: StageContext) -> str:
    """End."""
    return "finished"


long = Pipeline("long", title="Thirty steps · 三十步", project="sales")


def _step(number: int) -> None:
    @long.stage(role="worker", name=f"step-{number:02}")
    def step(ctx: StageContext) -> str:
        """Fail at the step that the task's `stop` names."""
        if number == int(ctx.params.get("stop", 18)):
            raise StageError(f"step {number} is not ready", category="resource")
        return f"step {number} done"


for _number in range(1, 31):
    _step(_number)
