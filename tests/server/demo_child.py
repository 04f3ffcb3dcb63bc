# ruff: noqa: T201 - its answer is what it prints
"""Seeds a part of the demo in a process of its own, because an engine is the only one of its process.

Usage: `python -m tests.server.demo_child HOME NOW CALLS STOP_AFTER KEY ...`; prints as JSON, for each call of `seed`,
whether the demo was finished and every progress that was reported.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from retry_toolkit.server.demo import seed
from retry_toolkit.server.demo.plan import Case, demo_plan
from retry_toolkit.server.serve import RunningPlatform, running_platform
from tests.live import sample_settings


def main(home: str, now: str, calls: str, stop_after: str, *keys: str) -> None:
    """Seed the cases of these keys so many times; stop after so many steps unless it is 0."""
    plan = [case for case in demo_plan(datetime.fromisoformat(now)) if case.key in keys]
    with running_platform(sample_settings(Path(home), concurrency=2), demo=True) as platform:
        print(json.dumps([call(platform, plan, int(stop_after)) for _ in range(int(calls))]))


def call(platform: RunningPlatform, plan: list[Case], stop_after: int) -> dict[str, Any]:
    """Seed once; what it said."""
    reported: list[tuple[int, int]] = []
    stop = threading.Event()

    def progress(done: int, total: int) -> None:
        reported.append((done, total))
        if 0 < stop_after <= done:
            stop.set()

    assert platform.demo_service is not None
    finished = seed(
        platform.actions,
        platform.store,
        platform.demo_service,
        platform.settings,
        progress=progress,
        plan=plan,
        stop=stop,
    )
    return {"finished": finished, "reported": reported}


if __name__ == "__main__":
    main(*sys.argv[1:])
