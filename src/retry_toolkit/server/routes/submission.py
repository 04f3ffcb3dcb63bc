"""What a submission brings: a JSON body, or a form with input files."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from retry_toolkit.server.wire.requests import SubmitRequest

MAX_FILES = 500
MAX_FIELD = 2**20
MAX_NAME_BYTES = 255

_SCHEMA = SubmitRequest.model_json_schema()
_FORM_SCHEMA = {
    "type": "object",
    "required": ["pipeline"],
    "properties": {
        **_SCHEMA["properties"],
        "params": {"type": "string", "description": "Its parameters, a JSON object as text."},
        "files": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "Input files; their names must be plain and differ.",
        },
    },
}
SUBMISSION_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _SCHEMA},
            "multipart/form-data": {"schema": _FORM_SCHEMA},
        },
    }
}


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked request and its uploaded files by name."""

    request: SubmitRequest
    files: Mapping[str, UploadFile]

    def fingerprint(self) -> dict[str, Any]:
        """Everything that makes this submission what it is, the content of its files included."""
        return {**self.request.model_dump(), "files": {name: _digest(file) for name, file in self.files.items()}}

    @contextmanager
    def saved_files(self, home: Path) -> Iterator[Mapping[str, Path]]:
        """The uploaded files as files on the platform's disk; they are gone afterwards.

        Raises:
            HTTPException: 507, the disk is full.
        """
        with TemporaryDirectory(prefix=".upload-", dir=home) as directory:
            with _full_disk_is_507():
                saved = {name: _save(file, Path(directory) / name) for name, file in self.files.items()}
            yield saved


async def received(request: Request) -> AsyncIterator[Submission]:
    """The submission of a request, whichever of the two forms it has; files are closed after the answer."""
    if "multipart/form-data" in request.headers.get("content-type", "").lower():
        with _full_disk_is_507():
            form = await request.form(max_files=MAX_FILES, max_part_size=MAX_FIELD)
        try:
            yield Submission(_checked(_fields(form)), _uploads(form))
        finally:
            await form.close()
    else:
        yield Submission(_checked(await _json(request)), {})


async def _json(request: Request) -> Any:
    body = await request.body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("body", "Not valid JSON", "json_invalid") from None


def _fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
    if "params" in fields:
        try:
            fields["params"] = json.loads(fields["params"])
        except (ValueError, RecursionError):
            raise _invalid("params", "Not valid JSON", "json_invalid") from None
    return fields


def _uploads(form: FormData) -> dict[str, UploadFile]:
    files: dict[str, UploadFile] = {}
    for file in form.getlist("files"):
        if not isinstance(file, UploadFile) or not _is_plain(file.filename or ""):
            raise _invalid("files", "Each must be a file with a plain name", "file_name")
        name = file.filename or ""
        if name in files:
            raise _invalid("files", "Two files have the same name", "file_name")
        files[name] = file
    return files


def _is_plain(name: str) -> bool:
    """Whether a name stays inside its directory on every system."""
    too_long = len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES
    return bool(name) and not too_long and name.isprintable() and not {"/", "\\"} & set(name) and name.strip(". ") != ""


def _checked(fields: Any) -> SubmitRequest:
    try:
        return SubmitRequest.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**detail, "loc": ("body", *detail["loc"])} for detail in details]) from None


def _invalid(field: str, message: str, kind: str) -> RequestValidationError:
    where = ("body",) if field == "body" else ("body", field)
    return RequestValidationError([{"loc": where, "msg": message, "type": kind}])


def _digest(file: UploadFile) -> str:
    file.file.seek(0)
    return file_digest(file.file, "sha256").hexdigest()  # type: ignore[arg-type]  # a spooled file reads like a file


def _save(file: UploadFile, path: Path) -> Path:
    file.file.seek(0)
    with path.open("xb") as target:
        shutil.copyfileobj(file.file, target, 2**20)
    return path


@contextmanager
def _full_disk_is_507() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise HTTPException(507, "Not enough disk for the uploaded files") from None
