"""Every panel in every state, from fixed data: to look at, and for tests to look at.

`show("batch")` is what a cell of `notebooks/gallery.ipynb` calls. Nothing is asked of anybody, nothing is sent, and the
journal of the user is not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

import ipywidgets

from retry_toolkit.analysis.disk import load_disk
from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.errors import NotFound
from retry_toolkit.frames.load import load_tasks
from retry_toolkit.panels.alone.disk import DiskCostPanel
from retry_toolkit.panels.alone.lineage import LineagePanel
from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.alone.plan import RetryPanel
from retry_toolkit.panels.alone.report import StageReportPanel
from retry_toolkit.panels.alone.triage import TriagePanel
from retry_toolkit.panels.alone.views import BatchesView
from retry_toolkit.panels.desk import FailureDesk
from retry_toolkit.panels.exhibits import ARCHIVE, AWAY, UNABLE, AtOnce, Never, Shown
from retry_toolkit.panels.exhibits_costs import COSTS
from retry_toolkit.panels.samples import NOW, SamplePlatform, sample_task
from retry_toolkit.panels.state.aftermath import Fate
from retry_toolkit.panels.state.attempts import compare
from retry_toolkit.panels.state.cards import Card, Condition
from retry_toolkit.panels.widgets.assets import style
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el
from retry_toolkit.platforms.base import LogRecord
from retry_toolkit.retry import reasons
from retry_toolkit.retry.leases import Owner
from retry_toolkit.retry.plan import plan_retry
from retry_toolkit.retry.records import BatchState, Intent, Item
from retry_toolkit.retry.states import STATES, State
from retry_toolkit.settings import Language, load_settings
from retry_toolkit.text import Texts

_MIDWAY: Final[Mapping[State, int]] = {"PLANNED": 61, "SENT": 2, "ACCEPTED": 4, "SUCCEEDED": 28, "FAILED_AGAIN": 5}
_MIXED: Final[Mapping[State, int]] = {"SUCCEEDED": 3, "FAILED_AGAIN": 2, "REJECTED": 1, "NOT_SENT": 2, "CANCELLED": 1}
_LEFT: Final[Mapping[State, int]] = {"PLANNED": 8, "SUCCEEDED": 3, "UNKNOWN": 1}
_UNCLEAR: Final[Mapping[State, int]] = {"UNKNOWN": 2, "SUCCEEDED": 3}
_FATES: Final[Mapping[Fate, range]] = {
    "recovered": range(38, 56),
    "same": range(3, 6),
    "another": range(6, 7),
    "unclear": range(7, 9),
    "running": range(1, 3),
}


class CardsPanel(Panel):
    """Batches as they would stand in a `BatchPanel`, without a batch behind them."""

    def __init__(self, *cards: Card, language: Language | None, read_only: bool = False, typing: bool = False) -> None:
        platform = SamplePlatform(read_only=read_only)
        state = make_state(platform, language=language, background=AtOnce(), archive=ARCHIVE)
        super().__init__(state, owned=True)
        self.state.batches.cards = cards
        names = {task.task_id: task.name for page in platform.tasks() for task in page.tasks if task.name}
        self._build(BatchesView(self.state, names).widget)
        if typing:
            self.state.batches.ask_to_type(cards[0].batch_id, cards[0].items[0].task_id)


def show(panel: str, *, language: Language | None = None) -> Any:
    """All states of a panel, one below the other, each under its name.

    Args:
        panel: `desk`, `triage`, `report`, `retry`, `batch`, `costs`, `lineage` or `disk`.
        language: The setting `language` if None.

    Raises:
        KeyError: There is no such panel.
    """
    texts = Texts(language or load_settings().language)
    parts: list[Any] = []
    for shown in GALLERY[panel]:
        heading = Fragment()
        heading.show(el("h2", f"{panel}: {shown.title}", cls="fd-gallery-title"), language=texts.language)
        parts += [heading, shown.make(language).widget]
    sheet = ipywidgets.HTML(f"<style>{style('desk.css', 'costs.css')}</style>")
    sheet.add_class("fd-sheet")
    return ipywidgets.VBox([sheet, *parts]).add_class("fd").add_class("fd-desk").add_class("fd-gallery")


def _triage(language: Language | None, platform: SamplePlatform | None = None, *, waits: bool = False) -> TriagePanel:
    background = Never() if waits else AtOnce()
    return TriagePanel(platform or SamplePlatform(), language=language, background=background, archive=ARCHIVE)


def _no_match(language: Language | None) -> TriagePanel:
    panel = _triage(language)
    panel.state.table.filter(text="nothing is called like this")
    return panel


def _stale(language: Language | None) -> TriagePanel:
    platform = SamplePlatform()
    panel = _triage(language, platform)
    platform.broken = AWAY
    panel.state.refresh()
    return panel


def _mid_batch(language: Language | None) -> TriagePanel:
    panel = _triage(language)
    panel.selected = ("task-0003", "task-0004", "task-0007")
    panel.state.batches.cards = (_card("running", _MIDWAY),)
    return panel


def _of_frame(language: Language | None) -> TriagePanel:
    return TriagePanel(load_tasks(SamplePlatform(), progress=False), language=language, background=AtOnce())


def _report(
    language: Language | None, task_id: str | None = "task-0009", *, waits: bool = False, **fields: Any
) -> StageReportPanel:
    background = Never() if waits else AtOnce()
    platform = SamplePlatform(**fields)
    return StageReportPanel(platform, task_id, language=language, background=background, archive=ARCHIVE)


def _compared(language: Language | None, *, waits: bool = False) -> StageReportPanel:
    """Two attempts of a stage whose logs and parameters were kept."""
    panel = _report(language)
    attempts = panel.state.attempts
    if waits:
        attempts.comparison, attempts.comparing = None, True
        return panel
    before, after = attempts.attempts[-2:]
    lines = ["reading orders.csv (128,402 rows)", "reading prices.csv (9,210 rows)", "14 prices have no currency"]
    logs = {
        before.attempt: _log(*lines, "GET https://feed.example/prices", "TimeoutError: no answer within 30 s"),
        after.attempt: _log(*lines, "GET https://mirror.example/prices: 200", "merging 9,210 prices"),
    }
    attempts.comparison = compare(before, after, logs, {"prices": ("feed.example", "mirror.example")})
    return panel


def _log(*lines: str) -> tuple[LogRecord, ...]:
    return tuple(
        LogRecord(task_id="task-0009", stage="join", seq=seq, time=NOW, kind="stdout", text=text)
        for seq, text in enumerate(lines)
    )


def _retry(
    language: Language | None, numbers: Iterable[int], *, no: bool = False, read_only: bool = False, **options: Any
) -> RetryPanel:
    platform = SamplePlatform()
    plan = plan_retry(platform, [f"task-{number:04d}" for number in numbers], **options)
    connection = SamplePlatform(read_only=read_only)
    panel = RetryPanel(plan, platform=connection, language=language, background=AtOnce(), archive=ARCHIVE)
    if no:
        panel.state.retry.revoke()
    return panel


def _batch(language: Language | None, condition: Condition, counts: Mapping[State, int], **look: bool) -> Any:
    return CardsPanel(_card(condition, counts), language=language, **look)


def _away_batch(language: Language | None) -> Any:
    """Taken off the page while it runs."""
    panel = CardsPanel(_card("running", _MIDWAY), language=language)
    panel.state.batches.dismiss("sample-running")
    return panel


def _failed_batch(language: Language | None) -> Any:
    return CardsPanel(_card("interrupted", {"PLANNED": 3, "SUCCEEDED": 2}, AWAY), language=language)


def _disk_of_frame(language: Language | None) -> DiskCostPanel:
    platform = SamplePlatform()
    frame, tasks = load_disk(platform, progress=False), load_tasks(platform, progress=False)
    return DiskCostPanel(frame, tasks, language=language, background=AtOnce())


def _lineage(language: Language | None, *, bare: bool = False, only: int | None = None) -> LineagePanel:
    tasks = load_tasks(SamplePlatform(), progress=False)
    frame = build_lineage(tasks) if bare else tasks.head(only) if only else tasks
    return LineagePanel(frame, language=language, background=AtOnce())


_OWNER: Final = Owner(pid=4711, host="desk-2", actor="li.wei", since=NOW.isoformat())
_REASONS: Final[Mapping[State, tuple[str, str]]] = {
    "UNKNOWN": (reasons.say("no_answer"), "no answer within 30 s"),
    "REJECTED": (reasons.say("refused"), "retry limit reached: 3/3"),
    "NOT_SENT": (reasons.say("nothing_left"), "connection refused"),
    "SKIPPED": (reasons.say("not_sent", why=reasons.say("batch_cancelled")), ""),
    "FAILED_AGAIN": (
        reasons.say("failed_at", stage="join"),
        "HTTP 503 from https://feed.example/prices",
    ),
}


def _card(condition: Condition, counts: Mapping[State, int], error: Exception | None = None) -> Card:
    """A batch with so many items in each state."""
    items: list[Item] = []
    for state in STATES:
        reason, detail = _REASONS.get(state, ("", ""))
        for _ in range(counts.get(state, 0)):
            number = 3 + len(items)
            intent = Intent(origin="sample", task_id=f"task-{number:04d}", action="stage", attempt=1, stage="join")
            items.append(
                Item(batch_id=condition, position=len(items), intent=intent, state=state, reason=reason, detail=detail)
            )
    ended: BatchState = "cancelled" if counts.get("SKIPPED") else "done"
    states: Mapping[Condition, BatchState] = {"ended": ended, "paused": "paused"}
    return Card(
        batch_id=f"sample-{condition}",
        kind="batch",
        state=states.get(condition, "running"),
        condition=condition,
        owner=_OWNER if condition == "elsewhere" else None,
        created_at=NOW,
        created_by="ana.costa@desk-1",
        total=len(items),
        buckets={state: counts.get(state, 0) for state in STATES},
        items=tuple(items),
        error=error,
    )


def _desk(language: Language | None, platform: SamplePlatform) -> FailureDesk:
    return FailureDesk(platform, language=language, background=AtOnce(), archive=ARCHIVE)


def _busy_desk(language: Language | None) -> FailureDesk:
    desk = _desk(language, SamplePlatform())
    state = desk.state
    state.report.open("task-0009")
    state.table.select(f"task-{number:04d}" for number in range(3, 30))
    state.retry.propose_batch()
    state.batches.cards = (_card("running", _MIDWAY), _card("ended", _UNCLEAR))
    state.aftermath.fates = {fate: tuple(f"task-{n:04d}" for n in numbers) for fate, numbers in _FATES.items()}
    state.session.notices.report(AWAY)
    state.session.notices.tell("token.accepted")
    return desk


def _stale_desk(language: Language | None) -> FailureDesk:
    """Loaded once; then nobody answers."""
    platform = SamplePlatform()
    desk = _desk(language, platform)
    platform.broken = AWAY
    desk.state.refresh()
    return desk


GALLERY: Final[Mapping[str, tuple[Shown, ...]]] = {
    "desk": (
        Shown("busy", _busy_desk),
        Shown("stale", _stale_desk),
        Shown("error", lambda language: _desk(language, SamplePlatform(broken=AWAY))),
    ),
    "triage": (
        Shown("full", _triage),
        Shown("loading", partial(_triage, waits=True)),
        Shown("empty", lambda language: _triage(language, SamplePlatform(()))),
        Shown("nothing failed", lambda language: _triage(language, SamplePlatform((sample_task(1, "succeeded"),)))),
        Shown("no match", _no_match),
        Shown("error", lambda language: _triage(language, SamplePlatform(broken=AWAY))),
        Shown("stale", _stale),
        Shown("read-only", lambda language: _triage(language, SamplePlatform(read_only=True))),
        Shown("mid-batch", _mid_batch),
        Shown("a frame, no platform", _of_frame),
        Shown("the platform lacks this", lambda language: _triage(language, SamplePlatform(capabilities=UNABLE))),
    ),
    "report": (
        Shown("full", _report),
        Shown("two attempts compared", _compared),
        Shown("comparing", partial(_compared, waits=True)),
        Shown("no task open", partial(_report, task_id=None)),
        Shown("loading", partial(_report, waits=True)),
        Shown("error", partial(_report, broken=NotFound("gone", status=404, detail="Task not found"))),
        Shown("running", partial(_report, task_id="task-0001")),
        Shown("read-only", partial(_report, read_only=True)),
        Shown("the platform lacks this", partial(_report, capabilities=UNABLE)),
    ),
    "retry": (
        Shown("one stage", partial(_retry, numbers=[9])),
        Shown("many", partial(_retry, numbers=range(3, 40))),
        Shown("a whole task", partial(_retry, numbers=[9], action="task")),
        Shown("whole tasks", partial(_retry, numbers=range(9, 14), action="task")),
        Shown("nothing can be retried", partial(_retry, numbers=[38, 39])),
        Shown("read-only", partial(_retry, numbers=[9, 10], read_only=True)),
        Shown("answered with no", partial(_retry, numbers=[9], no=True)),
    ),
    "batch": (
        Shown("running", partial(_batch, condition="running", counts=_MIDWAY)),
        Shown("running out of sight", _away_batch),
        Shown("paused", partial(_batch, condition="paused", counts={"PLANNED": 8, "ACCEPTED": 1, "SUCCEEDED": 3})),
        Shown("interrupted", partial(_batch, condition="interrupted", counts=_LEFT)),
        Shown("running elsewhere", partial(_batch, condition="elsewhere", counts={"PLANNED": 8, "SUCCEEDED": 3})),
        Shown("unclear", partial(_batch, condition="ended", counts=_UNCLEAR)),
        Shown("sending an unclear one again", partial(_batch, condition="ended", counts={"UNKNOWN": 1}, typing=True)),
        Shown("ended", partial(_batch, condition="ended", counts=_MIXED)),
        Shown("cancelled", partial(_batch, condition="ended", counts={"SUCCEEDED": 3, "SKIPPED": 6})),
        Shown("error", _failed_batch),
        Shown("read-only", partial(_batch, condition="paused", counts={"PLANNED": 2, "UNKNOWN": 1}, read_only=True)),
    ),
    "costs": COSTS,
    "lineage": (
        Shown("full", _lineage),
        Shown("a lineage alone", partial(_lineage, bare=True)),
        Shown("empty", partial(_lineage, only=20)),
    ),
    "disk": (Shown("full", _disk_of_frame),),
}
"""The states of every panel, in the order in which they are shown."""
