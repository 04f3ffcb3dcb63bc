"""The budget of repeats: a sick platform is not buried under them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.budget import RetryBudget
from tests.platforms.wires import Recorder, transport


def body(status: int, **options: Any) -> Recorder:
    """A recorder that always gives this answer."""
    return Recorder(lambda request: httpx.Response(status, **options))


def test_a_total_outage_costs_at_most_a_tenth_more() -> None:
    """One budget serves every connection: of 1,000 reads that all fail, at most 100 are repeated."""
    budget = RetryBudget()
    recorder = body(503)
    links = [transport(recorder, budget=budget) for _ in range(4)]
    for number in range(1000):
        with pytest.raises(errors.Unavailable):
            links[number % 4].read("/x")
    assert 1000 < len(recorder.requests) <= 1100


def test_answers_fill_the_budget_up_again() -> None:
    """A platform that mostly answers gets each of its stumbles repeated."""
    budget = RetryBudget(reserve=3)
    recorder = body(503)
    for _ in range(3):
        with pytest.raises(errors.Unavailable):
            transport(recorder, budget=budget).read("/x")
    assert len(recorder.requests) == 3 + 3
    for _ in range(2):
        transport(body(200, json={}), budget=budget).read("/x")
    assert [budget.take() for _ in range(3)] == [True, True, False]
