"""The service's resources, one class a file."""

from segments_async.resources.assets import Assets
from segments_async.resources.datasets import Datasets
from segments_async.resources.labels import Labels
from segments_async.resources.releases import Releases
from segments_async.resources.samples import Samples

__all__ = ["Assets", "Datasets", "Labels", "Releases", "Samples"]
