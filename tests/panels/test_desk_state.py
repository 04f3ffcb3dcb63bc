"""The states together: what is read again after which action."""

from __future__ import annotations

import pytest

from retry_toolkit.errors import Unauthorized, Unavailable
from retry_toolkit.panels.state.lines import Line
from retry_toolkit.platforms.base import Platform
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk, confirm
from tests.panels.memory import MemoryPlatform, make_task


@pytest.fixture
def platform() -> MemoryPlatform:
    """Two failed tasks."""
    return MemoryPlatform.of(make_task("a"), make_task("b", minutes_ago=1), advances_when_read=True)


def test_a_stage_retry_brings_everything_up_to_date(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The task, its row and the figures, by what was read to watch it: the list is not loaded again."""
    desk = make_desk(platform)
    desk.report.open("a")
    assert desk.figures is not None
    assert (desk.figures.failed, desk.figures.recovered) == (2, 0)
    desk.retry.propose_stage()
    confirm(desk)
    assert (desk.figures.failed, desk.figures.recovered) == (1, 1)
    assert desk.report.task is not None
    assert desk.report.task.status == "succeeded"
    assert len(platform.called("tasks")) == 1


def test_a_batch_brings_the_list_and_the_figures_up_to_date(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """And the report of the task that happens to be open."""
    desk = make_desk(platform)
    desk.report.open("a")
    desk.table.select_matching()
    desk.retry.propose_batch()
    confirm(desk)
    assert desk.figures is not None
    assert (desk.figures.failed, desk.figures.recovered) == (0, 2)
    assert desk.report.task is not None
    assert desk.report.task.status == "succeeded"


def test_a_whole_retry_reloads_the_disk_cost(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """What it copied is in the figure."""
    desk = make_desk(platform)
    assert desk.disk.cost is not None
    assert desk.disk.cost.total == 0
    desk.report.open("a")
    desk.retry.propose_whole()
    confirm(desk)
    assert desk.disk.cost.total == 1_200_000
    assert desk.disk.cost.by_root["root_id"].tolist() == ["a"]


def test_disk_cost_tells_copies_from_links(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """A link adds nothing; what it did not copy is counted apart."""
    platform._again("a", copy_files=True, name=None)
    platform._again("a", copy_files=False, name=None)
    desk = make_desk(platform)
    assert desk.disk.cost is not None
    (row,) = desk.disk.cost.by_root.to_dict("records")
    assert (row["copied"], row["linked"], row["extra_bytes"], row["saved_bytes"]) == (1, 1, 1_200_000, 1_200_000)
    assert row["name"] == "Sales report a"


def test_the_lineage_is_that_of_the_open_task(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Every task of its tree, from wherever it is looked at."""
    platform._again("a", copy_files=True, name=None)
    desk = make_desk(platform)
    assert desk.lineage.tree is None
    desk.report.open("a-again-1")
    assert desk.lineage.tree is not None
    assert desk.lineage.tree.nodes["task_id"].tolist() == ["a", "a-again-1"]
    assert desk.lineage.tree.current == "a-again-1"
    desk.report.close()
    assert desk.lineage.tree is None


def test_the_last_of_two_quick_choices_is_shown(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Answers that come in another order change nothing."""
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    desk.report.open("a")
    desk.report.open("b")
    background.run(last_first=True)
    assert desk.report.task is not None
    assert desk.report.task.task_id == "b"
    assert not desk.report.loading


def test_a_report_that_cannot_be_read_says_why(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """A first read that fails stands in the report's place, a later one beside what was read."""
    desk = make_desk(platform)
    platform.breaks["task"] = Unavailable("no answer")
    desk.report.open("a")
    assert desk.report.problem is not None
    assert desk.report.problem.key == "network"
    desk.report.reload()
    assert desk.report.problem is None
    platform.breaks["task"] = Unavailable("no answer")
    desk.report.reload()
    assert desk.report.task is not None
    assert [notice.topic for notice in desk.session.notices.items] == ["report"]
    desk.report.reload()
    assert desk.session.notices.items == ()


def test_a_log_that_cannot_be_read_leaves_the_report(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The rest of the report is there."""
    platform.breaks["logs"] = Unavailable("no answer")
    desk = make_desk(platform)
    desk.report.open("a")
    assert desk.report.task is not None
    assert desk.report.log_problem is not None
    desk.report.reload_log()
    assert desk.report.log_problem is None
    assert [line.text for line in desk.report.log.lines] == ["reading input.csv", "128 rows"]


def test_a_long_log_shows_its_end(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The last lines come first, and how many came before them is known."""
    platform.log_lines = tuple(str(number) for number in range(1600))
    desk = make_desk(platform)
    desk.report.open("a")
    view = desk.report.log_reader.view
    assert (len(view.lines), view.earlier, view.lines[-1]) == (1000, 600, (1600, Line("1599", "stdout")))


def test_a_running_task_is_followed_to_its_end(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Opening it is enough: report, lists and log keep up with it."""
    platform.records["run"] = make_task("run", status="running")
    platform.advances_when_read = False
    desk = make_desk(platform)
    desk.report.open("run")
    assert desk.report.task is not None
    assert desk.report.task.status == "succeeded"
    assert desk.figures is not None
    assert desk.figures.running == 0
    assert desk.watch.watched == frozenset()


def test_an_operator_s_token_acts_through_its_own_connection(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Reads go on as before; the token is in no trait, no attribute and no representation."""
    platform.read_only = True
    operator = MemoryPlatform(platform.records, advances_when_read=True)
    tokens: list[str] = []

    def connect(token: str) -> Platform:
        tokens.append(token)
        return operator

    desk = make_desk(platform, operator=connect)
    assert desk.session.takes_token
    desk.session.unlock("  s3cret-token ")
    assert tokens == ["s3cret-token"]
    assert (desk.session.can_act, desk.session.takes_token) == (True, False)
    desk.report.open("a")
    desk.retry.propose_stage()
    planned = len(platform.called("task"))
    assert operator.called("task") == []
    confirm(desk)
    assert len(operator.called("retry_stage")) == 1
    assert platform.called("retry_stage") == []
    assert len(platform.called("task")) == planned + 1
    assert "s3cret-token" not in f"{vars(desk.session)} {desk.session.trait_values()} {desk.session!r}"
    desk.session.lock()
    assert operator.closed
    assert (desk.session.can_act, desk.retry.stage_block()) == (False, "read_only")


def test_a_token_that_is_not_taken_changes_nothing(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The page says so and keeps its field."""
    platform.read_only = True

    def connect(token: str) -> Platform:
        raise Unauthorized("not this one", url=platform.origin)

    desk = make_desk(platform, operator=connect)
    desk.session.unlock("wrong")
    assert [notice.title_key for notice in desk.session.notices.items] == ["problem.unauthorized.title"]
    assert (desk.session.can_act, desk.session.takes_token, desk.session.unlocking) == (False, True, False)


def test_switching_the_language_keeps_everything_else(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Only the texts are exchanged."""
    desk = make_desk(platform)
    desk.table.toggle("a")
    desk.report.open("a")
    desk.session.speak("zh")
    assert desk.session.texts.language == "zh"
    assert desk.table.selected == frozenset({"a"})
    assert desk.report.task_id == "a"


def test_a_closed_desk_watches_nothing(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Its threads end by themselves; the platform belongs to who made it."""
    platform.records["run"] = make_task("run", status="running")
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    desk.watch.follow(["run"])
    desk.close()
    background.run()
    assert desk.watch.watched == frozenset()
    assert platform.called("task") == []
    assert not platform.closed
