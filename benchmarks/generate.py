"""Histories that look like those of real platforms, the same for the same seed.

`pages` are bytes as a server sends them; `tasks` is a canonical frame, made without the loader so that a benchmark of
something else does not wait for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.frames.schema import TASKS

SEED = 20261122
PAGE_SIZE = 100
STAGES = ("validate", "clean", "join", "train", "render", "publish")
PROJECTS = ("sales", "风险控制", "mesh", "pricing", "供应链", "archive", "search", "设备仿真")
TEMPLATES = ("sales_report", "mesh_sim", "price_feed", "archive_check", "客户画像", "nightly", "backfill", "评分模型")
OWNERS = (*(f"user{number:02d}" for number in range(40)), "李伟", "王芳", "张敏", "刘洋")
CATEGORIES = ("transient", "tool_error", "resource", "semantic", "gate_rejected", "unknown")
START = datetime(2026, 11, 22, 9, 30)

_WORDS = (("pending", 0.01), ("running", 0.02), ("cancelled", 0.05), ("failed", 0.22), ("completed", 0.70))
_ERRORS = (
    "KeyError: column 'amount_{n}' is missing in row {m}",
    "ConnectionError: 10.0.{a}.{b}:5432 closed the connection after {n} ms",
    "MemoryError: cannot allocate {m} bytes for task_{n}",
    "TimeoutError: stage took {n}.{a} s, more than {b} s (request {hex})",
    "FileNotFoundError: [Errno 2] No such file or directory: '/data/in/{hex}/part-{n}.parquet'",
    "求解器异常退出，退出码 {code}，作业 {hex}，详见 /data/结果/{n}/求解.log",
    "第 {n} 行数据校验失败：字段“金额_{a}”为空",
    "HTTP {http} Service Unavailable for https://api.example.test/v1/items/{n}?page={a}",
    "process exited with exit code {code} after {n} s",
    "license server busy: {a} of {b} seats in use at 2026-11-{d:02d}T10:{e:02d}:07Z",
)
_TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/app/stages/{stage}.py", line {a}, in run\n    rows = read(part_{n})\n'
    '  File "/app/io.py", line {b}, in read\n    raise error\n{last}'
)


def message(chance: random.Random, stage: str = "join") -> str:
    """One error message with figures of its own, in English or Chinese, every third with a traceback."""
    figures: dict[str, Any] = {
        "n": chance.randrange(1, 100_000),
        "m": chance.randrange(1, 10**9),
        "a": chance.randrange(1, 255),
        "b": chance.randrange(1, 255),
        "d": chance.randrange(1, 29),
        "e": chance.randrange(60),
        "code": chance.choice((1, 2, 137, 139, 143)),
        "http": chance.choice((500, 502, 503)),
        "hex": f"{chance.getrandbits(48):012x}",
    }
    last = chance.choice(_ERRORS).format(**figures)
    return _TRACEBACK.format(stage=stage, last=last, **figures) if chance.random() < 1 / 3 else last


def pages(count: int, *, size: int = PAGE_SIZE, seed: int = SEED) -> Iterator[bytes]:
    """Pages of the pipeline dialect, newest first: `count` tasks of six stages."""
    chance = random.Random(seed)
    for start in range(0, count, size):
        rows = [wire_task(chance, number, count) for number in range(start, min(count, start + size))]
        yield page(rows, start // size + 1, count, size)


def page(rows: list[Any], number: int, total: int, size: int = PAGE_SIZE) -> bytes:
    """Rows as one page of the pipeline dialect."""
    return orjson.dumps({"items": rows, "total": total, "page": number, "page_size": size})


def wire_task(chance: random.Random, number: int, count: int) -> dict[str, Any]:
    """The `number`-th newest task of a history, as the pipeline dialect sends it."""
    created = START - timedelta(seconds=37 * number, microseconds=chance.randrange(10**6))
    word = chance.choices([word for word, _ in _WORDS], [weight for _, weight in _WORDS])[0]
    broken = len(STAGES) if word == "completed" else chance.randrange(len(STAGES))
    task_id = f"task_{count - number:07d}"
    stages = [
        _wire_stage(chance, f"{task_id}-{at}", at, word=word, broken=broken, created=created)
        for at in range(len(STAGES))
    ]
    project, template = chance.randrange(len(PROJECTS)), chance.randrange(len(TEMPLATES))
    parent = count - number - chance.randrange(1, 500) if chance.random() < 0.1 else 0
    return {
        "id": task_id,
        "title": f"{TEMPLATES[template]} 第 {number % 97} 批",
        "description": None,
        "status": word,
        "created_at": created.isoformat(),
        "completed_at": (created + timedelta(minutes=9)).isoformat() if word in {"completed", "failed"} else None,
        "stages": stages,
        "total_tokens": sum(stage["tokens_used"] for stage in stages),
        "total_cost_rmb": round(chance.random() * 3, 4),
        "template_id": f"tpl-{template}",
        "template_name": TEMPLATES[template],
        "project_id": f"prj-{project}",
        "project_name": PROJECTS[project],
        "submitter": chance.choice(OWNERS),
        "parent_task_id": f"task_{parent:07d}" if parent > 0 else None,
        "branch_name": None,
        "pr_url": None,
    }


def _wire_stage(
    chance: random.Random, stage_id: str, position: int, *, word: str, broken: int, created: datetime
) -> dict[str, Any]:
    done, failed = position < broken, position == broken and word == "failed"
    started = created + timedelta(seconds=60 * position, microseconds=position)
    seconds = round(chance.expovariate(1 / 40), 3)
    name = STAGES[position]
    return {
        "id": stage_id,
        "task_id": stage_id.removesuffix(f"-{position}"),
        "stage_name": name,
        "agent_role": ("checker", "worker", "writer")[position % 3],
        "status": "completed" if done else "failed" if failed else "pending",
        "started_at": started.isoformat() if done or failed else None,
        "completed_at": (started + timedelta(seconds=seconds)).isoformat() if done or failed else None,
        "duration_seconds": seconds if done or failed else None,
        "tokens_used": chance.randrange(20_000) if done else 0,
        "turns_used": chance.randrange(20) if done else 0,
        "self_fix_count": 0,
        "retry_count": chance.choice((0, 0, 0, 1, 2, 3)) if failed else 0,
        "max_retries": 3,
        "output_summary": f"{name}: {chance.randrange(10**6)} rows 行" if done else None,
        "output_structured": {"summary": "ok", "status": "pass", "confidence": 0.9} if done else None,
        "error_message": message(chance, name) if failed else None,
        "failure_category": chance.choice(CATEGORIES) if failed else None,
        "self_assessment_score": round(chance.random(), 3) if done else None,
    }


def jobs(count: int, *, size: int = PAGE_SIZE, seed: int = SEED) -> Iterator[bytes]:
    """Pages of the queue dialect, newest first."""
    chance = random.Random(seed)
    for start in range(0, count, size):
        rows = [_wire_job(chance, number, count) for number in range(start, min(count, start + size))]
        yield page(rows, start // size + 1, count, size)


def _wire_job(chance: random.Random, number: int, count: int) -> dict[str, Any]:
    failed = chance.random() < 0.22
    parent = count - number - chance.randrange(1, 500) if chance.random() < 0.1 else 0
    return {
        "task_id": f"job_{count - number:07d}",
        "status": "FAILURE" if failed else "SUCCESS",
        "display_name": f"求解 {number % 97}",
        "job_name": "solve.inp",
        "created_at": START.timestamp() - 37 * number + chance.random(),
        "duration": round(chance.expovariate(1 / 400), 3),
        "message": message(chance, "solve") if failed else "done",
        "submitter": chance.choice(OWNERS),
        "solver_type": chance.choice(("mapdl", "fluent", "hfss")),
        "parent_task_id": f"job_{parent:07d}" if parent > 0 else None,
        "retry_count": int(parent > 0),
        "retried_task_ids": [],
    }


def messages(count: int, *, seed: int = SEED, distinct: float = 0.2) -> pa.Array:
    """Error messages, of which this share are distinct: real failures come in swarms."""
    chance = random.Random(seed)
    pool = pa.array([message(chance) for _ in range(max(1, int(count * distinct)))], pa.large_string())
    return pool.take(pa.array(np.random.default_rng(seed).integers(0, len(pool), count)))


Shape = Literal["forest", "chain", "cycles"]


def parents(count: int, shape: Shape = "forest", *, seed: int = SEED) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Position of each task's parent, newest first, -1 for none.

    `forest`: lineages up to 51 deep; `chain`: one in which every tenth task is linked, deep as can be;
    `cycles`: a forest in which one task of a thousand points at one of its descendants.
    """
    rng = np.random.default_rng(seed)
    found = np.full(count, -1, dtype=np.int64)
    at = np.arange(count)
    if shape == "chain":
        links = at[::10]
        found[links[:-1]] = links[1:]
        return found
    linked = (at % 52 != 51) & (rng.random(count) < 0.6)
    linked |= (at < min(count, 5_200)) & (at % 52 != 51)  # a hundred lineages are as deep as they come
    found[linked] = at[linked] + 1
    found[found >= count] = -1
    if shape == "cycles":
        roots = np.flatnonzero(found < 0)
        chosen = roots[rng.random(len(roots)) < 0.01]
        found[chosen] = np.maximum(chosen - 1, 0)
    return found


