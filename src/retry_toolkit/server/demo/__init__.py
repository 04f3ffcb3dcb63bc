"""The demo: four pipelines, some 250 tasks that really run and really fail, and the causes behind them.

Nothing is written as failed: every task goes through the platform's own actions and engine; only its clock is set back
afterwards, so that the history covers two weeks and a little of the retention limit.

What a retry does, before and after `retry-toolkit demo mend`:

| cause              | where            | a retry before the mend                | after the mend |
| ------------------ | ---------------- | -------------------------------------- | -------------- |
| `missing_column`   | sales: validate  | fails again: the input is at fault     | fails again    |
| `malformed_row`    | sales: validate  | fails again: the input is at fault     | fails again    |
| `reference_rows`   | sales: join      | fails again: products are not listed   | recovers       |
| `reference_column` | sales: aggregate | fails again: no `tax_rate`             | recovers       |
| `mended_column`    | sales: aggregate | recovers: mended since                 | recovers       |
| `quality_gate`     | sales: gate      | fails again; only one retry is allowed | fails again    |
| `empty_export`     | sales: gate      | fails again: a bug; only one retry     | fails again    |
| `lost_scan`        | archive: collect | fails again: removed by retention      | recovers       |
| `exit_code`        | archive: verify  | fails again: a broken inner archive    | fails again    |
| `rate_limit`       | prices: fetch    | gets further, then recovers            | the same       |
| `cold_index`       | prices: fetch    | recovers once the index is built       | the same       |
| `memory_limit`     | mesh: mesh       | fails again: too fine a mesh           | recovers       |
| `time_out`         | mesh: solve      | fails again: too many time steps       | recovers       |
| `divergence`       | mesh: solve      | fails again: exit status 3             | fails again    |

Some tasks have used up their retries (`3/3`), and the oldest have lost their input files to retention: a whole retry of
those answers 410. The newest failures are untouched.

A platform process with a demo loads `PIPELINES` beside its own files whenever the demo `exists` (or is asked for),
keeps `DemoService` running, and calls `seed` once, which takes about a minute:

    with DemoService(settings) as service:
        seed(actions, store, service, settings, progress=progress, stop=stop)
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

TYPE_CHECKING = False  # stage processes import this package: what it exports is loaded when it is asked for
if TYPE_CHECKING:
    from retry_toolkit.server.demo.clock import backdate
    from retry_toolkit.server.demo.mending import mend, unmend
    from retry_toolkit.server.demo.seeding import exists, finished, seed
    from retry_toolkit.server.demo.service import DemoService

__all__ = ["PIPELINES", "DemoService", "backdate", "exists", "finished", "mend", "seed", "unmend"]

_FOLDER = Path(__file__).parent / "pipelines"
PIPELINES = tuple(_FOLDER / f"{name}.py" for name in ("sales_report", "archive_check", "price_feed", "mesh_sim"))
_HOMES = {
    "DemoService": "service",
    "backdate": "clock",
    "exists": "seeding",
    "finished": "seeding",
    "mend": "mending",
    "seed": "seeding",
    "unmend": "mending",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
