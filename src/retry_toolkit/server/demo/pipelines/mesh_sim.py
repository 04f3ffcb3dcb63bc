"""A small heat simulation: a plate is meshed, its temperature is solved for, and the result is measured and drawn."""

# ruff: noqa: T201 - what a stage prints is its log

from __future__ import annotations

import json
import sys
from array import array
from pathlib import Path

from retry_toolkit.server.demo.places import read_json, reference_dir, stage_home
from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

NODE_BYTES = 8
COARSE = 18
SHADES = " .:-=+*#%@"

mesh = Pipeline("mesh_sim", title="Thermal simulation · 热仿真", project="thermal-lab")


@mesh.stage(role="preprocessor", timeout_s=60)
def prepare(ctx: StageContext) -> dict[str, object]:
    """Check the model and set up its boundary conditions."""
    model = read_json(ctx.inputs / "model.json")
    lacking = {"material", "conductivity", "edges", "refinement", "relaxation", "duration_s"} - model.keys()
    if lacking:
        raise StageError(f"model.json lacks {', '.join(sorted(lacking))}", "semantic")
    (ctx.work / "domain.json").write_text(json.dumps(model, ensure_ascii=False), encoding="utf-8")
    print(f"{model['material']}: conductivity {model['conductivity']} W/mK, edges {model['edges']} K")
    return {"summary": f"Plate of {model['material']}", "status": "pass", "artifacts": ["domain.json"]}


@mesh.stage(name="mesh", role="mesher", timeout_s=60, memory_mb=256)
def build_mesh(ctx: StageContext) -> dict[str, object]:
    """Lay a grid over the plate, each refinement halving its spacing."""
    asked = int(read_json(ctx.outputs("prepare") / "domain.json")["refinement"])
    refinement = min(asked, int(read_json(reference_dir(stage_home(ctx.inputs)) / "mesh.json")["finest"]))
    side = 16 << refinement
    print(f"refinement {refinement} (asked for {asked}): {side} x {side} nodes, {side * side * NODE_BYTES >> 20} MiB")
    sys.stdout.flush()
    nodes = array("d", bytes(NODE_BYTES * side * side))
    stride = max(1, len(nodes) // 4096)
    for position in range(0, len(nodes), stride):
        nodes[position] = (position % side) / side
    (ctx.work / "mesh.bin").write_bytes(nodes[::stride].tobytes())
    return {
        "summary": f"{len(nodes):,} nodes",
        "status": "pass" if refinement == asked else "partial",
        "confidence": round(refinement / asked, 3),
        "artifacts": ["mesh.bin"],
        "metadata": {"nodes": len(nodes), "refinement": refinement},
    }


mesh.command(
    "solve",
    [sys.executable, "-I", "-S", Path(__file__).parent.parent / "tools" / "solver.py"],
    role="solver",
    timeout_s=1.5,
)


@mesh.stage(role="postprocessor", timeout_s=60)
def postprocess(ctx: StageContext) -> dict[str, object]:
    """Measure the temperatures."""
    solution = read_json(ctx.outputs("solve") / "solution.json")
    values = [value for row in solution["field"] for value in row]
    mean = sum(values) / len(values)
    (ctx.work / "measures.json").write_text(
        json.dumps({"min": min(values), "max": max(values), "mean": mean}), encoding="utf-8"
    )
    print(f"min {min(values):.1f} K, mean {mean:.1f} K, max {max(values):.1f} K")
    return {
        "summary": f"Mean {mean:.1f} K after {solution['iterations']} iterations",
        "status": "pass",
        "confidence": round(1 - min(1.0, solution["residual"]), 4),
        "artifacts": ["measures.json"],
        "metadata": {"iterations": solution["iterations"]},
    }


@mesh.stage(role="reporter", timeout_s=60)
def report(ctx: StageContext) -> dict[str, object]:
    """Draw the plate as text."""
    field = read_json(ctx.outputs("solve") / "solution.json")["field"]
    measures = read_json(ctx.outputs("postprocess") / "measures.json")
    span = max(1e-9, measures["max"] - measures["min"])
    lines = ["".join(SHADES[int((value - measures["min"]) / span * 9)] for value in row) for row in field]
    (ctx.work / "plate.txt").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return {"summary": "Drawn", "status": "pass", "artifacts": ["plate.txt"], "tokens_used": len(lines) * COARSE}
