# ruff: noqa: T201 - what stages print is their log
"""Pipelines of the tests: fast, and failing only when a test wants them to.

Files named by the parameters `gate` and `release` steer them from outside.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

ok = Pipeline("ok", title="All well · 一切正常", project="samples")


@ok.stage(role="reader")
def read(ctx: StageContext) -> str:
    """Copy the input files to the work directory."""
    names = sorted(path.name for path in ctx.inputs.iterdir())
    for name in names:
        (ctx.work / name).write_bytes((ctx.inputs / name).read_bytes())
    print("read", len(names), "files")
    return f"{len(names)} files"


@ok.stage(role="scorer")
def score(ctx: StageContext) -> dict[str, object]:
    """Report a structured output."""
    return {"summary": "scored", "status": "pass", "confidence": 0.75, "tokens_used": 120, "rows": 3}


ok.command("publish", [sys.executable, "-c", "print('published')"], role="publisher")

gated = Pipeline("gated", title="Waits for its cause to be mended · 等待修复", project="samples")


@gated.stage(role="loader")
def load(ctx: StageContext) -> dict[str, object]:
    """Always well."""
    return {"summary": "loaded", "tokens_used": 10}


@gated.stage(role="checker")
def check(ctx: StageContext) -> dict[str, object]:
    """Fail until the file named by the parameter `gate` exists."""
    print(f"第 {ctx.attempt} 次尝试 ✓")
    gate = Path(ctx.params["gate"])
    if not gate.exists():
        print("缺少文件", file=sys.stderr)
        raise StageError(f"参考文件缺失: {gate.name}", category="transient")
    return {"summary": "checked", "tokens_used": 5}


@gated.stage(role="finisher")
def finish(ctx: StageContext) -> None:
    """Always well."""


broken = Pipeline("broken", title="Never well · 总是失败", project="faults")


@broken.stage(role="loader")
def prepare(ctx: StageContext) -> dict[str, object]:
    """Always well."""
    return {"summary": "prepared", "tokens_used": 7}


@broken.stage(role="calculator", max_retries=2)
def divide(ctx: StageContext) -> str:
    """Raise an ordinary error."""
    return str(1 / int(ctx.params.get("divisor", 0)))


@broken.stage(role="finisher")
def never(ctx: StageContext) -> None:
    """Is not reached."""


slow = Pipeline("slow", title="Runs until it is released · 慢任务", project="samples")


@slow.stage(role="waiter")
def wait(ctx: StageContext) -> str:
    """Run until the file named by the parameter `release` exists."""
    print("waiting", flush=True)
    release = Path(ctx.params["release"])
    while not release.exists():
        time.sleep(0.02)
    return "released"


@slow.stage(role="finisher")
def close(ctx: StageContext) -> None:
    """Always well."""


noisy = Pipeline("noisy", title="Prints what is hard to print", project="samples")


@noisy.stage(role="printer")
def shout(ctx: StageContext) -> str:
    """Print text of several scripts, control characters, bytes that are no UTF-8, and a line per `lines`."""
    print("你好, мир, 🌍 <script>alert(1)</script>")
    print("to stderr \x1b[31mred\x1b[0m", file=sys.stderr)
    sys.stdout.flush()
    sys.stdout.buffer.write(b"not utf-8: \xff\xfe\n")
    sys.stdout.flush()
    for number in range(int(ctx.params.get("lines", 0))):
        print("line", number)
    return "said <b>all</b>"
