"""The stage report: head, stages as a strip, and what is known of the chosen stage."""

from __future__ import annotations

from typing import Any

import ipywidgets

from retry_toolkit.panels.attempts import AttemptsView
from retry_toolkit.panels.lineage import LineageView
from retry_toolkit.panels.neighbours import NeighboursView
from retry_toolkit.panels.output import output_node, usage_node
from retry_toolkit.panels.reader import ErrorReaderView, LogReaderView
from retry_toolkit.panels.retry import TaskActionsView
from retry_toolkit.panels.stages import fact_node, facts_node, strip_node
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.view import problem_nodes, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, copy_button, el, moment, status
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.text import MISSING, Texts


class ReportView:
    """Hidden until a task is open. Of the list it needs nothing: without one, only its neighbours are missing."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._report = desk.report
        self._desk = desk
        self._build()
        self._bind()

    def _build(self) -> None:
        desk = self._desk
        self._head, self._strip, self._output = Fragment(), Fragment(), Fragment()
        parts = (
            self._strip,
            TaskActionsView(desk).widget,
            ErrorReaderView(self._session, self._report).widget,
            LogReaderView(self._session, self._report).widget,
            self._output,
            AttemptsView(desk).widget,
            NeighboursView(desk).widget,
        )
        self._body: Any = ipywidgets.VBox(parts)
        self._body.add_class("fd-report-body")
        self._tabs: Any = ipywidgets.Tab(children=[self._body, LineageView(desk).widget], selected_index=0)
        self.widget: Any = ipywidgets.VBox([self._head, self._tabs])
        self.widget.add_class("fd-card").add_class("fd-report")

    def _bind(self) -> None:
        for fragment in (self._head, self._strip):
            fragment.on_action(self._session.guard(self._act))
        report, language = self._report, speaks(self._session)
        redraw(self._draw_head, language, (report, ["task_id", "task", "loading", "problem"]))
        redraw(self._draw_strip, language, (report, ["task", "stage_id"]))
        redraw(self._draw_output, language, (report, ["task", "stage_id"]))

    def _act(self, action: str, value: str | None) -> None:
        if action == "choose" and value is not None:
            self._report.choose(value)
        elif action == "open" and value is not None:
            self._report.open(value)
        elif action == "close":
            self._report.close()
        elif action == "reload":
            self._report.reload()

    def _draw_head(self) -> None:
        texts, report = self._session.texts, self._report
        shown = report.task_id is not None
        self.widget.layout.display = None if shown else "none"
        self._tabs.layout.display = None if report.task is not None or report.between else "none"
        (self._tabs.add_class if report.between else self._tabs.remove_class)("fd-stale")
        self._tabs.titles = (texts("report.title"), texts("lineage.title"))
        self._head.show(*([_head_node(texts, report, self._name())] if shown else []), language=texts.language)

    def _name(self) -> str:
        """What the open task is called, also before it was read."""
        task_id, catalog = self._report.task_id or "", self._desk.catalog.catalog
        if self._report.task is not None:
            return self._report.task.name or task_id
        known = catalog.rows([task_id])["name"].dropna().tolist() if catalog else []
        return known[0] if known else task_id

    def _draw_strip(self) -> None:
        if self._report.between:
            return
        texts, task, stage = self._session.texts, self._report.task, self._report.stage
        nodes = [strip_node(texts, task, self._report.stage_id)] if task and task.stages else []
        if stage is not None:
            nodes.append(facts_node(texts, stage))
        self._strip.show(el("div", *nodes, cls="fd-details"), language=texts.language)

    def _draw_output(self) -> None:
        if self._report.between:
            return
        texts, task, stage = self._session.texts, self._report.task, self._report.stage
        nodes = [output_node(texts, stage), usage_node(texts, task, stage)] if task and stage else []
        self._output.show(el("div", *nodes, cls="fd-details"), language=texts.language)


def _head_node(texts: Texts, report: ReportState, name: str) -> Node:
    task, task_id = report.task, report.task_id or ""
    close = button("×", action="close", cls="fd-close", aria_label=texts("report.close"), title=texts("report.close"))
    title = el("h2", name)
    if task is None:
        message: Child = el("p", texts("report.loading"), cls="fd-muted", role="status")
        if report.problem is not None:
            retry = button(texts("action.try_again"), action="reload", cls="fd-button")
            message = el(
                "div", problem_nodes(texts, report.problem), retry, role="alert", cls="fd-notice-card fd-error"
            )
        return el(
            "div", el("div", title, close, cls="fd-card-head"), message, cls="fd-report-head", data_reveal=task_id
        )
    return el(
        "div",
        el("div", title, close, cls="fd-card-head"),
        el(
            "p",
            status(texts.word("status", task.status), task.status),
            el("code", task.task_id),
            copy_button(
                texts("action.copy"), texts("action.copied"), text=task.task_id, aria_label=texts("table.copy_id")
            ),
            cls="fd-row",
        ),
        _origin_node(texts, task),
        el("dl", *_task_facts(texts, task), cls="fd-facts"),
        cls="fd-report-head",
        data_reveal=task_id,
        aria_busy="true" if report.loading else "false",
    )


def _origin_node(texts: Texts, task: TaskRecord) -> Child:
    parts: list[Child] = []
    if task.parent_id:
        parts.append(
            el(
                "span",
                texts("lineage.retry_of", parent=""),
                button(task.parent_id, action="open", value=task.parent_id),
                f" · {texts('lineage.retry_number', n=task.retry_count)}" if task.retry_count else None,
            )
        )
    if task.retried_by:
        parts.append(el("span", texts("lineage.retried", n=len(task.retried_by))))
    return el("p", *parts, cls="fd-row fd-origin fd-shape fd-is-retry") if parts else None


def _task_facts(texts: Texts, task: TaskRecord) -> list[Child]:
    facts: list[tuple[str, Child]] = [
        ("created_at", moment(task.created_at, MISSING)),
        ("duration_s", texts.duration(task.duration_s)),
        ("template", task.template),
        ("project", task.project),
        ("owner", task.owner),
        ("tokens", texts.count(task.tokens) if task.tokens else None),
        ("cost", f"{task.cost:,.2f}" if task.cost else None),
    ]
    return [fact_node(texts(f"fact.{name}"), value) for name, value in facts if value is not None]
