"""Settings, read once from the environment and a TOML file, then passed in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_state_path
from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from retry_toolkit.errors import SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]
Language = Literal["auto", "en", "zh"]


def default_home() -> Path:
    """Directory of all state: `RETRY_TOOLKIT_HOME`, else the user's state directory."""
    return Path(os.environ.get("RETRY_TOOLKIT_HOME") or user_state_path("retry-toolkit")).expanduser().absolute()


class Settings(BaseSettings):
    """Every setting of the toolkit; frozen.

    Each is read from `RETRY_TOOLKIT_<NAME>`, then from `settings.toml` in the home directory, then from its default.
    """

    model_config = SettingsConfigDict(env_prefix="RETRY_TOOLKIT_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(default_factory=default_home, description="Directory of all state.")
    host: str = Field("127.0.0.1", description="Address that the embedded platform binds to.")
    api_port: Port = Field(8642, description="Port of the embedded platform.")
    dashboard_port: Port = Field(8643, description="Port of the dashboard.")
    database_url: SecretStr | None = Field(None, description="PostgreSQL URL; SQLite in the home directory if unset.")
    pipelines: Annotated[tuple[Path, ...], NoDecode] = Field((), description="Files of pipelines, separated by ':'.")
    concurrency: PositiveInt = Field(
        default_factory=lambda: os.cpu_count() or 2, description="Tasks that one process runs at a time."
    )
    retry_limit: int = Field(3, ge=0, description="Retries of one stage where its pipeline names no limit.")
    retention_days: PositiveFloat = Field(30.0, description="Days for which input files are kept.")
    evidence_days: PositiveFloat = Field(365.0, description="Days for which reports erased by retries are kept.")
    viewer_token: SecretStr | None = Field(None, description="Token that may read the embedded platform.")
    operator_token: SecretStr | None = Field(None, description="Token that may read and act.")
    url: str | None = Field(None, description="Platform that `connect()` uses; the embedded one if unset.")
    token: SecretStr | None = Field(None, description="Token that `connect()` sends.")
    read_only: bool = Field(False, description="Let `connect()` refuse everything that writes.")
    language: Language = Field("auto", description="Language of the panels; auto follows the locale.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then `settings.toml` of the home directory."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, default_home() / "settings.toml")
        return init_settings, env_settings, toml

    @field_validator("pipelines", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @property
    def api_url(self) -> str:
        """Address of the embedded platform of this machine."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"


def load_settings(**overrides: object) -> Settings:
    """Settings of this process; `overrides` win over every other source.

    Raises:
        SettingsError: A value cannot be used; names the setting and never repeats a secret.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"Setting {name!r}: {first['msg']}.",
            advice=f"Correct RETRY_TOOLKIT_{name.upper()} or settings.toml in {default_home()}.",
        ) from None
    except (ValueError, OSError) as error:
        raise SettingsError(
            f"settings.toml cannot be read: {error}.", advice=f"Correct {default_home() / 'settings.toml'}."
        ) from error
