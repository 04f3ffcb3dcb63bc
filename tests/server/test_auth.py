"""Who may do what."""

from __future__ import annotations

import logging

import httpx
import pytest
from pydantic import SecretStr

from retry_toolkit.errors import SettingsError
from retry_toolkit.server.auth import Access, check_exposure, is_loopback
from retry_toolkit.server.records import Task
from retry_toolkit.settings import Settings, load_settings
from tests.conftest import OPERATOR, VIEWER
from tests.live import LivePlatform


def settings_with(**values: object) -> Settings:
    """Settings with some values, nothing opened."""
    return load_settings(**values)


@pytest.mark.parametrize(
    ("header", "role"),
    [
        (f"Bearer {VIEWER}", "viewer"),
        (f"bearer {OPERATOR}", "operator"),
        (f"Bearer  {OPERATOR} ", "operator"),
        (f"Basic {OPERATOR}", None),
        (OPERATOR, None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer nonsense", None),
        ("Bearer \udcff", None),
        ("", None),
        (None, None),
    ],
)
def test_a_header_proves_a_role(header: str | None, role: str | None) -> None:
    """Only the bearer scheme with a known token proves one."""
    assert Access.of(settings_with(viewer_token=VIEWER, operator_token=OPERATOR)).role(header) == role


def test_without_tokens_everyone_is_local() -> None:
    """No header is needed, and one that is sent does no harm."""
    access = Access.of(settings_with())
    assert access.open
    assert (access.role(None), access.role("Bearer anything")) == ("local", "local")


def test_one_token_is_enough_to_close_the_platform() -> None:
    """With a viewer's token alone nobody may act, and strangers may not read."""
    access = Access.of(settings_with(viewer_token=VIEWER))
    assert not access.open
    assert (access.role(f"Bearer {VIEWER}"), access.role("Bearer ")) == ("viewer", None)


@pytest.mark.parametrize("token", ["", " ", "two words", "ümlaut", "new\nline"])
def test_unusable_tokens_are_refused(token: str) -> None:
    """A blank token would let everybody in, and some cannot be sent; the message repeats none."""
    settings = settings_with().model_copy(update={"operator_token": SecretStr(token)})
    with pytest.raises(SettingsError, match="operator_token") as refused:
        Access.of(settings)
    assert not token.strip() or token not in str(refused.value)


def test_the_two_tokens_must_differ() -> None:
    """Otherwise a viewer could act."""
    with pytest.raises(SettingsError, match="are the same"):
        Access.of(settings_with(viewer_token=VIEWER, operator_token=VIEWER))


def test_tokens_are_never_printed() -> None:
    """Neither the access nor its repr holds one."""
    access = Access.of(settings_with(viewer_token=VIEWER, operator_token=OPERATOR))
    assert VIEWER not in repr(access)
    assert OPERATOR.encode() != access.operator


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True)),
        *(("LOCALHOST", True), ("0.0.0.0", False), ("::", False), ("", False), ("192.168.1.2", False)),
        *(("example.org", False), ("localhost.example.org", False), ("127.0.0.1.example.org", False)),
    ],
)
def test_loopback_is_recognised(host: str, loopback: bool) -> None:
    """Names are never trusted to be loopback, save `localhost`."""
    assert is_loopback(host) is loopback


def test_other_machines_need_tokens() -> None:
    """A host that others can reach is refused without tokens, naming the settings, and fine with one."""
    with pytest.raises(SettingsError, match="RETRY_TOOLKIT_OPERATOR_TOKEN"):
        check_exposure(settings_with(host="0.0.0.0"))
    check_exposure(settings_with(host="0.0.0.0", operator_token=OPERATOR))
    check_exposure(settings_with(host="127.0.0.1"))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/tasks/x", "/api/v1/capabilities", "/api/v1/none"])
def test_strangers_get_401(stranger: httpx.Client, method: str, path: str) -> None:
    """Without a token every method and path below /api is a 401 that says how to authenticate."""
    answer = stranger.request(method, path)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_a_401(stranger: httpx.Client) -> None:
    """A wrong token reads nothing."""
    answer = stranger.get("/api/v1/tasks", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token"})


@pytest.mark.parametrize("path", ["/health", "/docs", "/docs.css", "/openapi.json"])
def test_what_holds_no_data_needs_no_token(stranger: httpx.Client, path: str) -> None:
    """Health and documentation are open to read, and to nothing else."""
    assert stranger.get(path).status_code == 200
    assert stranger.post(path).status_code == 401


def test_viewers_read(viewer: httpx.Client) -> None:
    """A viewer's token reads everything and knows its role."""
    assert viewer.get("/api/v1/tasks").status_code == 200
    assert viewer.get("/api/tasks").status_code == 200
    capabilities = viewer.get("/api/v1/capabilities").json()
    assert (capabilities["auth"], capabilities["role"]) == ("token", "viewer")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/tasks"),
        ("POST", "/api/v1/tasks/retry-batch"),
        ("POST", "/api/v1/tasks/{id}/retry-from-stage"),
        ("POST", "/api/v1/tasks/{id}/retry"),
        ("POST", "/api/v1/tasks/{id}/cancel"),
        ("POST", "/api/v1/tasks/{id}/clone"),
        ("POST", "/api/tasks/{id}/retry"),
        ("POST", "/api/tasks/{id}/stop"),
        ("DELETE", "/api/tasks/{id}"),
        ("PATCH", "/api/v1/not/there"),
    ],
)
def test_viewers_do_not_write(
    viewer: httpx.Client, platform: LivePlatform, failed: Task, method: str, path: str
) -> None:
    """Every write by a viewer is a 403, and the task stays as it was."""
    answer = viewer.request(method, path.format(id=failed.id), json={})
    assert answer.status_code == 403
    assert "only read" in answer.json()["detail"]
    assert platform.task(failed.id) == failed


def test_operators_act_under_their_name(
    operator: httpx.Client, guarded_platform: LivePlatform, platform: LivePlatform
) -> None:
    """An operator's retry is accepted, and the audit trail and the attempt name the operator."""
    task = platform.failed()
    body = {"stage_id": platform.stage(task.id, "check").id}
    assert operator.post(f"/api/v1/tasks/{task.id}/retry-from-stage", json=body).status_code == 200
    platform.wait(task.id, "failed")
    rows = operator.get("/api/v1/audit/logs", params={"page_size": 200}).json()["items"]
    assert next(row["actor"] for row in rows if row["task_id"] == task.id) == "operator"
    attempts = operator.get(f"/api/v1/tasks/{task.id}/attempts").json()["items"]
    assert attempts[-1]["requested_by"] == "operator"
    assert operator.get("/api/v1/capabilities").json()["role"] == "operator"


def test_tokens_are_never_logged(
    operator: httpx.Client, stranger: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither accepted nor refused requests write a token to any log."""
    with caplog.at_level(logging.DEBUG):
        operator.get("/api/v1/tasks")
        stranger.get("/api/v1/tasks", headers={"Authorization": "Bearer guessed-secret"})
    assert OPERATOR not in caplog.text
    assert "guessed-secret" not in caplog.text
