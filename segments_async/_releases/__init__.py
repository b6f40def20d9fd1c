"""Release files: read sample by sample, picked, typed and counted, with only a window of the text in memory."""

from segments_async._releases.file import ReleaseFile, ReleaseSamples, open_release
from segments_async._releases.summary import LabelsetSummary, ReleaseSummary

__all__ = ["LabelsetSummary", "ReleaseFile", "ReleaseSamples", "ReleaseSummary", "open_release"]
