"""What a batch does next: a simulation in which time passes by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.retry.agenda import Agenda, Look, Send, Skip, Step, Stop, Watch
from retry_toolkit.retry.classify import Verdict
from retry_toolkit.retry.policy import Canary, Pace, Rows, StopRule, Timing
from retry_toolkit.retry.states import FINAL, State

NEVER = StopRule(unknown=None, refused=None, not_sent=None)
TIMING = Timing(resends=2, looks=3, call_off_at=2, misses=2)
ACCEPTED = Verdict(state="ACCEPTED")
SUCCEEDED = Verdict(state="SUCCEEDED")
UNKNOWN = Verdict(state="UNKNOWN")
NOT_SENT = Verdict(state="NOT_SENT", again=True)
Answers = Callable[[Step, str], Verdict]


def agenda_of(
    *op_ids: str, state: State = "PLANNED", canary: int = 0, most: int = 2, chunk: int = 1, rule: StopRule = NEVER
) -> Agenda:
    """An agenda with these items, all of one group, started at time 0."""
    agenda = Agenda(
        canary=Canary(canary), rows=Rows(rule), pace=Pace(most, TIMING), timing=TIMING, chunk=chunk, readers=2
    )
    for op_id in op_ids:
        agenda.add(op_id, state, "group", 0.0)
    agenda.start()
    return agenda


def well(step: Step, op_id: str) -> Verdict:
    """Every item is accepted, then succeeds."""
    return ACCEPTED if isinstance(step, Send) else SUCCEEDED


@dataclass
class Simulation:
    """Runs an agenda with given answers; each step takes one second of a time that passes by itself."""

    agenda: Agenda
    answers: Answers
    now: float = 0.0
    steps: list[Step] = field(default_factory=list)
    last: dict[str, State] = field(default_factory=dict)
    most_writing: int = 0

    def run(self) -> Simulation:
        """Run until it is finished."""
        under_way: list[Step] = []
        for _ in range(10_000):
            if self.agenda.finished and not under_way:
                return self
            begun = self.agenda.steps(self.now)
            self.steps += begun
            under_way += begun
            self.most_writing = max(self.most_writing, sum(isinstance(step, Send) for step in under_way))
            if under_way:
                self.now += 1.0
                self._end(under_way.pop(0))
            else:
                wake = self.agenda.wake_at(self.now)
                assert wake is not None, "nothing is under way, and nothing is to come"
                self.now = max(self.now, wake)
        raise AssertionError("it never ends")

    def _end(self, step: Step) -> None:
        match step:
            case Stop():
                self.agenda.stopped()
            case Send(op_ids):
                for op_id in op_ids:
                    self._tell(step, op_id)
            case Skip(op_ids):
                for op_id in op_ids:
                    self.last[op_id] = "SKIPPED"
                    self.agenda.hear(op_id, Verdict(state="SKIPPED"), self.now)
            case Look(op_id) | Watch(op_id):
                self._tell(step, op_id)

    def _tell(self, step: Step, op_id: str) -> None:
        verdict = self.answers(step, op_id)
        self.last[op_id] = verdict.state
        self.agenda.hear(op_id, verdict, self.now)

    def count(self, kind: type[Step]) -> int:
        """How many steps of this kind began."""
        return sum(isinstance(step, kind) for step in self.steps)


def test_everything_is_sent_once_and_watched() -> None:
    """Never more than the pace at a time."""
    done = Simulation(agenda_of(*"abcde"), well).run()
    assert [step for step in done.steps if isinstance(step, Send)] == [Send((op_id,)) for op_id in "abcde"]
    assert (done.count(Watch), done.most_writing) == (5, 2)
    assert set(done.last.values()) == {"SUCCEEDED"}


def test_items_go_together_in_even_shares() -> None:
    """A chunk is a share of what is ready, up to its bound."""
    done = Simulation(agenda_of(*map(str, range(9)), chunk=3), well).run()
    assert [len(step.op_ids) for step in done.steps if isinstance(step, Send)] == [3, 3, 2, 1]


def test_what_was_not_sent_goes_again_a_bounded_number_of_times() -> None:
    """Then it stays NOT_SENT."""
    done = Simulation(agenda_of("a"), lambda step, op_id: NOT_SENT).run()
    assert (done.count(Send), done.last) == (1 + TIMING.resends, {"a": "NOT_SENT"})


def test_what_was_not_sent_and_cannot_be_is_left() -> None:
    """A read-only connection does not become another one by trying."""
    done = Simulation(agenda_of("a"), lambda step, op_id: Verdict(state="NOT_SENT")).run()
    assert done.count(Send) == 1


def test_what_is_unclear_is_read_back_and_never_sent_again() -> None:
    """The later read-backs may call it off; then it stays UNKNOWN."""
    done = Simulation(agenda_of("a"), lambda step, op_id: UNKNOWN).run()
    assert done.steps == [Send(("a",)), Look("a"), Look("a", call_off=True), Look("a", call_off=True)]
    assert done.last == {"a": "UNKNOWN"}


def test_read_backs_that_fail_do_not_count() -> None:
    """An outage of the platform uses no patience up, but not for ever."""
    outage = iter([True, True, False, True, False])

    def answers(step: Step, op_id: str) -> Verdict:
        return Verdict(state="UNKNOWN", again=isinstance(step, Look) and next(outage, False))

    assert Simulation(agenda_of("a"), answers).run().count(Look) == 3 + 3
    gone = Simulation(agenda_of("a"), lambda step, _: Verdict(state="UNKNOWN", again=isinstance(step, Look))).run()
    assert gone.count(Look) == TIMING.misses + 1


def test_a_read_back_that_finds_it_is_followed_by_watching() -> None:
    """UNKNOWN, then ACCEPTED, then its end."""

    def answers(step: Step, op_id: str) -> Verdict:
        return UNKNOWN if isinstance(step, Send) else ACCEPTED if isinstance(step, Look) else SUCCEEDED

    assert Simulation(agenda_of("a"), answers).run().steps == [Send(("a",)), Look("a"), Watch("a")]


def test_an_item_that_could_not_be_read_first_goes_again_then_is_skipped() -> None:
    """It stays PLANNED meanwhile."""
    done = Simulation(agenda_of("a"), lambda *_: Verdict(state="PLANNED", reason="unreadable", again=True)).run()
    assert (done.count(Send), done.steps[-1]) == (1 + TIMING.resends, Skip(("a",), "unreadable"))


def test_unclear_answers_in_a_row_stop_the_sending() -> None:
    """What was sent is still read back; a lost batch call counts once, whatever it held."""
    rule = StopRule(unknown=2, refused=None, not_sent=None)
    alone = Simulation(agenda_of(*"abcdef", most=1, rule=rule), lambda *_: UNKNOWN).run()
    assert (alone.count(Send), alone.count(Look), alone.count(Stop)) == (2, 2 * TIMING.looks, 1)
    together = Simulation(agenda_of(*"abcdef", most=1, chunk=2, rule=rule), lambda *_: UNKNOWN).run()
    assert (together.count(Send), together.count(Stop)) == (2, 1)


def test_a_canary_that_fails_again_skips_its_group() -> None:
    """Only the canary is ever sent."""

    def answers(step: Step, op_id: str) -> Verdict:
        return ACCEPTED if isinstance(step, Send) else Verdict(state="FAILED_AGAIN", fingerprint="group")

    done = Simulation(agenda_of(*"abc", canary=1), answers).run()
    assert done.last == {"a": "FAILED_AGAIN", "b": "SKIPPED", "c": "SKIPPED"}
    assert done.count(Send) == 1


def test_a_pause_holds_writes_only() -> None:
    """What is accepted is watched; nothing is finished before it goes on."""
    agenda = agenda_of("a", "b", most=1)
    assert agenda.steps(0.0) == [Send(("a",))]
    agenda.pause()
    agenda.hear("a", ACCEPTED, 0.0)
    assert agenda.steps(100.0) == [Watch("a")]
    agenda.hear("a", SUCCEEDED, 100.0)
    assert (agenda.steps(200.0), agenda.finished, agenda.wake_at(200.0)) == ([], False, None)
    agenda.go_on()
    assert agenda.steps(200.0) == [Send(("b",))]


def test_what_the_journal_did_not_let_go_waits() -> None:
    """The batch was paused between the decision and the claim."""
    agenda = agenda_of("a")
    agenda.steps(0.0)
    agenda.pause()
    agenda.hear("a", Verdict(state="PLANNED"), 0.0)
    assert agenda.steps(0.0) == []
    agenda.go_on()
    assert agenda.steps(0.0) == [Send(("a",))]


def test_a_busy_platform_is_left_alone_for_a_while() -> None:
    """No write begins before the wait is over."""
    agenda = agenda_of("a", "b", most=1)
    agenda.steps(0.0)
    agenda.hear("a", Verdict(state="UNKNOWN", busy=True, wait_s=30.0), 10.0)
    assert [type(step) for step in agenda.steps(39.9)] == [Look]
    assert agenda.wake_at(39.9) == 40.0
    assert agenda.steps(40.0) == [Send(("b",))]


def test_old_items_go_on_where_they_were() -> None:
    """A new process reads back what is unclear and watches what was accepted; the rest is over."""
    for state, kind in (("UNKNOWN", Look), ("ACCEPTED", Watch), ("NOT_SENT", Send)):
        agenda = agenda_of("a", state=state)  # type: ignore[arg-type]  # the literals are states
        assert [type(step) for step in agenda.steps(1000.0)] == [kind]
    for over in FINAL - {"NOT_SENT"}:
        assert agenda_of("a", state=over).finished


def test_a_person_may_want_an_item_anew() -> None:
    """Sent again, looked at again, or resolved: the plans that were made for it are void."""
    agenda = agenda_of("a", state="UNKNOWN")
    agenda.revisit("a", "PLANNED", 0.0)
    assert agenda.steps(1000.0) == [Send(("a",))]
    agenda.revisit("a", "UNKNOWN", 1000.0)
    agenda.hear("a", UNKNOWN, 1000.0)
    agenda.revisit("a", "SUCCEEDED", 1000.0)
    assert (agenda.steps(2000.0), agenda.finished) == ([], True)


VERDICTS = st.sampled_from(
    [
        *(ACCEPTED, UNKNOWN, NOT_SENT, Verdict(state="REJECTED"), Verdict(state="SKIPPED")),
        *(Verdict(state="UNKNOWN", busy=True), Verdict(state="PLANNED", again=True)),
    ]
)
ENDS = st.sampled_from([SUCCEEDED, Verdict(state="FAILED_AGAIN", fingerprint="group"), Verdict(state="CANCELLED")])


@given(st.data(), st.integers(1, 12), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4))
def test_every_batch_ends_and_no_unclear_item_is_sent_again(
    data: st.DataObject, items: int, canary: int, most: int, chunk: int
) -> None:
    """Whatever is answered: it ends, the pace is kept, and only what was provably not sent goes more than once."""
    unclear: set[str] = set()
    sends: Counter[str] = Counter()

    def answers(step: Step, op_id: str) -> Verdict:
        if isinstance(step, Send):
            assert op_id not in unclear
            sends[op_id] += 1
            verdict = data.draw(VERDICTS)
            if verdict.state not in {"NOT_SENT", "PLANNED"}:
                unclear.add(op_id)
            return verdict
        if isinstance(step, Look):
            return data.draw(st.sampled_from([UNKNOWN, ACCEPTED, Verdict(state="REJECTED")]))
        return data.draw(ENDS)

    rule = data.draw(st.sampled_from([NEVER, StopRule(unknown=2, refused=2, not_sent=2)]))
    agenda = agenda_of(*map(str, range(items)), canary=canary, most=most, chunk=chunk, rule=rule)
    done = Simulation(agenda, answers).run()
    assert done.most_writing <= most
    assert max(sends.values(), default=0) <= 1 + TIMING.resends
