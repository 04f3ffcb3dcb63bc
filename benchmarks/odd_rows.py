"""A load in which one row of a hundred cannot be read, against the same load without such rows."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

import orjson

from benchmarks.generate import PAGE_SIZE, SEED, page, pages
from benchmarks.loading import Frames, loaded
from benchmarks.rows import AtMost, Row, Scale, Side
from retry_toolkit.frames.load import RejectedRows


def spoil(row: dict[str, Any], how: int) -> dict[str, Any]:
    """The row as a faulty server sends it: each in one of the ways that were met."""
    faults: tuple[dict[str, Any], ...] = (
        {"total_tokens": "many"},
        {"id": None},
        {"id": "\ud800"},
        {"total_tokens": 2**63},
        {"stages": [*row["stages"], None]},
        {"created_at": "2026-13-45T99:99:99", "total_tokens": -1},
    )
    return row | faults[how % len(faults)]


def write_both(folder: Path, scale: Scale) -> None:
    """Two files a page: as it is, and with one row of a hundred spoilt."""
    chance = random.Random(SEED)
    for kind in ("clean", "spoilt"):
        (folder / kind).mkdir()
    for number, body in enumerate(pages(scale.history), 1):
        (folder / "clean" / f"{number:06d}.json").write_bytes(body)
        rows = orjson.loads(body)["items"]
        at = chance.randrange(len(rows))
        # Only the standard library writes lone surrogates and integers past 64 bits.
        rows[at] = orjson.Fragment(json.dumps(spoil(rows[at], number)))
        (folder / "spoilt" / f"{number:06d}.json").write_bytes(page(rows, number, scale.history, PAGE_SIZE))


def files_of(kind: str, folder: Path) -> list[Path]:
    """The pages of one kind, in order."""
    return sorted((folder / kind).glob("*.json"))


def loaded_with_losses(files: list[Path]) -> Frames:
    """The load, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RejectedRows)
        return loaded(files)


def same_but_rejected(baseline: Frames, ours: Frames) -> None:
    """Every row that was not spoilt, and a report of every one that was."""
    missing = set(baseline[0]["task_id"]) - set(ours[0]["task_id"])
    assert len(missing) == len(ours[0].attrs["rejected"]) > 0
    assert len(baseline[0]) == len(ours[0]) + len(missing)
    assert set(ours[1]["task_id"]) == set(ours[0]["task_id"])


ROWS = (
    Row(
        name="load-odd-rows",
        what="load with 1 % bad rows",
        prepare=write_both,
        baseline=Side("clean load", load=lambda folder, _scale: files_of("clean", folder), run=loaded),
        ours=Side("1 % bad rows", load=lambda folder, _scale: files_of("spoilt", folder), run=loaded_with_losses),
        same=same_but_rejected,
        gate=AtMost(1.3, aim=1.1),
    ),
)
