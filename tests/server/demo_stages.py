"""Runs the stages of a demo case one after the other without a platform: no limits, no attempts, no store."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from retry_toolkit.server.demo import PIPELINES
from retry_toolkit.server.demo.data import write_inputs
from retry_toolkit.server.demo.plan import Case
from retry_toolkit.server.pipelines import StageContext, StageSpec, load_pipelines

PIPELINES_BY_NAME = load_pipelines(PIPELINES)


class CommandFailed(Exception):
    """A command line ended with an exit status other than 0."""


@dataclass(frozen=True)
class Ran:
    """How a case went: the stage that failed and its error, or an empty name and None."""

    failed_stage: str
    error: Exception | None


def run_case(case: Case, home: Path) -> Ran:
    """Run a case in a home directory until a stage fails or all have ended."""
    folder = home / "tasks" / uuid4().hex
    write_inputs(case, folder / "inputs")
    (folder / "outputs").mkdir()
    outputs: dict[str, Path] = {}
    for stage in PIPELINES_BY_NAME[case.pipeline].stages:
        work = folder / stage.name
        work.mkdir()
        try:
            _run_stage(stage, case, folder, outputs)
        except Exception as error:  # noqa: BLE001 - whatever a stage raises is what the test is about
            return Ran(stage.name, error)
        outputs[stage.name] = work
        (folder / "outputs" / stage.name).symlink_to(work)
    return Ran("", None)


def _run_stage(stage: StageSpec, case: Case, folder: Path, outputs: dict[str, Path]) -> None:
    inputs, work = folder / "inputs", folder / stage.name
    if stage.function is not None:
        stage.function(
            StageContext(
                task_id="task",
                stage=stage.name,
                attempt=1,
                params=case.params,
                inputs=inputs,
                work=work,
                outputs=outputs,
            )
        )
        return
    environment = {**os.environ, "RT_INPUTS": str(inputs), "RT_OUTPUTS": str(folder / "outputs")}
    environment |= {f"RT_PARAM_{name.upper()}": str(value) for name, value in case.params.items()}
    done = subprocess.run(
        stage.argv or (), cwd=work, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode:
        raise CommandFailed(f"exit status {done.returncode}\n{done.stderr}")
