"""Mending the demo's causes of failure, and bringing them back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retry_toolkit.errors import SettingsError
from retry_toolkit.server.demo import mend, unmend
from retry_toolkit.server.demo.mending import (
    DAY_S,
    FAULTS,
    KEEP_DAYS,
    LASTING,
    NEW_SCANS,
    OLD_SCANS,
    mend_late,
    reference_texts,
    sweep,
    write_references,
)
from retry_toolkit.server.demo.places import drop_dir, reference_dir
from retry_toolkit.settings import load_settings


def read_references(home: Path) -> dict[str, str]:
    """Names and contents of the reference files."""
    root = reference_dir(home)
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in root.rglob("*") if path.is_file()}


def test_mend_and_unmend_go_there_and_back(home: Path) -> None:
    """Mending writes the sound files and restores the scans, undoing it brings exactly the lasting faults back."""
    settings = load_settings(home=home)
    write_references(home, broken=tuple(FAULTS))
    assert "autumn line" in mend(settings)
    assert read_references(home) == reference_texts(broken=())
    assert all((drop_dir(home) / name).exists() for name in (*OLD_SCANS, *NEW_SCANS))
    assert all(name in unmend(settings) for name in LASTING)
    assert read_references(home) == reference_texts(broken=LASTING)
    assert not any((drop_dir(home) / name).exists() for name in OLD_SCANS)


def test_every_fault_changes_something() -> None:
    """No fault is a name alone: each changes a reference file, except the lost scans."""
    sound = reference_texts(broken=())
    assert {fault for fault in FAULTS if reference_texts(broken=(fault,)) == sound} == {"lost_scan"}


def test_the_late_mend_mends_one_fault(home: Path) -> None:
    """What is mended while the demo runs is mended alone."""
    write_references(home, broken=tuple(FAULTS))
    mend_late(home)
    assert read_references(home) == reference_texts(broken=LASTING)


def test_the_drop_keeps_scans_for_some_days(home: Path) -> None:
    """Retention removes what is older than its days and nothing else."""
    drop = drop_dir(home)
    ages = {"2026-10/old.txt": KEEP_DAYS + 0.1, "2026-11/young.txt": KEEP_DAYS - 0.1}
    for name, days in ages.items():
        path = drop / name
        path.parent.mkdir(parents=True)
        path.write_text("scan")
        os.utime(path, (time.time() - days * DAY_S,) * 2)
    assert sweep(drop) == ["2026-10/old.txt"]
    assert [path.name for path in drop.rglob("*.txt")] == ["young.txt"]


@pytest.mark.parametrize("action", [mend, unmend])
def test_without_a_demo_it_says_so(action: object, home: Path) -> None:
    """A home directory without a demo is named, and nothing is written into it."""
    assert callable(action)
    with pytest.raises(SettingsError, match="no demo"):
        action(load_settings(home=home))
    assert not home.exists()


def test_stage_processes_load_little() -> None:
    """A stage imports the demo's package: that loads neither settings nor a database nor HTTP."""
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, retry_toolkit.server.demo.places, retry_toolkit.server.pipelines; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"pydantic", "sqlalchemy", "dbos", "http.server", "pandas"} & set(loaded)
