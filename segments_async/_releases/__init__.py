"""Release files: read, filter and count samples one by one, with only a window of the file in memory."""

from segments_async._releases.file import ReleaseFile, ReleaseSamples, open_release
from segments_async._releases.summary import LabelsetSummary, ReleaseSummary

__all__ = ["LabelsetSummary", "ReleaseFile", "ReleaseSamples", "ReleaseSummary", "open_release"]
