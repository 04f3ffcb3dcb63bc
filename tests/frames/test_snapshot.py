"""Snapshots: what was loaded is what is read, a torn load says so, and a load that ends early leaves nothing."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal
from pyarrow.dataset import field

from retry_toolkit.errors import LoadStopped, SnapshotError, Unavailable
from retry_toolkit.frames.load import RejectedRows, load_history, load_tasks
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.frames.snapshot import MANIFEST, open_snapshot
from retry_toolkit.frames.spool import write_snapshot
from retry_toolkit.platforms.base import EVERY_TASK, Rejected, TaskQuery, TaskRecord
from tests.frames.records import HOSTILE, RecordedPlatform, stage, task


def history(count: int = 7) -> list[TaskRecord]:
    """Tasks of two stages, newest first, with hostile texts and links."""
    return [
        task(
            f"t{number}",
            hours=-number,
            name=HOSTILE[number % len(HOSTILE)],
            status="failed" if number % 2 else "succeeded",
            retried_by=(f"t{number - 1}",) if number % 3 == 1 else (),
            stages=(stage(f"t{number}", "load", status="succeeded"), stage(f"t{number}", error=f"row {number}")),
        )
        for number in range(count)
    ]


def test_a_snapshot_holds_what_a_load_gives(tmp_path: Path) -> None:
    """Rows, columns, dtypes, categories and claims; also when it is opened again."""
    loaded = load_history(RecordedPlatform(history()).platform)
    written = load_tasks(RecordedPlatform(history()).platform, into=tmp_path / "snapshot")
    for snapshot in (written, open_snapshot(str(tmp_path / "snapshot"))):
        assert (len(snapshot), snapshot.rows, snapshot.origin) == (7, {"tasks": 7, "stages": 14, "claims": 2}, "memory")
        assert_frame_equal(snapshot.tasks(), loaded.tasks)
        assert_frame_equal(snapshot.stages(), loaded.stages)
        assert snapshot.claims() == loaded.claims


def test_parts_add_up(tmp_path: Path) -> None:
    """A history of many parts is one history, in its order."""
    reading = TaskReading(RecordedPlatform(history(40), page_size=4).platform, stages=True, batch_rows=8)
    snapshot = write_snapshot(tmp_path / "snapshot", reading, origin="memory", part_tasks=16)
    assert len(list((tmp_path / "snapshot" / "tasks").iterdir())) == 3
    assert_frame_equal(snapshot.tasks(), load_tasks(RecordedPlatform(history(40)).platform))


def test_only_the_columns_and_rows_that_are_asked_for_are_read(tmp_path: Path) -> None:
    """In the order in which they are named; a column that there is not is an error."""
    snapshot = load_tasks(RecordedPlatform(history()).platform, into=tmp_path / "snapshot")
    failed = snapshot.tasks(["status", "task_id"], where=field("task_id") == "t3")
    assert failed.to_dict("list") == {"status": ["failed"], "task_id": ["t3"]}
    assert list(snapshot.stages(["error"]).columns) == ["error"]
    with pytest.raises(KeyError, match="colour"):
        snapshot.tasks(["colour"])


def test_a_history_without_tasks_has_its_columns(tmp_path: Path) -> None:
    """So that what works on a full one works on an empty one."""
    snapshot = load_tasks(RecordedPlatform().platform, into=tmp_path / "snapshot")
    assert_frame_equal(snapshot.tasks(), load_tasks(RecordedPlatform().platform))
    assert snapshot.stages().empty
    assert snapshot.claims() == {}


def test_what_could_not_be_read_is_kept(tmp_path: Path) -> None:
    """The report of the load is that of the snapshot."""
    source = RecordedPlatform(history(), rejected=[Rejected(page=1, index=2, path="id", reason="gone")])
    with pytest.warns(RejectedRows, match="1 row"):
        load_tasks(source.platform, into=tmp_path / "snapshot")
    told = open_snapshot(tmp_path / "snapshot").tasks().attrs["rejected"]
    assert told == [{"page": 1, "index": 2, "path": "id", "reason": "gone"}]


class Breaking(RecordedPlatform):
    """Gives two pages, then calls what it was given."""

    def __init__(self, tasks: list[TaskRecord], then: Any) -> None:
        super().__init__(tasks)
        self._then = then

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Any:
        """Two pages."""
        for number, page in enumerate(super().tasks(query)):
            if number == 2:
                self._then()
            yield page


def test_a_load_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither parts nor the directory that it made; one that was there stays, and empty."""

    def fail() -> None:
        raise Unavailable("down")

    there = tmp_path / "there"
    there.mkdir()
    for folder in (tmp_path / "new", there):
        with pytest.raises(Unavailable):
            load_tasks(Breaking(history(20), fail).platform, into=folder)
    assert list(tmp_path.iterdir()) == [there]
    assert list(there.iterdir()) == []


def test_a_load_can_be_stopped(tmp_path: Path) -> None:
    """Into a frame or onto disk; no thread and no file is left."""
    before = threading.active_count()
    for into in (None, tmp_path / "snapshot"):
        stop = threading.Event()
        with pytest.raises(LoadStopped):
            load_tasks(Breaking(history(20), stop.set).platform, into=into, stop=stop)
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []


def test_a_torn_load_says_so_and_is_loaded_again(tmp_path: Path) -> None:
    """Whoever was killed left parts without a manifest: they are no snapshot, and the next load takes their place."""
    folder = tmp_path / "snapshot"
    load_tasks(RecordedPlatform(history()).platform, into=folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(SnapshotError, match=r"not finished\. Load again"):
        open_snapshot(folder)
    assert len(load_tasks(RecordedPlatform(history(3)).platform, into=folder).tasks()) == 3


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    """A finished snapshot, a file, or anything that is no part of a load."""
    finished, strange, file = tmp_path / "finished", tmp_path / "strange", tmp_path / "file"
    load_tasks(RecordedPlatform(history()).platform, into=finished)
    strange.mkdir()
    (strange / "thesis.tex").touch()
    file.touch()
    for folder in (finished, strange, file):
        with pytest.raises(SnapshotError):
            load_tasks(RecordedPlatform(history(2)).platform, into=folder)
    assert len(open_snapshot(finished).tasks()) == 7
    assert (strange / "thesis.tex").exists()


def test_damage_is_told(tmp_path: Path) -> None:
    """No snapshot, a manifest that is none, one of another version, a part that is cut or gone."""
    folder = tmp_path / "snapshot"
    with pytest.raises(SnapshotError, match="no snapshot"):
        open_snapshot(folder)
    load_tasks(RecordedPlatform(history()).platform, into=folder)
    manifest, part = folder / MANIFEST, folder / "tasks" / "part-00000.parquet"
    whole, told = part.read_bytes(), manifest.read_text()
    part.write_bytes(whole[:-1])
    with pytest.raises(SnapshotError, match="not what was written"):
        open_snapshot(folder)
    part.unlink()
    with pytest.raises(SnapshotError, match="not what was written"):
        open_snapshot(folder)
    part.write_bytes(whole)
    manifest.write_text(json.dumps(json.loads(told) | {"version": 99}))
    with pytest.raises(SnapshotError, match="version 99"):
        open_snapshot(folder)
    manifest.write_text("{")
    with pytest.raises(SnapshotError, match="cannot be read"):
        open_snapshot(folder)
