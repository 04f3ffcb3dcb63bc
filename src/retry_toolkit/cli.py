"""The command line: parse, call, print."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retry_toolkit.errors import RetryToolkitError
from retry_toolkit.settings import Settings, load_settings

if TYPE_CHECKING:
    from retry_toolkit.platforms.base import Status

app = typer.Typer(
    name="retry-toolkit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find failed tasks, read what broke, and retry exactly the failed part, at most once.",
    epilog="Settings: RETRY_TOOLKIT_* variables, then settings.toml in the home directory; see docs/settings.md.",
)
demo_app = typer.Typer(no_args_is_help=True, help="The demo's causes of failure: mend them, or break them again.")
app.add_typer(demo_app, name="demo")

PipelinesOption = Annotated[
    list[Path] | None,
    typer.Option("--pipelines", metavar="FILE", help="Python file of pipelines; may be given more than once."),
]
UrlOption = Annotated[str | None, typer.Option(help="Address of the platform; this machine's own if unset.")]
DemoOption = Annotated[bool, typer.Option("--demo/--no-demo", help="Run the demo tasks once.")]


class StatusName(StrEnum):
    """Statuses that `tasks` can be filtered by."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Format(StrEnum):
    """How `tasks` prints its rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command()
def up(pipelines: PipelinesOption = None, demo: DemoOption = True) -> None:
    """Start the embedded platform with demo tasks and the dashboard; Ctrl-C stops both."""
    from retry_toolkit.up import run_up

    run_up(_settings(pipelines=_paths(pipelines)), demo=demo, say=typer.echo)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to; other than loopback asks for tokens.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    pipelines: PipelinesOption = None,
    demo: DemoOption = False,
) -> None:
    """Start the embedded platform alone: both REST dialects, and the pipelines' runs."""
    from retry_toolkit.server.serve import serve as run

    settings = _settings(host=host, api_port=port, pipelines=_paths(pipelines))
    run(settings, demo=demo, ready=lambda: typer.echo(f"The platform answers at {settings.api_url} (docs at /docs)."))


@app.command()
def worker(pipelines: PipelinesOption = None) -> None:
    """Start one more process that runs tasks of the same home directory or database."""
    from retry_toolkit.server.serve import worker as run

    run(_settings(pipelines=_paths(pipelines)))


@app.command()
def dashboard(
    url: UrlOption = None,
    port: Annotated[int | None, typer.Option(help="Port of the dashboard.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, refuse every write.")] = False,
) -> None:
    """Start the dashboard alone, for a platform that runs elsewhere."""
    from retry_toolkit.dashboard import run_dashboard

    run_dashboard(_settings(url=url, dashboard_port=port, read_only=read_only or None))


@app.command()
def submit(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    file: Annotated[list[Path] | None, typer.Option("--file", exists=True, dir_okay=False, help="Input file.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="Parameter; JSON if it parses.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What the task is called.")] = None,
    project: Annotated[str | None, typer.Option(help="Project of the task.")] = None,
    url: UrlOption = None,
) -> None:
    """Submit a task to the embedded platform and print its id."""
    from retry_toolkit import connect
    from retry_toolkit.platforms.embedded import EmbeddedPlatform
    from retry_toolkit.printing import parse_parameters

    settings = _settings(url=url)
    with connect(settings.url or settings.api_url, token=_token(settings), dialect="embedded") as platform:
        assert isinstance(platform, EmbeddedPlatform)  # noqa: S101 - the dialect was asked for by name
        task = platform.submit(
            pipeline, title=title, project=project, parameters=parse_parameters(param or []), files=file or []
        )
    typer.echo(task.task_id)


@app.command()
def tasks(
    status: Annotated[StatusName | None, typer.Option(help="Only tasks of this status.")] = None,
    title: Annotated[str | None, typer.Option(help="Only tasks whose name contains this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    url: UrlOption = None,
) -> None:
    """List tasks, newest first."""
    from retry_toolkit import connect
    from retry_toolkit.frames.load import load_tasks
    from retry_toolkit.printing import print_tasks

    settings = _settings(url=url)
    wanted: Status | None = status.value if status else None
    with connect(settings.url or settings.api_url, token=_token(settings)) as platform:
        frame = load_tasks(platform, status=wanted, title=title, limit=limit)
    print_tasks(frame, output.value)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(installed("retry-toolkit"))


@demo_app.command()
def mend() -> None:
    """Mend the demo's lasting causes of failure, so that retries succeed."""
    from retry_toolkit.server.demo import mend as run

    typer.echo(run(_settings()))


@demo_app.command("break")
def break_again() -> None:
    """Undo `demo mend`."""
    from retry_toolkit.server.demo import unmend as run

    typer.echo(run(_settings()))


def main() -> None:
    """Entry point of `retry-toolkit`: every error that is ours is one clear line and exit code 1."""
    try:
        app()
    except RetryToolkitError as error:
        typer.echo(f"retry-toolkit: {error}", err=True)
        sys.exit(1)


def _settings(**overrides: object) -> Settings:
    return load_settings(**{name: value for name, value in overrides.items() if value is not None})


def _paths(pipelines: list[Path] | None) -> tuple[Path, ...] | None:
    return tuple(path.absolute() for path in pipelines) if pipelines else None


def _token(settings: Settings) -> str | None:
    return settings.token.get_secret_value() if settings.token else None
