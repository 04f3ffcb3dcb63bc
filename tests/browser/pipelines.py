"""Pipelines that fail for real, in ways that a story can choose by parameters."""

from __future__ import annotations

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
