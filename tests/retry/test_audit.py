"""The audit trail: it says who did what, and shows where somebody changed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.frames.schema import DTYPES
from retry_toolkit.retry.audit import AUDIT, audit_frame, current_actor, verify
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.records import digest
from retry_toolkit.retry.trail import COLUMNS, audit_rows
from retry_toolkit.sqlite import connect_sqlite
from tests.faults.sizes import fast_home
from tests.retry.journals import ME, ORIGIN, claimed, intent, op, planned

BAD = 5  # the row that is changed: the second claim


@pytest.fixture
def home() -> Iterator[Path]:
    """A home directory whose journal has nine audit rows: made, created, three sent, three settled, done."""
    with fast_home() as made:
        with Journal.open(made) as journal:
            wanted = [intent(number) for number in range(3)]
            batch = journal.create_batch(
                "plan-7", ORIGIN, "stage", wanted, actor=ME, platform_identity="ops@platform", options={"canary": 1}
            )
            for number in range(3):
                claimed(journal, number, batch)
            for number in range(3):
                journal.settle(op(number), "REJECTED", reason="refused", detail="达到上限 3/3", actor="bob@desk")
            journal.set_batch_state(batch.batch_id, "done", actor=ME)
        yield made


def tampered(home: Path, *statements: str | tuple[str, dict[str, Any]]) -> None:
    """Change the trail as somebody would who has the file: the triggers are in the way, and put back after."""
    with closing(connect_sqlite(home / "journal.db")) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(*([statement] if isinstance(statement, str) else statement))
        for _, sql in triggers:
            connection.execute(sql)


def trail(home: Path) -> list[dict[str, Any]]:
    """The audit rows of a home directory, oldest first."""
    with closing(connect_sqlite(home / "journal.db")) as connection:
        return list(audit_rows(connection))


def other_values(value: Any) -> tuple[Any, Any]:
    """Two values that are not this one: of its type, and of another where SQLite keeps one."""
    if isinstance(value, int):
        return value + 100, value + 1000
    return ("x", b"x") if value is None else (f"{value}1", value.encode())


class TestVerify:
    def test_an_untouched_trail_is_good(self, home: Path) -> None:
        """Every row is counted, also while the journal is open, and nothing is wrong."""
        with Journal.open(home):
            report = verify(home)
        assert (report.ok, report.rows, report.first_bad, report.reason) == (True, 9, None, "")

    def test_where_there_was_never_a_journal_nothing_is_wrong(self, tmp_path: Path) -> None:
        """An empty home verifies, stays empty, and has an empty frame."""
        assert verify(tmp_path) == verify(tmp_path / "nowhere")
        assert verify(tmp_path).ok
        assert audit_frame(tmp_path).empty
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("column", COLUMNS)
    @pytest.mark.parametrize("change", [0, 1])
    def test_a_changed_value_is_found_in_every_column(self, home: Path, column: str, change: int) -> None:
        """Another value, or the same one as another type: the row is named."""
        value = other_values(trail(home)[BAD - 1][column])[change]
        tampered(home, (f"UPDATE audit SET {column} = :value WHERE seq = {BAD}", {"value": value}))
        report = verify(home)
        assert (report.ok, report.first_bad) == (False, BAD)
        assert f"Row {BAD}" in report.reason

    @pytest.mark.parametrize("seq", [1, BAD, 9])
    def test_a_removed_row_is_found(self, home: Path, seq: int) -> None:
        """At the beginning, in the middle, and at the end, where only the anchor knows of it."""
        tampered(home, f"DELETE FROM audit WHERE seq = {seq}")
        report = verify(home)
        assert (report.ok, report.first_bad) == (False, seq)

    def test_a_removed_row_is_found_though_the_others_were_renumbered(self, home: Path) -> None:
        """Closing the gap does not help: each row holds the hash of the one before it."""
        tampered(home, f"DELETE FROM audit WHERE seq = {BAD}", f"UPDATE audit SET seq = seq - 1 WHERE seq > {BAD}")
        assert verify(home).first_bad == BAD

    def test_a_removed_row_is_found_though_each_other_row_is_as_its_hash_says(self, home: Path) -> None:
        """Renumbered and hashed anew, row by row: the links between them are broken."""
        changes = []
        for row in trail(home)[BAD:]:
            moved = row | {"seq": row["seq"] - 1}
            moved["hash"] = digest({name: value for name, value in moved.items() if name != "hash"})
            changes.append(("UPDATE audit SET seq = :seq, hash = :hash WHERE seq = :seq + 1", moved))
        tampered(home, f"DELETE FROM audit WHERE seq = {BAD}", *changes)
        report = verify(home)
        assert (report.ok, report.first_bad) == (False, BAD)
        assert "does not follow" in report.reason

    def test_a_trail_that_was_rewritten_to_its_end_does_not_fit_the_anchor(self, home: Path) -> None:
        """Even with every hash computed anew, the last one is not the one that was anchored."""
        found = trail(home)
        found[BAD - 1]["actor"] = "nobody@desk"
        changes: list[tuple[str, dict[str, Any]]] = []
        for before, row in pairwise(found):
            row["prev_hash"] = before["hash"]
            row["hash"] = digest({name: value for name, value in row.items() if name != "hash"})
            sets = "UPDATE audit SET actor = :actor, prev_hash = :prev_hash, hash = :hash WHERE seq = :seq"
            changes.append((sets, {name: row[name] for name in ("actor", "prev_hash", "hash", "seq")}))
        tampered(home, *changes)
        report = verify(home)
        assert (report.ok, report.first_bad) == (False, 9)
        assert "not the one that was written" in report.reason

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE items SET state = 'PLANNED' WHERE position = 1",
            "UPDATE items SET intent = '{}' WHERE position = 1",
            "UPDATE items SET answer = CAST(answer AS BLOB) WHERE position = 1",
            "UPDATE batches SET total = 2",
            "UPDATE batches SET record = replace(record, 'ann', 'eve')",
            "DELETE FROM items WHERE position = 1",
        ],
    )
    def test_an_item_or_batch_that_says_something_else_is_found(self, home: Path, statement: str) -> None:
        """The trail is whole, but what it tells of was changed."""
        tampered(home, statement)
        report = verify(home)
        assert (report.ok, report.rows, report.first_bad) == (False, 9, None)
        assert "journal" in report.reason

    def test_a_file_that_cannot_be_read_is_reported(self, home: Path) -> None:
        """Verifying never raises: what is wrong is in the report."""
        (home / "journal.db").write_bytes(b"not a database" * 100)
        report = verify(home)
        assert not report.ok
        assert "journal.db" in report.reason
        with pytest.raises(JournalError):
            audit_frame(home)

    def test_a_journal_that_is_gone_is_reported(self, home: Path) -> None:
        """The anchor tells that there was one."""
        (home / "journal.db").unlink()
        assert (verify(home).ok, verify(home).first_bad) == (False, 1)


class TestTrail:
    @pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit WHERE seq = 9"])
    def test_the_file_refuses_changes(self, home: Path, statement: str) -> None:
        """A row can be added, never changed or removed, by any program that uses the file."""
        refused = pytest.raises(Exception, match="the audit trail only grows")
        with closing(connect_sqlite(home / "journal.db")) as connection, refused:
            connection.execute(statement)
        assert verify(home).ok

    def test_a_change_that_fails_leaves_no_row(self, home: Path) -> None:
        """An audit row and what it tells of are in one transaction: both, or neither."""
        with Journal.open(home) as journal:
            with pytest.raises(JournalError, match="cannot become"):
                journal.settle(op(1), "ACCEPTED")
            assert verify(home).rows == 9
            batch = planned(journal, 8)
            assert journal.claim_many([op(1), op(2)], batch.batch_id, actor=ME) == []
            assert verify(home).rows == 10


class TestFrame:
    def test_it_says_who_did_what(self, home: Path) -> None:
        """One row an action, newest first: user, identity, plan, count, before and after, outcome."""
        frame = audit_frame(home)
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
            column.name: DTYPES[column.kind] for column in AUDIT
        }
        assert list(frame["what"]) == ["done", *["settled"] * 3, *["sent"] * 3, "created", "journal made"]
        created, sent, settled = frame.iloc[7], frame.iloc[6], frame.iloc[3]
        assert (created["actor"], created["identity"], created["count"]) == (ME, "ops@platform", 3)
        assert (created["plan_hash"], created["after"], created["origin"]) == ("plan-7", "running", ORIGIN)
        assert (sent["actor"], sent["task_id"], sent["stage"]) == (ME, "t0", "build")
        assert (sent["before"], sent["after"], sent["op_id"]) == ("PLANNED", "SENT", op(0))
        assert (settled["actor"], settled["outcome"]) == ("bob@desk", "refused: 达到上限 3/3")
        assert (settled["before"], settled["after"], settled["plan_hash"]) == ("SENT", "REJECTED", "plan-7")

    def test_hostile_text_is_shown_as_text(self, home: Path) -> None:
        """What a platform writes cannot break the frame."""
        with Journal.open(home) as journal:
            wanted = intent(9, task_id="\0\ud800", stage="<b>\ud800")
            batch = journal.create_batch("h", ORIGIN, "stage", [wanted], actor="\udcff@desk")
            journal.claim(wanted.op_id, batch.batch_id, actor="\udcff@desk")
        newest = audit_frame(home).iloc[0]
        assert (newest["task_id"], newest["stage"], newest["actor"]) == ("\0\\ud800", "<b>\\ud800", "\\udcff@desk")
        assert verify(home).ok

    def test_superseded_resolved_and_recovered_items_are_told(self, home: Path) -> None:
        """What a person or a later batch did to an item is an action, too."""
        with Journal.open(home) as journal:
            batch = planned(journal, 0, 7)
            claimed(journal, 7, batch)
            with journal.lease(batch.batch_id, actor=ME) or pytest.fail("no lease") as lease:
                journal.recover(lease, actor=ME)
            journal.resend_unknown(op(7), typed_task_id="t7", actor=ME)
            claimed(journal, 7, batch)
            journal.settle(op(7), "UNKNOWN")
            journal.mark_resolved(op(7), "SUCCEEDED", actor=ME, note="seen")
        told = list(audit_frame(home)["what"])[::-1][9:]
        assert told == ["created", "superseded", "sent", "recovered", "planned again", "sent", "settled", "resolved"]


def test_the_actor_is_who_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment does not change who acted."""
    before = current_actor()
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "eve")
    assert current_actor() == before
    assert "@" in before
