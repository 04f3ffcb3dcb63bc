"""Work runs aside, and its results come back where widgets may be touched."""

from __future__ import annotations

import asyncio
import threading

from retry_toolkit.panels.state.background import ThreadBackground


async def _run(outcome: str) -> dict[str, object]:
    """What `then` and `otherwise` saw, on an event loop."""
    seen: dict[str, object] = {"loop": threading.get_ident()}
    done = asyncio.Event()
    background = ThreadBackground()

    def work() -> str:
        seen["work"] = threading.get_ident()
        if outcome == "work fails":
            raise ValueError("work")
        return "result"

    def then(result: str) -> None:
        seen["then"], seen["result"] = threading.get_ident(), result
        if outcome == "then fails":
            raise ValueError("then")
        done.set()

    def otherwise(error: Exception) -> None:
        seen["otherwise"], seen["error"] = threading.get_ident(), str(error)
        done.set()

    background.start(work, then, otherwise)
    await asyncio.wait_for(done.wait(), timeout=10)
    return seen


def test_a_result_comes_back_on_the_loop() -> None:
    """The work does not block the loop, the result is handed over on it."""
    seen = asyncio.run(_run("works"))
    assert seen["work"] != seen["loop"]
    assert (seen["then"], seen["result"]) == (seen["loop"], "result")


def test_an_error_of_the_work_comes_back_on_the_loop() -> None:
    """It does not vanish in its thread."""
    seen = asyncio.run(_run("work fails"))
    assert (seen["otherwise"], seen["error"]) == (seen["loop"], "work")


def test_an_error_of_the_result_s_use_is_handed_over_too() -> None:
    """It does not vanish in the loop."""
    seen = asyncio.run(_run("then fails"))
    assert (seen["otherwise"], seen["error"]) == (seen["loop"], "then")


def test_without_a_loop_the_thread_hands_over() -> None:
    """In a plain script there is nowhere else."""
    done = threading.Event()
    seen: list[str] = []

    def then(result: str) -> None:
        seen.append(result)
        done.set()

    ThreadBackground().start(lambda: "result", then, lambda error: None)
    assert done.wait(10)
    assert seen == ["result"]


def test_a_loop_that_is_gone_takes_nothing() -> None:
    """What comes back after a kernel's loop has ended is dropped without a word in a log."""

    async def make() -> ThreadBackground:
        return ThreadBackground()

    background = asyncio.run(make())
    seen: list[str] = []
    background.post(lambda: seen.append("touched"), lambda error: seen.append("error"))
    assert seen == []


def test_what_has_time_lets_others_go_first() -> None:
    """On a loop a call comes so much later; in a plain script nobody waits for it to make way."""

    async def order() -> list[str]:
        background, seen, done = ThreadBackground(), list[str](), asyncio.Event()

        def last() -> None:
            seen.append("later")
            done.set()

        background.post(last, lambda error: None, after_s=0.05)
        background.post(lambda: seen.append("now"), lambda error: None)
        await asyncio.wait_for(done.wait(), timeout=10)
        return seen

    assert asyncio.run(order()) == ["now", "later"]
    seen: list[str] = []
    ThreadBackground().post(lambda: seen.append("at once"), lambda error: None, after_s=60.0)
    assert seen == ["at once"]
