"""
Words the service uses, as constants.

They are a convenience for writing: model fields are plain `str`, as the service adds words without notice.
A member equals its word: ``label.label_status == LabelStatus.LABELED``.
"""

from enum import StrEnum


class LabelStatus(StrEnum):
    """Where a label is in the labelling workflow. Source: api.md, "Payloads"."""

    LABELED = "LABELED"
    LABELING_IN_PROGRESS = "LABELING_IN_PROGRESS"
    PRELABELED = "PRELABELED"
    REJECTED = "REJECTED"
    REVIEWED = "REVIEWED"
    REVIEWING_IN_PROGRESS = "REVIEWING_IN_PROGRESS"
    SKIPPED = "SKIPPED"
    UNLABELED = "UNLABELED"
    VERIFIED = "VERIFIED"


class TaskType(StrEnum):
    """What is labelled in a dataset; also a label's `label_type`. Source: the official SDK."""

    BBOXES = "bboxes"
    EMPTY = ""
    IMAGE_SEGMENTATION_SEQUENCE = "image-segmentation-sequence"
    IMAGE_VECTOR_SEQUENCE = "image-vector-sequence"
    KEYPOINTS = "keypoints"
    MULTISENSOR_SEQUENCE = "multisensor-sequence"
    POINTCLOUD_CUBOID = "pointcloud-cuboid"
    POINTCLOUD_CUBOID_SEQUENCE = "pointcloud-cuboid-sequence"
    POINTCLOUD_SEGMENTATION = "pointcloud-segmentation"
    POINTCLOUD_SEGMENTATION_SEQUENCE = "pointcloud-segmentation-sequence"
    POINTCLOUD_VECTOR = "pointcloud-vector"
    POINTCLOUD_VECTOR_SEQUENCE = "pointcloud-vector-sequence"
    SEGMENTATION_BITMAP = "segmentation-bitmap"
    SEGMENTATION_BITMAP_HIGHRES = "segmentation-bitmap-highres"
    VECTOR = "vector"


class Category(StrEnum):
    """What a dataset shows; ``custom-...`` words exist besides. Source: the official SDK."""

    AGRICULTURE = "agriculture"
    FRUIT = "fruit"
    GARDEN = "garden"
    MEDICAL = "medical"
    OTHER = "other"
    PEOPLE = "people"
    SATELLITE = "satellite"
    STREET_SCENERY = "street_scenery"


class Role(StrEnum):
    """What a collaborator may do. Source: API documentation, and the official SDK for MANAGER."""

    ADMIN = "admin"
    LABELER = "labeler"
    MANAGER = "manager"
    REVIEWER = "reviewer"


class ReleaseStatus(StrEnum):
    """How far the service is with building a release. Source: the official SDK."""

    FAILED = "FAILED"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
