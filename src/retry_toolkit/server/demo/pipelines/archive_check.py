"""An archive that is proven to be readable: documents are collected, packed, summed, unpacked again and indexed."""

# ruff: noqa: T201 - what a stage prints is its log

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from retry_toolkit.server.demo.places import drop_dir, read_json, stage_home
from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

archive = Pipeline("archive_check", title="Archive check · 归档校验", project="finance-archive")


@archive.stage(role="collector", timeout_s=60)
def collect(ctx: StageContext) -> dict[str, object]:
    """Gather the task's own documents and the scans of the shared drop that its manifest lists."""
    manifest = read_json(ctx.inputs / "manifest.json")
    sources = {name: ctx.inputs / name for name in manifest["documents"]}
    sources |= {Path(name).name: drop_dir(stage_home(ctx.inputs)) / name for name in manifest["scans"]}
    gone = [name for name, source in sources.items() if not source.exists()]
    if gone:
        listed = "\n".join(f"  {name}" for name in gone)
        raise StageError(
            f"{len(gone)} of {len(sources)} files of the manifest are gone, removed by retention:\n{listed}\n"
            f"  the drop keeps scans for {manifest['keep_days']} days",
            "resource",
        )
    folder = ctx.work / "documents"
    folder.mkdir()
    for name, source in sources.items():
        shutil.copyfile(source, folder / name)
        print(f"collected {name} ({source.stat().st_size} bytes)")
    return {"summary": f"{len(sources)} documents", "status": "pass", "artifacts": sorted(sources)}


@archive.stage(role="packer", timeout_s=60)
def pack(ctx: StageContext) -> dict[str, object]:
    """Pack the documents as the `format` parameter says."""
    kind = {"zip": "zip", "tar.gz": "gztar"}[str(ctx.params.get("format", "zip"))]
    folder = ctx.outputs("collect") / "documents"
    made = Path(shutil.make_archive(str(ctx.work / "archive"), kind, folder))
    before = sum(file.stat().st_size for file in folder.iterdir())
    after = made.stat().st_size
    print(f"{made.name}: {before} bytes packed into {after}")
    return {
        "summary": f"{made.name}, {after / max(1, before):.0%} of {before:,} bytes",
        "status": "pass",
        "artifacts": [made.name],
        "metadata": {"bytes_before": before, "bytes_after": after},
    }


@archive.stage(role="notary", timeout_s=60)
def checksum(ctx: StageContext) -> str:
    """Write the SHA-256 sums of the documents in the format of `sha256sum`."""
    folder = ctx.outputs("collect") / "documents"
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in sorted(folder.iterdir())]
    (ctx.work / "SHA256SUMS").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print("\n".join(lines))
    return f"{len(lines)} sums"


archive.command(
    "verify",
    [sys.executable, "-I", "-S", Path(__file__).parent.parent / "tools" / "verify.py"],
    role="verifier",
    timeout_s=60,
)


@archive.stage(role="librarian", timeout_s=60)
def index(ctx: StageContext) -> dict[str, object]:
    """Count the words of every text, so that the archive can be searched."""
    folder = ctx.outputs("collect") / "documents"
    counts: dict[str, int] = {}
    texts = sorted(folder.glob("*.txt"))
    for text in texts:
        for word in text.read_text(encoding="utf-8").lower().split():
            counts[word] = counts.get(word, 0) + 1
    (ctx.work / "index.json").write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")
    words = sum(counts.values())
    print(f"{len(counts)} different words of {words} in {len(texts)} texts")
    return {
        "summary": f"{len(counts)} different words indexed",
        "status": "pass" if texts else "partial",
        "confidence": round(len(texts) / max(1, len(list(folder.iterdir()))), 3),
        "artifacts": ["index.json"],
        "tokens_used": words,
    }
