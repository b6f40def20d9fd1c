"""All benchmark cases by name, in running order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases import (
    app,
    batches,
    bitmaps,
    bulk,
    checkpoint,
    compiled,
    create,
    curve,
    downloads,
    export,
    imports,
    imports_of_annotations,
    json_models,
    latency,
    limited,
    listing,
    memory,
    put,
    releases,
    scale,
    scale_ray,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness import Case, Scale

CASES: dict[str, Callable[[Scale], Case]] = {
    "put": put.case,
    "create": create.case,
    "latency": latency.case,
    "bulk": bulk.case,
    "checkpoint": checkpoint.case,
    "limited": limited.case,
    "limited-whole": limited.whole_seconds,
    "list": listing.slow_case,
    "list-all": listing.large_case,
    "json": json_models.case,
    "compiled": compiled.case,
    "bitmaps": bitmaps.case,
    "export": export.case,
    "download": downloads.case,
    "release": releases.case,
    "memory": memory.case,
    "import": imports.case,
    "imports-of-annotations": imports_of_annotations.case,
    "curve": curve.case,
    "batches": batches.case,
    "app": app.case,
    "scale-limit": scale.case,
    "scale": scale_ray.case,
}
