"""
Releases as files of other formats (extra ``export``): see ``client.releases.export``.

Example:
    ::

        report = await client.releases.export("flowers-v1.json", "out", "coco-panoptic")
        print(report.file, report.folder)

The JSON file of COCO and polygons stands in the folder, all else below ``segments/<owner>_<dataset>/<release>``, as the
official SDK has it. What differs from its files:

- Images are written as they came; the SDK packs JPEGs anew. Only images of labelled samples are. Its cache of bitmaps
  is not written.
- A sample's folders (``meadow/violet.jpg``) are kept, so that ``meadow/a.jpg`` and ``wood/a.jpg`` do not overwrite each
  other's labels. Two samples whose files would have one name are an error.
- All EXIF orientations are undone; the SDK knows three of seven.
- ids above 65,535, and above 255 in polygons and coloured instances, are right; the SDK cuts their upper bits off. A
  grey instance PNG cannot hold ids above 65,535, which is an error.
- Categories above 255 make semantic PNGs of 16 bits; the SDK scales them down. Colours are the category's own; the SDK
  takes those at the place of its id.
- COCO instance of shapes has ``segmentation``, ``area`` and ``iscrowd`` (points: ``num_keypoints``) besides, which
  COCO's tools want. Polylines are left out and counted; the SDK writes annotations without a shape for them.
- COCO panoptic is the same at every run; the SDK draws the colours of further objects by lot, and waits for ever once
  those near a category's colour are used up. A category that has no instances is one segment in each image; the SDK
  writes several of the same id.
- A contour of one point is a list of one point; the SDK's is that point.
- YOLO takes any labelset of a sequence, asks its images for their size, and writes them; it heeds ``id_increment``.
"""

try:
    import segments_async.images  # noqa: F401
except ImportError as _error:
    raise ImportError(
        f'the export needs its extra: pip install "segments-async[export]" ({_error.__cause__})', name=_error.name
    ) from _error

from segments_async.export.plan import ExportFormat, ExportReport, Plan
from segments_async.export.run import Export

__all__ = ["Export", "ExportFormat", "ExportReport", "Plan"]
