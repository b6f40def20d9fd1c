"""CVAT's XML: images, and tracks of videos."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segments_async import DecodeError, InputError
from segments_async.imports import read_annotations
from segments_async.imports.cvat_tracks import HELD, MOVED, whole_track

LABELS = """<labels>
<label><name>car</name><color>#33ddff</color><attributes>
<attribute><name>type</name><mutable>False</mutable><input_type>select</input_type><default_value>van</default_value>
<values>van\n7</values></attribute>
<attribute><name>parked</name><mutable>True</mutable><input_type>checkbox</input_type>
<default_value>false</default_value><values>false</values></attribute>
<attribute><name>doors</name><mutable>False</mutable><input_type>number</input_type><values>0;5;1</values></attribute>
</attributes></label>
<label><name>person</name><attributes></attributes></label>
<label><name>nose</name><type>points</type><parent>person</parent></label>
</labels>"""
BOX = '<box label="car" occluded="0" source="manual" xtl="1.5" ytl="2" xbr="20" ybr="12" z_order="0"/>'


def image(*shapes, name="a.jpg", number=0):
    return f'<image id="{number}" name="{name}" width="64" height="48">{"".join(shapes)}</image>'


SIZE = "<original_size><width>64</width><height>48</height></original_size>"


def cvat(*elements, labels=LABELS, task="<id>3</id><name>drive</name><size>6</size>"):
    meta = f"<version>1.1</version><meta><task>{task}{labels}{SIZE}</task></meta>"
    return f'<?xml version="1.0" encoding="utf-8"?><annotations>{meta}{"".join(elements)}</annotations>'


def write(folder, text, name="annotations.xml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder, text, task_type=None, **options):
    with read_annotations(write(folder, text), **options) as annotations:
        return list(annotations.labels(task_type))


def test_boxes_attributes_and_labels(tmp_path):
    attributes = "".join(
        f'<attribute name="{name}">{value}</attribute>'
        for name, value in {"type": "7", "parked": "true", "doors": "4", "note": "a\nb"}.items()
    )
    box = BOX.replace('occluded="0"', 'occluded="1" group_id="2"').replace("/>", f">{attributes}</box>")
    path = write(tmp_path, cvat(image(box, BOX, '<tag label="car"><attribute name="doors">3</attribute></tag>')))
    for place in (path, tmp_path):
        with read_annotations(place) as annotations:
            assert (annotations.format, annotations.task_type, len(annotations)) == ("cvat", "vector", 1)
            [label] = annotations
            car, person = annotations.categories
    first, second = label.attributes["annotations"]
    assert first["points"] == [[1.5, 2], [20, 12]]
    assert first["attributes"] == {
        "type": "7", "parked": True, "doors": 4, "note": "a\nb", "occluded": True, "group_id": 2
    }  # fmt: skip
    assert "attributes" not in second
    assert label.attributes["image_attributes"] == {"car": True, "car doors": 3}
    assert (car.color, person.name) == ([0x33, 0xDD, 0xFF], "person")
    declared = {one.name: one for one in car.attributes}
    assert declared["type"].values == ["van", "7"]
    assert {name: one.input_type for name, one in declared.items()} == {
        "type": "select", "parked": "checkbox", "doors": "number", "note": "text", "occluded": "checkbox",
        "group_id": "number",
    }  # fmt: skip
    assert (label.problems, label.left_out, label.changed) == ([], {}, {})


def test_all_shapes(tmp_path):
    shapes = [
        BOX.replace("/>", ' rotation="90"/>').replace("1.5", "0"),
        '<polygon label="car" points="1,2;9,2;9,8.5" z_order="2"/>',
        '<polyline label="car" points="1,2;9,2"/>',
        '<points label="car" points="1,2;3,4"/>',
        '<ellipse label="car" cx="20" cy="10" rx="8" ry="4"/>',
        (
            '<skeleton label="person"><points label="nose" outside="0" occluded="1" points="5,6"/>'
            '<points label="tail" outside="1" points="7,8"/></skeleton>'
        ),
        '<cuboid label="car" xtl1="1" ytl1="1"/>',
        "<scribble/>",
    ]
    [label] = read(tmp_path, cvat(image(*shapes)))
    found = label.attributes["annotations"]
    assert [one["type"] for one in found] == ["polygon", "polyline", "point", "point", "polygon", "point", "polygon"]
    assert [[round(c, 6) for c in p] for p in found[0]["points"]] == [[15, -3], [15, 17], [5, 17], [5, -3]]
    assert found[-1]["points"] == [[1, 2], [9, 2], [9, 8.5]]  # the highest z_order
    assert len(found[4]["points"]) == 36
    assert (found[5]["points"], found[5]["attributes"]) == ([[5, 6]], {"keypoint": "nose", "occluded": True})
    assert label.left_out == {"cuboids drawn in images": 1, "elements <scribble>": 1}
    assert label.changed == {
        "turned boxes that became polygons of four points": 1,
        "ellipses that became polygons of 36 points": 1,
        "sets of points, imported as single points": 1,
        "skeletons, imported as single points": 1,
    }


def test_masks(tmp_path):
    bits = np.random.default_rng(3).random((10, 7)) > 0.5
    flat = np.diff(np.flatnonzero(np.diff(bits.ravel(), prepend=False, append=not bits[-1, -1])), prepend=0)
    text = ", ".join(map(str, flat))
    mask = f'<mask label="car" rle="{text}" left="50" top="40" width="7" height="10"/>'
    [label] = read(tmp_path, cvat(image(mask)), "segmentation-bitmap")
    expected = np.zeros((48, 64), bool)
    expected[40:48, 50:57] = bits[:8]
    assert (label.bitmap.astype(bool) == expected).all()
    [label] = read(tmp_path, cvat(image(mask)))
    assert sum(label.left_out.values()) == 1


BROKEN = {
    "box has no xbr": BOX.replace('xbr="20"', ""),
    "expected a number": BOX.replace('"20"', '"x"'),
    "no area": BOX.replace('"20"', '"1.5"'),
    "no label 'cat'": BOX.replace("car", "cat"),
    "label: missing": BOX.replace('label="car"', ""),
    "has no points": '<polygon label="car"/>',
    "points[1]: expected 2 numbers": '<polygon label="car" points="1,2;3"/>',
    "80 pixels, but its size is 2 x 3": '<mask label="car" rle="80" left="0" top="0" width="2" height="3"/>',
    "whole numbers": '<mask label="car" rle="-1,7" left="0" top="0" width="2" height="3"/>',
    "outside the image": '<mask label="car" rle="1" left="90" top="0" width="2" height="3"/>',
}


@pytest.mark.parametrize("words", BROKEN)
def test_one_broken_shape_is_named_and_the_rest_arrives(tmp_path, words):
    [label] = read(tmp_path, cvat(image(BOX, BROKEN[words], BOX, name="wood/a ñ.jpg", number=7)))
    assert len(label.attributes["annotations"]) == 2
    [problem] = label.problems
    assert str(problem).startswith("image 7: ")
    assert "(wood/a ñ.jpg): " in str(problem)
    assert words.removeprefix("box ") in str(problem)


def test_sizes_that_no_image_has_are_refused(tmp_path):
    mask = '<mask label="car" rle="1,2" left="0" top="0" width="2" height="3"/>'
    [label] = read(tmp_path, cvat(image(mask, BOX).replace('"64"', '"999999"').replace('"48"', '"999999"')))
    assert len(label.attributes["annotations"]) == 1
    assert "999999 x 999999 pixels is too large" in str(label.problems[0])


def test_labels_that_the_file_does_not_list(tmp_path):
    text = cvat(image(BOX, BOX.replace("car", "cat")), labels="")
    with read_annotations(write(tmp_path, text)) as annotations:
        [label] = annotations
        assert [one.name for one in annotations.categories] == ["car", "cat"]
    assert [one["category_id"] for one in label.attributes["annotations"]] == [1, 2]


def test_an_image_without_a_name_is_named(tmp_path):
    with read_annotations(write(tmp_path, cvat(image(name="b.jpg"), image(BOX, name="")))) as annotations:
        assert [label.name for label in annotations] == ["b.jpg"]
        assert len(annotations) == 1
        assert list(map(str, annotations.problems)) == ["image[1]: it has no name"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (cvat(image(BOX))[:-20], "is truncated"),
        (cvat(image(BOX)) + "<more/>", "is not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + cvat(image(BOX)).partition("?>")[2], "declares an entity"),
        ("<annotations/>".replace("annotations", "folder"), "has no element <annotations>"),
        (cvat(image(BOX), '<track id="0" label="car"/>'), "has images and tracks"),
    ],
)
def test_a_broken_file(tmp_path, text, words):
    with pytest.raises((DecodeError, InputError), match=words):
        read(tmp_path, text, format="cvat")


def test_images_of_the_export_and_of_a_folder(tmp_path, photos):
    path = write(tmp_path, cvat(image(name="wood/a.jpg"), image(name="b.jpg"), image(name="../c.jpg")))
    inside = tmp_path / "images" / "default" / "wood"
    inside.mkdir(parents=True)
    (inside / "a.jpg").write_bytes(b"...")
    with read_annotations(path, images=photos("b.jpg", "c.jpg")) as annotations:
        found = {label.name: label.file for label in annotations}
    assert found["wood/a.jpg"] == inside / "a.jpg"
    assert found["b.jpg"] == tmp_path / "photos" / "b.jpg"
    assert found["../c.jpg"] is None


def box(frame, left, more="", keyframe=1, outside=0):
    edges = f'xtl="{left}" ytl="0" xbr="{left + 10}" ybr="10"'
    return f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="{keyframe}" {edges} {more}/>'


def track(*shapes, number=4, label="car"):
    return f'<track id="{number}" label="{label}" source="manual">{"".join(shapes)}</track>'


def test_tracks_become_sequences(tmp_path):
    """Keyframes move in a straight line, an object that is outside is not there, and the last shape stays."""
    tracks = [
        track(box(0, 0), box(1, 1, keyframe=0), box(4, 4, outside=1), box(5, 9)),
        track(box(2, 30), number=9),
    ]
    [label] = read(tmp_path, cvat(*tracks))
    assert label.name == "drive"
    frames = [frame["annotations"] for frame in label.attributes["frames"]]
    assert [[one["track_id"] for one in frame] for frame in frames] == [[4], [4], [4, 9], [4, 9], [9], [4, 9]]
    first = [one for frame in frames for one in frame if one["track_id"] == 4]
    assert [one["points"][0][0] for one in first] == [0, 1, 2, 3, 9]
    assert [one["is_keyframe"] for one in first] == [True, False, False, False, True]
    assert label.changed == {MOVED: 2}
    assert label.attributes["format_version"] == "0.2"


def test_a_track_without_keyframes(tmp_path):
    """All shapes that the file has are keyframes then, as other tools write tracks."""
    [label] = read(tmp_path, cvat(track(box(0, 0, keyframe=0), box(2, 2, keyframe=0))))
    frames = [frame["annotations"][0]["is_keyframe"] for frame in label.attributes["frames"]]
    assert frames[:4] == [True, False, True, False]


def test_skeletons_of_tracks_have_an_id_for_each_point(tmp_path):
    def skeleton(frame, x):
        points = "".join(
            f'<points label="{name}" outside="0" points="{x},{y}"/>' for name, y in (("nose", 1), ("eye", 2))
        )
        return f'<skeleton frame="{frame}" keyframe="1">{points}</skeleton>'

    text = cvat(track(skeleton(0, 0), skeleton(2, 10), number=0, label="person"), track(box(0, 1), number=1))
    [label] = read(tmp_path, text)
    frames = [frame["annotations"] for frame in label.attributes["frames"]]
    assert [[one["track_id"] for one in frame] for frame in frames] == [[0, 2, 1]] * 6
    assert [frame[1]["points"] for frame in frames] == [[[0, 2]], [[5, 2]], *[[[10, 2]]] * 4]


def test_points_of_a_skeleton_as_tracks_of_their_own(tmp_path):
    """As CVAT itself writes skeletons."""

    def part(number, name, *shapes):
        points = "".join(
            f'<points frame="{frame}" outside="{outside}" occluded="1" keyframe="1" points="{x},5"/>'
            for frame, x, outside in shapes
        )
        return f'<track id="{number}" label="{name}">{points}</track>'

    whole = '<skeleton frame="0" outside="0" keyframe="1" points="1,1"/>'
    parts = part(0, "nose", (0, 0, 0), (2, 4, 0)) + part(1, "tail", (0, 9, 0), (1, 9, 1))
    [label] = read(tmp_path, cvat(track(whole, parts, number=3, label="person")))
    frames = [frame["annotations"] for frame in label.attributes["frames"]]
    assert [[one["track_id"] for one in frame] for frame in frames] == [[3, 4], *[[3]] * 5]
    assert [frame[0]["points"][0][0] for frame in frames] == [0, 2, 4, 4, 4, 4]
    assert frames[0][1]["attributes"] == {"keypoint": "tail", "occluded": True}
    assert label.changed == {"skeletons, imported as single points": 1, MOVED: 1}
    assert label.problems == []


def test_frames_that_start_later_and_steps(tmp_path, photos):
    folder = photos(*(f"frame_{number:06d}.PNG" for number in (10, 12, 14)), "cover.png")
    task = "<id>3</id><name>drive</name><size>3</size><start_frame>10</start_frame><frame_filter>step=2</frame_filter>"
    [label] = read(tmp_path, cvat(track(box(10, 1), box(14, 3), box(13, 3), box(16, 3)), task=task), images=folder)
    assert [len(frame["annotations"]) for frame in label.attributes["frames"]] == [1, 1, 1]
    assert [frame.file.name for frame in label.source.frames] == [f"frame_{n:06d}.PNG" for n in (10, 12, 14)]
    assert list(map(str, label.problems)) == [
        "track 4, frame 13 (drive): there is no frame 13",
        "track 4, frame 16 (drive): there is no frame 16",
    ]


def test_frames_in_the_order_of_their_names(tmp_path, photos):
    folder = photos(*(f"shot {number}.png" for number in (1, 2, 10, 3, 4, 5)))
    [label] = read(tmp_path, cvat(track(box(0, 1))), images=folder)
    assert [frame.name for frame in label.source.frames] == [f"shot {number}.png" for number in (1, 2, 3, 4, 5, 10)]


def test_tasks_of_a_project_are_sequences(tmp_path):
    tasks = "".join(f"<task><id>{n}</id><name>drive {n}</name><size>2</size></task>" for n in (1, 2))
    tracks = [track(box(0, 1)).replace("<track", f'<track task_id="{n}"') for n in (1, 2, 2)]
    meta = f"<meta><project>{LABELS}<tasks>{tasks}</tasks></project></meta>"
    one, two = read(tmp_path, f"<annotations>{meta}{''.join(tracks)}</annotations>")
    assert [(label.name, [len(f["annotations"]) for f in label.attributes["frames"]]) for label in (one, two)] == [
        ("drive 1", [1, 1]),
        ("drive 2", [2, 2]),
    ]
    assert [found["track_id"] for found in two.attributes["frames"][0]["annotations"]] == [4, 5]


def test_a_sequence_is_no_label_of_an_image(tmp_path):
    [label] = read(tmp_path, cvat(track(box(0, 1))), "bboxes")
    assert label.attributes is None
    assert "a label of 'bboxes' cannot represent" in str(label.problems[0])


def test_points_that_differ_in_number_stay():
    shapes = [(0, fromstring('<polygon points="0,0;1,1;2,0"/>')), (2, fromstring('<polygon points="0,0;1,1"/>'))]
    changed = Counter()
    assert [shape.get("points") for _, shape, _ in whole_track(shapes, 3, changed)] == [
        "0,0;1,1;2,0", "0,0;1,1;2,0", "0,0;1,1"
    ]  # fmt: skip
    assert changed == {HELD: 1}


def test_rotation_takes_the_short_way():
    shapes = [(0, fromstring(box(0, 0, 'rotation="350"'))), (2, fromstring(box(2, 0, 'rotation="10"')))]
    assert [float(shape.get("rotation")) % 360 for _, shape, _ in whole_track(shapes, 3, Counter())] == [350, 0, 10]


@given(st.dictionaries(st.integers(0, 19), st.tuples(st.integers(0, 99), st.booleans()), max_size=6))
def test_every_frame_has_the_shape_of_its_keyframes(keyframes):
    """What a file states is kept, and between two keyframes an object is there if it is at the first one."""
    shapes = [
        (index, fromstring(box(index, left, outside=int(out)))) for index, (left, out) in sorted(keyframes.items())
    ]
    found = {index: float(shape.get("xtl")) for index, shape, _ in whole_track(shapes, 20, Counter())}
    for index in range(20):
        before = [key for key in keyframes if key <= index]
        assert (index in found) == (bool(before) and not keyframes[max(before)][1])
        if index in found and index in keyframes:
            assert found[index] == keyframes[index][0]
    assert all(0 <= left <= 99 for left in found.values())


def test_memory_is_flat(tmp_path):
    """Twice as many images, as much memory."""
    peaks = []
    for count in (150, 450):
        path = write(tmp_path, cvat(*(image(*[BOX] * 5, name=f"{n}.jpg", number=n) for n in range(count))))
        tracemalloc.start()
        with read_annotations(path) as annotations:
            assert sum(len(label.attributes["annotations"]) for label in annotations) == count * 5
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


@pytest.mark.anyio
async def test_import_of_a_sequence(client, tmp_path, photos):
    folder = photos(*(f"frame_{number:06d}.PNG" for number in range(6)))
    path = write(tmp_path, cvat(track(box(0, 0), box(5, 5))))
    report = await client.datasets.import_annotations("drives", path, images=folder, create=True)
    report.raise_if_failed()
    [sample] = await client.samples.list(report.dataset)
    assert len(sample.attributes.frames) == 6
    label = await client.labels.get(sample.uuid, "ground-truth")
    assert [frame.annotations[0].points[0][0] for frame in label.attributes.frames] == [0, 1, 2, 3, 4, 5]
