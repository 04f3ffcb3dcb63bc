"""The demo as a value: which tasks are submitted, by whom, when, and what is done to them afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from retry_toolkit.server.demo import names, stories
from retry_toolkit.server.demo.mending import TAXED_ELSEWHERE, TAXED_LATE
from retry_toolkit.server.demo.stories import Move

DAYS = 14
WEEKEND = 5
WEEKEND_SHARE = 0.12
HOURS = (9, 10, 10, 11, 11, 11, 12, 14, 14, 15, 15, 16, 16, 17, 18, 20)
UNTAXED = {"reference_column": TAXED_ELSEWHERE, "mended_column": TAXED_LATE}
REGIONS = (("east-china", "west-china"), ("dach", "benelux", "iberia"))
EXCHANGES = (("XSHG", "XSHE", "XHKG"), ("XETR", "XLIS", "XAMS"))
VERBOSE = frozenset({"sales_report-4", "sales_report-11", "reference_rows-6", "quality_gate-3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task to submit: why it fails, empty where it succeeds, and when it is to have been submitted."""

    key: str
    pipeline: str
    title: str
    project: str
    owner: str
    cause: str
    created: datetime
    params: Mapping[str, Any]
    moves: tuple[Move, ...] = ()

    def at(self, move: Move) -> datetime:
        """When a move is to have been made: each some time after the one before it."""
        before = self.moves[: self.moves.index(move) + 1]
        return self.created + sum((each.later for each in before), timedelta())


def demo_plan(now: datetime, *, retention_days: float = 30.0) -> tuple[Case, ...]:
    """Every case of the demo, oldest first; all but its times is the same on every day."""
    cases = [
        _case(cause, pipeline, number, serial=serial, now=now, retention_days=retention_days)
        for serial, (cause, pipeline, number) in enumerate(_members(), start=101)
    ]
    return tuple(sorted(cases, key=lambda case: (case.created, case.key)))


def _members() -> Iterator[tuple[str, str, int]]:
    """Cause, pipeline and number of every case."""
    for cause in stories.CAUSES:
        yield from ((cause.name, cause.pipeline, number + 1) for number in range(cause.count))
    for pipeline, count in stories.SUCCEEDING.items():
        yield from (("", pipeline, number + 1) for number in range(count))
    yield from (("stopped", "mesh_sim", number + 1) for number in range(stories.STOPPED))


def _case(cause: str, pipeline: str, number: int, *, serial: int, now: datetime, retention_days: float) -> Case:
    key = f"{cause or pipeline}-{number}"
    rng = random.Random(key)  # noqa: S311 - a plan, nothing secret
    moves = stories.STORIES.get(key, ())
    if cause == "stopped":
        moves = (Move(act="stop" if number % 2 else "cancel", round=0, later=timedelta()), *moves)
    owner = names.HOSTILE_OWNERS.get(key) or rng.choice(names.OWNERS[pipeline])
    created = _created(key, owner, moves, now=now, retention_days=retention_days)
    params = _params(key, cause, pipeline, abroad=not names.is_chinese(owner), day=created.date(), rng=rng)
    return Case(
        key=key,
        pipeline=pipeline,
        title=names.HOSTILE_TITLES.get(key) or names.title(pipeline, owner, serial, params, created.date()),
        project=names.PROJECTS[pipeline][not names.is_chinese(owner)],
        owner=owner,
        cause=cause,
        created=created,
        params=params,
        moves=moves,
    )


def _created(key: str, owner: str, moves: tuple[Move, ...], *, now: datetime, retention_days: float) -> datetime:
    """A moment in somebody's office hours; long enough ago for what is done afterwards."""
    # Numbers of its own: how many it takes depends on the day of the week.
    rng = random.Random(f"{key}/created")  # noqa: S311 - a plan, nothing secret
    if key in stories.EXPIRED:
        return now - timedelta(days=retention_days + rng.uniform(0.5, 3.5))
    if key in stories.DUE:
        return now - timedelta(days=retention_days - rng.uniform(0.4, 2.8))
    if key in stories.FRESH:
        return now - timedelta(hours=rng.uniform(0.4, 9.0))
    latest = now - timedelta(minutes=20) - sum((move.later for move in moves), timedelta())
    while True:
        day = (now - timedelta(days=rng.randrange(DAYS))).date()
        if day.weekday() >= WEEKEND and rng.random() > WEEKEND_SHARE:
            continue
        local = timedelta(hours=rng.choice(HOURS), seconds=rng.randrange(3600), microseconds=rng.randrange(10**6))
        ahead = timedelta(hours=8 if names.is_chinese(owner) else 1)
        created = datetime(day.year, day.month, day.day, tzinfo=UTC) + local - ahead
        if created < latest:
            return created


def _params(key: str, cause: str, pipeline: str, *, abroad: bool, day: date, rng: random.Random) -> dict[str, Any]:
    if pipeline == "sales_report":
        params: dict[str, Any] = {"region": UNTAXED[cause][abroad] if cause in UNTAXED else rng.choice(REGIONS[abroad])}
        return params | ({"verbose": True} if key in VERBOSE else {})
    if pipeline == "archive_check":
        return {"format": rng.choice(("zip", "tar.gz"))}
    if pipeline == "price_feed":
        many = stories.SYMBOLS.get(key, stories.MANY_SYMBOLS)
        exchange = rng.choice(EXCHANGES[abroad])
        params = {
            "exchange": exchange,
            "account": f"desk-{key}",
            "day": f"{day}",
            "symbols": many if cause == "rate_limit" else rng.randint(4, stories.FEW_SYMBOLS),
        }
        return params | ({"history": f"{exchange}/{key}"} if cause == "cold_index" else {})
    return {"solver_type": "transient" if cause in {"time_out", "stopped"} else "steady", "release": "2026.1"}
