"""Says of every failed storm which one it was."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.faults.sizes import SEED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the seed to the report of a test that failed."""
    report = yield
    if report.failed:
        report.sections.append(("storm", f"STORM_SEED={SEED} repeats it"))
    return report
