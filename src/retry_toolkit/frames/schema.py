"""Columns, dtypes and units of the canonical frames: the single source.

Ids are text for ever, times are UTC, missing is `<NA>`/`NaT`. A frame has exactly these columns, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "category", "time", "seconds", "bytes", "count", "number", "flag", "texts", "counts"]

DTYPES: dict[Kind, str] = {
    "id": "str",
    "text": "str",
    "category": "category",
    "time": "datetime64[us, UTC]",
    "seconds": "Float64",
    "bytes": "Int64",
    "count": "Int64",
    "number": "Float64",
    "flag": "boolean",
    "texts": "list<item: large_string>[pyarrow]",
    "counts": "list<item: int64>[pyarrow]",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its kind (which fixes dtype and unit) and what it means."""

    name: str
    kind: Kind
    meaning: str

    @property
    def dtype(self) -> str:
        """The pandas dtype."""
        return DTYPES[self.kind]


Columns = tuple[Column, ...]

TASKS: Columns = (
    Column("task_id", "id", "id on the platform"),
    Column("name", "text", "what its user called it"),
    Column("status", "category", "one of pending, running, succeeded, failed, cancelled, skipped, unknown"),
    Column("native_status", "category", "the platform's own word"),
    Column("created_at", "time", "submitted"),
    Column("finished_at", "time", "ended, whatever the outcome"),
    Column("duration_s", "seconds", "running time"),
    Column("template", "category", "pipeline or solver that it runs"),
    Column("project", "category", "project"),
    Column("owner", "category", "who submitted it"),
    Column("failed_stage", "category", "earliest failed stage"),
    Column("failure_category", "category", "transient, tool_error, resource, semantic, gate_rejected, unknown, ..."),
    Column("error", "text", "error message of the failed stage, else of the task"),
    Column("fingerprint", "category", "error with its variable parts removed"),
    Column("retry_count", "count", "retries of the failed stage, else the most of any stage or of its chain"),
    Column("retry_limit", "count", "retries allowed"),
    Column("retryable", "flag", "whether the platform would take a retry"),
    Column("refusal", "category", "why not: not_failed, limit_reached, no_failed_stage, files_missing, ..."),
    Column("parent_id", "id", "task that this one retries as a whole"),
    Column("stage_count", "count", "stages"),
    Column("tokens", "count", "tokens used"),
    Column("cost", "number", "in the platform's currency"),
)

STAGES: Columns = (
    Column("task_id", "id", "task"),
    Column("stage_id", "id", "stage, unique across tasks"),
    Column("stage", "category", "name of the stage"),
    Column("position", "count", "0 for the first in template order"),
    Column("role", "category", "agent or worker role"),
    Column("status", "category", "as in tasks"),
    Column("native_status", "category", "the platform's own word"),
    Column("started_at", "time", "started"),
    Column("finished_at", "time", "ended"),
    Column("duration_s", "seconds", "running time"),
    Column("retry_count", "count", "retries so far"),
    Column("retry_limit", "count", "retries allowed"),
    Column("failure_category", "category", "as in tasks"),
    Column("error", "text", "error message, may be long"),
    Column("fingerprint", "category", "error with its variable parts removed"),
    Column("output_summary", "text", "what the stage says it made"),
    Column("tokens", "count", "tokens used"),
    Column("turns", "count", "turns used"),
    Column("self_fixes", "count", "times the stage mended itself"),
    Column("score", "number", "self assessment, 0 to 1"),
)

ATTEMPTS: Columns = (
    Column("task_id", "id", "task"),
    Column("stage_id", "id", "stage"),
    Column("stage", "category", "name of the stage"),
    Column("attempt", "count", "1 for the first"),
    Column("status", "category", "as in tasks"),
    Column("started_at", "time", "started"),
    Column("finished_at", "time", "ended"),
    Column("duration_s", "seconds", "running time"),
    Column("error", "text", "error message"),
    Column("fingerprint", "category", "error with its variable parts removed"),
    Column("tokens", "count", "tokens used"),
    Column("requested_by", "category", "who asked for this attempt"),
    Column("source", "category", "platform or evidence"),
)

LOGS: Columns = (
    Column("task_id", "id", "task"),
    Column("stage", "category", "name of the stage"),
    Column("seq", "count", "order within the task"),
    Column("time", "time", "when the line was written"),
    Column("kind", "category", "stdout, stderr or an event"),
    Column("text", "text", "the line"),
    Column("truncated", "flag", "whether the platform cut the line"),
)

