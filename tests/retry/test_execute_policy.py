"""Canaries, stop rules and the pace: pure objects that are told outcomes."""

from __future__ import annotations

import pytest

from retry_toolkit.retry.policy import Canary, Pace, Rows, Ruling, StopRule, Timing
from retry_toolkit.retry.states import State


def flock(size: int, groups: dict[str, str | None]) -> Canary:
    """Canaries of items by group, not yet started."""
    canary = Canary(size)
    for op_id, group in groups.items():
        canary.add(op_id, group)
    return canary


GROUPS: dict[str, str | None] = {"a1": "a", "b1": "b", "a2": "a", "a3": "a", "b2": "b", "a4": "a"}


class TestCanary:
    def test_without_canaries_everything_goes(self) -> None:
        """Size 0 holds nothing back, and nothing is stopped."""
        canary = flock(0, GROUPS)
        assert sorted(canary.start().go) == sorted(GROUPS)
        assert canary.hear("a1", "FAILED_AGAIN", "a") == Ruling()

    def test_the_first_of_each_group_go_ahead(self) -> None:
        """The rest follows once they came back well; groups do not wait for each other."""
        canary = flock(2, GROUPS)
        assert canary.start().go == ("a1", "a2", "b1", "b2")
        assert canary.hear("a1", "SUCCEEDED").go == ()
        assert canary.hear("a2", "SUCCEEDED").go == ("a3", "a4")

    def test_the_same_error_stops_its_group_only(self) -> None:
        """What waits of that group never goes; the other group is not touched."""
        canary = flock(1, GROUPS)
        assert canary.start().go == ("a1", "b1")
        ruling = canary.hear("a1", "FAILED_AGAIN", "a")
        assert (ruling.go, ruling.stop) == ((), ("a2", "a3", "a4"))
        assert "same error" in ruling.reason
        assert canary.hear("b1", "SUCCEEDED").go == ("b2",)

    def test_another_error_is_progress(self) -> None:
        """The cause of the group is gone, whatever came after it."""
        canary = flock(1, {"a1": "a", "a2": "a"})
        canary.start()
        assert canary.hear("a1", "FAILED_AGAIN", "other").go == ("a2",)

    @pytest.mark.parametrize("state", ["REJECTED", "UNKNOWN", "NOT_SENT", "CANCELLED", "SKIPPED"])
    def test_a_canary_that_tells_nothing_is_replaced(self, state: State) -> None:
        """The next of its group goes in its place, one at a time."""
        canary = flock(1, {"a1": "a", "a2": "a", "a3": "a"})
        canary.start()
        assert canary.hear("a1", state).go == ("a2",)
        assert canary.hear("a2", "SUCCEEDED").go == ("a3",)

    def test_unknown_errors_are_one_group(self) -> None:
        """A failure without words that comes back without words is the same failure."""
        canary = flock(1, {"a1": None, "a2": None})
        canary.start()
        assert canary.hear("a1", "FAILED_AGAIN", None).stop == ("a2",)

    def test_outcomes_of_an_earlier_process_count(self) -> None:
        """What was sent before a restart is a canary too."""
        canary = flock(1, {"a2": "a", "a3": "a"})
        canary.note_sent("a1", "a")
        assert canary.start().go == ()
        assert canary.hear("a1", "SUCCEEDED").go == ("a2", "a3")

    def test_an_item_counts_once(self) -> None:
        """Hearing of it again, or of a stranger, changes nothing."""
        canary = flock(2, {"a1": "a", "a2": "a", "a3": "a"})
        canary.start()
        canary.hear("a1", "SUCCEEDED")
        assert canary.hear("a1", "SUCCEEDED") == canary.hear("stranger", "SUCCEEDED") == Ruling()


class TestRows:
    def test_so_many_in_a_row_stop(self) -> None:
        """An accepted one in between begins a new row."""
        rows = Rows(StopRule(unknown=2, refused=3))
        heard = [rows.hear(state) for state in ("UNKNOWN", "ACCEPTED", "UNKNOWN", "REJECTED", "UNKNOWN")]
        assert heard[:4] == [None] * 4
        assert heard[4] == "Stopped: 2 in a row got no clear answer."

    def test_no_rule_never_stops(self) -> None:
        """None means never."""
        rows = Rows(StopRule(unknown=None, refused=None, not_sent=None))
        assert {rows.hear("UNKNOWN") for _ in range(100)} == {None}


class TestPace:
    TIMING = Timing(hold_first_s=1.0, hold_longest_s=30.0)

    def test_trouble_halves_the_pace_and_holds_it(self) -> None:
        """Answers that were under way together are one trouble; the next one waits twice as long."""
        pace = Pace(8, self.TIMING)
        pace.hear("UNKNOWN", 0.0, busy=True)
        pace.hear("UNKNOWN", 0.1, busy=True)
        assert (pace.limit, pace.held_until(0.5)) == (4, 1.1)
        pace.hear("NOT_SENT", 5.0)
        assert (pace.limit, pace.held_until(5.0)) == (2, 7.0)
        for time in (10.0, 20.0, 40.0):
            pace.hear("NOT_SENT", time)
        assert pace.limit == 1

    def test_what_the_platform_asks_for_is_honoured_and_capped(self) -> None:
        """`Retry-After` decides how long, up to a bound."""
        pace = Pace(4, self.TIMING)
        pace.hear("UNKNOWN", 0.0, busy=True, wait_s=7.0)
        assert (pace.held_until(6.9), pace.held_until(7.0)) == (7.0, None)
        pace.hear("UNKNOWN", 10.0, busy=True, wait_s=86_400.0)
        assert pace.held_until(10.0) == 40.0

    def test_good_answers_speed_up_slowly(self) -> None:
        """One more after each row of as many, never more than at the start."""
        pace = Pace(3, self.TIMING)
        pace.hear("UNKNOWN", 0.0, busy=True)
        limits = []
        for _ in range(8):
            pace.hear("ACCEPTED", 2.0)
            limits.append(pace.limit)
        assert limits == [2, 2, 3, 3, 3, 3, 3, 3]

    def test_an_unclear_answer_alone_changes_nothing(self) -> None:
        """A time-out is no plea for patience."""
        pace = Pace(4, self.TIMING)
        pace.hear("UNKNOWN", 0.0)
        assert (pace.limit, pace.held_until(0.0)) == (4, None)


def test_waits_grow_and_are_bounded() -> None:
    """Sending again doubles, reading back doubles up to its bound, watching is polite to the platform."""
    timing = Timing(resend_first_s=1, look_first_s=1, look_longest_s=10, watch_first_s=1, watch_longest_s=5)
    assert [timing.resend_in(tries) for tries in (1, 2, 3)] == [1, 2, 4]
    assert [timing.look_in(looks) for looks in (0, 1, 2, 3, 4)] == [1, 2, 4, 8, 10]
    assert [timing.watch_in(watches, 1) for watches in (0, 1, 2, 100)] == [1, 1.5, 2.25, 5]
    assert timing.watch_in(0, 10_000) == 100
