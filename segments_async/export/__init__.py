"""
Export releases to other formats (extra ``export``); see ``client.releases.export``.

Example:
    ::

        report = await client.releases.export("flowers-v1.json", "out", "coco-panoptic")
        print(report.file, report.folder)

The JSON file of COCO and polygons is written to the folder itself, all other files to
``segments/<owner>_<dataset>/<release>`` in it, as by the official SDK. The files differ from the SDK's as follows:

- Images are written unchanged; the SDK re-encodes JPEGs. Only images of labelled samples are written. The SDK's cache
  of bitmaps is not written.
- The folders in a sample's name (``meadow/violet.jpg``) are kept, so that ``meadow/a.jpg`` and ``wood/a.jpg`` do not
  overwrite each other's labels. Two samples whose files would have the same name are an error.
- All EXIF orientations are applied; the SDK applies three of seven.
- Ids above 65,535, and above 255 in polygons and coloured instances, are correct; the SDK truncates their upper bits.
  A grey instance PNG cannot represent ids above 65,535, which is an error.
- With category ids above 255, semantic PNGs have 16 bits; the SDK scales the ids down. Each category has its own
  colour; the SDK uses the category's id as an index into the colours.
- COCO instance of shapes also has ``segmentation``, ``area`` and ``iscrowd`` (for points, ``num_keypoints``), which
  COCO's tools require. Polylines are left out and counted; the SDK writes annotations without a shape for them.
- COCO panoptic is the same in every run; the SDK chooses the colours of further objects at random, and loops forever
  once the colours near a category's colour are used up. A category without instances is one segment per image; the SDK
  writes several with the same id.
- A contour of one point is a list of one point; the SDK writes only the point.
- YOLO accepts any labelset of a sequence, reads the size of its images, writes the images, and applies
  ``id_increment``.
"""

try:
    import segments_async.images  # noqa: F401
except ImportError as _error:
    raise ImportError(
        f'the export needs an extra: pip install "segments-async[export]" ({_error.__cause__})', name=_error.name
    ) from _error

from segments_async.export.plan import ExportFormat, ExportReport, Plan
from segments_async.export.run import Export

__all__ = ["Export", "ExportFormat", "ExportReport", "Plan"]
