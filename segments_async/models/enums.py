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


class CameraConvention(StrEnum):
    """Where a camera's axes point. Source: docs.segments.ai/reference/sample-types."""

    OPEN_CV = "OpenCV"
    OPEN_GL = "OpenGL"


class CameraDistortionModel(StrEnum):
    """How a lens distorts. Source: docs.segments.ai/reference/sample-types."""

    BROWN_CONRADY = "brown-conrady"
    FISH_EYE = "fisheye"


class HeightMapEncoding(StrEnum):
    """How heights are written as colours. Source: the official SDK."""

    RGB16 = "rgb16"


class ImageVectorAnnotationType(StrEnum):
    """What can be drawn on an image. Source: docs.segments.ai/reference/label-types."""

    BBOX = "bbox"
    POINT = "point"
    POLYGON = "polygon"
    POLYLINE = "polyline"


class InputType(StrEnum):
    """How an attribute is filled in. Source: the official SDK."""

    CHECKBOX = "checkbox"
    MULTISELECT = "multiselect"
    NUMBER = "number"
    POINTS = "points"
    QUATERNION = "quaternion"
    SELECT = "select"
    TEXT = "text"
    VECTOR3 = "vector3"


class PCDType(StrEnum):
    """The format of a point cloud's file. Source: the official SDK."""

    BINARY_XYZI = "binary-xyzi"
    BINARY_XYZIR = "binary-xyzir"
    KITTI = "kitti"
    LAS = "las"
    NUSCENES = "nuscenes"
    PCD = "pcd"
    PLY = "ply"
    SPLAT = "splat"


class PointcloudCuboidAnnotationType(StrEnum):
    """Kinds of boxes in a point cloud. Source: the official SDK."""

    CUBOID = "cuboid"
    CUBOID_SYNC = "cuboid-sync"


class PointcloudVectorAnnotationType(StrEnum):
    """What can be drawn in a point cloud. Source: docs.segments.ai/reference/label-types."""

    POINT = "point"
    POLYGON = "polygon"
    POLYLINE = "polyline"


class Role(StrEnum):
    """
    What a collaborator may do; each role may do what the ones before it may: VIEWER, LABELER, REVIEWER, MANAGER, ADMIN.

    Source: docs.segments.ai/guides/add-collaborators-to-a-dataset.
    """

    ADMIN = "admin"
    LABELER = "labeler"
    MANAGER = "manager"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


class IssueStatus(StrEnum):
    """Whether an issue is still to be seen to. Source: the official SDK."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"


class ReleaseStatus(StrEnum):
    """How far the service is with building a release. Source: the official SDK."""

    FAILED = "FAILED"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"


class Subscription(StrEnum):
    """What an account has. Source: the official SDK."""

    ACADEMIC = "ACADEMIC"
    ENTERPRISE = "ENTERPRISE"
    FREE = "FREE"
    STANDARD = "STANDARD"
    TRIAL = "TRIAL"
