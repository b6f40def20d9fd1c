"""The service's resources, one class per file."""

from segments_async.resources.assets.resource import Assets
from segments_async.resources.datasets import Datasets
from segments_async.resources.issues import Issues
from segments_async.resources.labels.resource import Labels
from segments_async.resources.labelsets import Labelsets
from segments_async.resources.releases.resource import Releases
from segments_async.resources.samples.resource import Samples
from segments_async.resources.users import Users
from segments_async.resources.workunits import Workunits

__all__ = ["Assets", "Datasets", "Issues", "Labels", "Labelsets", "Releases", "Samples", "Users", "Workunits"]
