"""A label and a sample of every kind, as the service's reference pages and the official SDK have them."""

from typing import Any

OBJECT = {"id": 1, "category_id": 2, "attributes": {"color": "red", "wheels": 4, "parked": False, "seen": None}}
TRACKED = {**OBJECT, "track_id": 1, "is_keyframe": True}
BOX = {"type": "bbox", "points": [[12.34, 56.78], [90.12, 134]]}
CUBOID = {
    "type": "cuboid",
    "position": {"x": 12.5, "y": -3.25, "z": 0.5},
    "dimensions": {"x": 4.5, "y": 1.75, "z": 1},
    "yaw": 0.63,
    "rotation": {"qx": 0, "qy": 0.0491566, "qz": 0.3096865, "qw": 0.9495672},
    "velocity": {"relative": None, "absolute": 3.5},
    "acceleration": {"relative": 0.25, "absolute": 1},
}
LANE = {"type": "polyline", "points": [[12.34, 56.78, 0], [90.12, 34.56, 0.5]]}
LINK = {"from_id": 1, "to_id": 2, "attributes": {"side": "left", "strength": 10}}
LINK_WITH_FRAMES = {**LINK, "frames": [{"attributes": {"gap": 0.5}}, {"attributes": {}}]}
WHOLE = {"format_version": "0.1", "image_attributes": {"weather": "sunny", "lanes": ["a", "b"]}}
FRAME = {**WHOLE, "timestamp": 1_700_000_000_000_000_000}


