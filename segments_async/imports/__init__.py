"""
Read annotations of other tools and convert them to labels (extra ``import``).

Example::

    with read_annotations("instances.json", images="photos") as annotations:
        print(annotations.format, [category.name for category in annotations.categories])
        for image in annotations.labels("vector"):
            print(image.name, image.attributes, dict(image.left_out))

``client.datasets.import_annotations`` does this and sends the labels; ``docs/import.md`` explains the conversions.

To add a format, write one module that

- has a class with the methods of `formats.Reader`; it yields a `shapes.SourceImage` for each image, with objects in the
  terms of no task type, and uses the checks of `reading`, so that what is broken is named and the rest is read;
- declares ``FORMAT``, a `formats.Format`: the name, what such a file looks like, and how it is recognized;

and list the module in `annotations.FORMATS` and the name in `formats.ImportFormat`. A library that only this format
needs is imported in the function that uses it. ``docs/import.md`` shows a whole example.
"""

from segments_async.imports.annotations import Annotations, ImageAnnotations, read_annotations
from segments_async.imports.formats import ImportFormat
from segments_async.imports.report import ImportReport
from segments_async.imports.shapes import ImportProblem

__all__ = ["Annotations", "ImageAnnotations", "ImportFormat", "ImportProblem", "ImportReport", "read_annotations"]
