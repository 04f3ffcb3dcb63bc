"""`make test-mutations`: put safety bugs into copies of the tree, one at a time, and see whether the suite notices.

Says which were caught and which survived; the exit code is 1 when one did.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.bug import Bug
from tests.mutations.bugs import BUGS

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "pyproject.toml", "notebooks", "docs")
LONGEST_S = 600
FAILED = 1  # pytest's exit code for tests that ran and failed; others mean that they did not run


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the suite said to one tree: `caught` is None where the tests could not be run."""

    name: str
    caught: bool | None
    seconds: float
    output: str


def main() -> int:
    """Try every bug, or those whose names hold one of the given words."""
    parser = argparse.ArgumentParser(prog="make test-mutations", description=__doc__)
    parser.add_argument("words", nargs="*", help="only bugs whose names hold one of these words")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="trials at a time")
    parser.add_argument("--show", action="store_true", help="print what the tests say of each bug")
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if not options.words or any(word in bug.name for word in options.words)]
    if not _is_sound(sorted({test for bug in bugs for test in bug.tests})):
        return 2
    with ThreadPoolExecutor(options.jobs) as pool:
        trials = list(_told(pool.map(_try_bug, bugs), show=options.show))
    return _report(trials)


def _is_sound(tests: Sequence[str]) -> bool:
    """Whether the tests pass without any bug: otherwise they would notice everything."""
    trial = _try("no bug at all", None, tests)
    _say(f"sound    {trial.seconds:5.0f} s  the suite without a bug" if trial.caught is False else trial.output)
    return trial.caught is False


def _try_bug(bug: Bug) -> Trial:
    return _try(bug.name, bug, bug.tests)


def _try(name: str, bug: Bug | None, tests: Sequence[str]) -> Trial:
    """Run tests in a copy of the tree."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        tree = Path(directory)
        _copy(tree)
        if bug is not None:
            bug.apply(tree)
        caught, output = _run(tree, tests)
    return Trial(name=name, caught=caught, seconds=time.monotonic() - began, output=output)


def _copy(tree: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)


def _run(tree: Path, tests: Sequence[str]) -> tuple[bool | None, str]:
    """Whether some test failed, and what was printed; a suite that hangs has noticed, too."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),  # before the editable installation of this checkout
        "STORM_SIZE": "mutation",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    where = "import retry_toolkit, sys; sys.exit(retry_toolkit.__file__ != sys.argv[1])"
    expected = str(tree / "src" / "retry_toolkit" / "__init__.py")
    subprocess.run([sys.executable, "-c", where, expected], cwd=tree, env=environment, check=True)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True, f"the tests did not end within {LONGEST_S} s"
    output = done.stdout + done.stderr
    return {0: False, FAILED: True}.get(done.returncode), output


def _told(trials: Iterable[Trial], *, show: bool) -> Iterable[Trial]:
    for trial in trials:
        word = {True: "caught", False: "SURVIVED", None: "BROKEN"}[trial.caught]
        _say(f"{word:8} {trial.seconds:5.0f} s  {trial.name}")
        if show or trial.caught is None:
            _say("\n".join(f"    {line}" for line in trial.output.splitlines()[-15:]))
        yield trial


def _report(trials: Sequence[Trial]) -> int:
    missed = [trial.name for trial in trials if not trial.caught]
    _say(f"{len(trials) - len(missed)} of {len(trials)} bugs were caught.")
    for name in missed:
        _say(f"  not caught: {name}")
    return 1 if missed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
