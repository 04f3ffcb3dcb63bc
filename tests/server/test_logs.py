"""Pages of logs, however long and wherever they are cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from retry_toolkit.server.logs import MAX_LINE_BYTES, LogWriter, TaskLogs
from retry_toolkit.server.runs import Outcome
from tests.server.workbench import Workbench, workbench


@pytest.fixture
def bench(home: Path) -> Iterator[Workbench]:
    """A store with its actions."""
    with workbench(home) as made:
        yield made


def stage_with_log(bench: Workbench, task_id: str, stage: str, *, lines: int) -> Path:
    """End a stage that has printed some lines; its log."""
    execution = bench.begin(task_id, stage)
    execution.directory.mkdir(parents=True)
    path = execution.directory / "log.jsonl"
    writer = LogWriter(path)
    writer.event("started")
    writer.feed("stdout", b"".join(b"%s line %d\n" % (stage.encode(), number) for number in range(lines)))
    writer.close()
    assert bench.runs.finish(execution, Outcome(status="completed"))
    return path


def test_pages_cover_every_line_once_and_in_order(bench: Workbench) -> None:
    """Pages of any size put together are the whole log, over the stages' files and their marks."""
    task_id = bench.submit()
    stage_with_log(bench, task_id, "load", lines=600)
    stage_with_log(bench, task_id, "check", lines=300)
    logs = TaskLogs(bench.store)
    everything, total = logs.rows(task_id, page=1, page_size=10_000)
    assert total == len(everything) == 902
    assert [row["event_seq"] for row in everything] == list(range(1, 903))
    assert [row["result"] for row in everything[599:605]] == [
        "load line 598", "load line 599", "started", "check line 0", "check line 1", "check line 2",
    ]  # fmt: skip
    for size in (1, 7, 255, 256, 257, 601):
        pages = range(1, total // size + 2)
        pieced = [row for page in pages for row in logs.rows(task_id, page=page, page_size=size)[0]]
        assert pieced == everything


def test_rows_say_where_they_come_from(bench: Workbench) -> None:
    """A row names its task, stage, role, attempt and kind; its time is naive UTC after the start."""
    task_id = bench.submit()
    stage_with_log(bench, task_id, "load", lines=1)
    rows, _ = TaskLogs(bench.store).rows(task_id, page=1, page_size=10)
    stage = bench.stage(task_id, "load")
    for row in rows:
        assert (row["task_id"], row["stage_id"], row["stage_name"]) == (task_id, stage.id, "load")
        assert (row["agent_role"], row["status"]) == ("loader", "completed")
        assert stage.started_at is not None
        assert row["created_at"] >= stage.started_at.astimezone(UTC).replace(tzinfo=None).isoformat()
    assert [(row["event_type"], row["event_source"]) for row in rows] == [("event", "platform"), ("stdout", "stage")]
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_stage_and_a_source_can_be_asked_for(bench: Workbench) -> None:
    """Filters count what they let through, and keep the numbers of the whole log."""
    task_id = bench.submit()
    stage_with_log(bench, task_id, "load", lines=5)
    stage_with_log(bench, task_id, "check", lines=5)
    logs = TaskLogs(bench.store)
    rows, total = logs.rows(task_id, stage_name="check", page=1, page_size=2)
    assert (total, [row["event_seq"] for row in rows]) == (6, [7, 8])
    rows, total = logs.rows(task_id, event_source="stage", page=2, page_size=4)
    assert total == 10
    assert [row["result"] for row in rows] == ["load line 4", "check line 0", "check line 1", "check line 2"]
    rows, total = logs.rows(task_id, stage_name="load", event_source="platform", page=1, page_size=9)
    assert (total, [row["event_seq"] for row in rows]) == (1, [1])
    assert logs.rows(task_id, stage_name="nothing", page=1, page_size=9) == ([], 0)
    assert logs.rows("nobody", page=1, page_size=9) == ([], 0)


def test_lines_that_come_later_are_found(bench: Workbench) -> None:
    """A log that grows is read on; an unfinished line waits for its end."""
    task_id = bench.submit()
    path = stage_with_log(bench, task_id, "load", lines=300)
    logs = TaskLogs(bench.store)
    assert logs.rows(task_id, page=1, page_size=1)[1] == 301
    line = json.dumps({"t": 1, "s": "stdout", "line": "later"})
    with path.open("a") as file:
        file.write(line[:10])
        file.flush()
        assert logs.rows(task_id, page=1, page_size=1)[1] == 301
        file.write(line[10:] + "\n")
    rows, total = logs.rows(task_id, page=302, page_size=1)
    assert (total, rows[0]["result"]) == (302, "later")


def test_a_torn_line_is_shown_as_it_is(bench: Workbench) -> None:
    """What a full disk has torn is a row, not an error."""
    task_id = bench.submit()
    path = stage_with_log(bench, task_id, "load", lines=1)
    path.write_bytes(b'{"t":1,"s":"std\n' + path.read_bytes() + b"[1]\n")
    rows, total = TaskLogs(bench.store).rows(task_id, page=1, page_size=9)
    assert total == 4
    assert [(row["result"], row["output_truncated"]) for row in rows] == [
        ('{"t":1,"s":"std', True), ("started", False), ("load line 0", False), ("[1]", True),
    ]  # fmt: skip


@pytest.mark.parametrize("pieces", [1, 7, 4096, 1 << 20])
def test_lines_are_cut_alike_however_they_arrive(tmp_path: Path, pieces: int) -> None:
    """The same output makes the same lines, in whatever pieces it is read."""
    long = b"y" * (MAX_LINE_BYTES + 5)
    data = b"a\n\n" + long + b"\nb\r\n" + "末".encode()
    if pieces == 1:
        data = data.replace(long, b"y" * 50)
    writer = LogWriter(tmp_path / "log")
    for start in range(0, len(data), pieces):
        writer.feed("stdout", data[start : start + pieces])
    writer.close()
    found = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    expected = ["a", "", "y" * (50 if pieces == 1 else MAX_LINE_BYTES), "b", "末"]
    assert [line["line"] for line in found] == expected
    assert [line.get("cut", False) for line in found] == [False, False, pieces != 1, False, False]


def test_a_log_that_is_full_ends_with_a_word(tmp_path: Path) -> None:
    """Beyond its limit a log keeps nothing more, and says so once."""
    writer = LogWriter(tmp_path / "log", max_bytes=1000)
    for _ in range(100):
        writer.feed("stdout", b"x" * 99 + b"\n")
    writer.close()
    found = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert len(found) < 12
    assert found[-1]["line"] == "[the log is full: further output is not kept]"


def test_a_full_disk_ends_the_log_and_not_the_stage(tmp_path: Path) -> None:
    """Output that cannot be written is let go."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "log").symlink_to("/dev/full")
    writer = LogWriter(tmp_path / "log")
    writer.feed("stdout", b"lost\n")
    writer.close()


def test_a_page_of_a_long_log_parses_only_its_lines(bench: Workbench) -> None:
    """A page deep in 100,000 lines reads little more than itself."""
    task_id = bench.submit()
    stage_with_log(bench, task_id, "load", lines=100_000)
    logs = TaskLogs(bench.store)
    assert logs.rows(task_id, page=1, page_size=50)[1] == 100_001
    before = os.times()
    for page in range(1, 2000, 20):
        logs.rows(task_id, page=page, page_size=50)
    after = os.times()
    # A hundred pages in less time than parsing the log once takes; counted in CPU, so a busy machine does not matter.
    assert after.user + after.system - before.user - before.system < 2
