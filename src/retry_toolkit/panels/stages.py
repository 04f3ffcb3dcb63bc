"""What is shown of stages: the strip, and of the chosen one its facts, output, attempts and log."""

from __future__ import annotations

import json
from typing import Final

from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.view import one_line, problem_nodes, retries_text, stage_label
from retry_toolkit.panels.widgets.markup import Child, Node, button, copy_button, el, moment, status
from retry_toolkit.platforms.base import AttemptRecord, LogRecord, StageRecord, TaskRecord
from retry_toolkit.text import MISSING, Texts

LONGEST_TEXT: Final = 20_000
_LONGEST_LOG_LINE: Final = 2_000
_LONGEST_ATTEMPT_ERROR: Final = 160


def fact_node(name: str, value: Child) -> Node:
    """A name and what it is, for a list of facts."""
    return el("div", el("dt", name), el("dd", value))


def strip_node(texts: Texts, task: TaskRecord, chosen: str | None) -> Node:
    """The stages of a task as connected steps to choose from."""
    steps = [
        el(
            "li",
            el(
                "button",
                status(stage.stage, stage.status, cls="fd-step-name"),
                el("span", texts.word("status", stage.status), cls="fd-step-note"),
                el("span", _step_note(texts, stage), cls="fd-step-note"),
                type="button",
                data_action="choose",
                data_value=stage.stage_id,
                aria_pressed="true" if stage.stage_id == chosen else "false",
                aria_label=stage_label(texts, stage),
                title=stage.stage,
            ),
            cls=f"fd-step fd-step-{stage.status}",
            data_key=stage.stage_id,
        )
        for stage in task.stages
    ]
    return el("ol", *steps, cls="fd-strip", aria_label=texts("report.stages"))


def _step_note(texts: Texts, stage: StageRecord) -> str:
    duration = texts.duration(stage.duration_s)
    return f"{duration} · {texts('report.attempt', n=stage.retry_count + 1)}" if stage.retry_count else duration


def facts_node(texts: Texts, stage: StageRecord) -> Node:
    """The figures of a stage, those that are known."""
    facts: list[tuple[str, Child]] = [
        ("retries", retries_text(texts, stage.retry_count, stage.retry_limit)),
        ("category", texts.word("category", stage.failure_category) if stage.failure_category else None),
        ("started_at", moment(stage.started_at, MISSING)),
        ("duration_s", texts.duration(stage.duration_s)),
        ("role", stage.role),
        ("tokens", texts.count(stage.tokens) if stage.tokens else None),
        ("turns", texts.count(stage.turns) if stage.turns else None),
        ("self_fixes", texts.count(stage.self_fixes) if stage.self_fixes else None),
        ("score", f"{stage.score:.2f}" if stage.score is not None else None),
    ]
    shown = [fact_node(texts(f"fact.{name}"), value) for name, value in facts if value is not None]
    return el("dl", *shown, cls="fd-facts", data_key=f"facts-{stage.stage_id}")


def output_node(texts: Texts, stage: StageRecord) -> Child:
    """What a stage says it made: its summary, then its structured output."""
    parts: list[Child] = []
    if stage.output_summary:
        parts.append(el("pre", stage.output_summary[:LONGEST_TEXT], cls="fd-text fd-prose"))
    if stage.output:
        text = json.dumps(stage.output, ensure_ascii=False, indent=2, default=str)
        parts.append(el("pre", text[:LONGEST_TEXT], cls="fd-text", tabindex="0"))
    return fold(texts("report.output"), *parts, key=f"output-{stage.stage_id}") if parts else None


def attempts_node(texts: Texts, attempts: list[AttemptRecord]) -> Child:
    """Every attempt of a stage, the newest first."""
    if not attempts:
        return None
    names = ("attempt", "status", "started_at", "duration_s", "error")
    head = el("tr", *(el("th", texts(f"attempts.{name}"), scope="col", cls=f"fd-at-{name}") for name in names))
    rows = [
        el(
            "tr",
            el("td", str(row.attempt), cls="fd-at-attempt"),
            el("td", status(texts.word("status", row.status), row.status)),
            el("td", moment(row.started_at, MISSING)),
            el("td", texts.duration(row.duration_s), cls="fd-at-duration_s"),
            el("td", _attempt_error(row)),
            data_key=f"{row.stage_id}-{row.attempt}",
        )
        for row in sorted(attempts, key=lambda row: -row.attempt)
    ]
    table = el("table", el("thead", head), el("tbody", *rows), cls="fd-attempts")
    return fold(texts("report.attempts", n=len(attempts)), table, key="attempts")


def _attempt_error(row: AttemptRecord) -> Child:
    """One line that unfolds to the whole error."""
    if not row.error:
        return MISSING
    line = one_line(row.error, _LONGEST_ATTEMPT_ERROR)
    if line == row.error.strip():
        return el("span", line)
    return el("details", el("summary", line), el("pre", row.error[:LONGEST_TEXT], cls="fd-text"))


def log_node(texts: Texts, report: ReportState) -> Node:
    """The end of the log of the chosen stage."""
    stage, log = report.stage, report.log
    stage_id = stage.stage_id if stage else ""
    body: Child
    if report.log_problem is not None:
        body = el("div", problem_nodes(texts, report.log_problem), cls="fd-muted")
    elif log.lines:
        body = el(
            "pre",
            *(_log_line(texts, line) for line in log.lines),
            cls="fd-log",
            tabindex="0",
            data_stick="end",
            data_key=f"log-{stage_id}",
            aria_label=texts("report.log"),
        )
    else:
        body = el(
            "p", texts("report.log_loading" if report.log_loading else "report.log_empty"), cls="fd-muted fd-log-empty"
        )
    return fold(
        texts("report.log"),
        el("p", texts("report.log_earlier", n=log.earlier, count=texts.count(log.earlier)), cls="fd-muted")
        if log.earlier
        else None,
        body,
        tools=[
            button(texts("report.log_refresh"), action="reload_log"),
            copy_button(texts("action.copy"), texts("action.copied"), key=f"log-{stage_id}") if log.lines else None,
        ],
        key=f"log-of-{stage_id}",
    )


def _log_line(texts: Texts, line: LogRecord) -> Node:
    kind = line.kind if line.kind in {"stdout", "stderr"} else "event"
    cut = f" {texts('report.log_cut')}" if line.truncated or len(line.text) > _LONGEST_LOG_LINE else ""
    # The mark is drawn from an attribute, so that copied lines are the lines alone.
    return el(
        "span",
        f"{line.text[:_LONGEST_LOG_LINE]}{cut}\n",
        cls=f"fd-log-line fd-log-{kind}",
        data_kind=texts(f"log.{kind}"),
    )


def fold(title: str, *body: Child, key: str, tools: list[Child] | None = None) -> Node:
    """A part that can be folded away, with its tools in its title line."""
    return el(
        "section",
        el("div", *(tools or []), cls="fd-fold-tools"),
        el("details", el("summary", el("h3", title)), *body, open=True, data_key=key),
        cls="fd-fold",
        data_key=f"fold-{key}",
    )
