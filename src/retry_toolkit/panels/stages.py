"""The stages of a task as steps to choose from, and the figures of the chosen one."""

from __future__ import annotations

from typing import Final

from retry_toolkit.panels.view import retries_text, stage_label
from retry_toolkit.panels.widgets.markup import Child, Node, el, moment, status
from retry_toolkit.platforms.base import FINISHED, StageRecord, TaskRecord
from retry_toolkit.text import MISSING, Texts

_LONG_PIPELINE: Final = 8


def fact_node(name: str, value: Child) -> Node:
    """A name and what it is, for a list of facts."""
    return el("div", el("dt", name), el("dd", value))


def strip_node(texts: Texts, task: TaskRecord, chosen: str | None) -> Node:
    """How far the task came, in a sentence, and its stages as connected steps; arrows move among them."""
    stop = task.failed_stage
    steps = [
        el(
            "li",
            el(
                "button",
                status(stage.stage, stage.status, cls="fd-step-name"),
                el("span", _step_word(texts, task, stage), cls="fd-step-note"),
                el("span", _step_note(texts, stage), cls="fd-step-note"),
                type="button",
                data_action="choose",
                data_value=stage.stage_id,
                tabindex="0" if stage.stage_id == chosen else "-1",
                aria_pressed="true" if stage.stage_id == chosen else "false",
                aria_label=stage_label(texts, stage),
                title=stage.stage,
            ),
            cls=f"fd-step fd-step-{stage.status}",
            aria_current="step" if stage is stop else None,
            data_key=stage.stage_id,
        )
        for stage in task.stages
    ]
    long = len(task.stages) > _LONG_PIPELINE
    return el(
        "div",
        el("p", _how_far(texts, task), cls="fd-how-far"),
        el(
            "ol",
            *steps,
            cls="fd-strip fd-strip-long" if long else "fd-strip",
            aria_label=texts("report.stages"),
            data_arrows="true",
            data_brings=chosen if long else None,
        ),
    )


def _how_far(texts: Texts, task: TaskRecord) -> str:
    total = len(task.stages)
    running = next((stage for stage in task.stages if stage.status == "running"), None)
    for key, stage in (("stopped_at", task.failed_stage), ("running_at", running)):
        if stage is not None:
            place = 1 + next(at for at, each in enumerate(task.stages) if each is stage)
            return texts(f"report.{key}", stage=stage.stage, place=place, total=total)
    done = sum(stage.status in {"succeeded", "skipped"} for stage in task.stages)
    return texts("report.all_done", n=total) if done == total else texts("report.some_done", done=done, total=total)


def _step_word(texts: Texts, task: TaskRecord, stage: StageRecord) -> str:
    if stage.status == "pending" and task.status in FINISHED:
        return texts("report.not_reached")
    return texts.word("status", stage.status)


def _step_note(texts: Texts, stage: StageRecord) -> str:
    duration = texts.duration(stage.duration_s)
    return f"{duration} · {texts('report.attempt', n=stage.retry_count + 1)}" if stage.retry_count else duration


def facts_node(texts: Texts, stage: StageRecord) -> Node:
    """What is known of how a stage ran."""
    facts: list[tuple[str, Child]] = [
        ("retries", retries_text(texts, stage.retry_count, stage.retry_limit)),
        ("category", texts.word("category", stage.failure_category) if stage.failure_category else None),
        ("started_at", moment(stage.started_at, MISSING)),
        ("duration_s", texts.duration(stage.duration_s)),
        ("role", stage.role),
    ]
    shown = [fact_node(texts(f"fact.{name}"), value) for name, value in facts if value is not None]
    return el("dl", *shown, cls="fd-facts", data_key=f"facts-{stage.stage_id}")


def fold(title: str, *body: Child, key: str, tools: list[Child] | None = None, open_: bool = True) -> Node:
    """A part that can be folded away, with its tools in its title line; how its reader left it is remembered."""
    return el(
        "section",
        el("div", *(tools or []), cls="fd-fold-tools"),
        el("details", el("summary", el("h3", title)), *body, open=open_, data_key=f"{key}-{open_}", data_fold=key),
        cls="fd-fold",
        data_key=f"fold-{key}",
    )
