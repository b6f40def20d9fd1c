"""What the service sends and takes, as attrs classes."""

from segments_async.models._base import Model
from segments_async.models.assets import Asset, FileSample, FileSource, PresignedPost
from segments_async.models.changes import (
    DatasetChanges,
    DatasetSettings,
    LabelChanges,
    LabelUpdate,
    SampleChanges,
    SampleSettings,
    SampleUpdate,
)
from segments_async.models.datasets import Dataset, Labelset
from segments_async.models.enums import Category, LabelStatus, ReleaseStatus, Role, TaskType
from segments_async.models.labels import (
    ImageSegmentationAnnotation,
    ImageSegmentationLabelAttributes,
    ImageVectorAnnotation,
    ImageVectorLabelAttributes,
    Label,
    LabelAttributes,
    LabelPut,
    LabelSummary,
)
from segments_async.models.releases import Release, ReleaseAttributes
from segments_async.models.samples import ImageSampleAttributes, Sample, SampleAttributes, SampleCreate
from segments_async.models.task_attributes import TaskAttributeCategory, TaskAttributes
from segments_async.models.urls import URL
from segments_async.models.users import Collaborator, User

__all__ = [
    "URL",
    "Asset",
    "Category",
    "Collaborator",
    "Dataset",
    "DatasetChanges",
    "DatasetSettings",
    "FileSample",
    "FileSource",
    "ImageSampleAttributes",
    "ImageSegmentationAnnotation",
    "ImageSegmentationLabelAttributes",
    "ImageVectorAnnotation",
    "ImageVectorLabelAttributes",
    "Label",
    "LabelAttributes",
    "LabelChanges",
    "LabelPut",
    "LabelStatus",
    "LabelSummary",
    "LabelUpdate",
    "Labelset",
    "Model",
    "PresignedPost",
    "Release",
    "ReleaseAttributes",
    "ReleaseStatus",
    "Role",
    "Sample",
    "SampleAttributes",
    "SampleChanges",
    "SampleCreate",
    "SampleSettings",
    "SampleUpdate",
    "TaskAttributeCategory",
    "TaskAttributes",
    "TaskType",
    "User",
]
