"""Input files: copied, linked, refused, kept for their time, and never half there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from retry_toolkit.server import copying, ledger
from retry_toolkit.server.actions import ActionRefused
from retry_toolkit.server.files import CannotLink, FilesMissing, NotAFile, TaskFiles, check_name, repeat_file
from retry_toolkit.server.retention import sweep
from retry_toolkit.server.verdicts import refuse_files
from retry_toolkit.settings import load_settings
from tests.server.workbench import ALICE, Workbench, render, workbench

CONTENT = "id,名称\n1,甲\n".encode() * 1000


@pytest.fixture
def bench(home: Path) -> Iterator[Workbench]:
    """A store with its actions, on a disk with room."""
    with workbench(home) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to submit."""
    path = tmp_path / "源 data.csv"
    path.write_bytes(CONTENT)
    return path


def refused(bench: Workbench, task_id: str, *, copy_files: bool = True) -> tuple[int, object]:
    """Status and detail of a refused whole retry, which must leave nothing behind."""
    before = sorted((bench.home / "tasks").iterdir())
    with pytest.raises(ActionRefused) as refusal:
        bench.actions.retry_task(task_id, copy_files=copy_files, intent=ALICE)
    assert sorted((bench.home / "tasks").iterdir()) == before
    assert bench.task(task_id).retried_task_ids == ()
    return refusal.value.status, refusal.value.detail


def failed_with(bench: Workbench, source: Path, *more: str) -> str:
    """A failed task with one or more input files of that content."""
    return bench.failed(files=dict.fromkeys(("data.csv", *more), source))


class TestTakeIn:
    def test_files_are_copied_in(self, bench: Workbench, source: Path) -> None:
        """Submitted files are the task's own, with name, size and method, also below directories."""
        task_id = bench.submit(files={"data.csv": source, "参考/b.csv": source})
        source.unlink()
        inputs = bench.files.inputs(task_id)
        assert (inputs / "data.csv").read_bytes() == (inputs / "参考/b.csv").read_bytes() == CONTENT
        assert [(f.name, f.size_bytes, f.method, f.exists) for f in bench.store.files(task_id)] == [
            ("data.csv", len(CONTENT), "original", True),
            ("参考/b.csv", len(CONTENT), "original", True),
        ]
        assert sorted(path.name for path in (bench.home / "tasks" / task_id).iterdir()) == ["inputs"]

    @pytest.mark.parametrize("kind", ["link", "directory", "pipe", "missing"])
    def test_what_is_no_regular_file_is_refused(self, bench: Workbench, source: Path, kind: str) -> None:
        """Links are not followed, pipes not waited for; nothing of the submission stays."""
        odd = source.with_name("odd")
        if kind == "link":
            odd.symlink_to(source)
        elif kind == "directory":
            odd.mkdir()
        elif kind == "pipe":
            os.mkfifo(odd)
        with pytest.raises(ActionRefused) as refusal:
            bench.submit(files={"a.csv": source, "odd": odd})
        assert refusal.value.status == 400
        assert list((bench.home / "tasks").iterdir()) == []
        assert bench.store.tasks(page=1, page_size=1).total == 0

    @pytest.mark.parametrize("name", ["../up", "/abs", "a/../b", "", ".", "a//b", "a\nb", "a\0b", "\udc80", "x" * 256])
    def test_names_that_leave_the_directory_are_refused(self, name: str) -> None:
        """A name is a plain relative path of printable text."""
        with pytest.raises(NotAFile):
            check_name(name)

    def test_names_of_any_script_are_taken(self) -> None:
        """Ordinary names are taken, spaces and other scripts included."""
        for name in ("data.csv", "a b/c.txt", "销售 数据.xlsx", ".hidden", "x" * 255):
            check_name(name)

    def test_a_file_below_a_file_is_refused(self, bench: Workbench, source: Path) -> None:
        """Names that cannot be together are refused, not half taken."""
        with pytest.raises(ActionRefused) as refusal:
            bench.submit(files={"a": source, "a/b": source})
        assert refusal.value.status == 400
        assert list((bench.home / "tasks").iterdir()) == []


