"""The demo's input files, run through its stages: each case fails for its cause and where its cause says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retry_toolkit.server.demo import DemoService, stories
from retry_toolkit.server.demo.data import write_inputs
from retry_toolkit.server.demo.mending import FAULTS, write_references
from retry_toolkit.server.demo.plan import demo_plan
from retry_toolkit.server.demo.service import Budget
from retry_toolkit.server.failures import categorize
from retry_toolkit.settings import Settings, load_settings
from tests.server.demo_stages import CommandFailed, run_case

PLAN = demo_plan(datetime(2026, 11, 22, 14, 30, tzinfo=UTC))
BY_KEY = {case.key: case for case in PLAN}
# What needs a limit of the platform to fail is left to the tests with an engine.
LIMITED = {"memory_limit", "time_out"}
CAUSES = [cause for cause in stories.CAUSES if cause.name not in LIMITED]


@pytest.fixture
def settings(home: Path) -> Iterator[Settings]:
    """Settings of a home directory with all faults, whose service runs."""
    write_references(home, broken=tuple(FAULTS))
    made = load_settings(home=home)
    with DemoService(made, budget=Budget(window_s=600), index_s=30):
        yield made


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_cases_fail_where_their_cause_says(cause: stories.Cause, settings: Settings) -> None:
    """The first and the last case of a cause fail at its stage, in its category."""
    for number in (1, cause.count):
        ran = run_case(BY_KEY[f"{cause.name}-{number}"], settings.home)
        assert ran.failed_stage == cause.stage
        assert ran.error is not None
        assert isinstance(ran.error, CommandFailed) or categorize(ran.error) == cause.category


@pytest.mark.parametrize("pipeline", stories.SUCCEEDING)
def test_sound_cases_succeed_beside_the_faults(pipeline: str, settings: Settings) -> None:
    """Tasks without a cause run through, although the reference files have all their faults."""
    for number in (1, 2, stories.SUCCEEDING[pipeline]):
        ran = run_case(BY_KEY[f"{pipeline}-{number}"], settings.home)
        assert (ran.failed_stage, ran.error) == ("", None)


@pytest.mark.parametrize("cause", ["reference_rows", "reference_column", "mended_column", "lost_scan"])
def test_mended_references_let_cases_succeed(cause: str, settings: Settings) -> None:
    """What fails because of a reference file succeeds with the same input once that file is mended."""
    write_references(settings.home, broken=())
    assert run_case(BY_KEY[f"{cause}-1"], settings.home).failed_stage == ""


def test_errors_name_what_is_wrong(settings: Settings) -> None:
    """Messages have several lines: what happened, where, and what was expected."""
    malformed = run_case(BY_KEY["malformed_row-1"], settings.home).error
    missing = run_case(BY_KEY["missing_column-1"], settings.home).error
    broken = run_case(BY_KEY["exit_code-1"], settings.home).error
    assert "is not a number" in str(malformed)
    assert "expected:" in str(missing).splitlines()[-1]
    assert "exit status 2" in str(broken)
    assert "BadZipFile" in str(broken)


def test_a_refused_feed_goes_on_from_its_cache(settings: Settings) -> None:
    """A second attempt asks only for what the first did not get, so it ends within a new budget."""
    case = BY_KEY["rate_limit-1"]
    first = run_case(case, settings.home)
    assert "HTTP 429" in str(first.error)
    with DemoService(settings, budget=Budget(window_s=600)):
        assert run_case(case, settings.home).failed_stage == ""


def test_a_case_has_the_same_files_every_time(tmp_path: Path) -> None:
    """Input files depend on the case alone, so a seeding that goes on after an interruption makes the same."""
    for key in ("malformed_row-2", "exit_code-2", "archive_check-3", "price_feed-1", "mesh_sim-1"):
        once = write_inputs(BY_KEY[key], tmp_path / f"{key}-once")
        again = write_inputs(BY_KEY[key], tmp_path / f"{key}-again")
        assert {name: path.read_bytes() for name, path in once.items()} == {
            name: path.read_bytes() for name, path in again.items()
        }
