"""Processes of the embedded platform: the server with its engine, or an engine alone."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import uvicorn

from retry_toolkit.errors import SettingsError
from retry_toolkit.server import demo as demo_tasks
from retry_toolkit.server.actions import Actions
from retry_toolkit.server.app import create_app
from retry_toolkit.server.auth import check_exposure
from retry_toolkit.server.engine import Engine
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.pipelines import load_pipelines
from retry_toolkit.server.routes.context import DemoProgress
from retry_toolkit.server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from fastapi import FastAPI

    from retry_toolkit.server.demo import DemoService
    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.settings import Settings

log = logging.getLogger("retry_toolkit.server")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 3
BACKLOG = 512
KEEP_ALIVE_S = 75  # longer than clients keep idle connections, or a write could meet one that is just being closed


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPlatform:
    """A platform whose engine runs; what it lacks is a socket."""

    settings: Settings
    store: Store
    engine: Engine
    actions: Actions
    pipelines: Mapping[str, Pipeline]
    app: FastAPI
    demo_service: DemoService | None
    demo_progress: DemoProgress


def serve(settings: Settings, *, demo: bool = False, ready: Callable[[], None] | None = None) -> None:
    """Serve both dialects and run tasks until SIGINT or SIGTERM; stages that run then run again at the next start.

    Args:
        settings: The settings of this process.
        demo: Make the demo tasks, once for ever, while serving.
        ready: Called when requests are answered.

    Raises:
        SettingsError: The address cannot be used, or is open to other machines without tokens.
        PipelineFileError: A pipeline file cannot be used.
    """
    check_exposure(settings)
    _log_to_stderr()
    with (
        _stopped_by_signals() as stop,
        bound_socket(settings) as listener,
        running_platform(settings, demo=demo) as platform,
        _DemoMaker(platform) if demo else nullcontext() as maker,
    ):

        def answers() -> None:
            if maker is not None:
                maker.start()
            if ready is not None:
                ready()

        ApiServer(platform.app, stop=stop, ready=answers).run(sockets=[listener])


def worker(settings: Settings) -> None:
    """Run tasks until SIGINT or SIGTERM, without serving requests.

    Raises:
        SettingsError: The home directory or the database cannot be used.
        PipelineFileError: A pipeline file cannot be used.
    """
    _log_to_stderr()
    with _stopped_by_signals() as stop, running_platform(settings, serves=False):
        stop.wait()


@contextmanager
def running_platform(settings: Settings, *, demo: bool = False, serves: bool = True) -> Iterator[RunningPlatform]:
    """A platform with its engine started; stopped and closed at the end.

    Args:
        settings: The settings of this process.
        demo: Load the demo's pipelines and run its service; both are there anyway where the home directory has a demo.
        serves: Whether this process serves requests; a worker leaves the demo's service to the one that does.

    Raises:
        SettingsError: The home directory or the database cannot be used.
        PipelineFileError: A pipeline file cannot be used.
    """
    has_demo = demo or demo_tasks.exists(settings)
    pipelines = load_pipelines((*settings.pipelines, *(demo_tasks.PIPELINES if has_demo else ())))
    with ExitStack() as stack:
        store = Store.open(settings)
        stack.callback(store.close)
        engine = Engine(store, pipelines, settings)
        actions = Actions(store, engine, TaskFiles(settings), pipelines, settings)
        progress = DemoProgress(finished=not demo)
        app = create_app(store, actions, pipelines, settings, demo=progress)
        service = stack.enter_context(demo_tasks.DemoService(settings)) if has_demo and serves else None
        stack.callback(engine.stop)
        engine.start()
        yield RunningPlatform(
            settings=settings,
            store=store,
            engine=engine,
            actions=actions,
            pipelines=pipelines,
            app=app,
            demo_service=service,
            demo_progress=progress,
        )


@contextmanager
def bound_socket(settings: Settings) -> Iterator[socket.socket]:
    """A socket bound to the settings' address; taken before anything is started.

    Raises:
        SettingsError: The address cannot be used.
    """
    host, port = settings.host, settings.api_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SettingsError(
            f"Host {host!r} is not an address of this machine: {error.strerror}.", advice="Set RETRY_TOOLKIT_HOST."
        ) from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise SettingsError(
                f"Port {port} on {host} cannot be used: {error.strerror}.",
                advice="Stop what uses it, or choose another: RETRY_TOOLKIT_API_PORT=<port>.",
            ) from None
        yield listener


class ApiServer(uvicorn.Server):
    """A uvicorn server that tells when it answers, and obeys a stop that came before it ran."""

    def __init__(
        self, app: FastAPI, *, stop: threading.Event | None = None, ready: Callable[[], None] | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._stop = stop or threading.Event()
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self._stop.is_set():
            self.should_exit = True
        elif self._ready is not None:
            self._ready()


class _DemoMaker:
    """Makes the demo tasks in the background, once; a stop interrupts it, and the next start goes on."""

    def __init__(self, platform: RunningPlatform) -> None:
        self._platform = platform
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._make, name="demo")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _make(self) -> None:
        platform, progress = self._platform, self._platform.demo_progress
        assert platform.demo_service is not None  # noqa: S101 - a platform that makes a demo runs its service
        try:
            demo_tasks.seed(
                platform.actions,
                platform.store,
                platform.demo_service,
                platform.settings,
                progress=progress.update,
                stop=self._stop,
            )
        except Exception as error:  # the platform serves on without a demo, and says why
            log.exception("The demo was given up")
            progress.error = str(error)
        progress.finished = True


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; uvicorn handles them itself while it runs and then passes them on."""
    stop = threading.Event()

    def request_stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    previous = {number: signal.signal(number, request_stop) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