def tasks(count: int, *, shape: Shape = "forest", seed: int = SEED) -> pd.DataFrame:
    """A canonical frame of tasks, newest first."""
    rng = np.random.default_rng(seed)
    words = np.array(["pending", "running", "cancelled", "failed", "succeeded"], dtype=object)
    status = words[rng.choice(5, count, p=[weight for _, weight in _WORDS])]
    failed = status == "failed"
    ids = pa.array([f"task_{count - number:07d}" for number in range(count)], pa.large_string())
    above = parents(count, shape, seed=seed)
    created = np.datetime64(START, "us") - (np.arange(count) * 37_000_000).astype("timedelta64[us]")
    errors = _only(failed, messages(count, seed=seed))
    retries = np.where(failed, rng.integers(0, 4, count), 0)
    data: dict[str, Any] = dict.fromkeys((column.name for column in TASKS), pa.nulls(count)) | {
        "task_id": ids,
        "name": pa.array([f"日报 {number % 9973} 第 {number % 97} 批" for number in range(count)]),
        "status": status,
        "native_status": status,
        "created_at": pa.array(created).cast(pa.timestamp("us", tz="UTC")),
        "finished_at": pa.array(created + np.timedelta64(540, "s")).cast(pa.timestamp("us", tz="UTC")),
        "duration_s": rng.exponential(240, count),
        "template": _chosen(rng, TEMPLATES, count),
        "project": _chosen(rng, PROJECTS, count),
        "owner": _chosen(rng, OWNERS, count),
        "failed_stage": _only(failed, pa.array(_chosen(rng, STAGES, count))),
        "failure_category": _only(failed, pa.array(_chosen(rng, CATEGORIES, count))),
        "error": errors,
        "fingerprint": fingerprints(errors),
        "retry_count": retries,
        "retry_limit": np.full(count, 3),
        "retryable": failed & (retries < 3),
        "refusal": _only(~failed | (retries == 3), np.where(failed, "limit_reached", "not_failed")),
        "parent_id": ids.take(pa.array(above, mask=above < 0)),
        "stage_count": np.full(count, len(STAGES)),
        "tokens": rng.integers(0, 120_000, count),
        "cost": rng.random(count) * 3,
    }
    return build_frame(TASKS, data)


def _only(where: Any, values: Any) -> Any:
    """Values where the mask says so, else missing."""
    return pc.if_else(pa.array(where), pa.array(values), None)


def _chosen(rng: np.random.Generator, words: tuple[str, ...], count: int) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.array(words, dtype=object)[rng.integers(0, len(words), count)]