def two_frames(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    first = {**FRAME, "annotations": [{**TRACKED, **one} for one in annotations], **more}
    return {"format_version": "0.2", "frames": [first, {**first, "timestamp": "00002", "image_attributes": {}}]}


LABELS: dict[str, dict[str, Any]] = {
    "segmentation-bitmap": {**WHOLE, "annotations": [OBJECT], "segmentation_bitmap": {"url": "https://x.test/a.png"}},
    "vector": {**WHOLE, "annotations": [{**OBJECT, **BOX, "track_id": 1}], "links": [LINK]},
    "image-segmentation-sequence": two_frames({}, segmentation_bitmap={"url": "https://x.test/a.png"}),
    "image-vector-sequence": {**two_frames(BOX), "links": [LINK_WITH_FRAMES]},
    "pointcloud-segmentation": {**WHOLE, "annotations": [OBJECT], "point_annotations": [0, 0, 1, 1]},
    "pointcloud-cuboid": {
        **WHOLE,
        "annotations": [{**OBJECT, **CUBOID, "track_id": 1}, {**OBJECT, **CUBOID, "type": "cuboid-sync"}],
        "links": [LINK],
    },
    "pointcloud-vector": {**WHOLE, "annotations": [{**OBJECT, **LANE}, {**OBJECT, **CUBOID}], "links": [LINK]},
    "pointcloud-segmentation-sequence": two_frames({}, point_annotations=[0, 1]),
    "pointcloud-cuboid-sequence": {**two_frames({**CUBOID, "index": 0}), "links": [LINK_WITH_FRAMES]},
    "pointcloud-vector-sequence": {**two_frames({**LANE, "index": 0}, CUBOID), "links": [LINK_WITH_FRAMES]},
}
LABELS["multisensor-sequence"] = {
    "sensors": [
        {"name": "Lidar", "task_type": "pointcloud-cuboid-sequence", "attributes": two_frames(CUBOID)},
        {"name": "Left", "task_type": "image-vector-sequence", "attributes": two_frames(BOX)},
        {"name": "Right", "task_type": "image-vector-sequence", "attributes": []},
        {"name": "Lanes", "task_type": "pointcloud-vector-sequence", "attributes": two_frames(LANE)},
        {"name": "Points", "task_type": "pointcloud-segmentation-sequence", "attributes": {"frames": []}},
        {"name": "Masks", "task_type": "image-segmentation-sequence", "attributes": two_frames({})},
    ],
    "links": [LINK_WITH_FRAMES],
}

CAMERA = {
    "url": "https://x.test/left.jpg",
    "row": 0,
    "col": 1,
    "name": "Left",
    "rotation": 1.5708,
    "intrinsics": {"intrinsic_matrix": [[1266.5, 0, 816.25], [0, 1266.5, 491.5], [0, 0, 1]]},
    "extrinsics": {
        "translation": {"x": -0.01, "y": 0.76, "z": -0.31},
        "rotation": {"qx": 0.7136, "qy": -0.0011, "qz": 0.0036, "qw": 0.7005},
    },
    "distortion": {"model": "fisheye", "coefficients": {"k1": -0.05, "k2": -0.01, "k3": -0.002, "k4": 0.001}},
    "camera_convention": "OpenCV",
}
BROWN_CONRADY = {"k1": -0.29, "k2": 0.08, "k3": 0.0, "p1": 0.0015, "p2": -0.002}
CORNERS = ["top_left", "top_right", "bottom_right", "bottom_left"]
ORTHO = {
    "url": "https://x.test/ortho.png",
    "corners": {corner: {"x": place, "y": -place / 2} for place, corner in enumerate(CORNERS)},
    "height_map": {"url": "https://x.test/height.png", "encoding": "rgb16", "offset": -2.5, "scale": 0.01},
}
POSE = {
    "position": {"x": -2.5, "y": 116.25, "z": 1.75},
    "heading": {"qx": -0.0211, "qy": -0.0065, "qz": -0.308, "qw": 0.9511},
}
CLOUD = {
    "pcd": {"url": "https://x.test/0.bin", "type": "kitti"},
    "images": [
        CAMERA,
        {**CAMERA, "name": "Right", "distortion": {"model": "brown-conrady", "coefficients": BROWN_CONRADY}},
    ],
    "ego_pose": POSE,
    "default_z": -1,
    "name": "frame_00001",
    "timestamp": 1_700_000_000_000_000_000,
    "bounds": {"min_z": -1, "max_z": 3},
    "ortho_images": [ORTHO],
}
OTHER_POSE = {"position": {"x": 0, "y": 1, "z": 0}, "heading": {"qx": 0, "qy": 0, "qz": 3, "qw": -4}}
CLOUDS = {"frames": [CLOUD, {**CLOUD, "ego_pose": OTHER_POSE, "timestamp": "00002"}], "ortho_images": [ORTHO]}
IMAGES = {"frames": [{"image": {"url": "https://x.test/0.png"}, "name": "0", "timestamp": "00001"}] * 2}

SAMPLES: dict[str, dict[str, Any]] = {
    "image": {"image": {"url": "https://x.test/a.png"}},
    "images": IMAGES,
    "point cloud": CLOUD,
    "point clouds": CLOUDS,
    "sensors": {
        "sensors": [
            {"name": "Lidar", "task_type": "pointcloud-cuboid-sequence", "attributes": CLOUDS},
            {"name": "Left", "task_type": "image-vector-sequence", "attributes": IMAGES},
            {"name": "Right", "task_type": "image-vector-sequence", "attributes": IMAGES},
            {"name": "Lanes", "task_type": "pointcloud-vector-sequence", "attributes": CLOUDS},
            {"name": "Points", "task_type": "pointcloud-segmentation-sequence", "attributes": CLOUDS},
            {"name": "Masks", "task_type": "image-segmentation-sequence", "attributes": IMAGES},
        ]
    },
}
SAMPLE_OF = {
    "segmentation-bitmap": "image",
    "vector": "image",
    "image-segmentation-sequence": "images",
    "image-vector-sequence": "images",
    "pointcloud-segmentation": "point cloud",
    "pointcloud-cuboid": "point cloud",
    "pointcloud-vector": "point cloud",
    "pointcloud-segmentation-sequence": "point clouds",
    "pointcloud-cuboid-sequence": "point clouds",
    "pointcloud-vector-sequence": "point clouds",
    "multisensor-sequence": "sensors",
}
"""The kind of sample that a kind of label is of."""

TASK_ATTRIBUTES = {
    "format_version": "0.1",
    "categories": [
        {
            "name": "car",
            "id": 1,
            "color": [33, 138, 33],
            "has_instances": True,
            "lock_dimensions": True,
            "attributes": [
                {"name": "color", "input_type": "select", "values": ["red", "green"], "default_value": "red"},
                {"name": "damage", "input_type": "multiselect", "values": ["front", "back"], "is_mandatory": True},
                {"name": "plate", "input_type": "text", "is_track_level": True, "sensor_filter": "2D"},
                {"name": "wheels", "input_type": "number", "min": "1", "max": "", "step": 1, "default_value": 4},
                {"name": "parked", "input_type": "checkbox", "default_value": False, "synced_across_sensors": True},
                {"name": "force", "input_type": "vector3"},
                {"name": "tilt", "input_type": "quaternion"},
                {"name": "joints", "input_type": "points"},
                {"name": "smell", "input_type": "nose", "strength": 3},
            ],
            "dimensions": {"x": 4.5, "y": 1.75},
            "link_attributes": [{"name": "side", "input_type": "select", "values": ["left"], "is_track_level": False}],
            "link_category_restrictions": [1, 2],
            "foo": {"bar": 1},
        }
    ],
    "image_attributes": [{"name": "weather", "input_type": "text", "default_value": "sunny"}],
    "circle_radius": 50,
    "warning_rules": [
        {"name": "intersecting-cuboids", "excluded_categories": []},
        {"name": "intersecting-cuboids", "excluded_set_of_categories": [1, 3, 5]},
        {"name": "cuboid-dimension-limits", "categories": [1], "min": {"x": 0.5}, "max": {"z": 3}},
        {"name": "flying-cuboids", "height": 3},
    ],
}
