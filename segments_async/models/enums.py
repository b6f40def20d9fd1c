"""
The known values of string fields, as enums.

The enums are a convenience: model fields are plain `str`, because the service adds values without notice. A member
equals its value: ``label.label_status == LabelStatus.LABELED``.
"""

from enum import StrEnum


class LabelStatus(StrEnum):
    """The status of a label in the labelling workflow. Source: ``docs/service.md``, "Label statuses"."""

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
    """The type of labels in a dataset; also the `label_type` of a label. Source: the official SDK."""

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
    """The subject of a dataset; there are also ``custom-...`` values. Source: the official SDK."""

    AGRICULTURE = "agriculture"
    FRUIT = "fruit"
    GARDEN = "garden"
    MEDICAL = "medical"
    OTHER = "other"
    PEOPLE = "people"
    SATELLITE = "satellite"
    STREET_SCENERY = "street_scenery"


class CameraConvention(StrEnum):
    """The directions of the axes of a camera. Source: docs.segments.ai/reference/sample-types."""

    OPEN_CV = "OpenCV"
    OPEN_GL = "OpenGL"


class CameraDistortionModel(StrEnum):
    """The distortion model of a lens. Source: docs.segments.ai/reference/sample-types."""

    BROWN_CONRADY = "brown-conrady"
    FISH_EYE = "fisheye"


class HeightMapEncoding(StrEnum):
    """The encoding of heights as colours. Source: the official SDK."""

    RGB16 = "rgb16"


class ImageVectorAnnotationType(StrEnum):
    """The types of shapes on an image. Source: docs.segments.ai/reference/label-types."""

    BBOX = "bbox"
    POINT = "point"
    POLYGON = "polygon"
    POLYLINE = "polyline"


class InputType(StrEnum):
    """The input type of an attribute. Source: the official SDK."""

    CHECKBOX = "checkbox"
    MULTISELECT = "multiselect"
    NUMBER = "number"
    POINTS = "points"
    QUATERNION = "quaternion"
    SELECT = "select"
    TEXT = "text"
    VECTOR3 = "vector3"


class PCDType(StrEnum):
    """The file format of a point cloud. Source: the official SDK."""

    BINARY_XYZI = "binary-xyzi"
    BINARY_XYZIR = "binary-xyzir"
    KITTI = "kitti"
    LAS = "las"
    NUSCENES = "nuscenes"
    PCD = "pcd"
    PLY = "ply"
    SPLAT = "splat"


class PointcloudCuboidAnnotationType(StrEnum):
    """The types of cuboids in a point cloud. Source: the official SDK."""

    CUBOID = "cuboid"
    CUBOID_SYNC = "cuboid-sync"


class PointcloudVectorAnnotationType(StrEnum):
    """The types of shapes in a point cloud. Source: docs.segments.ai/reference/label-types."""

    POINT = "point"
    POLYGON = "polygon"
    POLYLINE = "polyline"


class Role(StrEnum):
    """
    The role of a collaborator. Each includes the permissions of those before it: VIEWER, LABELER, REVIEWER, MANAGER,
    ADMIN.

    Source: docs.segments.ai/guides/add-collaborators-to-a-dataset.
    """

    ADMIN = "admin"
    LABELER = "labeler"
    MANAGER = "manager"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


class IssueStatus(StrEnum):
    """The status of an issue. Source: the official SDK."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"


class ReleaseStatus(StrEnum):
    """The status of building a release. Source: the official SDK."""

    FAILED = "FAILED"
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"


class Subscription(StrEnum):
    """The subscription plan of an account. Source: the official SDK."""

    ACADEMIC = "ACADEMIC"
    ENTERPRISE = "ENTERPRISE"
    FREE = "FREE"
    STANDARD = "STANDARD"
    TRIAL = "TRIAL"
