"""Pipelines as their authors write them: a Python file of decorated functions or command lines.

Every stage runs in a fresh process that imports this module and the author's file, so it imports as little as it can.
A stage can run again after a crash of the machine: write it so that running it twice does no harm.

Example:
    ```python
    sales = Pipeline("sales_report", title="Sales report", project="sales")

    @sales.stage(role="validator", timeout_s=30, memory_mb=256)
    def validate(ctx: StageContext) -> str:
        rows = (ctx.inputs / "sales.csv").read_text().splitlines()
        return f"{len(rows)} rows"

    sales.command("pack", ["tar", "-czf", "out.tgz", "."], role="packer")
    ```
"""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location

from retry_toolkit.errors import RetryToolkitError

TYPE_CHECKING = False  # `typing` costs every stage process several milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType
    from typing import Any

    StageResult = str | Mapping[str, Any] | None
    StageFunction = Callable[["StageContext"], StageResult]

CATEGORIES = frozenset({"transient", "tool_error", "resource", "semantic", "gate_rejected", "unknown"})
DEFAULT_TIMEOUT_S = 3600.0
_NAME = re.compile(r"[^\W][\w.-]{0,59}")


class PipelineFileError(RetryToolkitError):
    """A pipeline file cannot be used; the message is one line with file, line number and reason."""


class StageError(Exception):
    """What a stage raises to fail with a message of its own and a category.

    Args:
        message: What went wrong, for the person who reads the report.
        category: One of `CATEGORIES`; says whether a retry may help.

    Raises:
        ValueError: The category is not one of `CATEGORIES`.
    """

    def __init__(self, message: str, category: str = "tool_error") -> None:
        if category not in CATEGORIES:
            raise ValueError(f"unknown failure category {category!r}; use one of {', '.join(sorted(CATEGORIES))}")
        super().__init__(message)
        self.category = category


class StageContext:
    """What a stage gets: its task, its parameters and its directories.

    Attributes:
        task_id: Id of the task.
        stage: Name of the stage.
        attempt: 1 for the first attempt, 2 after the first retry.
        params: The task's parameters.
        inputs: Directory of the task's input files; read only by convention.
        work: Own directory of this attempt, empty at its start; also the current directory.
    """

    __slots__ = ("_outputs", "attempt", "inputs", "params", "stage", "task_id", "work")

    def __init__(
        self,
        *,
        task_id: str,
        stage: str,
        attempt: int,
        params: Mapping[str, Any],
        inputs: Path,
        work: Path,
        outputs: Mapping[str, Path],
    ) -> None:
        self.task_id = task_id
        self.stage = stage
        self.attempt = attempt
        self.params = params
        self.inputs = inputs
        self.work = work
        self._outputs = outputs

    def outputs(self, stage: str) -> Path:
        """Work directory of the latest completed attempt of an earlier stage.

        Raises:
            KeyError: No earlier stage of that name has completed.
        """
        try:
            return self._outputs[stage]
        except KeyError:
            known = ", ".join(self._outputs) or "none"
            raise KeyError(f"no completed stage {stage!r} before {self.stage!r} (completed: {known})") from None


class StageSpec:
    """One stage of a pipeline: a function or a command line, and its limits.

    Attributes:
        name: Unique in its pipeline.
        role: Who does it, such as `validator`.
        function: The function, or None for a command line.
        argv: The command line, or None for a function.
        timeout_s: Seconds after which it is killed.
        memory_mb: MiB of memory that it and each of its children may use, or None for no limit.
        max_retries: Retries allowed, or None for the platform's default.
    """

    __slots__ = ("argv", "function", "max_retries", "memory_mb", "name", "role", "timeout_s")

    def __init__(
        self,
        name: str,
        *,
        role: str,
        function: StageFunction | None = None,
        argv: tuple[str, ...] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_mb: int | None = None,
        max_retries: int | None = None,
    ) -> None:
        _check_name("stage", name)
        _check_limit(name, "timeout_s", timeout_s, above=0)
        _check_limit(name, "memory_mb", memory_mb, above=0)
        _check_limit(name, "max_retries", max_retries, above=-1)
        self.name = name
        self.role = role
        self.function = function
        self.argv = argv
        self.timeout_s = timeout_s
        self.memory_mb = memory_mb
        self.max_retries = max_retries

    @property
    def kind(self) -> str:
        """`function` or `command`."""
        return "function" if self.argv is None else "command"