class TestRepeat:
    def test_a_copy_is_the_new_tasks_own(self, bench: Workbench, source: Path) -> None:
        """A copying retry says how many it copied; its files live without the old ones."""
        old = failed_with(bench, source, "sub/b.csv")
        body = bench.actions.retry_task(old, copy_files=True, intent=ALICE).body
        new = body["new_task_id"]
        assert (body["files_copied"], body["files_linked"]) == (2, 0)
        bench.actions.delete(old, intent=ALICE)
        assert (bench.files.inputs(new) / "sub/b.csv").read_bytes() == CONTENT
        assert {(f.method, f.source_task_id, f.exists) for f in bench.store.files(new)} == {("copied", old, True)}

    def test_a_link_costs_no_room(self, bench: Workbench, source: Path) -> None:
        """A linking retry shares the content, and keeps it when the old task goes."""
        old = failed_with(bench, source)
        body = bench.actions.retry_task(old, copy_files=False, intent=ALICE).body
        new = body["new_task_id"]
        assert (body["files_copied"], body["files_linked"]) == (0, 1)
        paths = [bench.files.inputs(task_id) / "data.csv" for task_id in (old, new)]
        assert paths[0].samefile(paths[1])
        assert [(f.method, f.size_bytes) for f in bench.store.files(new)] == [("linked", len(CONTENT))]
        bench.actions.delete(old, intent=ALICE)
        assert paths[1].read_bytes() == CONTENT

    def test_gone_files_are_410_in_the_contracts_words(self, bench: Workbench, source: Path) -> None:
        """A missing file refuses the whole retry and the clone, copying or linking."""
        old = failed_with(bench, source, "b.csv")
        (bench.files.inputs(old) / "b.csv").unlink()
        assert [(f.name, f.exists) for f in bench.store.files(old)] == [("b.csv", False), ("data.csv", True)]
        for copy_files in (True, False):
            assert refused(bench, old, copy_files=copy_files) == (410, "原任务文件已被清理，无法重试")
        with pytest.raises(ActionRefused) as refusal:
            bench.actions.clone(old, intent=ALICE, render=render)
        assert refusal.value.status == 410

    @pytest.mark.parametrize("copy_files", [True, False])
    def test_links_are_never_followed(self, bench: Workbench, source: Path, copy_files: bool) -> None:
        """A link that took the place of an input file, or of its directory, is refused."""
        old = failed_with(bench, source, "sub/b.csv")
        secret = source.with_name("secret")
        secret.mkdir()
        (secret / "b.csv").write_text("not for this task")
        inside = bench.files.inputs(old) / "sub"
        (inside / "b.csv").unlink()
        (inside / "b.csv").symlink_to(secret / "b.csv")
        assert refused(bench, old, copy_files=copy_files)[0] == 400
        (inside / "b.csv").unlink()
        inside.rmdir()
        inside.symlink_to(secret)
        assert refused(bench, old, copy_files=copy_files)[0] == 400

    def test_a_full_disk_is_507_with_nothing_half_copied(self, home: Path, source: Path) -> None:
        """Room is checked first; the refusal says how much is needed and free; linking needs none."""
        room = [1 << 30]
        with workbench(home, free_bytes=lambda _: room[0]) as bench:
            old = failed_with(bench, source, "b.csv")
            room[0] = len(CONTENT)
            status, detail = refused(bench, old)
            assert status == 507
            assert detail == {
                "message": "Not enough disk space",
                "needed_bytes": 2 * len(CONTENT),
                "free_bytes": len(CONTENT),
            }
            assert bench.actions.retry_task(old, copy_files=False, intent=ALICE).status == 200
            with pytest.raises(ActionRefused) as refusal:
                bench.submit(files={"a": source, "b": source})
            assert refusal.value.status == 507

    def test_a_file_system_that_cannot_link_says_so(self, tmp_path: Path) -> None:
        """Where linking is impossible the caller is told to copy instead; nothing is copied behind his back."""
        other = Path("/dev/shm")
        if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("needs a second file system")
        with TemporaryDirectory(dir=other) as elsewhere:
            (Path(elsewhere) / "data.csv").write_bytes(CONTENT)
            with copying.open_directory(elsewhere) as directory, pytest.raises(CannotLink, match=r"data\.csv"):
                repeat_file(directory, "data.csv", tmp_path, "task_old", copy=False)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ActionRefused, match=r"Cannot link data\.csv.*copy the files instead"):
            refuse_files(CannotLink("data.csv"), again=True)


