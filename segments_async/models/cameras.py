"""Camera images beside a point cloud, and how they were taken. Source: docs.segments.ai/reference/sample-types."""

from typing import Annotated, Any

from attrs import define

from segments_async.models._base import Model, Tagged
from segments_async.models.geometry import XYZ, XYZW
from segments_async.models.urls import URL


@define(kw_only=True)
class CameraIntrinsics(Model):
    """The pinhole model of a camera. Source: docs.segments.ai/reference/sample-types."""

    intrinsic_matrix: list[list[float]]
    """
    Row by row, ``[[f, 0, ox], [0, f, oy], [0, 0, 1]]``: focal length and principal point in pixels, measured from
    the image's top left corner, x right and y down.
    """


@define(kw_only=True)
class CameraExtrinsics(Model):
    """Where a camera is. Source: docs.segments.ai/reference/sample-types."""

    translation: XYZ
    """The camera's place in ego (lidar) coordinates, in the unit of the point cloud."""
    rotation: XYZW
    """From camera to ego coordinates; the camera's axes are those of `CalibratedImage.camera_convention`."""


@define(kw_only=True)
class FisheyeDistortionCoefficients(Model):
    """Coefficients of OpenCV's fisheye model; they have no unit."""

    k1: float
    """First radial coefficient."""
    k2: float
    """Second radial coefficient."""
    k3: float
    """Third radial coefficient."""
    k4: float
    """Fourth radial coefficient."""


@define(kw_only=True)
class BrownConradyDistortionCoefficients(Model):
    """Coefficients of OpenCV's standard (Brown-Conrady) model; they have no unit."""

    k1: float
    """First radial coefficient."""
    k2: float
    """Second radial coefficient."""
    p1: float
    """First tangential coefficient."""
    p2: float
    """Second tangential coefficient."""
    k3: float
    """Third radial coefficient."""
    k4: float | None = None
    """Fourth radial coefficient."""
    k5: float | None = None
    """Fifth radial coefficient."""
    k6: float | None = None
    """Sixth radial coefficient."""


@define(kw_only=True)
class DistortionFisheye(Model):
    """The distortion of a fisheye lens. Source: docs.segments.ai/reference/sample-types."""

    coefficients: FisheyeDistortionCoefficients
    """Those of OpenCV's fisheye model."""
    model: str = "fisheye"
    """Always ``"fisheye"``."""


@define(kw_only=True)
class DistortionBrownConrady(Model):
    """The distortion of an ordinary lens. Source: docs.segments.ai/reference/sample-types."""

    coefficients: BrownConradyDistortionCoefficients
    """Those of OpenCV's standard model."""
    model: str = "brown-conrady"
    """Always ``"brown-conrady"``."""


Distortion = Annotated[
    DistortionFisheye | DistortionBrownConrady | dict[str, Any],
    Tagged("model", {"fisheye": DistortionFisheye, "brown-conrady": DistortionBrownConrady}),
]
"""Chosen by its ``model``; one that this version does not know is JSON as it came."""


@define(kw_only=True)
class CalibratedImage(URL):
    """
    A camera image beside a point cloud. Source: docs.segments.ai/reference/sample-types.

    With intrinsics and extrinsics, the label editor lays the image over the point cloud.
    """

    row: int | None = None
    """Row in the image viewer, from 0."""
    col: int | None = None
    """Column in the image viewer, from 0."""
    intrinsics: CameraIntrinsics | None = None
    """How the camera projects."""
    extrinsics: CameraExtrinsics | None = None
    """Where the camera is, relative to the ego pose."""
    distortion: Distortion | None = None
    """How the lens bends what is straight."""
    camera_convention: str | None = None
    """
    One of `CameraConvention`; OpenGL if not given. Both are right-handed with x right: OpenGL looks along -z with
    y up, OpenCV along +z with y down.
    """
    name: str | None = None
    """Shown above the image."""
    rotation: float | None = None
    """How far to turn the image for display, radians; for cameras that are mounted upside down."""
