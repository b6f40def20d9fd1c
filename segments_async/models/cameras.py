"""Camera images of a point cloud, and their calibration. Source: docs.segments.ai/reference/sample-types."""

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
    """The position and orientation of a camera. Source: docs.segments.ai/reference/sample-types."""

    translation: XYZ
    """The position of the camera in ego (lidar) coordinates, in the unit of the point cloud."""
    rotation: XYZW
    """From camera to ego coordinates; the camera's axes are those of `CalibratedImage.camera_convention`."""


@define(kw_only=True)
class FisheyeDistortionCoefficients(Model):
    """Coefficients of the fisheye model of OpenCV; they are dimensionless."""

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
    """Coefficients of the standard (Brown-Conrady) model of OpenCV; they are dimensionless."""

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
    """Coefficients of the fisheye model of OpenCV."""
    model: str = "fisheye"
    """Always ``"fisheye"``."""


@define(kw_only=True)
class DistortionBrownConrady(Model):
    """The distortion of an ordinary lens. Source: docs.segments.ai/reference/sample-types."""

    coefficients: BrownConradyDistortionCoefficients
    """Coefficients of the standard model of OpenCV."""
    model: str = "brown-conrady"
    """Always ``"brown-conrady"``."""


Distortion = Annotated[
    DistortionFisheye | DistortionBrownConrady | dict[str, Any],
    Tagged("model", {"fisheye": DistortionFisheye, "brown-conrady": DistortionBrownConrady}),
]
"""The class is determined by ``model``; an unknown one stays plain JSON."""


@define(kw_only=True)
class CalibratedImage(URL):
    """
    A camera image of a point cloud. Source: docs.segments.ai/reference/sample-types.

    With intrinsics and extrinsics, the label editor overlays the image on the point cloud.
    """

    row: int | None = None
    """Row in the image viewer, from 0."""
    col: int | None = None
    """Column in the image viewer, from 0."""
    intrinsics: CameraIntrinsics | None = None
    """The projection of the camera."""
    extrinsics: CameraExtrinsics | None = None
    """The pose of the camera, relative to the ego pose."""
    distortion: Distortion | None = None
    """The distortion of the lens."""
    camera_convention: str | None = None
    """
    One of `CameraConvention`; OpenGL if not given. Both are right-handed with x right: OpenGL looks along -z with
    y up, OpenCV along +z with y down.
    """
    name: str | None = None
    """The name displayed above the image."""
    rotation: float | None = None
    """Angle by which to rotate the image for display, in radians; for cameras that are mounted upside down."""
