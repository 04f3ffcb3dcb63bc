"""The demo's HTTP service: its budgets, its indexes, its life."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from retry_toolkit.server.demo import DemoService
from retry_toolkit.server.demo.places import service_file
from retry_toolkit.server.demo.service import Budget
from retry_toolkit.settings import Settings, load_settings
from tests.live import wait_until


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of an empty home directory."""
    return load_settings(home=home)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def service(settings: Settings, clock: Clock) -> Iterator[DemoService]:
    """A running service of two calls a window, whose windows end when the test says so."""
    with DemoService(settings, budget=Budget(calls=2, window_s=10, clock=clock), index_s=0.2) as running:
        yield running


@pytest.fixture
def client(service: DemoService) -> Iterator[httpx.Client]:
    """A client of the service."""
    with httpx.Client(base_url=service.url, trust_env=False, timeout=10) as opened:
        yield opened


def test_an_account_has_a_budget(client: httpx.Client, clock: Clock) -> None:
    """The third call of a window is refused with the time to wait; other accounts and the next window are not."""

    def ask(account: str) -> httpx.Response:
        return client.get("/prices/ABC.X?day=2026-11-18", headers={"X-Account": account})

    answers = [ask("one") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "11"
    assert "'one'" in answers[2].json()["detail"]
    assert ask("two").status_code == 200
    clock.now += 10
    assert ask("one").json() == answers[0].json()


def test_it_says_when_an_account_has_settled(client: httpx.Client, service: DemoService, clock: Clock) -> None:
    """An account that has called has its whole budget again after its window; others are not concerned."""
    assert service.has_settled("one")
    client.get("/prices/ABC.X?day=1", headers={"X-Account": "one"})
    clock.now += 9
    assert not service.has_settled("one")
    assert service.has_settled("two")
    clock.now += 1
    assert service.has_settled("one")


def test_an_index_is_built_although_its_first_client_gives_up(client: httpx.Client, service: DemoService) -> None:
    """Whoever asks first waits too long; the index is built all the same, for whoever asks later."""
    with pytest.raises(httpx.ReadTimeout):
        client.get("/history/XSHG%2F1999", timeout=0.05)
    wait_until(lambda: service.has_settled("one", "XSHG/1999"), "the index")
    answer = client.get("/history/XSHG%2F1999")
    assert answer.json()["market"] == "XSHG/1999"
    assert len(answer.json()["days"]) == 12


def test_an_index_survives_the_service(settings: Settings) -> None:
    """Indexes are kept on disk: after a restart nobody waits again."""
    with DemoService(settings, index_s=0) as first:
        httpx.get(f"{first.url}/history/XETR", trust_env=False, timeout=10).raise_for_status()
    with DemoService(settings, index_s=60) as second:
        assert httpx.get(f"{second.url}/history/XETR", trust_env=False, timeout=5).json()["market"] == "XETR"


def test_an_interrupted_build_is_taken_up_again(settings: Settings) -> None:
    """What was asked for before a restart is built after it, without being asked for again."""
    with DemoService(settings, index_s=60) as first, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{first.url}/history/XETR", trust_env=False, timeout=0.1)
    with DemoService(settings, index_s=0.01) as second:
        wait_until(lambda: second.has_settled("one", "XETR"), "the index")
        assert httpx.get(f"{second.url}/history/XETR", trust_env=False, timeout=5).json()["market"] == "XETR"
    with DemoService(settings, index_s=60) as third:
        assert third.has_settled("one", "XETR")


def test_stopping_lets_waiting_clients_go(settings: Settings) -> None:
    """A stop does not wait for an index, and its clients are told that there is none."""
    service = DemoService(settings, index_s=60)
    service.start()
    statuses: list[int] = []

    def ask(url: str) -> None:
        statuses.append(httpx.get(url, trust_env=False, timeout=20).status_code)

    waiting = Thread(target=ask, args=(f"{service.url}/history/XETR",))
    waiting.start()
    wait_until(lambda: not service.has_settled("one", "XETR"), "the client to ask")
    service.stop()
    waiting.join(10)
    assert statuses == [503]


def test_its_address_is_in_a_file_while_it_runs(settings: Settings) -> None:
    """Stages of any process find it, and find nothing once it has stopped; stopping twice does no harm."""
    service = DemoService(settings)
    with pytest.raises(RuntimeError, match="not running"):
        _ = service.url
    service.start()
    assert json.loads(service_file(settings.home).read_text(encoding="utf-8")) == {"url": service.url}
    service.stop()
    service.stop()
    assert not service_file(settings.home).exists()


def test_it_knows_nothing_else(client: httpx.Client) -> None:
    """Other addresses are not found; its health is."""
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/nothing").status_code == 404
