# ruff: noqa: T201 - its answer is what it prints
"""Seeds a part of the demo in a process of its own, because an engine is the only one of its process.

Usage: `python -m tests.server.demo_child HOME NOW STOP_AFTER KEY ...`; prints as JSON whether the demo is finished, and
every progress that was reported.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime
from pathlib import Path

from retry_toolkit.server.demo import seed
from retry_toolkit.server.demo.plan import demo_plan
from retry_toolkit.server.serve import running_platform
from tests.live import sample_settings


def main(home: str, now: str, stop_after: str, *keys: str) -> None:
    """Seed the cases of these keys; stop after so many steps unless it is 0."""
    reported: list[tuple[int, int]] = []
    stop = threading.Event()

    def progress(done: int, total: int) -> None:
        reported.append((done, total))
        if done == int(stop_after):
            stop.set()

    plan = [case for case in demo_plan(datetime.fromisoformat(now)) if case.key in keys]
    with running_platform(sample_settings(Path(home), concurrency=2), demo=True) as platform:
        assert platform.demo_service is not None
        finished = seed(
            platform.actions,
            platform.store,
            platform.demo_service,
            platform.settings,
            progress=progress,
            plan=plan,
            stop=stop if int(stop_after) else None,
        )
    print(json.dumps({"finished": finished, "reported": reported}))


if __name__ == "__main__":
    main(*sys.argv[1:])
