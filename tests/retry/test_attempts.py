"""Attempts side by side: what the platform knows, and what was kept before it forgot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retry_toolkit import load_attempts
from retry_toolkit.errors import NotFound
from retry_toolkit.frames.load import RejectedRows
from retry_toolkit.frames.schema import ATTEMPTS
from retry_toolkit.platforms.base import AttemptRecord, TaskRecord
from retry_toolkit.retry.evidence import Evidence
from tests.frames.records import RecordedPlatform, stage, task
from tests.retry.journals import ORIGIN


class ForgetfulPlatform(RecordedPlatform):
    """Knows the latest attempt of each stage of its tasks, and nothing of a task that was deleted."""

    origin = ORIGIN

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """The latest of each stage."""
        found = self.task(task_id)
        return tuple(
            AttemptRecord(
                task_id=task_id,
                stage_id=each.stage_id,
                stage=each.stage,
                attempt=each.retry_count + 1,
                status=each.status,
                error=each.error,
            )
            for each in found.stages
        )


def failed(count: int, task_id: str = "t") -> TaskRecord:
    """A task whose second stage has been retried so often."""
    plan = stage(task_id, "plan", status="succeeded")
    return task(task_id, stages=(plan, stage(task_id, "build", position=1, retry_count=count, error=f"boom {count}")))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory of this user, with evidence of two failures."""
    monkeypatch.setenv("RETRY_TOOLKIT_HOME", str(tmp_path))
    with Evidence.open(tmp_path) as evidence:
        for count in range(2):
            evidence.save(failed(count), [], origin=ORIGIN)
    return tmp_path


def shown(source: RecordedPlatform, *task_ids: str) -> list[tuple[str, int, str]]:
    """Stage, attempt and source of each row."""
    frame = load_attempts(source.platform, task_ids)
    assert list(frame.columns) == [column.name for column in ATTEMPTS]
    return list(zip(frame["stage"], frame["attempt"], frame["source"], strict=True))


def test_erased_attempts_come_from_evidence(home: Path) -> None:
    """Each attempt once: the platform's word where it knows it, what was kept where it does not."""
    source = ForgetfulPlatform([failed(2)])
    assert shown(source, "t") == [
        ("plan", 1, "platform"),
        ("build", 1, "evidence"),
        ("build", 2, "evidence"),
        ("build", 3, "platform"),
    ]
    assert load_attempts(source.platform, ["t"])["error"].dropna().tolist() == ["boom 0", "boom 1", "boom 2"]


def test_a_deleted_task_keeps_its_evidence(home: Path) -> None:
    """What the platform has deleted is shown from here; what nobody has is reported."""
    source = ForgetfulPlatform()
    assert {origin for _, _, origin in shown(source, "t")} == {"evidence"}
    with pytest.warns(RejectedRows):
        assert shown(source, "t2") == []
    with pytest.raises(NotFound):
        source.attempts("t")


def test_evidence_of_another_platform_is_not_shown(home: Path) -> None:
    """Two platforms may have a task of the same id."""
    source = ForgetfulPlatform([failed(2)])
    source.origin = "http://other"
    assert shown(source, "t") == [("plan", 1, "platform"), ("build", 3, "platform")]


def test_evidence_can_be_given(home: Path, tmp_path: Path) -> None:
    """Another home's evidence takes the place of this user's."""
    source = ForgetfulPlatform([failed(2)])
    with Evidence.open(tmp_path / "other") as evidence:
        evidence.save(replace(failed(7), name="other"), [], origin=ORIGIN)
        frame = load_attempts(source.platform, ["t"], evidence=evidence)
    assert frame["attempt"].tolist() == [1, 3, 8]


def test_without_evidence_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading leaves no file behind."""
    monkeypatch.setenv("RETRY_TOOLKIT_HOME", str(tmp_path))
    assert len(shown(ForgetfulPlatform([failed(2)]), "t")) == 2
    assert list(tmp_path.iterdir()) == []
