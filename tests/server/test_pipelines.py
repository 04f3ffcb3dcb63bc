"""Pipeline files: what authors can write, and one clear line for what they get wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from retry_toolkit.server.pipelines import (
    Pipeline,
    PipelineFileError,
    StageContext,
    StageError,
    load_pipelines,
)

GOOD = """
from dataclasses import dataclass
from retry_toolkit.server.pipelines import Pipeline
sales = Pipeline("sales_report", title="Sales · 销售", project="sales")
same = sales

@dataclass
class Row:
    n: int

@sales.stage(role="validator", timeout_s=30, memory_mb=256)
def validate(ctx):
    return str(Row(1))

@sales.stage(name="清洗", max_retries=0)
def clean(ctx): ...

sales.command("render", ["echo", "hi"], role="renderer")
"""


def write(path: Path, text: str) -> Path:
    """A pipeline file."""
    path.write_text(text)
    return path


def error(*paths: Path) -> str:
    """The one line that broken files are refused with."""
    with pytest.raises(PipelineFileError) as refusal:
        load_pipelines(paths)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_functions_and_commands_are_stages_in_order(tmp_path: Path) -> None:
    """Names, roles and limits are as written; an object under two names is one pipeline."""
    path = write(tmp_path / "good.py", GOOD)
    pipelines = load_pipelines([path])
    assert list(pipelines) == ["sales_report"]
    sales = pipelines["sales_report"]
    assert (sales.title, sales.project, sales.path) == ("Sales · 销售", "sales", path)
    assert [(s.name, s.role, s.kind, s.timeout_s, s.memory_mb, s.max_retries) for s in sales.stages] == [
        ("validate", "validator", "function", 30, 256, None),
        ("清洗", "worker", "function", 3600, None, 0),
        ("render", "renderer", "command", 3600, None, None),
    ]
    assert sales.stages[2].argv == ("echo", "hi")
    assert sales.find("nothing") is None


def test_files_may_use_modules_beside_them(tmp_path: Path) -> None:
    """A pipeline file imports its neighbours, as a script would."""
    write(tmp_path / "neighbour_of_pipelines.py", "NAME = 'from_neighbour'")
    text = "import neighbour_of_pipelines as n\nfrom retry_toolkit.server.pipelines import Pipeline\n"
    path = write(tmp_path / "uses.py", text + "p = Pipeline(n.NAME)\np.command('a', ['true'])")
    assert list(load_pipelines([path])) == ["from_neighbour"]


HEAD = "from retry_toolkit.server.pipelines import Pipeline\n"
PIPELINE = HEAD + "p = Pipeline('p')\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = (", ":1: SyntaxError: '(' was never closed"),
        ("import nothing_of_that_name", ":1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (HEAD + "\nraise ValueError('two\\nlines')", ":3: ValueError: two lines"),
        (HEAD + "raise SystemExit(3)", ":2: SystemExit: 3"),
        (HEAD + "open('/nothing/there')", ":2: FileNotFoundError: [Errno 2] No such file or directory"),
        (HEAD, ": no pipeline is defined at the top level of the file"),
        (HEAD + "p = Pipeline('empty')", ": pipeline 'empty' has no stages"),
        (HEAD + "p = Pipeline('../up')", ":2: ValueError: pipeline name '../up': use letters"),
        (PIPELINE + "p.command('a', 'echo hi')", ":3: ValueError: stage 'a': the command line must be a list"),
        (PIPELINE + "p.command('a', [])", ":3: ValueError: stage 'a': the command line must be a list"),
        (PIPELINE + "p.command('a', ['x'], timeout_s=0)", ":3: ValueError: stage 'a': timeout_s must be positive"),
        (PIPELINE + "p.command('a', ['x'], max_retries=-1)", ":3: ValueError: stage 'a': max_retries must be zero"),
        (PIPELINE + 2 * "p.command('a', ['x'])\n", ":4: ValueError: pipeline 'p' has two stages named 'a'"),
        (PIPELINE + "q = Pipeline('p')\nfor x in p, q: x.command('a', ['x'])", ": pipeline 'p' is defined twice"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    """A broken file is refused with its name, the line and the reason."""
    path = write(tmp_path / "broken.py", text)
    assert error(path).startswith(f"{path}{says}")


def test_a_missing_file_and_another_kind_of_file_are_named(tmp_path: Path) -> None:
    """What is no Python file says so."""
    assert error(tmp_path / "none.py") == f"{tmp_path / 'none.py'}: no such file"
    other = write(tmp_path / "notes.txt", "text")
    assert error(other) == f"{other}: not a Python file (its name must end in .py)"
    (tmp_path / "directory.py").mkdir()
    assert error(tmp_path / "directory.py").startswith(f"{tmp_path / 'directory.py'}: IsADirectoryError")


def test_two_files_cannot_define_the_same_name(tmp_path: Path) -> None:
    """The second definition is refused and names the first."""
    one, two = write(tmp_path / "one.py", GOOD), write(tmp_path / "two.py", GOOD)
    assert error(one, two) == f"{two}: pipeline 'sales_report' is already defined in {one}"


def test_categories_of_stage_errors_are_checked() -> None:
    """A category is one of the contract's."""
    assert StageError("no").category == "tool_error"
    assert StageError("no", "gate_rejected").category == "gate_rejected"
    with pytest.raises(ValueError, match="unknown failure category 'bad luck'"):
        StageError("no", "bad luck")


def test_outputs_of_stages_that_did_not_run_are_an_error(tmp_path: Path) -> None:
    """Asking for an output that is not there names what is."""
    context = StageContext(
        task_id="t", stage="b", attempt=1, params={}, inputs=tmp_path, work=tmp_path, outputs={"a": tmp_path}
    )
    assert context.outputs("a") == tmp_path
    with pytest.raises(KeyError, match=r"no completed stage 'z' before 'b' \(completed: a\)"):
        context.outputs("z")


def test_a_stage_process_loads_little() -> None:
    """What every stage waits for imports no typing, dataclasses or third party."""
    program = (
        "import sys; from retry_toolkit.server import runner, stage_process;"
        "print([name for name in ('dataclasses', 'inspect', 'pydantic', 'sqlalchemy', 'dbos', 'traceback')"
        " if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_pipeline_object_is_usable_before_it_is_loaded() -> None:
    """A pipeline made by hand has no file, and its title defaults to its name."""
    pipeline = Pipeline("plain")
    assert (pipeline.title, pipeline.path, pipeline.stages) == ("plain", None, ())