class Pipeline:
    """A named sequence of stages; a module-level object of a pipeline file.

    Args:
        name: What tasks are submitted under: letters, digits, `_`, `-` and `.`.
        title: What people read; the name if empty.
        project: Project that its tasks belong to unless they name another.

    Attributes:
        path: File that it was loaded from, or None before `load_pipelines`.
    """

    def __init__(self, name: str, *, title: str = "", project: str | None = None) -> None:
        _check_name("pipeline", name)
        self.name = name
        self.title = title or name
        self.project = project
        self.path: Path | None = None
        self._stages: dict[str, StageSpec] = {}

    @property
    def stages(self) -> tuple[StageSpec, ...]:
        """The stages in the order in which they run."""
        return tuple(self._stages.values())

    def find(self, stage: str) -> StageSpec | None:
        """The stage of that name, or None."""
        return self._stages.get(stage)

    def stage(
        self,
        *,
        name: str | None = None,
        role: str = "worker",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_mb: int | None = None,
        max_retries: int | None = None,
    ) -> Callable[[StageFunction], StageFunction]:
        """Add the decorated function as the next stage.

        What it prints is the log. It returns None, a text (the output summary) or a mapping (the structured output:
        `summary`, `status`, `confidence`, `artifacts`, `metadata`, `tokens_used` and any further keys); it fails by
        raising, with `StageError` choosing the category.

        Raises:
            ValueError: The name is taken or cannot be used, or a limit makes no sense.
        """

        def add(function: StageFunction) -> StageFunction:
            self._add(
                StageSpec(
                    name or function.__name__,
                    role=role,
                    function=function,
                    timeout_s=timeout_s,
                    memory_mb=memory_mb,
                    max_retries=max_retries,
                )
            )
            return function

        return add

    def command(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        role: str = "worker",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_mb: int | None = None,
        max_retries: int | None = None,
    ) -> None:
        """Add a command line as the next stage; exit status 0 is success.

        It runs without a shell in the attempt's work directory and finds in its environment `RT_TASK_ID`, `RT_STAGE`,
        `RT_ATTEMPT`, `RT_INPUTS`, `RT_WORK`, `RT_OUTPUTS` (a directory with one entry per earlier completed stage) and
        one `RT_PARAM_<NAME>` per parameter (text as it is, anything else as JSON).

        Raises:
            ValueError: The name is taken or cannot be used, a limit makes no sense, or the command line is empty.
        """
        if isinstance(argv, str) or not argv:
            raise ValueError(f"stage {name!r}: the command line must be a list of words")
        words = tuple(str(word) for word in argv)
        self._add(
            StageSpec(name, role=role, argv=words, timeout_s=timeout_s, memory_mb=memory_mb, max_retries=max_retries)
        )

    def _add(self, stage: StageSpec) -> None:
        if stage.name in self._stages:
            raise ValueError(f"pipeline {self.name!r} has two stages named {stage.name!r}")
        self._stages[stage.name] = stage


def load_pipelines(paths: Iterable[Path]) -> dict[str, Pipeline]:
    """The pipelines of some files by name, in the order of their definition.

    Raises:
        PipelineFileError: A file is missing or broken, defines no pipeline, or a pipeline has no stages or a name that
            another one has.
    """
    found: dict[str, Pipeline] = {}
    for path in paths:
        for pipeline in load_file(path):
            if pipeline.name in found:
                where = found[pipeline.name].path
                raise PipelineFileError(f"{path}: pipeline {pipeline.name!r} is already defined in {where}")
            found[pipeline.name] = pipeline
    return found


def load_file(path: Path) -> list[Pipeline]:
    """The pipelines of one file, see `load_pipelines`."""
    path = path.expanduser().absolute()
    module = _execute(path)
    pipelines: list[Pipeline] = []
    for value in vars(module).values():
        if isinstance(value, Pipeline) and value.path is None and not any(value is other for other in pipelines):
            pipelines.append(value)
    if not pipelines:
        raise PipelineFileError(f"{path}: no pipeline is defined at the top level of the file")
    names: set[str] = set()
    for pipeline in pipelines:
        if not pipeline.stages:
            raise PipelineFileError(f"{path}: pipeline {pipeline.name!r} has no stages")
        if pipeline.name in names:
            raise PipelineFileError(f"{path}: pipeline {pipeline.name!r} is defined twice")
        names.add(pipeline.name)
        pipeline.path = path
    return pipelines


def _execute(path: Path) -> ModuleType:
    name = f"retry_toolkit_pipelines_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PipelineFileError(f"{path}: not a Python file (its name must end in .py)")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle of the author's code look their module up here
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that no neighbour hides a library
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        if error.filename == str(path):
            raise PipelineFileError(f"{path}: no such file") from None
        raise _broken(path, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(path, error) from error
    return module


def _broken(path: Path, error: BaseException) -> PipelineFileError:
    """One line for whatever went wrong while the file was read or run."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno
    else:
        line = _last_line_in(path, error)
    where = f"{path}:{line}" if line else str(path)
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    return PipelineFileError(f"{where}: {type(error).__name__}: {' '.join(reason.split())}")


def _last_line_in(path: Path, error: BaseException) -> int | None:
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(path):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} name {name!r}: use letters, digits, '_', '-' and '.', beginning with a letter")


def _check_limit(stage: str, limit: str, value: float | None, *, above: float) -> None:
    if value is not None and not value > above:
        raise ValueError(
            f"stage {stage!r}: {limit} must be {'positive' if above == 0 else 'zero or more'}, not {value!r}"
        )
