"""Settings: where they come from, what refuses them, what never leaks."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from retry_toolkit.errors import SettingsError
from retry_toolkit.settings import Settings, load_settings

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory that this process's environment names."""
    monkeypatch.setenv("RETRY_TOOLKIT_HOME", str(tmp_path))
    return tmp_path


def test_arguments_win_over_environment_over_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of sources is arguments, environment, settings.toml, default."""
    (home / "settings.toml").write_text("api_port = 1001\ndashboard_port = 1002\nretry_limit = 7\n")
    monkeypatch.setenv("RETRY_TOOLKIT_API_PORT", "2001")
    monkeypatch.setenv("RETRY_TOOLKIT_DASHBOARD_PORT", "2002")
    settings = load_settings(api_port=3001)
    assert (settings.api_port, settings.dashboard_port, settings.retry_limit) == (3001, 2002, 7)
    assert settings.retention_days == 30


def test_empty_variable_counts_as_unset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exported but empty variable does not break the default."""
    monkeypatch.setenv("RETRY_TOOLKIT_API_PORT", "")
    assert load_settings().api_port == 8642


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "70000"),
        ("API_PORT", "eighty"),
        ("RETRY_LIMIT", "-1"),
        ("LANGUAGE", "klingon"),
        ("CONCURRENCY", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_clear_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The error names the setting and where to correct it, on one line."""
    monkeypatch.setenv(f"RETRY_TOOLKIT_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert name.lower() in str(caught.value)
    assert f"RETRY_TOOLKIT_{name}" in caught.value.advice
    assert "\n" not in str(caught.value)


def test_broken_toml_names_the_file(home: Path) -> None:
    """A settings.toml that does not parse is said with its path."""
    (home / "settings.toml").write_text("api_port = = 1\n")
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        load_settings()


def test_secrets_never_show(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor the error of another setting repeats a token."""
    monkeypatch.setenv("RETRY_TOOLKIT_OPERATOR_TOKEN", "hush-hush")
    assert "hush-hush" not in repr(load_settings())
    monkeypatch.setenv("RETRY_TOOLKIT_API_PORT", "none")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "hush-hush" not in "".join(shown.format())


def test_settings_are_frozen(home: Path) -> None:
    """No part of the program can change a setting under another."""
    with pytest.raises(ValueError, match="frozen"):
        setattr(load_settings(), "api_port", 1)  # noqa: B010 - the type checker already refuses the plain form


def test_api_url_of_a_public_bind_is_loopback(home: Path) -> None:
    """A platform that binds to every address is reached on loopback by its own machine, in IPv6 with brackets."""
    assert load_settings(host="0.0.0.0", api_port=9).api_url == "http://127.0.0.1:9"
    assert load_settings(host="::1", api_port=9).api_url == "http://[::1]:9"


def test_several_pipeline_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable takes paths as PATH does."""
    monkeypatch.setenv("RETRY_TOOLKIT_PIPELINES", "/a/one.py:/b/two.py")
    assert load_settings().pipelines == (Path("/a/one.py"), Path("/b/two.py"))


def test_every_setting_is_documented() -> None:
    """docs/settings.md has a row for each setting and for nothing else."""
    rows = [line for line in (DOCS / "settings.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(Settings.model_fields)
