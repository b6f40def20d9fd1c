"""``segments-async export``: convert a release file on disk to another format."""

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
    """Add the arguments of the command to *parser*."""
    parser.add_argument("release", help="a release file on disk, such as flowers-v1.json")
    parser.add_argument("folder", help="where to write")
    parser.add_argument("format", help=FORMATS)
    parser.add_argument("--labelset", default="ground-truth", help="labelset to export (%(default)s)")
    parser.add_argument(
        "--status",
        action="append",
        metavar="STATUS",
        help="export only labels with this status, such as REVIEWED; may be repeated",
    )
    parser.add_argument(
        "--id-increment",
        type=int,
        metavar="N",
        help="number added to each category id (default: 0; yolo: number them from 0, in order)",
    )
    parser.add_argument("--no-images", action="store_true", help="write only the labels")
    parser.add_argument("--overwrite", action="store_true", help="replace other exports in the folder")
    parser.add_argument("--skip", action="store_true", help="skip samples that cannot be exported")


def run(options: argparse.Namespace) -> int:
    """Export and return the exit status: 1 if anything could not be exported."""
    try:
        report = anyio.run(_export, options)
    except SegmentsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{report.samples:,} exported to {report.file or report.folder}, {report.unlabeled:,} without a label")
    for reason, count in report.left_out.items():
        print(f"left out: {count:,} {reason}")
    for failure in report.failures:
        print(failure, file=sys.stderr)
    return 1 if report.failures else 0


async def _export(options: argparse.Namespace) -> ExportReport:
    # Image hosts never receive the API key; it is needed only to renew expired image URLs.
    async with AsyncSegments(os.environ.get("SEGMENTS_API_KEY") or "none") as client:
        report = await client.releases.export(
            options.release,
            options.folder,
            options.format,
            labelset=options.labelset,
            label_status=options.status,
            id_increment=options.id_increment,
            images=not options.no_images,
            overwrite=options.overwrite,
            on_error="skip" if options.skip else "raise",
            progress=_print_progress if sys.stderr.isatty() else None,
        )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return report


def _print_progress(progress: Progress) -> None:
    print(f"\r{progress.done:,} samples, {progress.failed:,} failed", end="", file=sys.stderr, flush=True)
