"""Pascal VOC: a folder of XML files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from segments_async import DecodeError, InputError
from segments_async.imports import read_annotations
from segments_async.imports.xml_text import read_xml

BOX = "<bndbox><xmin>10</xmin><ymin>5</ymin><xmax>30.5</xmax><ymax>20</ymax></bndbox>"


def thing(name="rose", inside=BOX):
    return f"<object><name>{name}</name>{inside}</object>"


def voc(*objects, filename="a.jpg", more=""):
    return (
        f"<annotation><folder>flowers</folder><filename>{filename}</filename>{more}"
        f"<size><width>64</width><height>48</height><depth>3</depth></size>{''.join(objects)}</annotation>"
    )


@pytest.fixture
def folder(tmp_path):
    """``folder({"a.xml": "<annotation>…"})``: a folder of files."""

    def make(files):
        root = tmp_path / "voc"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    return make


def read(path, task_type=None, **options):
    with read_annotations(path, **options) as annotations:
        return list(annotations.labels(task_type))


def test_boxes_and_attributes(folder):
    details = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>0.5</occluded>" + BOX
    more = "<attributes><attribute><name>wilted</name><value>True</value></attribute></attributes><kind>7</kind>"
    root = folder({"Annotations/a.xml": voc(thing(inside=details + more), thing("bud"))})
    with read_annotations(root) as annotations:
        [label] = annotations
        assert annotations.format == "pascal-voc"
        rose, bud = annotations.categories
    assert (rose.id, rose.name, bud.id, bud.name) == (1, "rose", 2, "bud")
    assert {one.name: one.input_type for one in rose.attributes} == {
        "pose": "text", "truncated": "checkbox", "occluded": "number", "wilted": "checkbox"
    }  # fmt: skip
    first, second = label.attributes["annotations"]
    assert (first["type"], first["points"]) == ("bbox", [[10, 5], [30.5, 20]])
    assert first["attributes"] == {"pose": "Left", "truncated": True, "occluded": 0.5, "wilted": True}
    assert "attributes" not in second
    assert (label.name, label.size, label.left_out) == ("a.jpg", (64, 48), {"elements <kind> of objects": 1})


def test_files_of_voc_itself_count_from_one(folder):
    source = "<source><database>The VOC2007 Database</database></source><segmented>1</segmented>"
    part = "<part><name>stem</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    [label] = read(folder({"a.xml": voc(thing(inside=BOX + part), more=source)}))
    rose, stem = label.attributes["annotations"]
    assert rose["points"] == [[9, 4], [30.5, 20]]
    assert (stem["points"], stem["attributes"]) == ([[0, 0], [2, 2]], {"part_of": "rose"})
    assert label.left_out == {"images whose masks are not in SegmentationObject": 1}


def masks(kind, size=(64, 48)):
    """Two objects, the border of the first, and a third number without an object."""
    numbers = np.zeros((size[1], size[0]), np.uint8)
    numbers[5:20, 10:20] = 1
    numbers[5:20, 20] = 255
    numbers[30:40, 30:50] = 2
    numbers[44:, 60:] = 9
    image = Image.fromarray(numbers)
    colours = [(n, channel) for n in range(256) for channel in range(3)]
    image.putpalette([sum(((n >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3)) for n, channel in colours])
    file = io.BytesIO()
    (image if kind == "P" else image.convert(kind)).save(file, "PNG")
    return file.getvalue()


SECOND = BOX.replace("10<", "30<").replace(">5<", ">30<").replace("30.5", "50").replace("20<", "40<")


@pytest.mark.parametrize("kind", ["P", "RGB", "RGBA"])
def test_masks_of_objects(folder, kind):
    """In a bitmap, they are in place of the boxes; the third object has none."""
    leaf = "<bndbox><xmin>0</xmin><ymin>40</ymin><xmax>9</xmax><ymax>48</ymax></bndbox>"
    objects = [thing(), thing("bud", SECOND), thing("leaf", leaf)]
    root = folder({
        "Annotations/wood/a.xml": voc(*objects, more="<segmented>1</segmented>"),
        "Annotations/b.xml": voc(thing(), filename="b.jpg"),
        "SegmentationObject/wood/a.png": masks(kind),
    })  # fmt: skip
    plain, masked = sorted(read(root, "segmentation-bitmap"), key=lambda label: label.name)
    assert (plain.name, plain.changed) == ("b.jpg", {"boxes drawn as pixels": 1})
    assert [one["category_id"] for one in masked.attributes["annotations"]] == [1, 2, 3]
    assert [int((masked.bitmap == number).sum()) for number in range(5)] == [64 * 48 - 150 - 200 - 72, 150, 200, 72, 0]
    no_mask = "objects without a mask where they are, in an image with masks"
    assert masked.changed == {no_mask: 1, "boxes drawn as pixels": 1}
    assert masked.left_out == {"pixels of no object": 16}
    for task_type in ("vector", "bboxes"):
        [shapes] = [label for label in read(root, task_type) if label.name == "wood/a.jpg"]
        assert [one["type"] for one in shapes.attributes["annotations"]] == ["bbox"] * 3
        assert shapes.changed == {"masks of which only the box is imported": 3}
        assert not shapes.left_out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"GIF89a", "SegmentationObject/a.png: cannot be read"),
        (lambda: masks("P")[:200], "SegmentationObject/a.png: cannot be read"),
        (lambda: masks("P", (60, 48)), "its mask is 60 x 48 pixels, but its image 64 x 48"),
        (lambda: masks("1"), "SegmentationObject/a.png: expected a palette or colours, got 1"),
    ],
)
def test_masks_that_cannot_be_read(folder, content, words):
    """They are named, and the other images arrive."""
    files = {f"Annotations/{name}.xml": voc(thing(), filename=f"{name}.jpg") for name in "ab"}
    root = folder({**files, "SegmentationObject/a.png": content()})
    broken, whole = read(root, "segmentation-bitmap")
    assert words in str(broken.problems[0])
    assert len(whole.attributes["annotations"]) == 1
    [boxes, _] = read(root, "vector")
    assert len(boxes.attributes["annotations"]) == 1


def test_masks_outside_the_folder_are_not_read(folder):
    root = folder({"voc/Annotations/a.xml": voc(thing()), "a.png": b"secret"})
    (root / "voc" / "SegmentationObject").mkdir()
    (root / "voc" / "SegmentationObject" / "a.png").symlink_to(root / "a.png")
    [label] = read(root / "voc", "segmentation-bitmap")
    assert label.changed == {"boxes drawn as pixels": 1}


def test_polygons_turned_boxes_and_points(folder):
    numbered = "<polygon><x1>1</x1><y1>2</y1><x2>9</x2><y2>2</y2><x3>9</x3><y3>8</y3></polygon>"
    turned = "<robndbox><cx>20</cx><cy>10</cy><w>10</w><h>4</h><angle>1.5707963267948966</angle></robndbox>"
    upright = turned.replace("1.5707963267948966", "0.0")
    point = "<point><x>3</x><y>4</y></point>"
    objects = [thing(inside=inside) for inside in (BOX + numbered, turned, upright, point)]
    root = folder({"a.xml": voc(*objects)})
    [label] = read(root)
    polygon, four, box, dot = label.attributes["annotations"]
    assert polygon["points"] == [[1, 2], [9, 2], [9, 8]]
    assert [[round(c, 6) for c in p] for p in four["points"]] == [[22, 5], [22, 15], [18, 15], [18, 5]]
    assert (box["type"], box["points"]) == ("bbox", [[15, 8], [25, 12]])
    assert (dot["type"], dot["points"]) == ("point", [[3, 4]])
    assert label.changed == {"turned boxes that became polygons of four points": 1}
    [boxes] = read(root, "bboxes")
    assert len(boxes.attributes["annotations"]) == 2


def test_images_are_found_where_tools_put_them(folder, photos):
    names = {
        "Annotations/a.xml": ("a.jpg", "JPEGImages/a.jpg", "a.jpg"),
        "Annotations/wood/b.xml": ("b rosé.jpg", "images/wood/b rosé.jpg", "wood/b rosé.jpg"),
        "Annotations/wood/c.xml": ("wood/c.png", "JPEGImages/wood/c.png", "wood/c.png"),
        "train/d.xml": ("d.jpg", "train/d.jpg", "train/d.jpg"),
        "train/e.xml": ("C:\\Users\\jane\\e.jpg", "train/images/e.jpg", "train/e.jpg"),
        "train/f.xml": ("f", "train/f.png", "train/f.png"),
        "g.xml": ("lost.jpg", None, "lost.jpg"),
        "h.xml": ("../../etc/h.jpg", None, "etc/h.jpg"),
    }
    root = folder({name: voc(filename=stated) for name, (stated, _, _) in names.items()})
    (root / "Annotations" / ".hidden.xml").write_text("<")
    photos(*(place for _, place, _ in names.values() if place))
    pictures = root.parent / "photos"
    for path in [path for path in pictures.rglob("*") if path.is_file()]:
        target = root / path.relative_to(pictures)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    found = {label.name: label.file and label.file.relative_to(root).as_posix() for label in read(root)}
    assert found == {name: place for _, place, name in names.values()}
    for path, name in ((root / "Annotations", "wood/c.png"), (root / "Annotations" / "a.xml", "a.jpg")):
        labels = {label.name: label.file for label in read(path)}
        assert labels[name].is_file()


def test_no_file_outside_the_folder_is_read(folder, photos):
    photos("secret.png")
    [label] = read(folder({"a.xml": voc(filename="../photos/secret.png")}))
    assert (label.name, label.file) == ("photos/secret.png", None)


BROKEN = ["", "<bndbox/>", BOX.replace("30.5", "?"), BOX.replace("30.5", "10"), BOX.replace("5<", "nan<")]


@pytest.mark.parametrize("inside", BROKEN)
def test_one_broken_object_is_named_and_the_rest_arrives(folder, inside):
    [label] = read(folder({"a.xml": voc(thing(), thing(inside=inside), thing("", BOX), thing())}))
    assert len(label.attributes["annotations"]) == 2
    assert [str(problem).partition(": object[")[0] for problem in label.problems] == ["a.xml", "a.xml"]
    assert "object[1] (a.jpg): " in str(label.problems[0])


ENTITY = '<!DOCTYPE annotation [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>'
UNSAFE = {
    "declares an entity": ENTITY,
    "refers to another file": '<!DOCTYPE annotation SYSTEM "file:///etc/hostname"><annotation/>',
    "more than 100 elements": "<annotation>" + "<a>" * 200,
    "is truncated": voc(thing())[:-30],
    "is not XML": "<annotation></b>",
    "is not XML: ": '<?xml version="1.0" encoding="nonsense"?><annotation/>',
    "expected the element <annotation>, got <b>": "<b/>",
}


@pytest.mark.parametrize("words", UNSAFE)
def test_a_broken_file_is_named_and_the_rest_arrives(folder, words):
    root = folder({"a.xml": voc(thing()), "b.xml": UNSAFE[words]})
    with read_annotations(root) as annotations:
        assert [label.name for label in annotations] == ["a.jpg"]
        assert len(annotations) == 1
        assert annotations.problems[0].where == "b.xml"
        assert words in str(annotations.problems[0])


def test_entity_in_an_external_parameter(folder):
    root = folder({"a.xml": '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><annotation/>'})
    with pytest.raises(DecodeError, match="declares an entity"):
        read_xml(root / "a.xml")


def test_text_in_several_encodings(folder):
    text = '<?xml version="1.0" encoding="{}"?>' + voc(thing("rosé"), filename="é.jpg")
    files = {f"{code}.xml": text.format(code).encode(code) for code in ("utf-8", "utf-16", "latin-1")}
    assert {label.name for label in read(folder(files))} == {"é.jpg"}


@pytest.mark.parametrize("files", [{}, {"a.txt": ""}, {"a.xml": "<"}, {"a.xml": "<b/>"}])
def test_a_folder_without_annotations(folder, tmp_path, files):
    root = folder(files) if files else tmp_path / "empty"
    root.mkdir(exist_ok=True)
    with pytest.raises(InputError, match="not recognized"):
        read(root)
    with pytest.raises(InputError, match="has no annotations that can be read"):
        read(root, format="pascal-voc")


def test_boxes_over_the_edge_are_clipped_in_a_bitmap(folder):
    box = BOX.replace("<xmin>10", "<xmin>-7").replace("30.5", "99")
    root = folder({"a.xml": voc(thing(inside=box))})
    [label] = read(root)
    assert label.attributes["annotations"][0]["points"] == [[-7, 5], [99, 20]]
    [label] = read(root, "segmentation-bitmap")
    assert label.bitmap.sum() == 64 * 15


@pytest.mark.anyio
async def test_import(client, folder, photos):
    root = folder({f"Annotations/{name}.xml": voc(thing(), filename=f"{name}.jpg") for name in ("a", "b")})
    report = await client.datasets.import_annotations("voc", root, images=photos("a.jpg"), create=True)
    assert str(report.samples) == "2 items: 1 created, 1 failed"
    [label] = [outcome for outcome in report.labels.results if outcome.succeeded]
    found = await client.labels.get(label.uuid, "ground-truth")
    assert len(found.attributes.annotations) == 1
