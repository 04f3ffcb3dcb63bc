"""The demo's plan as a value: enough of everything, nothing in the future, nothing out of order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from retry_toolkit.server.demo import stories
from retry_toolkit.server.demo.names import is_chinese
from retry_toolkit.server.demo.plan import DAYS, Case, demo_plan

SUNDAY = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
PLAN = demo_plan(SUNDAY)
BY_KEY = {case.key: case for case in PLAN}


def test_there_are_enough_tasks_of_every_kind() -> None:
    """Well over 200 tasks, of which 55 to 60 percent succeed at first and a few are cancelled."""
    causes = Counter(case.cause for case in PLAN)
    assert len(PLAN) + sum(bool(move.makes) for case in PLAN for move in case.moves) >= 240
    assert 0.55 <= causes[""] / len(PLAN) <= 0.60
    assert causes["stopped"] == stories.STOPPED
    assert {cause.name: cause.count for cause in stories.CAUSES}.items() <= causes.items()


def test_stories_are_of_tasks_that_exist() -> None:
    """Whoever edits the stories cannot misspell a task or retry one that is never made."""
    assert stories.STORIES.keys() | stories.EXPIRED | stories.DUE | stories.FRESH <= BY_KEY.keys()
    for case in PLAN:
        made = {""}
        for move in sorted(case.moves, key=lambda move: move.round):
            assert move.of in made
            made.add(move.makes)


def test_retries_come_after_what_they_retry_and_before_now() -> None:
    """The history makes sense: moves are in order, with room for a task to run, and none is in the future."""
    for case in PLAN:
        times = [case.created, *(case.at(move) for move in case.moves if move.round)]
        assert times[-1] < SUNDAY - timedelta(minutes=10)
        assert all(after - before >= timedelta(minutes=5) for before, after in pairwise(times))
        assert [move.round for move in case.moves] == sorted(move.round for move in case.moves)


def test_tasks_lie_in_two_weeks_of_office_hours() -> None:
    """All but the oldest are of the past days, and few are of a weekend or of the night."""
    lately = [case for case in PLAN if case.key not in stories.EXPIRED | stories.DUE]
    assert all(SUNDAY - case.created < timedelta(days=DAYS) for case in lately)
    usual = [case for case in lately if case.key not in stories.FRESH]
    assert sum(case.created.weekday() < 5 for case in usual) > 0.85 * len(usual)
    assert sum(0 <= case.created.hour <= 19 for case in usual) > 0.95 * len(usual)


def test_the_oldest_have_outlived_their_retention_and_others_are_about_to() -> None:
    """Retention is counted from the setting, whatever it is."""
    plan = {case.key: case for case in demo_plan(SUNDAY, retention_days=60)}
    assert all(SUNDAY - plan[key].created > timedelta(days=60) for key in stories.EXPIRED)
    assert all(timedelta(days=57) < SUNDAY - plan[key].created < timedelta(days=60) for key in stories.DUE)


@pytest.mark.parametrize("now", [datetime(2026, 11, 25, 0, 5, tzinfo=UTC), datetime(2027, 1, 1, 23, 59, tzinfo=UTC)])
def test_only_times_depend_on_the_day(now: datetime) -> None:
    """The same tasks with the same parameters fail for the same causes on every day."""

    def timeless(case: Case) -> Case:
        params = {name: value for name, value in case.params.items() if name != "day"}
        return replace(case, created=SUNDAY, title="", params=params)

    assert {case.key: timeless(case) for case in demo_plan(now)} == {
        key: timeless(case) for key, case in BY_KEY.items()
    }


def test_names_are_of_two_languages_and_some_are_hostile() -> None:
    """Both languages are common, and markup, formulas and very long names are among the titles."""
    chinese = sum(is_chinese(case.owner) for case in PLAN)
    assert 0.25 < chinese / len(PLAN) < 0.75
    titles = [case.title for case in PLAN]
    assert any(title.startswith("<script>") for title in titles)
    assert any(title.startswith("=") for title in titles)
    assert max(map(len, titles)) > 250