LINEAGE: Columns = (
    Column("task_id", "id", "task"),
    Column("parent_id", "id", "task that it retries"),
    Column("root_id", "id", "first task of its lineage"),
    Column("depth", "count", "whole retries between root and task"),
    Column("children", "count", "direct retries"),
    Column("tree_size", "count", "tasks in the lineage"),
    Column("is_leaf", "flag", "whether nothing retries it"),
    Column("outcome", "category", "of the lineage: recovered, failed, open, cancelled"),
    Column("orphan", "flag", "whether its parent is not known"),
    Column("cycle", "flag", "whether its links run in a circle"),
    Column("conflict", "flag", "whether parent and child tell of the link differently"),
)

GROUPS: Columns = (
    Column("fingerprint", "category", "error with its variable parts removed; missing for failures without a message"),
    Column("count", "count", "failed tasks"),
    Column("share", "number", "of all failed tasks, 0 to 1"),
    Column("retryable", "count", "of these, tasks that the platform would take a retry of"),
    Column("trend", "category", "new, rising, steady or falling; missing where there are too few"),
    Column("counts", "counts", "failed tasks in eight equal parts of the time from the first failure to the last"),
    Column("first_seen", "time", "creation of its oldest task"),
    Column("last_seen", "time", "creation of its newest task"),
    Column("stages", "texts", "stages that failed with it, the most frequent first"),
    Column("categories", "texts", "categories that it has, the most frequent first"),
    Column("tasks", "texts", "ids of its tasks, newest first"),
    Column("example_id", "id", "its newest task"),
    Column("example", "text", "error of that task"),
)

RECOVERY: Columns = (
    Column("fingerprint", "category", "error that was retried, with its variable parts removed"),
    Column("action", "category", "what was retried: stage (in place) or task (as a whole)"),
    Column("stage", "category", "stage that failed; missing where stages are taken together"),
    Column("cases", "count", "retries that ended, succeeded or failed"),
    Column("recovered", "count", "of these, retries that succeeded"),
    Column("rate", "number", "share that succeeded, from 5 cases on"),
    Column("rate_low", "number", "lower end of the 95 % Wilson interval of the rate"),
    Column("rate_high", "number", "its upper end"),
    Column("median_s", "seconds", "median duration of a retry"),
    Column("retries_to_success", "number", "median retries from the first such error to success, from 5 successes on"),
    Column("s_to_success", "seconds", "median running time of these retries together"),
    Column("tokens_to_success", "number", "median tokens of these retries together"),
    Column("cost_to_success", "number", "median cost of these retries together"),
    Column("advice", "category", "retry, fix first, or no data"),
)

LEDGER: Columns = (
    Column("root_id", "id", "first task of the lineage"),
    Column("name", "text", "what its user called it"),
    Column("outcome", "category", "as in lineage"),
    Column("template", "category", "pipeline or solver of the first task"),
    Column("project", "category", "project of the first task"),
    Column("owner", "category", "who submitted the first task"),
    Column("created_at", "time", "submission of the first task"),
    Column("tasks", "count", "tasks in the lineage"),
    Column("seconds", "seconds", "running time of all of them"),
    Column("tokens", "count", "tokens of all of them"),
    Column("cost", "number", "cost of all of them, in the platform's currency"),
    Column("extra_bytes", "bytes", "disk that its retries add"),
    Column("unknown_seconds", "count", "tasks of unknown running time, not in the sum"),
    Column("unknown_tokens", "count", "tasks of unknown tokens, not in the sum"),
    Column("unknown_cost", "count", "tasks of unknown cost, not in the sum"),
    Column("unknown_bytes", "count", "tasks of unknown disk, not in the sum"),
    Column("retries_to_recovery", "count", "tasks after the first until one succeeded; missing where none did"),
    Column("s_to_recovery", "seconds", "running time until then"),
    Column("tokens_to_recovery", "count", "tokens until then"),
    Column("cost_to_recovery", "number", "cost until then"),
)

