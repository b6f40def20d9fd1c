"""
Export releases to other formats (extra ``export``); see ``client.releases.export``.

Example::

    report = await client.releases.export("flowers-v1.json", "out", "coco-panoptic")
    print(report.file, report.folder)

The JSON file of COCO and polygons is written to the folder itself, all other files to
``segments/<owner>_<dataset>/<release>`` in it, as by the official SDK. The files differ from the SDK's as follows:

- Images are written unchanged; the SDK re-encodes JPEGs. Only images of labelled samples are written. The SDK's cache
  of bitmaps is not written.
- The folders in a sample's name (``meadow/violet.jpg``) are kept, so that ``meadow/a.jpg`` and ``wood/a.jpg`` do not
  overwrite each other's labels. Two samples whose files would have the same name are an error. Where names differ only
  in case or in the form of accents, or where one is that of another's mask, the later one ends in a digest.
- Only a known suffix is one: ``scan_0.25`` and ``scan_0.50`` keep their names. An image has the suffix of its sample's
  name if that fits its content, else that of its URL, else the usual one: ``rose.jpg`` at ``/download/12345`` stays
  ``rose.jpg``.
- All EXIF orientations are applied, in every container; the SDK applies three of seven.
- Ids above 65,535, and above 255 in polygons and coloured instances, are correct; the SDK truncates their upper bits.
  A grey instance PNG cannot represent ids above 65,535, which is an error. Bitmaps of 16 bits per channel and lossy
  ones are an error.
- With category ids above 255, semantic PNGs have 16 bits; the SDK scales the ids down. Each category has its own
  colour; the SDK uses the category's id as an index into the colours.
- COCO instance of shapes also has ``segmentation``, ``area`` and ``iscrowd`` (for points, ``num_keypoints``), which
  COCO's tools require, and always the size of the image. What has no shape in COCO is left out and counted: polylines,
  polygons of fewer than three points, boxes without two corners, points without one place, boxes and polygons without
  area, coordinates that are not finite or beyond 1e9. Shapes that cross the edge of the image are clipped
  (``points`` of a polygon stay as they were drawn), shapes outside it are left out and counted.
- COCO panoptic is the same in every run; the SDK chooses the colours of further objects at random, and loops forever
  once the colours near a category's colour are used up. A category without instances is one segment per image; the SDK
  writes several with the same id.
- A contour of one point is a list of one point; the SDK writes only the point.
- YOLO is what Ultralytics trains on: classes are 0, 1, 2 and so on in the order of the categories, ``data.yaml`` has
  their names, a labelled image without boxes has an empty text file, and the labels of images in a folder ``images``
  are in ``labels``. With `id_increment`, category ids are kept and increased by it; 0 gives the SDK's numbers. Boxes
  are clipped to the image. YOLO accepts any labelset of a sequence, reads the size of its images, and writes them.
- A hidden manifest in the folder of the images (``.segments-export-*.jsonl``) lists what was written. With it, a second
  export into the same folder gives what it alone would give, and never touches what others put there. Exports into one
  folder at the same time, by tasks or processes, wait for each other.
"""

try:
    import segments_async.images  # noqa: F401
except ImportError as _error:
    raise ImportError(
        f'the export needs an extra: pip install "segments-async[export]" ({_error.__cause__})', name=_error.name
    ) from _error

from segments_async._releases.export_plan import ExportFormat, ExportReport, Plan
from segments_async.export.drawing import draw_polygons
from segments_async.export.run import Export

__all__ = ["Export", "ExportFormat", "ExportReport", "Plan", "draw_polygons"]