class TestCrashes:
    def test_leftovers_are_removed_at_the_start(self, home: Path, source: Path) -> None:
        """What a crash left half made is removed; tasks that were committed keep everything."""
        with workbench(home) as bench:
            kept = failed_with(bench, source)
            tasks = home / "tasks"
            for name in (".partial-task_x", ".trash-y", "task_uncommitted"):
                (tasks / name / "inputs").mkdir(parents=True)
                (tasks / name / "inputs" / "a").write_text("half")
            (tasks / "task_uncommitted" / ".unsettled").touch()
            (tasks / kept / ".unsettled").touch()
            (tasks / "unknown-but-unmarked").mkdir()
            assert bench.files.clean_up(lambda task_id: bench.store.task(task_id) is not None) == 3
            assert sorted(path.name for path in tasks.iterdir()) == [kept, "unknown-but-unmarked"]
            assert sorted(path.name for path in (tasks / kept).iterdir()) == ["inputs"]
            assert all(file.exists for file in bench.store.files(kept))

    def test_nothing_is_removed_while_a_task_is_being_made(self, home: Path, source: Path) -> None:
        """A process that starts does not clean up under another one's hands."""
        with workbench(home) as bench, bench.files.take_in("task_new", {"a": source}):
            assert bench.files.clean_up(lambda _: False) == 0
            assert (home / "tasks/task_new/inputs/a").read_bytes() == CONTENT
        assert (home / "tasks/task_new").exists()

    def test_a_commit_that_fails_takes_the_files_along(self, home: Path, source: Path) -> None:
        """When the task cannot be committed, its files go."""
        with workbench(home) as bench:
            with pytest.raises(ZeroDivisionError), bench.files.take_in("task_new", {"a": source}):
                raise ZeroDivisionError
            assert list((home / "tasks").iterdir()) == []


class TestRetention:
    def test_files_go_when_their_time_is_over_and_the_task_stays(self, bench: Workbench, source: Path) -> None:
        """After the retention the files are gone, the task says so, and a whole retry is 410."""
        old, waiting = failed_with(bench, source), bench.submit(files={"a": source})
        due = ledger.now() + timedelta(days=31)
        assert sweep(bench.store, bench.files, at=due - timedelta(days=2)) == 0
        assert sweep(bench.store, bench.files, at=due) == 1
        assert sweep(bench.store, bench.files, at=due) == 0
        assert [file.exists for file in bench.store.files(old)] == [False]
        assert [file.exists for file in bench.store.files(waiting)] == [True]
        assert refused(bench, old)[0] == 410
        assert ("retention", "remove_files", "accepted") in bench.audit()

    def test_the_setting_says_how_long(self, home: Path, source: Path) -> None:
        """A task is kept for as many days as the setting says."""
        with workbench(home, retention_days=0.5) as bench:
            task = bench.task(failed_with(bench, source))
            assert task.retention_until == task.created_at + timedelta(hours=12)


def test_copies_of_every_kind_are_equal(tmp_path: Path) -> None:
    """Files of the kernel's own, empty files and large ones arrive whole, whatever way the content is moved."""
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(os.urandom(3 << 20))
    for source in (tmp_path / "empty", tmp_path / "large", Path("/proc/self/cmdline")):
        target = tmp_path / f"{source.name}.copy"
        with copying.open_regular(source) as descriptor:
            size = copying.copy_regular(descriptor, target)
        assert target.read_bytes() == source.read_bytes()
        assert size == target.stat().st_size


def test_a_missing_home_of_inputs_is_missing_files(tmp_path: Path) -> None:
    """A task whose whole input directory is gone lacks its files."""
    with workbench(tmp_path) as bench:
        (tmp_path / "a").write_text("a")
        old = bench.failed(files={"a": tmp_path / "a"})
        files = TaskFiles(load_settings(home=tmp_path))
        listed = bench.store.files(old)
        (files.inputs(old) / "a").unlink()
        files.inputs(old).rmdir()
        with pytest.raises(FilesMissing), files.repeat("task_new", old, listed, copy=True):
            pass