DISK: Columns = (
    Column("task_id", "id", "task"),
    Column("root_id", "id", "first task of its lineage"),
    Column("method", "category", "original, copied, linked or unknown"),
    Column("input_bytes", "bytes", "size of its input files"),
    Column(
        "allocated_bytes", "bytes", "blocks that they occupy here, hard links once; missing where they are not read"
    ),
    Column("extra_bytes", "bytes", "disk that this task adds to its lineage"),
    Column("basis", "category", "what extra_bytes comes from: blocks, sizes, formula or unknown"),
    Column("missing_files", "count", "input files that are gone"),
    Column("retention_until", "time", "until when its files are kept"),
)

PLAN: Columns = (
    Column("task_id", "id", "task"),
    Column("name", "text", "what its user called it"),
    Column("verdict", "category", "ready or refused"),
    Column("reason", "text", "why it is refused, in words"),
    Column("action", "category", "stage (reset in place) or task (a new task)"),
    Column("stage", "category", "name of the stage that is reset"),
    Column("stages_kept", "text", "names of the stages whose results stay, in their order"),
    Column("stages_after", "text", "names of the stages that run behind it"),
    Column("attempt", "count", "retries so far: of the stage, or direct ones of the task"),
    Column("retry_limit", "count", "retries of the stage that are allowed"),
    Column("fingerprint", "category", "error with its variable parts removed"),
    Column("input_bytes", "bytes", "input files that are copied"),
    Column("free_bytes", "bytes", "free space where they go"),
    Column("median_s", "seconds", "median duration of earlier retries of this fingerprint, from 5 on"),
    Column("recovery_rate", "number", "share of earlier retries of this fingerprint that succeeded, from 5 on"),
    Column("cases", "count", "earlier retries of this fingerprint that are known"),
)

RESULTS: Columns = (
    Column("task_id", "id", "task"),
    Column("state", "category", "what became of it: PLANNED, SENT, ACCEPTED, SUCCEEDED, FAILED_AGAIN, ..."),
    Column("reason", "text", "what is known and what is not, in words"),
    Column("detail", "text", "the platform's own words, or the error that it failed with again"),
    Column("action", "category", "stage (reset in place) or task (a new task)"),
    Column("stage", "category", "name of the stage that was reset"),
    Column("attempt", "count", "retries before: of the stage, or direct ones of the task"),
    Column("attempt_after", "count", "retries after it was accepted"),
    Column("new_task_id", "id", "task that a whole retry made"),
    Column("fingerprint", "category", "error before the retry, with its variable parts removed"),
    Column("sent_at", "time", "when it was claimed for sending"),
    Column("answered_at", "time", "when the answer, or its absence, was known"),
    Column("settled_at", "time", "when nothing more was to come"),
    Column("round", "count", "times that it was wanted anew, 1 for the first"),
    Column("evidence_id", "id", "what is kept of the attempt that the retry erased"),
    Column("op_id", "id", "name of the intent: of what, on what, at which attempt"),
)

BATCHES: Columns = (
    Column("batch_id", "id", "batch"),
    Column("created_at", "time", "begun"),
    Column("created_by", "category", "who began it"),
    Column("state", "category", "running, paused, cancelled or done"),
    Column("unfinished", "flag", "whether something is still to be sent, read back or watched"),
    Column("owner", "text", "process that runs it right now"),
    Column("action", "category", "stage or task"),
    Column("origin", "category", "platform"),
    Column("total", "count", "items"),
    Column("planned", "count", "not sent so far"),
    Column("sent", "count", "sent, no answer so far"),
    Column("accepted", "count", "accepted, not ended so far"),
    Column("succeeded", "count", "succeeded"),
    Column("failed_again", "count", "failed again"),
    Column("cancelled", "count", "accepted, then cancelled on the platform"),
    Column("rejected", "count", "refused by the platform, or never acted on"),
    Column("not_sent", "count", "provably not sent"),
    Column("unknown", "count", "sent, and no clear answer"),
    Column("skipped", "count", "never sent, for a reason that the item tells"),
    Column("plan_hash", "id", "plan that it executes"),
)

FRAMES: dict[str, Columns] = {
    "tasks": TASKS,
    "stages": STAGES,
    "attempts": ATTEMPTS,
    "logs": LOGS,
    "lineage": LINEAGE,
    "groups": GROUPS,
    "recovery": RECOVERY,
    "ledger": LEDGER,
    "disk": DISK,
    "plan": PLAN,
    "results": RESULTS,
    "batches": BATCHES,
}
