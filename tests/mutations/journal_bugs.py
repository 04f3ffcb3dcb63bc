"""Bugs of the journal: what makes one intent be sent at most once, and nothing be lost."""

from __future__ import annotations

from tests.mutations.bug import Bug

JOURNAL = "tests/retry/test_journal.py"
RACES = "tests/retry/test_journal_races.py"
EXECUTE = "tests/retry/test_execute.py"
KILLS = "tests/faults/test_kill_client.py"

JOURNAL_BUGS = (
    Bug(
        name="drop the unique key",
        path="retry/schema.py",
        old='    "CREATE UNIQUE INDEX one_current_item ON items (op_id) WHERE current = 1",',
        new='    "CREATE INDEX one_current_item ON items (op_id) WHERE current = 1",',
        tests=(JOURNAL, RACES),
    ),
    Bug(
        name="leave the attempt out of the intent's name",
        path="retry/records.py",
        old="digest([self.origin, self.task_id, self.action, self.stage_id, self.attempt])",
        new="digest([self.origin, self.task_id, self.action, self.stage_id])",
        tests=(JOURNAL, "tests/retry/test_rows.py"),
    ),
    Bug(
        name="leave the platform out of the intent's name",
        path="retry/records.py",
        old="digest([self.origin, self.task_id, self.action, self.stage_id, self.attempt])",
        new="digest([self.task_id, self.action, self.stage_id, self.attempt])",
        tests=(JOURNAL, "tests/retry/test_rows.py"),
    ),
    Bug(
        name="claim what is SENT already",
        path="retry/states.py",
        old='SENDABLE: frozenset[State] = frozenset({"PLANNED", "NOT_SENT"})',
        new='SENDABLE: frozenset[State] = frozenset({"PLANNED", "NOT_SENT", "SENT"})',
        tests=(JOURNAL, RACES),
    ),
    Bug(
        name="claim for a batch that was cancelled",
        path="retry/transitions.py",
        old='    if batch.state != "running" or stored is None',
        new='    if batch.state == "done" or stored is None',
        tests=(JOURNAL, "tests/retry/test_batch.py"),
    ),
    Bug(
        name="plan what another batch has sent",
        path="retry/states.py",
        old='LIVE: frozenset[State] = frozenset({"PLANNED", "SENT", "ACCEPTED", "UNKNOWN", "SUCCEEDED"',
        new='LIVE: frozenset[State] = frozenset({"PLANNED", "SENT", "ACCEPTED", "SUCCEEDED"',
        tests=(JOURNAL, "tests/retry/test_states.py"),
    ),
    Bug(
        name="send again what a dead process had sent",
        path="retry/transitions.py",
        old='_set_state(change, stored, "recovered", "UNKNOWN"',
        new='_set_state(change, stored, "recovered", "PLANNED"',
        tests=(KILLS,),
    ),
    Bug(
        name="forget what a dead process had sent",
        path="retry/transitions.py",
        old='_set_state(change, stored, "recovered", "UNKNOWN"',
        new='_set_state(change, stored, "recovered", "REJECTED"',
        tests=(KILLS,),
    ),
    Bug(
        name="let an unclear item become sendable by itself",
        path="retry/states.py",
        old='    "UNKNOWN": frozenset({"ACCEPTED", "REJECTED"}),',
        new='    "UNKNOWN": frozenset({"ACCEPTED", "REJECTED", "NOT_SENT"}),',
        tests=("tests/retry/test_states.py",),
    ),
    Bug(
        name="set states without looking at the old one",
        path="retry/states.py",
        old="    return new in _FOLLOWS.get(old, frozenset())",
        new="    return True",
        tests=(JOURNAL, "tests/retry/test_states.py"),
    ),
    Bug(
        name="send again without the typed id",
        path="retry/transitions.py",
        old="    if typed_task_id != stored.item.task_id:",
        new="    if not typed_task_id:",
        tests=(JOURNAL, "tests/retry/test_batch.py"),
    ),
    Bug(
        name="keep the old key when sending again",
        path="retry/records.py",
        old="digest([self.op_id, number])[:32]",
        new="digest([self.op_id])[:32]",
        tests=(JOURNAL, "tests/retry/test_batch.py"),
    ),
    Bug(
        name="make a new key for every process",
        path="retry/records.py",
        old="digest([self.op_id, number])[:32]",
        new="digest([self.op_id, number, id(self)])[:32]",
        tests=(JOURNAL, KILLS),
    ),
    Bug(
        name="run one batch in two processes",
        path="retry/leases.py",
        old="                if not _lock(descriptor):",
        new="                if not _lock(descriptor) and not batch_id:",
        tests=("tests/retry/test_journal_leases.py",),
    ),
    Bug(
        name="write without the only right to write",
        path="sqlite.py",
        old='        with self._transaction("BEGIN IMMEDIATE") as connection:',
        new='        with self._transaction("BEGIN") as connection:',
        tests=(RACES, "tests/retry/test_sqlite.py"),
    ),
    Bug(
        name="do not sync what was committed",
        path="sqlite.py",
        old="""    connection.execute(f"PRAGMA synchronous={'FULL' if mode == 'wal' else 'EXTRA'}")""",
        new="""    connection.execute("PRAGMA synchronous=OFF")""",
        tests=(RACES, "tests/retry/test_sqlite.py"),
    ),
    Bug(
        name="do not anchor what was committed",
        path="retry/journal_file.py",
        old="""        if change.trail.head != before:
            self._anchor.advance(change.trail.head)""",
        new="",
        tests=("tests/faults/test_torn.py", "tests/retry/test_journal_damage.py"),
    ),
    Bug(
        name="open a journal that lost its end",
        path="retry/checks.py",
        old="""    if behind:
        raise damaged(path, behind)
    for question""",
        new="""    for question""",
        tests=("tests/faults/test_torn.py", "tests/retry/test_journal_damage.py"),
    ),
    Bug(
        name="leave what was said out of the audit trail",
        path="retry/changes.py",
        old="            facts=said | dict(facts or {}),",
        new="            facts=facts,",
        tests=("tests/retry/test_audit.py",),
    ),
    Bug(
        name="let the audit trail be changed",
        path="retry/schema.py",
        old="audit_keeps_words BEFORE UPDATE ON audit",
        new="audit_keeps_words BEFORE UPDATE ON audit WHEN 0",
        tests=("tests/retry/test_audit.py", JOURNAL),
    ),
)
