"""What it costs in every state, as it stands in the desk."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from retry_toolkit.errors import RetryToolkitError
from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.costs import CostsView
from retry_toolkit.panels.exhibits import ARCHIVE, AWAY, UNABLE, AtOnce, Never, Shown
from retry_toolkit.panels.samples import ABLE, SamplePlatform, sample_task, sample_tasks
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.settings import Language

_ALONE: Final = (sample_task(1, "succeeded"),)
_UNTOLD: Final = tuple(replace(task, tokens=None, cost=None, duration_s=None) for task in sample_tasks())
_LONG: Final = "Mesh study of the long wing with 4 mm cells, 特别长的任务名称用于检查截断, second series of the autumn"
_NAMED: Final = tuple(
    replace(task, name=f"{_LONG} {task.task_id}") if task.parent_id or task.retried_by else task
    for task in sample_tasks()
)


class CostsPanel(Panel):
    """The card of the desk with one of its tabs open."""

    def __init__(self, state: DeskState, tab: str) -> None:
        super().__init__(state, owned=False)
        self._build(CostsView(state, tab).widget)


def _costs(
    language: Language | None, tab: str, *, broken: RetryToolkitError | None = None, waits: bool = False, **fields: Any
) -> CostsPanel:
    """`broken` from the beginning."""
    background = Never() if waits else AtOnce()
    platform = SamplePlatform(broken=broken, **fields)
    state = make_state(platform, language=language, background=background, archive=ARCHIVE)
    # In the desk there is a table beside it.
    state.has_table = True
    state.refresh()
    return CostsPanel(state, tab)


def _unread_files(language: Language | None) -> CostsPanel:
    """The list was read; the files are not."""
    platform = SamplePlatform()
    state = make_state(platform, language=language, background=AtOnce(), archive=ARCHIVE)
    state.catalog.load()
    platform.broken, state.disk.cost = AWAY, None
    state.disk.load()
    return CostsPanel(state, "disk")


def _chosen(language: Language | None) -> CostsPanel:
    """The forest of one outcome, with a task that is open in the report."""
    panel = _costs(language, "lineages")
    panel.state.forest.choose("recovered")
    panel.state.report.open("task-0062")
    return panel


COSTS: Final = (
    Shown("lineages", partial(_costs, tab="lineages")),
    Shown("disk", partial(_costs, tab="disk")),
    Shown("tokens and money", partial(_costs, tab="spending")),
    Shown("one outcome, one task open", _chosen),
    Shown("long names", partial(_costs, tab="lineages", tasks=_NAMED)),
    Shown("loading", partial(_costs, tab="lineages", waits=True)),
    Shown("no lineages", partial(_costs, tab="lineages", tasks=_ALONE)),
    Shown("no disk", partial(_costs, tab="disk", tasks=_ALONE)),
    Shown("nothing is told of tokens and money", partial(_costs, tab="spending", tasks=_UNTOLD)),
    Shown("the platform has no lineages", partial(_costs, tab="lineages", tasks=_ALONE, capabilities=UNABLE)),
    Shown("the platform tells no files", partial(_costs, tab="disk", capabilities=replace(ABLE, files=False))),
    Shown("files could not be read", _unread_files),
    Shown("the list could not be read", partial(_costs, tab="disk", broken=AWAY)),
)
"""The states of the three tabs."""
