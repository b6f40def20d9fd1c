"""``segments-async export``: a release file on disk, written as files of another format."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio

from segments_async import AsyncSegments, SegmentsError

if TYPE_CHECKING:
    import argparse

    from segments_async import Progress
    from segments_async.export import ExportReport

HELP = "write the images and labels of a release file as COCO, YOLO, PNGs or polygons"
FORMATS = "coco-instance, coco-panoptic, instance, instance-color, polygon, semantic, semantic-color or yolo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("release", help="a release file on disk, such as flowers-v1.json")
    parser.add_argument("folder", help="where to write")
    parser.add_argument("format", help=FORMATS)
    parser.add_argument("--labelset", default="ground-truth", help="by default ground-truth")
    parser.add_argument("--status", action="append", metavar="STATUS", help="such as REVIEWED; may be repeated")
    parser.add_argument("--id-increment", type=int, default=0, metavar="N", help="added to category ids")
    parser.add_argument("--no-images", action="store_true", help="write the labels alone")
    parser.add_argument("--skip", action="store_true", help="leave out samples that cannot be exported")


def run(options: argparse.Namespace) -> int:
    """Export; returns the exit status: 1 if something could not be exported."""
    try:
        report = anyio.run(_export, options)
    except SegmentsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{report.samples:,} exported to {report.file or report.folder}, {report.unlabeled:,} without a label")
    for what, count in report.left_out.items():
        print(f"left out: {count:,} {what}")
    for failure in report.failures:
        print(failure, file=sys.stderr)
    return 1 if report.failures else 0


async def _export(options: argparse.Namespace) -> ExportReport:
    # Images come from their own hosts, which never see a key; it is needed only where an address has expired.
    async with AsyncSegments(os.environ.get("SEGMENTS_API_KEY") or "none") as client:
        report = await client.releases.export(
            options.release,
            options.folder,
            options.format,
            labelset=options.labelset,
            label_status=options.status,
            id_increment=options.id_increment,
            images=not options.no_images,
            on_error="skip" if options.skip else "raise",
            progress=_tell if sys.stderr.isatty() else None,
        )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return report


def _tell(progress: Progress) -> None:
    print(f"\r{progress.done:,} samples, {progress.failed:,} failed", end="", file=sys.stderr, flush=True)
