"""Submitting tasks: JSON, and forms with files."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import HTTPException
from starlette.datastructures import UploadFile

from retry_toolkit.server.routes.submission import Submission
from retry_toolkit.server.wire.requests import SubmitRequest
from tests.live import LivePlatform

URL = "/api/v1/tasks"


def form(api: httpx.Client, files: list[tuple[str, Any]], **fields: str) -> httpx.Response:
    """A submission as a form."""
    return api.post(URL, data={"pipeline": "ok", **fields}, files=[("files", file) for file in files])


def test_a_submitted_task_runs(platform: LivePlatform, api: httpx.Client) -> None:
    """JSON makes a waiting task with everything that was said, and it runs."""
    body = {"pipeline": "ok", "title": "一个任务", "params": {"n": 1}, "project_id": "p-1", "submitter": "韩梅梅"}
    answer = api.post(URL, json=body)
    task = answer.json()
    assert answer.status_code == 201
    assert {key: task[key] for key in ("title", "params", "project_id", "submitter", "status")} == {
        "title": "一个任务",
        "params": {"n": 1},
        "project_id": "p-1",
        "submitter": "韩梅梅",
        "status": "pending",
    }
    platform.wait(task["id"], "completed")


def test_the_pipeline_gives_the_defaults(api: httpx.Client) -> None:
    """Without a title and a project it has the pipeline's, without a submitter the caller."""
    task = api.post(URL, json={"pipeline": "broken"}).json()
    assert (task["title"], task["project_id"], task["submitter"]) == ("Never well · 总是失败", "faults", "local")


def test_files_arrive_as_they_were(platform: LivePlatform, api: httpx.Client) -> None:
    """A form's files lie in the input directory byte for byte, and nothing stays behind."""
    content = {"a b.csv": b"x\r\n\0\xff", "空.txt": b"", "big.bin": bytes(3 * 2**20)}
    answer = form(api, list(content.items()), title="带文件", params=json.dumps({"k": [1]}))
    task = answer.json()
    assert answer.status_code == 201, answer.text
    assert (task["title"], task["params"]) == ("带文件", {"k": [1]})
    inputs = platform.store.layout.inputs(task["id"])
    assert {path.name: path.read_bytes() for path in inputs.iterdir()} == content
    assert not list(platform.home.glob(".upload-*"))


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", "..", ".", "   ", "zero\u200bwidth", "/abs", "x" * 300])
def test_file_names_stay_in_their_directory(api: httpx.Client, name: str) -> None:
    """A name that could lead elsewhere is a 422 about `files`."""
    answer = form(api, [(name, b"x")])
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == ["body", "files"]


def test_file_names_differ(api: httpx.Client) -> None:
    """Two files of one name are refused, not merged."""
    answer = form(api, [("a.csv", b"1"), ("a.csv", b"2")])
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "files"])


def test_unknown_pipelines_are_named(api: httpx.Client) -> None:
    """The refusal names what is loaded."""
    answer = api.post(URL, json={"pipeline": "nope"})
    assert answer.status_code == 400
    assert "'nope'" in answer.json()["detail"]
    assert "gated" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"pipeline": ""}',
        b'{"pipeline": 5}',
        b'{"pipeline": "ok", "params": []}',
        b'{"pipeline": "ok", "params": {"a": NaN}}',
        b'{"pipeline": "ok", "params": {"a": "\\ud800"}}',
        b'{"pipeline": "ok", "params": {"a\\u0000": 1}}',
        b'{"pipeline": "ok", "title": "' + b"x" * 501 + b'"}',
        b'{"pipeline": "ok", "title": "a\\u0000b"}',
        b'{"pipeline": "ok", "params": {"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
        b'{"pipeline": "ok", "params": ' + b"[" * 200_000,
        b"\xff",
    ],
)
def test_bad_json_is_refused(api: httpx.Client, body: bytes) -> None:
    """A body that is no usable submission is a 422 that says where."""
    answer = api.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("params", ["{", "[]", "5", '{"a": NaN}', '{"a": "\\ud800"}'])
def test_bad_form_parameters_are_refused(api: httpx.Client, params: str) -> None:
    """`params` of a form is a JSON object as text."""
    answer = form(api, [("a.csv", b"1")], params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", "params"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\ntext\r\n--x--\r\n',
        ),
    ],
)
def test_broken_forms_are_refused(api: httpx.Client, content_type: str, body: bytes) -> None:
    """A form that cannot be read is a 400 or 422."""
    answer = api.post(URL, content=body, headers={"Content-Type": content_type})
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


def test_a_key_makes_one_task(api: httpx.Client) -> None:
    """The same form under the same key names the same task; other bytes in a file are another request."""
    key = {"Idempotency-Key": uuid4().hex}

    def send(content: bytes) -> httpx.Response:
        return api.post(URL, data={"pipeline": "ok"}, files=[("files", ("a.csv", content))], headers=key)

    first, again, other = send(b"1"), send(b"1"), send(b"2")
    assert (again.status_code, again.json()) == (201, first.json())
    assert other.status_code == 422


def test_a_full_disk_is_a_507(home: Path) -> None:
    """Uploaded files that do not fit are refused as such, and nothing stays behind."""

    class FullDisk(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    home.mkdir()
    submission = Submission(SubmitRequest(pipeline="ok"), {"a.csv": UploadFile(FullDisk())})
    with pytest.raises(HTTPException) as refused, submission.saved_files(home):
        pytest.fail("saved what cannot be read")
    assert refused.value.status_code == 507
    assert list(home.iterdir()) == []


def test_a_form_may_have_no_files(platform: LivePlatform, api: httpx.Client) -> None:
    """Fields alone make a task without input files."""
    answer = api.post(URL, files={"pipeline": (None, "ok"), "title": (None, "无文件")})
    assert answer.status_code == 201
    assert platform.store.files(answer.json()["id"]) == ()
    assert Path(platform.store.layout.inputs(answer.json()["id"])).is_dir()
