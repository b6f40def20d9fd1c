"""What a strict type checker sees of imports, point clouds and training; only checkers read this file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

from datasets import Dataset as HuggingFaceDataset, IterableDataset as HuggingFaceStream
from torch import Tensor

from segments_async import AsyncSegments, BulkReport, ReleaseItem, Sample
from segments_async.imports import Annotations, ImageAnnotations, ImportProblem, ImportReport, read_annotations
from segments_async.models import TaskAttributeCategory
from segments_async.pointclouds import Scene, kitti_scenes, nuscenes_scenes, ply_to_pcd, sample_pcd
from segments_async.training import (
    ItemReader,
    ReleaseDataset,
    box_target,
    image_tensor,
    mask_tensor,
    read_items,
    to_huggingface,
    to_torch,
)


def read() -> None:
    """Annotations are read image by image."""
    with read_annotations(Path("instances.json"), "coco-instance", images="photos") as annotations:
        assert_type(annotations, Annotations)
        assert_type(annotations.categories, list[TaskAttributeCategory])
        assert_type(annotations.labels("bboxes", lossy=True), Iterator[ImageAnnotations])
        for image in annotations:
            assert_type(image.attributes, dict[str, Any] | None)
            assert_type(image.left_out, Mapping[str, int])
            assert_type(image.problems, list[ImportProblem])


async def bring(client: AsyncSegments) -> None:
    """An import reports on images and labels."""
    report = await client.datasets.import_annotations(
        "jane/flowers",
        "voc",
        format="pascal-voc",
        images="photos",
        create=True,
        checkpoint="run.db",
        on_error="collect",
    )
    assert_type(report, ImportReport)
    assert_type(report.samples, BulkReport[Sample | None])
    assert_type(report.labels, BulkReport[None])
    with read_annotations("instances.json") as annotations:
        await client.datasets.import_annotations(await client.datasets.get("jane/flowers"), annotations)


def clouds() -> None:
    """Drives of all layouts are scenes."""
    assert_type([*kitti_scenes("kitti"), *nuscenes_scenes("nuscenes")], list[Scene])
    ply_to_pcd("a.ply", "a.pcd")
    sample_pcd("a.pcd", 1000)


def pair(item: ReleaseItem) -> tuple[Tensor, dict[str, Tensor]]:
    """What a detector is trained on."""
    return image_tensor(item.image), box_target(item)


def train() -> None:
    """The results of a transform are those of the dataset."""
    assert_type(read_items("v1.json"), ItemReader)
    assert_type(to_torch("v1.json"), ReleaseDataset[ReleaseItem])
    assert_type(to_torch("v1.json", transform=pair, on_error="skip"), ReleaseDataset[tuple[Tensor, dict[str, Tensor]]])
    assert_type(to_torch("v1.json", transform=mask_tensor, seed=7), ReleaseDataset[Tensor])
    assert_type(to_huggingface("v1.json"), HuggingFaceDataset)
    assert_type(to_huggingface("v1.json", streaming=True), HuggingFaceStream)
